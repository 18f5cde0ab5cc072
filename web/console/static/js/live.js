// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Keeps the page "Now" up to date. The server sends the moving part ready
// made whenever it changes; focus inside it and open tables stay.

export function live() {
  const part = document.querySelector("[data-live]");
  if (!part) return;
  const said = document.querySelector("[data-livestate]");
  const say = (on) => {
    if (!said) return;
    said.textContent = on ? said.dataset.yes : said.dataset.no;
    said.classList.toggle("on", on);
    said.classList.toggle("off", !on);
  };
  const stream = new EventSource(part.dataset.live);
  stream.addEventListener("open", () => say(true));
  stream.addEventListener("part", (e) => {
    const at = document.activeElement;
    const href = part.contains(at) ? at.getAttribute("href") : null;
    const open = [...part.querySelectorAll("details")].map((d) => d.open);
    part.innerHTML = e.data; // rendered by our server, every value escaped there
    part.querySelectorAll("details").forEach((d, i) => { d.open = open[i] || false; });
    if (href) {
      const again = [...part.querySelectorAll("a")].find((a) => a.getAttribute("href") === href);
      if (again) again.focus({ preventScroll: true });
    }
    part.dataset.updates = String(Number(part.dataset.updates || 0) + 1);
  });
  stream.addEventListener("end", () => {
    stream.close();
    location.reload(); // the session has ended: the login page says so
  });
  stream.addEventListener("error", () => say(false)); // the browser tries again by itself
  window.addEventListener("pagehide", () => stream.close());
}
