// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"context"
	"errors"
	"strconv"
	"time"

	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

// Search is one look into the events: a page of them, and what the page is a
// part of.
type Search struct {
	Text   string           // as the person wrote it, for the log
	Query  eventstore.Query // what it means
	Width  time.Duration    // of a bar of the histogram; 0: no histogram
	Facets []string         // columns to count values of
	Top    int              // values per facet
	Count  bool
}

// Found is the answer to a Search.
type Found struct {
	Page   eventstore.Page
	Total  int64
	Bars   []eventstore.Bucket
	Facets map[string][]eventstore.Count
}

// SearchEvents answers a search of the city's events. It is one act, however
// many questions to the store it takes.
func (d *Desk) SearchEvents(ctx context.Context, who Who, s Search) (Found, error) {
	var f Found
	city, err := d.city(who)
	if err != nil {
		return f, err
	}
	if err := d.may(who, identity.EventSearch); err != nil {
		return f, err
	}
	err = d.actDetail(ctx, who, identity.EventSearch, "events", "", searchDetail(s.Text, s.Query), func(ctx context.Context) (map[string]string, error) {
		sc := who.Scope()
		var err error
		if f.Page, err = city.Events.Search(ctx, sc, s.Query); err != nil {
			return nil, err
		}
		// What one question lacked, the whole lacks.
		part := func(err error) error {
			if errors.As(err, &f.Page.Incomplete) {
				return nil
			}
			return err
		}
		if s.Count {
			f.Total, err = city.Events.Count(ctx, sc, s.Query)
			if err = part(err); err != nil {
				return nil, err
			}
		}
		if s.Width > 0 {
			f.Bars, err = city.Events.Histogram(ctx, sc, s.Query, s.Width)
			if err = part(err); err != nil {
				return nil, err
			}
		}
		f.Facets = map[string][]eventstore.Count{}
		for _, field := range s.Facets {
			f.Facets[field], err = city.Events.Top(ctx, sc, s.Query, field, s.Top)
			if err = part(err); err != nil {
				return nil, err
			}
		}
		return map[string]string{"shown": strconv.Itoa(len(f.Page.Events))}, nil
	})
	return f, err
}

// CountEvents, HistogramEvents and TopEvents answer one question each. An
// *eventstore.Incomplete may stand beside the answer.
func (d *Desk) CountEvents(ctx context.Context, who Who, text string, q eventstore.Query) (n int64, err error) {
	err = d.lookAtEvents(ctx, who, text, q, func(ctx context.Context, s eventstore.Store) error {
		n, err = s.Count(ctx, who.Scope(), q)
		return err
	})
	return n, err
}

// HistogramEvents counts per bucket of width.
func (d *Desk) HistogramEvents(ctx context.Context, who Who, text string, q eventstore.Query, width time.Duration) (b []eventstore.Bucket, err error) {
	err = d.lookAtEvents(ctx, who, text, q, func(ctx context.Context, s eventstore.Store) error {
		b, err = s.Histogram(ctx, who.Scope(), q, width)
		return err
	})
	return b, err
}

// TopEvents counts the n most frequent values of a field.
func (d *Desk) TopEvents(ctx context.Context, who Who, text string, q eventstore.Query, field string, n int) (c []eventstore.Count, err error) {
	err = d.lookAtEvents(ctx, who, text, q, func(ctx context.Context, s eventstore.Store) error {
		c, err = s.Top(ctx, who.Scope(), q, field, n)
		return err
	})
	return c, err
}

func (d *Desk) lookAtEvents(ctx context.Context, who Who, text string, q eventstore.Query, f func(context.Context, eventstore.Store) error) error {
	city, err := d.city(who)
	if err != nil {
		return err
	}
	if err := d.may(who, identity.EventSearch); err != nil {
		return err
	}
	var part *eventstore.Incomplete
	err = d.act(ctx, who, identity.EventSearch, "events", "", searchDetail(text, q), func(ctx context.Context) error {
		err := f(ctx, city.Events)
		if errors.As(err, &part) {
			return nil // it was answered
		}
		return err
	})
	if err == nil && part != nil {
		return part
	}
	return err
}

