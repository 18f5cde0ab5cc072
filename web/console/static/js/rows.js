// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Arrow keys walk the rows of a table; Enter opens the row's first link.

import { writing } from "./keys.js";

export function rows() {
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || writing(e.target)) return;
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, Home: -Infinity, End: Infinity }[e.key];
    const row = at(e.target);
    if (e.key === "Enter" && row && e.target === row) {
      row.querySelector("a")?.click();
      return;
    }
    if (step === undefined) return;
    if (!row && (e.key === "Home" || e.key === "End" || e.target.closest?.("[data-path], .drawer-body, .scroll, .raw"))) return;
    const table = row ? row.closest("table[data-rows]") : document.querySelector("main table[data-rows]");
    if (!table) return;
    const all = rowsOf(table);
    if (all.length === 0) return;
    let i = row ? all.indexOf(row) : step > 0 ? -1 : all.length;
    i = Math.min(all.length - 1, Math.max(0, i + step));
    e.preventDefault();
    all[i].tabIndex = -1;
    all[i].focus();
    all[i].scrollIntoView({ block: "nearest" });
  });
}

// rowsOf lists what counts as a row: a table whose rows have a second line has
// a body for each.
function rowsOf(table) {
  return table.dataset.rows === "bodies" ? [...table.tBodies] : [...table.tBodies[0].rows];
}

function at(el) {
  const table = el.closest?.("table[data-rows]");
  if (!table) return null;
  return rowsOf(table).find((r) => r.contains(el)) || null;
}
