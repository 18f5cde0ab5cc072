// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidentdb

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"citywall/detect"
	"citywall/identity"
	"citywall/incident"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// Sort is the order of a list. Ties are broken by id.
type Sort string

// Orders.
const (
	Newest   Sort = "newest" // by last activity; the default
	Oldest   Sort = "oldest"
	Severest Sort = "severest" // then newest
)

// ListQuery selects incidents. Zero fields select all that are not merged into
// another.
type ListQuery struct {
	States      []incident.State
	MinSeverity detect.Level
	Text        string // hosts, addresses, accounts, rules; case ignored
	Agency      string
	Owner       string
	From, To    time.Time // that were active in between; To exclusive
	Sort        Sort
	Limit       int    // 1..500; 0 means 50
	After       string // cursor of the page before
}

// Page is one page of a list.
type Page struct {
	Rows []Row
	Next string // cursor, "" at the end
}

// Counts are how many incidents are in each state, merged ones left out.
type Counts map[incident.State]int

// List returns one page.
func (s *Store) List(ctx context.Context, sc identity.Scope, q ListQuery) (Page, error) {
	if q.Limit == 0 {
		q.Limit = 50
	}
	if q.Limit < 1 || q.Limit > 500 {
		return Page{}, fault.New(fault.Invalid, "list incidents: limit %d is not in 1..500", q.Limit)
	}
	if q.Sort == "" {
		q.Sort = Newest
	}
	after, err := parseCursor(q.After)
	if err != nil {
		return Page{}, err
	}
	var p Page
	for {
		rows, err := s.page(ctx, sc, q, after)
		if err != nil {
			return Page{}, err
		}
		for i := range rows {
			row, ok, err := rows[i].row(sc, q)
			if err != nil {
				return Page{}, err
			}
			if ok && len(p.Rows) == q.Limit {
				p.Next = after.String()
				return p, nil
			}
			after = &cursor{int(rows[i].Severity), rows[i].LastUS, rows[i].ID}
			if ok {
				p.Rows = append(p.Rows, row)
			}
		}
		if len(rows) <= q.Limit {
			return p, nil
		}
	}
}

// page reads one row more than the limit.
func (s *Store) page(ctx context.Context, sc identity.Scope, q ListQuery, after *cursor) ([]recordRow, error) {
	var rows []recordRow
	sel := s.where(s.d.NewSelect().Model(&rows), sc, q)
	if len(sc.Agencies) > 0 {
		sel = sel.ExcludeColumn("search")
	} else {
		sel = sel.ExcludeColumn("own", "doc", "search") // the head says all that a line shows
	}
	switch q.Sort {
	case Newest:
		sel = sel.Order("last_us DESC", "id DESC")
		if after != nil {
			sel = sel.Where("(last_us, id) < (?, ?)", after.us, after.id)
		}
	case Oldest:
		sel = sel.Order("last_us", "id")
		if after != nil {
			sel = sel.Where("(last_us, id) > (?, ?)", after.us, after.id)
		}
	case Severest:
		sel = sel.Order("severity DESC", "last_us DESC", "id DESC")
		if after != nil {
			sel = sel.Where("(severity, last_us, id) < (?, ?, ?)", after.severity, after.us, after.id)
		}
	default:
		return nil, fault.New(fault.Invalid, "list incidents: %q is no order", q.Sort)
	}
	if err := sel.Limit(int64(q.Limit) + 1).Scan(ctx); err != nil {
		return nil, db.Err("list incidents", err)
	}
	return rows, nil
}

type cursor struct {
	severity int
	us       int64
	id       string
}

func (c *cursor) String() string { return fmt.Sprintf("%d.%d.%s", c.severity, c.us, c.id) }

func parseCursor(s string) (*cursor, error) {
	if s == "" {
		return nil, nil
	}
	f := strings.SplitN(s, ".", 3)
	if len(f) == 3 {
		sev, err := strconv.Atoi(f[0])
		us, err2 := strconv.ParseInt(f[1], 10, 64)
		if err == nil && err2 == nil {
			return &cursor{sev, us, db.Text(f[2])}, nil
		}
	}
	return nil, fault.New(fault.Invalid, "list incidents: %q is no cursor of a list", s)
}

// row makes the line of a list. For a scope of some agencies it is made from
// what they may see, and the text must be found in that: else a search would
// tell what the line does not.
func (r *recordRow) row(sc identity.Scope, q ListQuery) (Row, bool, error) {
	var row Row
	if len(sc.Agencies) == 0 {
		if err := json.Unmarshal([]byte(r.Head), &row); err != nil {
			return row, false, fmt.Errorf("list incidents: %s: %w", r.ID, err)
		}
		r.fill(&row)
		return row, true, nil
	}
	in, err := r.shown()
	if err != nil {
		return row, false, err
	}
	in = trim(in, sc.Agencies)
	have := search(in)
	for _, w := range strings.Fields(strings.ToLower(q.Text)) {
		if !strings.Contains(have, w) {
			return row, false, nil
		}
	}
	row = head(in)
	r.fill(&row)
	return row, true, nil
}

