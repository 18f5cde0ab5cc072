// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

// View returns the normalised reading of e, by the table of its product in
// mapping/, or the table of no product. What a table does not know stays empty;
// it is never guessed from another product's names.
func (e *Event) View() View {
	var v View
	all := tables()
	t := all.get(e.Product, false)
	if t == nil {
		t = all.get(anyProduct, false)
	}
	t.apply(e, &v)
	return v
}
