// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Links with data-drawer open beside the page instead of in its place: an
// analyst looks at twenty records without losing the row. The link's own
// address is the page to open without this module.

let from = null;

export function drawer() {
  const box = document.getElementById("drawer");
  if (!box) return;
  document.addEventListener("click", (e) => {
    const a = e.target.closest("a[data-drawer]");
    if (!a || e.ctrlKey || e.metaKey || e.shiftKey || e.button !== 0) return;
    e.preventDefault();
    open(box, a);
  });
  box.querySelector(".drawer-close").addEventListener("click", () => close(box));
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape" && !box.hidden) {
      e.preventDefault();
      close(box);
    }
  });
}

async function open(box, a) {
  if (!box.contains(a)) from = a;
  const url = new URL(a.href);
  url.searchParams.set("part", "1");
  let answer;
  try {
    answer = await fetch(url, { headers: { Accept: "text/html" } });
  } catch {
    location.href = a.href;
    return;
  }
  if (answer.status === 401) {
    location.reload();
    return;
  }
  const body = box.querySelector(".drawer-body");
  body.innerHTML = await answer.text(); // rendered by our server, every value escaped there
  box.querySelector(".drawer-open").href = a.href;
  box.hidden = false;
  body.scrollTop = 0;
  body.focus({ preventScroll: true });
}

function close(box) {
  box.hidden = true;
  box.querySelector(".drawer-body").replaceChildren();
  if (from && document.contains(from)) from.focus();
  from = null;
}
