// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// "/" goes to the search box; "g" and a letter go to a page.

const pages = { n: "/now", i: "/incidents", f: "/findings", s: "/search", o: "/sources", r: "/rules", c: "/cases", u: "/users", a: "/audit", h: "/help" };

export function keys() {
  let g = 0;
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || writing(e.target)) return;
    if (e.key === "/") {
      const box = document.getElementById("q") || document.getElementById("quick");
      if (box) {
        e.preventDefault();
        box.focus();
        box.select();
      }
      return;
    }
    if (e.key === "g") {
      g = e.timeStamp;
      return;
    }
    const to = pages[e.key];
    if (g && e.timeStamp - g < 1500 && to && document.querySelector(`nav.side a[href="${to}"]`)) location.href = to;
    g = 0;
  });
}

export function writing(el) {
  return el instanceof Element && el.closest("input, textarea, select, [contenteditable]") !== null;
}
