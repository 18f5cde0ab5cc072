// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"

	"citywall/detect/behaviour"
	"citywall/event"
	"citywall/internal/extsort"
)

// watched is what the detectors of behaviour need of a record: they ask for all
// of them in the order of time, which files do not have.
type watched struct {
	Event event.Event // without fields and bytes
	View  event.View
}

func newWatched(bound int) *extsort.Sorter[watched] {
	if bound <= 0 {
		bound = 64 << 20
	}
	return extsort.New(bound, func(w *watched) int {
		v := &w.View
		return 1200 + len(v.Message) + len(v.File) + len(v.Process) + len(w.Event.Origin.File) + len(w.Event.Origin.Inner)
	}, inTime, extsort.Codec[watched]{
		Encode: func(w io.Writer) func(*watched) error {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			return func(x *watched) error { return e.Encode(x) }
		},
		Decode: func(r io.Reader) func(*watched) error {
			d := json.NewDecoder(r)
			return func(x *watched) error {
				*x = watched{}
				return d.Decode(x)
			}
		},
	})
}

// inTime orders records by time, and those of one moment by their place.
func inTime(a, b *watched) int {
	x, y := &a.Event, &b.Event
	return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.Origin.File, y.Origin.File), cmp.Compare(x.Origin.Inner, y.Origin.Inner),
		cmp.Compare(x.Origin.Offset, y.Origin.Offset), cmp.Compare(x.Origin.Record, y.Origin.Record), bytes.Compare(x.ID[:], y.ID[:]))
}

// watch keeps a record for the detectors. Carved ones have no sure time.
func watch(s *extsort.Sorter[watched], e *event.Event) error {
	if e.Origin.Carved || e.Time.IsZero() {
		return nil
	}
	v := e.View()
	if !behaviour.Asks(v.Action) {
		return nil
	}
	return s.Add(watched{event.Event{
		ID: e.ID, Realm: e.Realm, Agency: e.Agency, Time: e.Time.UTC(), Source: e.Source, Product: e.Product, Category: e.Category, Service: e.Service, Origin: e.Origin,
	}, v})
}

// behave shows the records to the detectors and adds what they say.
func (r *Result) behave(o *Options, s *extsort.Sorter[watched]) error {
	set := behaviour.New(o.Ours...)
	err := s.Each(func(w *watched) error {
		for _, f := range set.ObserveView(&w.Event, &w.View) {
			row := rowOf(nil, &f, nil, false)
			row.Behaviour = true
			row.more.Events = len(f.Events)
			for i, why := range f.Reasons {
				row.Details.add(fmt.Sprintf("Reason%d", i+1), why)
			}
			if !o.Filter.wants(&row) {
				continue
			}
			r.Summary.row(&row)
			r.Summary.Behaviour++
			if err := r.rows.Add(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("detectors of behaviour: %w", err)
	}
	return nil
}
