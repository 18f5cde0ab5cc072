// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exhibit

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"citywall/asset"
	"citywall/casework"
	"citywall/detect"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

// in returns the case that a scope names. Nobody reads records of a case with
// a scope of an estate.
func in(sc identity.Scope) (string, error) {
	if sc.Realm != asset.Police || sc.Case == "" {
		return "", fault.New(fault.NotFound, "records of a case are read with a scope that names the case")
	}
	return sc.Case, nil
}

// each opens every exhibit of a kind and calls f for its lines. The records
// say which exhibit they lie in.
func (v *Vault) each(ctx context.Context, sc identity.Scope, kind casework.ExhibitKind, f func(e entry, line []byte) (bool, error)) error {
	id, err := in(sc)
	if err != nil {
		return err
	}
	m, dir, err := v.manifest(id)
	if fault.Is(err, fault.NotFound) {
		return nil // a case without files has no records
	}
	if err != nil {
		return err
	}
	for _, e := range m.Files {
		if e.Kind != kind {
			continue
		}
		if more, err := eachLine(ctx, filepath.Join(dir, e.File), func(line []byte) (bool, error) { return f(e, line) }); err != nil {
			if ctx.Err() != nil || fault.Of(err) != "" {
				return err
			}
			return fmt.Errorf("exhibit %d of case %s: %w", e.N, id, err)
		} else if !more {
			return nil
		}
	}
	return nil
}

func eachLine(ctx context.Context, path string, f func([]byte) (bool, error)) (more bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	n := 0
	for line, err := range lines(file) {
		if err != nil {
			return false, err
		}
		if n++; n%1000 == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		if more, err := f(line); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// damaged is the error for a line that we wrote and can no longer read.
func damaged(x entry, err error) error {
	return fault.New(fault.Unavailable, "exhibit %d is damaged; verify the case: %w", x.N, err)
}

// own makes an event the case's: of the police realm, in its exhibit.
func own(e *event.Event, x entry) *event.Event {
	e.Realm = asset.Police
	e.Origin.Exhibit = x.ID
	return e
}

// Event returns one record of the case that sc.Case names.
func (v *Vault) Event(ctx context.Context, sc identity.Scope, id event.ID) (*event.Event, error) {
	if _, err := in(sc); err != nil {
		return nil, err
	}
	var found *event.Event
	// The id comes first in a line (see record), so a line is passed over
	// without being parsed.
	head := []byte(`{"id":"` + id.String() + `"`)
	err := v.each(ctx, sc, casework.ExhibitEvents, func(x entry, line []byte) (bool, error) {
		if !bytes.HasPrefix(line, head) {
			return true, nil
		}
		e, err := DecodeEvent(line)
		if err != nil {
			return false, damaged(x, err)
		}
		found = own(e, x)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fault.New(fault.NotFound, "the case has no record %s", id)
	}
	return found, nil
}

// Search returns a page of the case's records. Unlike in an event store, q
// needs no bounds in time: a case is bounded.
func (v *Vault) Search(ctx context.Context, sc identity.Scope, q eventstore.Query) (eventstore.Page, error) {
	if q.Limit == 0 {
		q.Limit = 100
	}
	if q.Limit < 1 || q.Limit > 1000 {
		return eventstore.Page{}, fault.New(fault.Invalid, "search: limit %d is not in 1..1000", q.Limit)
	}
	if err := check(q.Filter); err != nil {
		return eventstore.Page{}, err
	}
	var order func(a, b place) int
	switch q.Sort {
	case eventstore.Oldest:
		order = place.compare
	case eventstore.Newest, "":
		order = func(a, b place) int { return b.compare(a) }
	default:
		return eventstore.Page{}, fault.New(fault.Invalid, "search: %q is no order", q.Sort)
	}
	after, err := parsePlace(q.After)
	if err != nil {
		return eventstore.Page{}, err
	}
	type hit struct {
		at place
		e  *event.Event
	}
	var best []hit // the first of what was seen, more than a page only for a while
	first := func() {
		slices.SortFunc(best, func(a, b hit) int { return order(a.at, b.at) })
		best = slices.CompactFunc(best, func(a, b hit) bool { return a.at == b.at }) // a record that two exhibits have
		best = best[:min(len(best), q.Limit+1)]
	}
	err = v.Each(ctx, sc, q, func(e *event.Event) error {
		at := place{eventstore.When(e), e.ID}
		if after != nil && order(at, *after) <= 0 {
			return nil
		}
		if best = append(best, hit{at, e}); len(best) > 4*(q.Limit+1) {
			first()
		}
		return nil
	})
	if err != nil {
		return eventstore.Page{}, err
	}
	first()
	var p eventstore.Page
	if len(best) > q.Limit {
		best = best[:q.Limit]
		p.Next = best[q.Limit-1].at.String()
	}
	for _, h := range best {
		p.Events = append(p.Events, h.e)
	}
	return p, nil
}

// Each calls f for the records of the case that q selects, in the order of the
// exhibits; q's order and page do not count.
func (v *Vault) Each(ctx context.Context, sc identity.Scope, q eventstore.Query, f func(*event.Event) error) error {
	if err := check(q.Filter); err != nil {
		return err
	}
	return v.each(ctx, sc, casework.ExhibitEvents, func(x entry, line []byte) (bool, error) {
		e, err := DecodeEvent(line)
		if err != nil {
			return false, damaged(x, err)
		}
		at := eventstore.When(e)
		if !q.From.IsZero() && at.Before(q.From) || !q.To.IsZero() && !at.Before(q.To) {
			return true, nil
		}
		if len(sc.Agencies) > 0 && !slices.Contains(sc.Agencies, e.Agency) {
			return true, nil
		}
		m := matcher{e: own(e, x)}
		if !m.match(q.Filter) {
			return true, nil
		}
		return true, f(e)
	})
}

// place is where a record stands in an order.
type place struct {
	at time.Time
	id event.ID
}

func (p place) compare(q place) int {
	if c := p.at.Compare(q.at); c != 0 {
		return c
	}
	return bytes.Compare(p.id[:], q.id[:])
}

// String returns the cursor of a page that ends here.
func (p place) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%09d.%s", p.at.Unix(), p.at.Nanosecond(), p.id))
}

func parsePlace(s string) (*place, error) {
	if s == "" {
		return nil, nil
	}
	var sec int64
	var ns int64
	var id string
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		_, err = fmt.Sscanf(string(b), "%d.%d.%s", &sec, &ns, &id)
	}
	if err == nil {
		var p place
		if p.id, err = event.ParseID(id); err == nil {
			p.at = time.Unix(sec, ns).UTC()
			return &p, nil
		}
	}
	return nil, fault.New(fault.Invalid, "search: %q is no cursor of a page", s)
}

// Findings returns the findings of the case that sc.Case names, by time.
func (v *Vault) Findings(ctx context.Context, sc identity.Scope) ([]detect.Finding, error) {
	var out []detect.Finding
	err := v.each(ctx, sc, casework.ExhibitFindings, func(x entry, line []byte) (bool, error) {
		f, err := DecodeFinding(line)
		if err != nil {
			return false, damaged(x, err)
		}
		f.Realm = asset.Police
		for i := range f.Origins {
			f.Origins[i].Exhibit = x.ID
		}
		out = append(out, f)
		return true, nil
	})
	slices.SortStableFunc(out, func(a, b detect.Finding) int { return a.Time.Compare(b.Time) })
	return out, err
}
