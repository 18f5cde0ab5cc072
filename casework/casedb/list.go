// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package casedb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/uptrace/bun"

	"citywall/casework"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// Sort is the order of a list.
type Sort string

// Orders.
const (
	Newest Sort = "newest" // by opening; the default
	Oldest Sort = "oldest"
	Number Sort = "number" // by year and sequence, newest first
)

// Query selects cases. Zero fields select all.
type Query struct {
	Statuses []casework.Status
	Owner    string
	Text     string // number, title, hosts, addresses, accounts; case ignored
	Year     int    // ROC year of the number
	Sort     Sort
	Limit    int    // 1..500; 0 means 50
	After    string // cursor of the page before
}

// Page is one page of a list.
type Page struct {
	Cases []casework.Case
	Next  string // cursor, "" at the end
}

// List returns one page.
func (s *Store) List(ctx context.Context, q Query) (Page, error) {
	if q.Limit == 0 {
		q.Limit = 50
	}
	if q.Limit < 1 || q.Limit > 500 {
		return Page{}, fault.New(fault.Invalid, "list cases: limit %d is not in 1..500", q.Limit)
	}
	var rows []caseRow
	sel := s.d.NewSelect().Model(&rows).ExcludeColumn("incident", "search")
	if len(q.Statuses) > 0 {
		ss := make([]string, len(q.Statuses))
		for i := range q.Statuses {
			ss[i] = db.Text(string(q.Statuses[i]))
		}
		sel = sel.Where("status IN (?)", bun.List(ss))
	}
	if q.Owner != "" {
		sel = sel.Where("owner = ?", db.Text(q.Owner))
	}
	if q.Year != 0 {
		sel = sel.Where("year = ?", q.Year)
	}
	for _, w := range strings.Fields(strings.ToLower(q.Text)) {
		sel = sel.Where(`search LIKE ? ESCAPE '\'`, db.Contains(w))
	}
	after, err := parseCursor(q.After)
	if err != nil {
		return Page{}, err
	}
	switch q.Sort {
	case Newest, "":
		sel = sel.Order("opened_us DESC", "id DESC")
		if q.After != "" {
			sel = sel.Where("(opened_us, id) < (?, ?)", after.us, after.id)
		}
	case Oldest:
		sel = sel.Order("opened_us", "id")
		if q.After != "" {
			sel = sel.Where("(opened_us, id) > (?, ?)", after.us, after.id)
		}
	case Number:
		sel = sel.Order("year DESC", "seq DESC")
		if q.After != "" {
			sel = sel.Where("(year, seq) < (?, ?)", after.year, after.seq)
		}
	default:
		return Page{}, fault.New(fault.Invalid, "list cases: %q is no order", q.Sort)
	}
	if err := sel.Limit(int64(q.Limit) + 1).Scan(ctx); err != nil {
		return Page{}, db.Err("list cases", err)
	}
	p := Page{Cases: []casework.Case{}}
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		l := rows[q.Limit-1]
		p.Next = fmt.Sprintf("%d.%d.%d.%s", l.Year, l.Seq, l.OpenedUS, l.ID)
	}
	for i := range rows {
		c, err := rows[i].toCase()
		if err != nil {
			return Page{}, err
		}
		p.Cases = append(p.Cases, c)
	}
	return p, nil
}

type cursor struct {
	year, seq int
	us        int64
	id        string
}

func parseCursor(s string) (c cursor, err error) {
	if s == "" {
		return c, nil
	}
	f := strings.SplitN(s, ".", 4)
	if len(f) == 4 {
		c.id = db.Text(f[3])
		if c.year, err = strconv.Atoi(f[0]); err == nil {
			if c.seq, err = strconv.Atoi(f[1]); err == nil {
				c.us, err = strconv.ParseInt(f[2], 10, 64)
			}
		}
	}
	if len(f) != 4 || err != nil {
		return c, fault.New(fault.Invalid, "list cases: %q is no cursor of a list", s)
	}
	return c, nil
}
