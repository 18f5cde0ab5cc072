// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"time"
	"unicode/utf8"

	"citywall/asset"
	"citywall/event"
	"citywall/identity/identitydb"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/incident/narrate"
	"citywall/internal/text"
)

// Event is a record as the API shows it. RawBase64 is set, and Raw empty, when
// the bytes are not UTF-8.
type Event struct {
	ID          event.ID     `json:"id"`
	Realm       string       `json:"realm"`
	Agency      string       `json:"agency,omitempty"`
	Time        *time.Time   `json:"time"` // null: the record has none
	TimeRaw     string       `json:"time_raw,omitempty"`
	Uncertainty float64      `json:"uncertainty_seconds,omitempty"`
	ZoneAssumed bool         `json:"zone_assumed,omitempty"`
	Received    *time.Time   `json:"received,omitempty"`
	Source      string       `json:"source"`
	Product     string       `json:"product,omitempty"`
	Category    string       `json:"category,omitempty"`
	Service     string       `json:"service,omitempty"`
	View        event.View   `json:"view"`
	Fields      event.Fields `json:"fields"`
	Origin      event.Origin `json:"origin"`
	Raw         string       `json:"raw,omitempty"`
	RawBase64   []byte       `json:"raw_base64,omitempty"`
}

// NewEvent returns e as the API shows it.
func NewEvent(e *event.Event) Event {
	out := Event{
		ID: e.ID, Realm: string(e.Realm), Agency: e.Agency, Time: when(e.Time), TimeRaw: e.TimeRaw,
		Uncertainty: e.Uncertainty.Seconds(), ZoneAssumed: e.ZoneAssumed, Received: when(e.Received),
		Source: e.Source, Product: e.Product, Category: e.Category, Service: e.Service,
		View: e.View(), Fields: e.Fields, Origin: e.Origin,
	}
	if utf8.Valid(e.Raw) {
		out.Raw = string(e.Raw)
	} else {
		out.RawBase64 = e.Raw
	}
	return out
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Session is who asks, and what they may do.
type Session struct {
	User     string    `json:"user"`
	Name     string    `json:"name"`
	Realm    string    `json:"realm"`
	Role     string    `json:"role"`
	Agencies []string  `json:"agencies"`
	Expires  time.Time `json:"expires,omitzero"`
	Allowed  []string  `json:"allowed"` // actions on the realm's collections
}

// IncidentRow is an incident in a list, with its title in words.
type IncidentRow struct {
	incidentdb.Row
	TitleText string `json:"title_text"`
}

// Incident is one incident with its sentences. They are built from the record
// at every request, so their numbers can come from nowhere else.
type Incident struct {
	incidentdb.Record
	Words IncidentWords `json:"words"`
	Moves []string      `json:"moves"` // states it may be moved to
}

// IncidentWords are the sentences of an incident, in the order of its records.
type IncidentWords struct {
	Lang            text.Lang `json:"lang"`
	Title           string    `json:"title"`
	FirstCompromise string    `json:"first_compromise"`
	Entry           string    `json:"entry"`
	Severity        []string  `json:"severity"`
	Hops            []string  `json:"hops"`
	Steps           []string  `json:"steps"`
	Suspicious      []string  `json:"suspicious"`
	Breakpoints     []string  `json:"breakpoints"`
	Isolate         []string  `json:"isolate"`
}

// Words builds the sentences of an incident. places say where the machines that
// are to be cut off are drawn and whom to call; nil where that is not known.
func Words(l text.Lang, in incident.Incident, places map[string][]asset.Place) IncidentWords {
	w := IncidentWords{
		Lang: l, Title: narrate.Title(l, in), FirstCompromise: narrate.FirstCompromise(l, in.FirstCompromise), Entry: narrate.Entry(l, in.Entry),
		Severity: []string{}, Hops: []string{}, Steps: []string{}, Suspicious: []string{}, Breakpoints: []string{}, Isolate: []string{},
	}
	for _, r := range in.SeverityReasons {
		w.Severity = append(w.Severity, narrate.Reason(l, r))
	}
	for _, h := range in.Hops {
		w.Hops = append(w.Hops, narrate.Hop(l, h))
	}
	for _, s := range in.Steps {
		w.Steps = append(w.Steps, narrate.Step(l, s))
	}
	for _, s := range in.Suspicious {
		w.Suspicious = append(w.Suspicious, narrate.Suspect(l, s))
	}
	for _, b := range in.Breakpoints {
		w.Breakpoints = append(w.Breakpoints, narrate.Breakpoint(l, b))
	}
	for _, h := range in.Hosts {
		if h.ToCut() {
			w.Isolate = append(w.Isolate, narrate.Isolate(l, h, places))
		}
	}
	return w
}

// page is one page of a list.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`                 // cursor for ?after=, "" at the end
	Note  string `json:"incomplete,omitempty"` // why the answer is partial
}

func pageOf[A, B any](in []A, next string, f func(A) B) page[B] {
	p := page[B]{Items: make([]B, 0, len(in)), Next: next}
	for _, x := range in {
		p.Items = append(p.Items, f(x))
	}
	return p
}

func same[T any](x T) T { return x }

// items is a list without pages.
type items[T any] struct {
	Items []T `json:"items"`
}

func itemsOf[T any](in []T) items[T] {
	if in == nil {
		in = []T{}
	}
	return items[T]{in}
}

// madeToken is a token with its secret, shown once.
type madeToken struct {
	identitydb.Token
	Secret string `json:"secret"`
}
