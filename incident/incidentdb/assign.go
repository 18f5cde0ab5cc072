// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidentdb

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"citywall/incident"
)

// assign finds for each computation the record it belongs to.
func (v *saver) assign(ctx context.Context, open []*computation) error {
	size, err := v.keyCounts(ctx)
	if err != nil {
		return err
	}
	var pairs []pair
	fits := map[*computation][]*recordRow{}
	for _, c := range open {
		c.keys, c.sizes = keys(c.in), size
		if c.shared, err = v.overlaps(ctx, c.keys); err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(c.shared)) {
			n, r := c.shared[id], v.recs[id]
			if 2*n >= min(len(c.keys), size[id]) {
				fits[c] = append(fits[c], r)
				pairs = append(pairs, pair{c, r, float64(n) / float64(len(c.keys)+size[id]-n)})
			}
		}
	}
	slices.SortStableFunc(pairs, pair.compare)
	for _, p := range pairs {
		if p.c.record == "" && !v.taken[p.r.ID] {
			p.c.record = p.r.ID
			v.taken[p.r.ID] = true
		}
	}
	for _, c := range open {
		v.prefer(c, fits[c])
		v.lift(c, fits[c])
	}
	return nil
}

// pair is a computation and a record it could belong to.
type pair struct {
	c     *computation
	r     *recordRow
	alike float64 // shared keys of all keys of both
}

// compare puts first what is most alike, then what goes by the same name, then
// the older record.
func (p pair) compare(q pair) int {
	return cmp.Or(cmp.Compare(q.alike, p.alike), -boolCompare(p.r.EngineID == p.c.in.ID, q.r.EngineID == q.c.in.ID),
		cmp.Compare(p.r.CreatedUS, q.r.CreatedUS), cmp.Compare(p.r.ID, q.r.ID))
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// prefer gives a computation that holds what several records were to one that
// people have touched, when that would otherwise be left without.
func (v *saver) prefer(c *computation, fits []*recordRow) {
	r := v.recs[c.record]
	if r == nil || touched(r) {
		return
	}
	for _, x := range fits {
		if touched(x) && !v.taken[x.ID] {
			delete(v.taken, r.ID)
			c.record = x.ID
			v.taken[x.ID] = true
			return
		}
	}
}

// lift gives a computation to the record above the one it fits best: what a
// person split is one computation to the engine, and the split is applied to
// it again; what a person merged may have become one to the engine as well.
func (v *saver) lift(c *computation, fits []*recordRow) {
	for range 1000 {
		r := v.recs[c.record]
		if r == nil {
			return
		}
		up := v.recs[r.SplitFrom]
		if up == nil || v.taken[up.ID] {
			up = v.recs[r.MergedInto]
			if up == nil || v.taken[up.ID] || !slices.Contains(fits, up) {
				return
			}
		}
		delete(v.taken, c.record)
		c.record = up.ID
		v.taken[up.ID] = true
	}
}

// touched says whether a person has done something to a record.
func touched(r *recordRow) bool {
	return r.Version > 1 || r.Owner != "" || r.State != string(incident.New)
}

func (v *saver) keyCounts(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		RecordID string
		N        int
	}
	if err := v.tx.NewRaw("SELECT record_id, count(*) AS n FROM incident_key GROUP BY record_id").Scan(ctx, &rows); err != nil {
		return nil, err
	}
	out := make(map[string]int, len(rows))
	for _, r := range rows {
		out[r.RecordID] = r.N
	}
	return out, nil
}

func (v *saver) overlaps(ctx context.Context, keys []string) (map[string]int, error) {
	out := map[string]int{}
	for part := range slices.Chunk(keys, 500) {
		var rows []struct {
			RecordID string
			N        int
		}
		if err := v.tx.NewRaw("SELECT record_id, count(*) AS n FROM incident_key WHERE key IN (?) GROUP BY record_id", bun.List(part)).Scan(ctx, &rows); err != nil {
			return nil, err
		}
		for _, r := range rows {
			out[r.RecordID] += r.N
		}
	}
	return out, nil
}

// family is the record that a record was split from in the end.
func (v *saver) family(id string) string {
	for range 1000 {
		r := v.recs[id]
		if r == nil || r.SplitFrom == "" {
			return id
		}
		id = r.SplitFrom
	}
	return id
}