// where puts scope and filters on a query; a scope of nothing selects nothing.
func (s *Store) where(sel *bun.SelectQuery, sc identity.Scope, q ListQuery) *bun.SelectQuery {
	if sc.Realm != s.realm || sc.Case != "" {
		return sel.Where("1 = 0")
	}
	sel = sel.Where("merged_into = ''")
	if len(sc.Agencies) > 0 {
		sel = sel.WhereGroup(" AND ", func(g *bun.SelectQuery) *bun.SelectQuery {
			for _, a := range sc.Agencies {
				g = g.WhereOr(`agencies LIKE ? ESCAPE '\'`, db.Contains(","+a+","))
			}
			return g
		})
	}
	if len(q.States) > 0 {
		ss := make([]string, len(q.States))
		for i := range q.States {
			ss[i] = db.Text(string(q.States[i]))
		}
		sel = sel.Where("state IN (?)", bun.List(ss))
	}
	if q.MinSeverity > detect.Informational {
		sel = sel.Where("severity >= ?", int(q.MinSeverity))
	}
	if q.Agency != "" {
		sel = sel.Where(`agencies LIKE ? ESCAPE '\'`, db.Contains(","+q.Agency+","))
	}
	if q.Owner != "" {
		sel = sel.Where("owner = ?", db.Text(q.Owner))
	}
	if !q.From.IsZero() {
		sel = sel.Where("last_us >= ?", q.From.UnixMicro())
	}
	if !q.To.IsZero() {
		sel = sel.Where("first_us < ?", q.To.UnixMicro())
	}
	for _, w := range strings.Fields(strings.ToLower(q.Text)) {
		sel = sel.Where(`search LIKE ? ESCAPE '\'`, db.Contains(w))
	}
	return sel
}

// Count counts per state.
func (s *Store) Count(ctx context.Context, sc identity.Scope) (Counts, error) {
	var rows []struct {
		State string
		N     int
	}
	if err := s.where(s.d.NewSelect().Model((*recordRow)(nil)), sc, ListQuery{}).ColumnExpr("state, count(*) AS n").Group("state").Scan(ctx, &rows); err != nil {
		return nil, db.Err("count incidents", err)
	}
	out := Counts{}
	for _, r := range rows {
		out[incident.State(r.State)] = r.N
	}
	return out, nil
}

// sees reports whether the scope shows the record at all.
func (s *Store) sees(sc identity.Scope, r *recordRow) bool {
	if sc.Realm != s.realm || sc.Case != "" {
		return false
	}
	return len(sc.Agencies) == 0 || slices.ContainsFunc(sc.Agencies, func(a string) bool { return strings.Contains(r.Agencies, ","+a+",") })
}

// Get returns one incident or a not-found error. The id may be one that the
// engine gave it once. With a scope of some agencies, what concerns others
// only is taken out.
func (s *Store) Get(ctx context.Context, sc identity.Scope, id string) (Record, error) {
	r, err := recordOf(ctx, s.d, id)
	if err != nil {
		return Record{}, db.Err("read incident", err)
	}
	if !s.sees(sc, &r) {
		return Record{}, notFound(id)
	}
	in, err := r.shown()
	if err != nil {
		return Record{}, err
	}
	out := Record{ID: r.ID, Incident: in, State: incident.State(r.State), StateSince: at(r.StateUS), Owner: r.Owner, Version: r.Version,
		Revision: r.Revision, SplitFrom: r.SplitFrom, MergedInto: r.MergedInto, Created: at(r.CreatedUS), Computed: at(r.ComputedUS), Notes: []Note{}}
	parts, err := partsOf(ctx, s.d, r.ID)
	if err != nil {
		return Record{}, db.Err("read incident", err)
	}
	ids := []string{r.ID}
	for _, p := range parts {
		out.Parts = append(out.Parts, p.ID)
		ids = append(ids, p.ID)
	}
	if len(sc.Agencies) > 0 {
		out.Incident = trim(in, sc.Agencies)
		// Notes are written by and for those who see the whole.
		if len(out.Incident.Agencies) < len(in.Agencies) {
			return out, nil
		}
	}
	var ns []noteRow
	if err := s.d.NewSelect().Model(&ns).Where("record_id IN (?)", bun.List(ids)).Order("time_us", "id").Scan(ctx); err != nil {
		return Record{}, db.Err("read notes of an incident", err)
	}
	for _, n := range ns {
		out.Notes = append(out.Notes, noteOf(n))
	}
	var ks []caseRow
	if err := s.d.NewSelect().Model(&ks).Where("record_id IN (?)", bun.List(ids)).Order("time_us", "package").Scan(ctx); err != nil {
		return Record{}, db.Err("read cases of an incident", err)
	}
	for _, k := range ks {
		out.Cases = append(out.Cases, CaseLink{Package: k.Package, SHA256: k.SHA256, Time: at(k.TimeUS), By: k.ByUser})
	}
	return out, nil
}

// History returns the changes of an incident, oldest first. To a scope that
// sees a part of the incident only it is empty: it names the others.
func (s *Store) History(ctx context.Context, sc identity.Scope, id string) ([]Change, error) {
	r, err := recordOf(ctx, s.d, id)
	if err != nil {
		return nil, db.Err("read history of an incident", err)
	}
	if !s.sees(sc, &r) {
		return nil, notFound(id)
	}
	if len(sc.Agencies) > 0 {
		for _, a := range strings.Split(strings.Trim(r.Agencies, ","), ",") {
			if !slices.Contains(sc.Agencies, a) {
				return nil, nil
			}
		}
	}
	var rows []changeRow
	if err := s.d.NewSelect().Model(&rows).Where("record_id = ?", r.ID).Order("time_us", "id").Scan(ctx); err != nil {
		return nil, db.Err("read history of an incident", err)
	}
	out := make([]Change, len(rows))
	for i, c := range rows {
		out[i] = Change{Time: at(c.TimeUS), Actor: c.Actor, What: c.What}
		if err := json.Unmarshal([]byte(c.Args), &out[i].Args); err != nil {
			return nil, fmt.Errorf("read history of incident %s: %w", r.ID, err)
		}
	}
	return out, nil
}
