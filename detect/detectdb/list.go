// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package detectdb

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
	"citywall/internal/db"
	"citywall/internal/fault"
)

// Sort is the order of a list. Ties are broken by finding id.
type Sort string

// Orders.
const (
	Newest   Sort = "newest" // the default
	Oldest   Sort = "oldest"
	Severest Sort = "severest" // then newest
)

// Query selects findings. Zero fields select all.
type Query struct {
	From, To time.Time // of Finding.Time; To exclusive
	Rules    []string  // rule ids
	MinLevel detect.Level
	Levels   []detect.Level // exactly these, when given
	Steps    []detect.Step
	Host     string // asset.HostName form
	Agency   string
	Text     string // in title, host, account, address, command, message …; case ignored
	Sort     Sort
	Limit    int    // 1..1000; 0 means 100
	After    string // cursor of the page before
}

// Page is one page of a list.
type Page struct {
	Findings []detect.Finding
	Next     string // cursor, "" at the end
}

// List returns one page.
func (s *Store) List(ctx context.Context, sc identity.Scope, q Query) (Page, error) {
	if q.Limit == 0 {
		q.Limit = 100
	}
	if q.Limit < 1 || q.Limit > 1000 {
		return Page{}, fault.New(fault.Invalid, "list findings: limit %d is not in 1..1000", q.Limit)
	}
	if q.Sort == "" {
		q.Sort = Newest
	}
	var rows []findingRow
	sel := s.where(s.d.NewSelect().Model(&rows).Column("id", "time_us", "level", "doc"), sc, q)
	after, err := parseCursor(q.After)
	if err != nil {
		return Page{}, err
	}
	switch q.Sort {
	case Newest:
		sel = sel.Order("time_us DESC", "id DESC")
		if q.After != "" {
			sel = sel.Where("(time_us, id) < (?, ?)", after.us, after.id)
		}
	case Oldest:
		sel = sel.Order("time_us", "id")
		if q.After != "" {
			sel = sel.Where("(time_us, id) > (?, ?)", after.us, after.id)
		}
	case Severest:
		sel = sel.Order("level DESC", "time_us DESC", "id DESC")
		if q.After != "" {
			sel = sel.Where("(level, time_us, id) < (?, ?, ?)", after.level, after.us, after.id)
		}
	default:
		return Page{}, fault.New(fault.Invalid, "list findings: %q is no order", q.Sort)
	}
	if err := sel.Limit(int64(q.Limit) + 1).Scan(ctx); err != nil {
		return Page{}, db.Err("list findings", err)
	}
	var p Page
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		last := rows[q.Limit-1]
		p.Next = fmt.Sprintf("%d.%d.%s", last.Level, last.TimeUS, last.ID)
	}
	p.Findings, err = findings(rows)
	return p, err
}

type cursor struct {
	level int
	us    int64
	id    string
}

func parseCursor(s string) (c cursor, err error) {
	if s == "" {
		return c, nil
	}
	f := strings.SplitN(s, ".", 3)
	if len(f) == 3 {
		c.id = db.Text(f[2])
		if c.level, err = strconv.Atoi(f[0]); err == nil {
			c.us, err = strconv.ParseInt(f[1], 10, 64)
		}
	}
	if len(f) != 3 || err != nil {
		return c, fault.New(fault.Invalid, "list findings: %q is no cursor of a list", s)
	}
	return c, nil
}

