// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package dutydb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"citywall/detect"
	"citywall/duty"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// Query selects alarms. Zero fields select all.
type Query struct {
	States      []duty.State
	MinSeverity detect.Level
	Text        string // in title or subject; case ignored
	Sort        Sort
	Limit       int    // 1..500; 0 means 50
	After       string // cursor of the page before
}

// Sort is the order of a list of alarms. Ties are broken by id.
type Sort string

// Orders.
const (
	Newest   Sort = "newest" // the default
	Oldest   Sort = "oldest"
	Severest Sort = "severest" // then newest
)

// Page is one page of alarms.
type Page struct {
	Alarms []duty.Alarm
	Next   string // cursor, "" at the end
}

// List returns one page of alarms.
func (s *Store) List(ctx context.Context, q Query) (Page, error) {
	if q.Limit == 0 {
		q.Limit = 50
	}
	if q.Limit < 1 || q.Limit > 500 {
		return Page{}, fault.New(fault.Invalid, "list alarms: limit %d is not in 1..500", q.Limit)
	}
	var rows []alarmRow
	sel := s.d.NewSelect().Model(&rows)
	if len(q.States) > 0 {
		var or []string
		for _, x := range q.States {
			switch x {
			case duty.Open:
				or = append(or, "(ended_us = 0 AND acked_by = '')")
			case duty.Acked:
				or = append(or, "(ended_us = 0 AND acked_by <> '')")
			case duty.Ended:
				or = append(or, "ended_us <> 0")
			default:
				return Page{}, fault.New(fault.Invalid, "list alarms: %q is no state", x)
			}
		}
		sel = sel.Where("(" + strings.Join(or, " OR ") + ")")
	}
	if q.MinSeverity > detect.Informational {
		sel = sel.Where("severity >= ?", uint8(q.MinSeverity))
	}
	if q.Text != "" {
		p := db.Contains(strings.ToLower(q.Text))
		sel = sel.Where(`(lower(title) LIKE ? ESCAPE '\' OR lower(subject) LIKE ? ESCAPE '\')`, p, p)
	}
	cur, err := parseCursor(q.After)
	if err != nil {
		return Page{}, err
	}
	switch q.Sort {
	case "", Newest:
		sel = sel.Order("raised_us DESC", "id DESC")
		if cur != nil {
			sel = sel.Where("(raised_us, id) < (?, ?)", cur.us, cur.id)
		}
	case Oldest:
		sel = sel.Order("raised_us", "id")
		if cur != nil {
			sel = sel.Where("(raised_us, id) > (?, ?)", cur.us, cur.id)
		}
	case Severest:
		sel = sel.Order("severity DESC", "raised_us DESC", "id DESC")
		if cur != nil {
			sel = sel.Where("(severity, raised_us, id) < (?, ?, ?)", cur.severity, cur.us, cur.id)
		}
	default:
		return Page{}, fault.New(fault.Invalid, "list alarms: %q is no order", q.Sort)
	}
	if err := sel.Limit(int64(q.Limit) + 1).Scan(ctx); err != nil {
		return Page{}, db.Err("list alarms", err)
	}
	var p Page
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		l := rows[len(rows)-1]
		p.Next = fmt.Sprintf("%d.%d.%s", l.Severity, l.RaisedUS, l.ID)
	}
	for _, r := range rows {
		a, err := r.alarm()
		if err != nil {
			return Page{}, err
		}
		p.Alarms = append(p.Alarms, a)
	}
	return p, nil
}

type cursor struct {
	severity int
	us       int64
	id       string
}

func parseCursor(s string) (*cursor, error) {
	if s == "" {
		return nil, nil
	}
	f := strings.SplitN(s, ".", 3)
	if len(f) == 3 {
		sev, err1 := strconv.Atoi(f[0])
		us, err2 := strconv.ParseInt(f[1], 10, 64)
		if err1 == nil && err2 == nil {
			return &cursor{sev, us, f[2]}, nil
		}
	}
	return nil, fault.New(fault.Invalid, "the page cursor %q is not one of this list", s)
}

// Alarm returns an alarm and its calls, newest round first.
func (s *Store) Alarm(ctx context.Context, id string) (duty.Alarm, []duty.Call, error) {
	var r alarmRow
	if err := s.d.NewSelect().Model(&r).Where("id = ?", id).Scan(ctx); err != nil {
		return duty.Alarm{}, nil, db.Err("alarm "+id, err)
	}
	a, err := r.alarm()
	if err != nil {
		return a, nil, err
	}
	var rows []callRow
	if err := s.d.NewSelect().Model(&rows).Where("alarm = ?", id).Order("round DESC", "step", "id").Limit(500).Scan(ctx); err != nil {
		return a, nil, db.Err("calls of alarm "+id, err)
	}
	calls := make([]duty.Call, len(rows))
	for i, r := range rows {
		calls[i] = r.call()
	}
	return a, calls, nil
}

// Counts returns how many alarms are in each state, ended ones left out.
func (s *Store) Counts(ctx context.Context) (open, acked int, err error) {
	p, err := s.List(ctx, Query{States: []duty.State{duty.Open, duty.Acked}, Limit: 500})
	for _, a := range p.Alarms {
		if a.State() == duty.Open {
			open++
		} else {
			acked++
		}
	}
	return open, acked, err
}

// Trouble returns the calls that were refused or have failed several times and
// are not given up: the console shows them, because silence of the mail server
// must not look like silence of the city.
func (s *Store) Trouble(ctx context.Context, since int) ([]duty.Call, error) {
	var rows []callRow
	err := s.d.NewSelect().Model(&rows).Where("(state = ? AND attempts >= ?) OR (state = ? AND at_us >= ?)",
		string(duty.Waiting), since, string(duty.Refused), us(s.now().AddDate(0, 0, -1))).Order("at_us DESC", "id").Limit(50).Scan(ctx)
	if err != nil {
		return nil, db.Err("calls in trouble", err)
	}
	out := make([]duty.Call, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.call())
	}
	slices.SortStableFunc(out, func(a, b duty.Call) int { return strings.Compare(a.To, b.To) })
	return out, nil
}
