// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// A one-time login link carries its secret behind the #, which no log sees.
// This module puts it into the form, takes it out of the history, and sends.

export function link() {
  const form = document.querySelector("form[data-link]");
  if (!form || location.hash.length < 2) return;
  form.elements.link.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname + location.search);
  form.requestSubmit();
}