// where puts scope and filters on a query; a scope of nothing selects nothing.
func (s *Store) where(sel *bun.SelectQuery, sc identity.Scope, q Query) *bun.SelectQuery {
	if sc.Realm != s.realm || sc.Case != "" {
		return sel.Where("1 = 0")
	}
	if len(sc.Agencies) > 0 {
		sel = sel.Where("agency IN (?)", bun.List(texts(sc.Agencies)))
	}
	if !q.From.IsZero() {
		sel = sel.Where("time_us >= ?", q.From.UnixMicro())
	}
	if !q.To.IsZero() {
		sel = sel.Where("time_us < ?", q.To.UnixMicro())
	}
	if len(q.Rules) > 0 {
		sel = sel.Where("rule_id IN (?)", bun.List(texts(q.Rules)))
	}
	if q.MinLevel > detect.Informational {
		sel = sel.Where("level >= ?", int(q.MinLevel))
	}
	if len(q.Levels) > 0 {
		ls := make([]int, len(q.Levels)) // a slice of Level is bytes to bun
		for i, l := range q.Levels {
			ls[i] = int(l)
		}
		sel = sel.Where("level IN (?)", bun.List(ls))
	}
	if len(q.Steps) > 0 {
		ss := make([]string, len(q.Steps))
		for i, x := range q.Steps {
			ss[i] = db.Text(string(x))
		}
		sel = sel.Where("step IN (?)", bun.List(ss))
	}
	if q.Host != "" {
		sel = sel.Where("host = ?", db.Text(q.Host))
	}
	if q.Agency != "" {
		sel = sel.Where("agency = ?", db.Text(q.Agency))
	}
	for _, w := range strings.Fields(strings.ToLower(q.Text)) { // every word, anywhere
		sel = sel.Where(`search LIKE ? ESCAPE '\'`, db.Contains(w))
	}
	return sel
}

func texts(ss []string) []string {
	out := make([]string, len(ss))
	for i := range ss {
		out[i] = db.Text(ss[i])
	}
	return out
}

func findings(rows []findingRow) ([]detect.Finding, error) {
	out := make([]detect.Finding, len(rows))
	for i := range rows {
		if err := json.Unmarshal([]byte(rows[i].Doc), &out[i]); err != nil {
			return nil, fmt.Errorf("read finding %s: %w", rows[i].ID, err)
		}
	}
	return out, nil
}

// Count returns how many findings q selects, pages ignored.
func (s *Store) Count(ctx context.Context, sc identity.Scope, q Query) (int64, error) {
	n, err := s.where(s.d.NewSelect().Model((*findingRow)(nil)), sc, q).Count(ctx)
	return int64(n), db.Err("count findings", err)
}

// Get returns one finding or a not-found error.
func (s *Store) Get(ctx context.Context, sc identity.Scope, id string) (detect.Finding, error) {
	fs, err := s.GetAll(ctx, sc, []string{id})
	if err != nil {
		return detect.Finding{}, err
	}
	if len(fs) == 0 {
		return detect.Finding{}, fault.New(fault.NotFound, "there is no finding %q, or it is not of yours", id)
	}
	return fs[0], nil
}

// maxIDs bounds GetAll.
const maxIDs = 10_000

// GetAll returns the findings with these ids that the scope shows, by time;
// unknown ids are left out. At most 10,000 ids.
func (s *Store) GetAll(ctx context.Context, sc identity.Scope, ids []string) ([]detect.Finding, error) {
	if len(ids) > maxIDs {
		return nil, fault.New(fault.Invalid, "read findings: %d ids are more than %d", len(ids), maxIDs)
	}
	var all []findingRow
	for part := range slices.Chunk(texts(ids), 500) {
		var rows []findingRow
		if err := s.where(s.d.NewSelect().Model(&rows).Column("id", "time_us", "doc"), sc, Query{}).
			Where("id IN (?)", bun.List(part)).Scan(ctx); err != nil {
			return nil, db.Err("read findings", err)
		}
		all = append(all, rows...)
	}
	slices.SortFunc(all, func(a, b findingRow) int {
		if a.TimeUS != b.TimeUS {
			return int(min(max(a.TimeUS-b.TimeUS, -1), 1))
		}
		return strings.Compare(a.ID, b.ID)
	})
	all = slices.CompactFunc(all, func(a, b findingRow) bool { return a.ID == b.ID }) // an id asked for twice
	return findings(all)
}
