// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Looks every three seconds whether the first record of a source has arrived,
// and shows the page's part that says so. It stops when it has, when the page is
// hidden, and after ten minutes.

export function wait() {
  const box = document.querySelector("[data-wait]");
  if (!box) return;
  let left = 200;
  const look = async () => {
    if (left-- <= 0) return;
    if (!document.hidden) {
      const answer = await fetch(box.dataset.wait, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const now = page.getElementById("arrival");
      const here = document.getElementById("arrival");
      if (now && here) here.replaceWith(now);
      if (!page.querySelector("[data-wait]")) return;
    }
    setTimeout(look, 3000);
  };
  setTimeout(look, 3000);
}
