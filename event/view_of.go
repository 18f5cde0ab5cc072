// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

// View returns the normalised reading of e, by the table of its product in
// mapping/, or the table of no product. What a table does not know stays empty;
// it is never guessed from another product's names.
func (e *Event) View() View {
	if e.view != nil {
		return *e.view
	}
	var v View
	e.look(&v)
	return v
}

// KeepViews works out the views of events and keeps them, for those whom several
// readers ask one after the other. From then on nothing that a view follows from
// may change: product, fields and channel.
func KeepViews(events []*Event) {
	views := make([]View, len(events))
	for i, e := range events {
		e.look(&views[i])
		e.view = &views[i]
	}
}

func (e *Event) look(v *View) {
	all := tables()
	t := all.get(e.Product, false)
	if t == nil {
		t = all.get(anyProduct, false)
	}
	t.apply(e, v)
}