// ExportEvents calls f for every event of q, oldest or newest first. What
// leaves the house is counted in the audit log. A part never passes for the
// whole: what a shard is missing from is an unavailable error in the end.
func (d *Desk) ExportEvents(ctx context.Context, who Who, text, format string, q eventstore.Query, f func(*event.Event) error) error {
	city, err := d.city(who)
	if err != nil {
		return err
	}
	if err := d.may(who, identity.EventExport); err != nil {
		return err
	}
	detail := searchDetail(text, q)
	detail["format"] = format
	return d.actDetail(ctx, who, identity.EventExport, "events", "", detail, func(ctx context.Context) (map[string]string, error) {
		n := 0
		err := city.Events.Each(ctx, who.Scope(), q, func(e *event.Event) error {
			n++
			return f(e)
		})
		var part *eventstore.Incomplete
		if errors.As(err, &part) {
			err = fault.New(fault.Unavailable, "the export lacks events: %w", part)
		}
		return map[string]string{"rows": strconv.Itoa(n)}, err
	})
}

// Event returns one original record of the city.
func (d *Desk) Event(ctx context.Context, who Who, id event.ID) (*event.Event, error) {
	city, err := d.city(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, identity.EventSearch); err != nil {
		return nil, err
	}
	var e *event.Event
	err = d.act(ctx, who, identity.EventSearch, "event/"+id.String(), "", nil, func(ctx context.Context) error {
		var err error
		e, err = city.Events.Get(ctx, who.Scope(), id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return e, d.mayOne(who, identity.EventSearch, id.String(), agencies(e.Agency)...)
}

func searchDetail(text string, q eventstore.Query) map[string]string {
	return map[string]string{"query": text, "from": q.From.UTC().Format(time.RFC3339), "to": q.To.UTC().Format(time.RFC3339)}
}

// agencies is the list of one agency, empty for none.
func agencies(a string) []string {
	if a == "" {
		return nil
	}
	return []string{a}
}

// ListFindings returns one page of findings.
func (d *Desk) ListFindings(ctx context.Context, who Who, q detectdb.Query) (detectdb.Page, error) {
	city, err := d.city(who)
	if err != nil {
		return detectdb.Page{}, err
	}
	if err := d.may(who, identity.FindingRead); err != nil {
		return detectdb.Page{}, err
	}
	return city.Findings.List(ctx, who.Scope(), q)
}

// CountFindings returns how many findings q selects.
func (d *Desk) CountFindings(ctx context.Context, who Who, q detectdb.Query) (int64, error) {
	city, err := d.city(who)
	if err != nil {
		return 0, err
	}
	if err := d.may(who, identity.FindingRead); err != nil {
		return 0, err
	}
	return city.Findings.Count(ctx, who.Scope(), q)
}

// HistogramFindings counts findings per bucket and level.
func (d *Desk) HistogramFindings(ctx context.Context, who Who, q detectdb.Query, width time.Duration) ([]detectdb.Bucket, error) {
	city, err := d.city(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, identity.FindingRead); err != nil {
		return nil, err
	}
	return city.Findings.Histogram(ctx, who.Scope(), q, width)
}

// Finding returns one finding.
func (d *Desk) Finding(ctx context.Context, who Who, id string) (detect.Finding, error) {
	city, err := d.city(who)
	if err != nil {
		return detect.Finding{}, err
	}
	if err := d.may(who, identity.FindingRead); err != nil {
		return detect.Finding{}, err
	}
	return city.Findings.Get(ctx, who.Scope(), id)
}

// FindingsOf returns the findings with these ids that who may see.
func (d *Desk) FindingsOf(ctx context.Context, who Who, ids []string) ([]detect.Finding, error) {
	city, err := d.city(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, identity.FindingRead); err != nil {
		return nil, err
	}
	return city.Findings.GetAll(ctx, who.Scope(), ids)
}

// ExportFindings calls f for every finding of q, page by page.
func (d *Desk) ExportFindings(ctx context.Context, who Who, format string, q detectdb.Query, f func(detect.Finding) error) error {
	city, err := d.city(who)
	if err != nil {
		return err
	}
	if err := d.may(who, identity.FindingRead); err != nil {
		return err
	}
	return d.actDetail(ctx, who, identity.FindingRead, "findings", "", map[string]string{"format": format}, func(ctx context.Context) (map[string]string, error) {
		n := 0
		q.Limit, q.After = 1000, ""
		for {
			page, err := city.Findings.List(ctx, who.Scope(), q)
			if err != nil {
				return nil, err
			}
			for _, x := range page.Findings {
				n++
				if err := f(x); err != nil {
					return nil, err
				}
			}
			if page.Next == "" {
				return map[string]string{"rows": strconv.Itoa(n)}, nil
			}
			q.After = page.Next
		}
	})
}

// MaySearch reports why who may not search the city's events, nil when they
// may.
func (d *Desk) MaySearch(who Who) error {
	if _, err := d.city(who); err != nil {
		return err
	}
	return d.may(who, identity.EventSearch)
}
