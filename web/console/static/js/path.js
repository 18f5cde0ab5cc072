// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// One selection over the picture of the path and the table of hops: choose an
// arrow and its rows light up, choose a row and its arrow does. Left and right
// walk the path; the slider plays it. Without this module the arrows are links
// to the rows.

import { writing } from "./keys.js";

export function path() {
  const box = document.querySelector("[data-path]");
  if (!box) return;
  const arrows = [...box.querySelectorAll("[data-hops]")];
  const rows = new Map([...document.querySelectorAll("tbody[data-hop]")].map((r) => [r.dataset.hop, r]));
  const hopsOf = (a) => a.dataset.hops.split(" ");

  const choose = (n, { scroll } = {}) => {
    const hops = arrows.map(hopsOf).find((h) => h.includes(n)) || [n];
    for (const a of arrows) a.classList.toggle("chosen", hopsOf(a).includes(n));
    for (const [k, r] of rows) {
      r.classList.toggle("chosen", k === n);
      if (k === n) r.setAttribute("aria-current", "true");
      else r.removeAttribute("aria-current");
    }
    box.dataset.chosen = n;
    const arrow = arrows.find((a) => hopsOf(a).includes(n));
    if (arrow) center(box, arrow);
    const fold = rows.get(n)?.closest("details");
    if (fold && hops.length === 1) fold.open = true;
    if (scroll) rows.get(hops.includes(n) ? n : hops[0])?.scrollIntoView({ block: "nearest" });
    history.replaceState(null, "", "#hop-" + n);
  };

  box.addEventListener("click", (e) => {
    const a = e.target.closest("[data-hops]");
    if (!a) return;
    e.preventDefault();
    choose(hopsOf(a)[0]);
  });
  for (const [n, r] of rows) {
    r.addEventListener("click", (e) => {
      const a = e.target.closest("a, button, summary");
      if (a && !a.classList.contains("hopno")) return;
      e.preventDefault();
      choose(n);
    });
    r.addEventListener("focus", (e) => { if (e.target === r) choose(n); });
  }
  document.addEventListener("keydown", (e) => {
    if (e.key !== "ArrowLeft" && e.key !== "ArrowRight") return;
    if (e.ctrlKey || e.metaKey || e.altKey || writing(e.target) || e.target.closest?.(".drawer")) return;
    if (!e.target.closest?.("[data-path], table.hops")) return;
    const firsts = arrows.map((a) => hopsOf(a)[0]);
    const now = arrows.findIndex((a) => hopsOf(a).includes(box.dataset.chosen));
    const i = Math.min(firsts.length - 1, Math.max(0, now + (e.key === "ArrowRight" ? 1 : -1)));
    if (firsts.length === 0) return;
    e.preventDefault();
    choose(firsts[i], { scroll: true });
  });
  const m = /^#hop-(\d+)$/.exec(location.hash);
  if (m) choose(m[1]);
  replay(box);
}

// center scrolls the picture sideways, never the page.
function center(box, el) {
  const b = box.getBoundingClientRect();
  const r = el.getBoundingClientRect();
  if (r.left < b.left + 200 || r.right > b.right) box.scrollLeft += r.left - b.left - b.width / 2;
}

// replay hides what had not happened yet at the slider's moment.
function replay(box) {
  const bar = document.querySelector("[data-replay]");
  const things = [...box.querySelectorAll("[data-at]")].sort((a, b) => a.dataset.at - b.dataset.at);
  if (!bar || things.length < 3) return;
  bar.hidden = false;
  const slider = bar.querySelector("input");
  const out = bar.querySelector("output");
  slider.max = String(things.length);
  slider.value = slider.max;
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Taipei", dateStyle: "short", timeStyle: "medium" });
  slider.addEventListener("input", () => {
    const n = Number(slider.value);
    things.forEach((t, i) => t.classList.toggle("later", i >= n));
    out.textContent = n === 0 || n === things.length ? "" : format.format(Number(things[n - 1].dataset.at));
    slider.setAttribute("aria-valuetext", out.textContent);
  });
}
