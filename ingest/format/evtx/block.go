// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"strings"

	"citywall/event"
)

// What events keep lies in blocks of these sizes: bytes of texts and documents,
// fields, events, texts of lists.
const (
	blockText    = 8 << 10
	blockDocs    = 16 << 10
	blockFields  = 256
	blockEvents  = 16
	blockStrings = 256
)

// room makes sure that the fields of the record fit in the block.
func (r *runner) room(n int) {
	have := len(r.fields)
	if cap(r.block)-len(r.block) < n {
		r.block = make([]event.Field, 0, max(blockFields, n))
		grown := append(r.block, r.fields[:have]...)
		r.fields = grown
		return
	}
	if have == 0 {
		r.fields = r.block[len(r.block):len(r.block):cap(r.block)]
	}
}

// keep returns a copy of a text in a block.
func (r *runner) keep(b []byte) string {
	if r.texts.Cap()-r.texts.Len() < len(b) {
		r.texts = strings.Builder{}
		r.texts.Grow(max(blockText, len(b)))
	}
	from := r.texts.Len()
	r.texts.Write(b)
	return r.texts.String()[from:]
}

// first returns the text of the first field of that name. as is its role when
// System has it.
func (r *runner) first(name string, as role) string {
	if i := r.at[as]; i >= 0 {
		return r.fields[i].Value.Text
	}
	return event.Fields(r.fields).Str(name)
}

// settle gives the fields their texts.
func (r *runner) settle() {
	all := r.keep(r.text)
	for _, x := range r.refs {
		v := &r.fields[x.field].Value
		v.Kind, v.Text = event.Text, all[x.off:x.end]
	}
	for _, x := range r.series {
		n := x.to - x.from
		if cap(r.strings)-len(r.strings) < n {
			r.strings = make([]string, 0, max(blockStrings, n))
		}
		l := len(r.strings)
		for _, y := range r.items[x.from:x.to] {
			r.strings = append(r.strings, all[y.off:y.end])
		}
		r.fields[x.field].Value = event.Value{Kind: event.List, List: r.strings[l:len(r.strings):len(r.strings)]}
	}
}

// document returns a copy of the document in a block.
func (r *runner) document() []byte {
	if cap(r.docs)-len(r.docs) < len(r.json) {
		r.docs = make([]byte, 0, max(blockDocs, len(r.json)))
	}
	l := len(r.docs)
	r.docs = append(r.docs, r.json...)
	return r.docs[l:len(r.docs):len(r.docs)]
}

// event returns an event in a block.
func (r *runner) event() *event.Event {
	if len(r.events) == 0 {
		r.events = make([]event.Event, blockEvents)
	}
	e := &r.events[0]
	r.events = r.events[1:]
	return e
}
