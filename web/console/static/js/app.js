// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// What every page does in a browser. Each module finds its own parts of the
// page and does nothing when they are not there; the page works without any.

import { drawer } from "./drawer.js";
import { keys } from "./keys.js";
import { live } from "./live.js";
import { link } from "./link.js";
import { path } from "./path.js";
import { rows } from "./rows.js";
import { wait } from "./wait.js";

drawer();
keys();
live();
link();
path();
rows();
wait();

// Only one menu is open at a time, and none after a click elsewhere.
document.addEventListener("click", (e) => {
  for (const m of document.querySelectorAll("details.menu[open]")) {
    if (!m.contains(e.target)) m.open = false;
  }
});
