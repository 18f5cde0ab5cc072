// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidentdb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"citywall/incident"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// Saved is what a Save did.
type Saved struct {
	New     []string // record ids
	Changed []string
}

// Save stores a computation: all incidents the engine holds now. Records it no
// longer mentions stay as they are.
//
// A computation and a record belong together when they share half of the
// smaller one's findings and hops; of several, the one most alike, or else one
// that people have touched. So a record goes on when the engine
// finds an earlier beginning, and with it another id. When the engine takes
// two records for one, the other is merged into it; when it takes one for two,
// the lesser part is a new record.
//
// A closed incident that reaches another host, makes another move or becomes
// more severe is opened again.
func (s *Store) Save(ctx context.Context, is []incident.Incident) (Saved, error) {
	cs := make([]*computation, len(is))
	for i := range is {
		c, err := s.computation(is[i])
		if err != nil {
			return Saved{}, err
		}
		cs[i] = c
	}
	var out Saved
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		out = Saved{}
		sv := &saver{s: s, tx: tx, out: &out, taken: map[string]bool{}, touched: map[string]bool{}}
		return sv.run(ctx, cs)
	})
	if err != nil {
		return Saved{}, db.Err("save incidents", err)
	}
	slices.Sort(out.New)
	slices.Sort(out.Changed)
	out.Changed = slices.DeleteFunc(slices.Compact(out.Changed), func(id string) bool { return slices.Contains(out.New, id) })
	return out, nil
}

// computation is one incident as the engine gave it.
type computation struct {
	in     incident.Incident
	doc    string
	sum    string
	keys   []string       // filled when they are needed
	shared map[string]int // record id → keys it shares
	sizes  map[string]int // record id → keys it had, before this run
	record string         // whose it is, "" for a new one
}

func (s *Store) computation(in incident.Incident) (*computation, error) {
	switch {
	case in.ID == "":
		return nil, fault.New(fault.Invalid, "save incidents: one has no id")
	case in.Realm != s.realm:
		return nil, fault.New(fault.Invalid, "save incident %s: it is of the realm %q, and these are the records of %s", in.ID, in.Realm, s.realm)
	}
	b, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("save incident %s: %w", in.ID, err)
	}
	sum := sha256.Sum256(b)
	return &computation{in: in, doc: string(b), sum: hex.EncodeToString(sum[:])}, nil
}

type saver struct {
	s       *Store
	tx      bun.Tx
	out     *Saved
	recs    map[string]*recordRow
	taken   map[string]bool // records that have a computation of their own in this run
	touched map[string]bool // records whose shown form must be made again
}

func (v *saver) run(ctx context.Context, cs []*computation) error {
	// The documents are large and mostly unchanged: they are read when needed.
	var rows []recordRow
	if err := v.tx.NewSelect().Model(&rows).ExcludeColumn("own", "doc", "head", "search").Scan(ctx); err != nil {
		return err
	}
	v.recs = make(map[string]*recordRow, len(rows))
	same := map[string]*recordRow{}
	for i := range rows {
		v.recs[rows[i].ID] = &rows[i]
		if rows[i].EngineID != "" && !rows[i].Absorbed {
			same[rows[i].EngineID] = &rows[i]
		}
	}
	var open []*computation
	for _, c := range cs {
		if r := same[c.in.ID]; r != nil && r.EngineSum == c.sum && !v.taken[r.ID] {
			v.taken[r.ID] = true // nothing new
			continue
		}
		open = append(open, c)
	}
	if len(open) == 0 {
		return nil
	}
	if err := v.assign(ctx, open); err != nil {
		return err
	}
	for _, c := range open {
		if err := v.store(ctx, c); err != nil {
			return err
		}
	}
	if err := v.absorb(ctx, open); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(v.touched)) {
		if err := v.s.show(ctx, v.tx, id); err != nil {
			return err
		}
	}
	return nil
}

// store writes a computation to its record, and to those that were split off.
func (v *saver) store(ctx context.Context, c *computation) error {
	now := v.s.now().UnixMicro()
	if c.record == "" {
		r := &recordRow{ID: c.in.ID, State: string(incident.New), StateUS: now, CreatedUS: now, Version: 1}
		if v.recs[r.ID] != nil { // the engine uses the id of a record that is another's now
			u, err := uuid.NewV7()
			if err != nil {
				return err
			}
			r.ID = u.String()
		}
		v.recs[r.ID] = r
		c.record = r.ID
		if err := v.put(ctx, r, c.in, c, true); err != nil {
			return err
		}
		if err := v.s.note(ctx, v.tx, r.ID, self, "found"); err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(c.shared)) { // the engine takes apart what was one
			if err := v.s.note(ctx, v.tx, r.ID, self, "taken_apart", "of", id); err != nil {
				return err
			}
		}
		v.out.New = append(v.out.New, r.ID)
		return nil
	}
	r, err := v.full(ctx, c.record)
	if err != nil {
		return err
	}
	rest := c.in
	if rest, err = v.carveChildren(ctx, r, rest); err != nil {
		return err
	}
	if err := v.apart(ctx, r); err != nil {
		return err
	}
	return v.put(ctx, r, rest, c, false)
}

// apart shows a record with its own content again that was under another one.
func (v *saver) apart(ctx context.Context, r *recordRow) error {
	if !r.Absorbed {
		return nil
	}
	v.touched[r.ID], v.touched[r.MergedInto] = true, true
	r.Absorbed = false
	if r.MergedBy != self {
		return nil // a person merged it too: that stays
	}
	r.MergedInto, r.MergedBy = "", ""
	return v.s.note(ctx, v.tx, r.ID, self, "apart_again")
}

// carveChildren applies the splits of r and returns what is left for it.
// Records that the engine found by themselves in this computation keep that.
func (v *saver) carveChildren(ctx context.Context, r *recordRow, in incident.Incident) (incident.Incident, error) {
	var ids []string
	for id, x := range v.recs {
		if x.SplitFrom == r.ID && !v.taken[id] {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		if x := int(v.recs[a].CreatedUS - v.recs[b].CreatedUS); x != 0 {
			return x
		}
		return strings.Compare(a, b)
	})
	for _, id := range ids {
		child, err := v.full(ctx, id)
		if err != nil {
			return in, err
		}
		var sel Selection
		if err := json.Unmarshal([]byte(child.Split), &sel); err != nil {
			return in, fmt.Errorf("split of incident %s: %w", id, err)
		}
		rest, out := carve(in, sel)
		if empty(out) {
			continue
		}
		if out, err = v.carveChildren(ctx, child, out); err != nil {
			return in, err
		}
		if err := v.apart(ctx, child); err != nil {
			return in, err
		}
		if err := v.put(ctx, child, out, nil, false); err != nil {
			return in, err
		}
		if !empty(rest) {
			in = rest
		}
	}
	return in, nil
}

// full reads a record with its documents.
func (v *saver) full(ctx context.Context, id string) (*recordRow, error) {
	r, err := recordOf(ctx, v.tx, id)
	if err != nil {
		return nil, err
	}
	v.recs[id] = &r
	return &r, nil
}

// put writes a record's own computation when it is another than before, and
// opens a closed record again when it grew. c is what it was taken from, nil
// for a part that was split off.
func (v *saver) put(ctx context.Context, r *recordRow, in incident.Incident, c *computation, isNew bool) error {
	in.ID = r.ID
	doc, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("save incident %s: %w", r.ID, err)
	}
	if c != nil {
		r.EngineID, r.EngineSum = db.Text(c.in.ID), c.sum
	}
	changed := r.Own != string(doc) // else the engine moved something that a split took out
	if changed && !isNew {
		if err := v.reopen(ctx, r, in); err != nil {
			return err
		}
	}
	if changed {
		r.Own = string(doc)
		r.Revision++
		r.ComputedUS = v.s.now().UnixMicro()
		v.touched[r.ID] = true
		v.out.Changed = append(v.out.Changed, r.ID)
	}
	if isNew {
		_, err = v.tx.NewInsert().Model(r).Exec(ctx)
	} else {
		_, err = v.tx.NewUpdate().Model(r).WherePK().Exec(ctx)
	}
	if err != nil {
		return err
	}
	if c != nil {
		if _, err := v.tx.NewRaw("INSERT INTO incident_alias (engine_id, record_id) VALUES (?, ?) ON CONFLICT (engine_id) DO UPDATE SET record_id = EXCLUDED.record_id",
			r.EngineID, r.ID).Exec(ctx); err != nil {
			return err
		}
		// Another record that went by this name no longer does.
		if _, err := v.tx.NewRaw("UPDATE incident_record SET engine_id = '', engine_sum = '' WHERE engine_id = ? AND id <> ?",
			r.EngineID, r.ID).Exec(ctx); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	return setKeys(ctx, v.tx, r.ID, keys(in))
}

// reopen opens the incident that r is shown in again, when that is closed and
// r reaches further than before.
func (v *saver) reopen(ctx context.Context, r *recordRow, now incident.Incident) error {
	root := r
	if r.MergedInto != "" {
		up, err := rootOf(ctx, v.tx, *r)
		if err != nil {
			return err
		}
		root = &up
	}
	if root.State != string(incident.Closed) {
		return nil
	}
	old, err := r.own()
	if err != nil {
		return err
	}
	grew := growth(old, now)
	if grew == "" {
		return nil
	}
	root.State, root.StateUS = string(incident.Triaged), v.s.now().UnixMicro()
	root.Version++
	if _, err := v.tx.NewUpdate().Model(root).Column("state", "state_us", "version").WherePK().Exec(ctx); err != nil {
		return err
	}
	v.out.Changed = append(v.out.Changed, root.ID)
	return v.s.note(ctx, v.tx, root.ID, self, "opened_again_"+grew)
}

// growth says in one word how a computation reaches further than the one
// before, "" when it does not.
func growth(old, now incident.Incident) string {
	was := map[string]bool{}
	for _, h := range old.Hosts {
		was[h.Host] = h.Compromised
	}
	for _, h := range now.Hosts {
		if h.Compromised && !was[h.Host] {
			return "host"
		}
	}
	if len(now.Hops) > len(old.Hops) {
		return "hop"
	}
	if now.Severity > old.Severity {
		return "severity"
	}
	return ""
}

// setKeys makes keys the keys of a record, changing only what differs.
func setKeys(ctx context.Context, tx bun.Tx, id string, keys []string) error {
	var have []string
	if err := tx.NewRaw("SELECT key FROM incident_key WHERE record_id = ?", id).Scan(ctx, &have); err != nil {
		return err
	}
	had, want := set(have), set(keys)
	gone := slices.DeleteFunc(have, func(k string) bool { return want[k] })
	for part := range slices.Chunk(gone, 500) {
		if _, err := tx.NewRaw("DELETE FROM incident_key WHERE record_id = ? AND key IN (?)", id, bun.List(part)).Exec(ctx); err != nil {
			return err
		}
	}
	type keyRow struct {
		bun.BaseModel `bun:"table:incident_key"`
		Key           string `bun:"key,pk"`
		RecordID      string `bun:"record_id,pk"`
	}
	var add []keyRow
	for _, k := range keys {
		if !had[k] {
			add = append(add, keyRow{Key: k, RecordID: id})
		}
	}
	for part := range slices.Chunk(add, 500) {
		if _, err := tx.NewInsert().Model(&part).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// absorb merges records whose content the engine now has under another one.
func (v *saver) absorb(ctx context.Context, open []*computation) error {
	for _, c := range open {
		if len(c.shared) < 2 {
			continue
		}
		into, err := v.full(ctx, c.record)
		if err != nil {
			return err
		}
		root, err := rootOf(ctx, v.tx, *into)
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(c.shared)) {
			if v.taken[id] || id == root.ID || v.recs[id].Absorbed || 2*c.shared[id] < c.sizes[id] || v.family(id) == v.family(c.record) {
				continue
			}
			r, err := v.full(ctx, id)
			if err != nil {
				return err
			}
			r.Absorbed = true
			if r.MergedInto == "" {
				r.MergedInto, r.MergedBy = root.ID, self
				r.Version++
				if err := v.s.note(ctx, v.tx, id, self, "taken_for_one", "into", root.ID); err != nil {
					return err
				}
				if err := v.s.note(ctx, v.tx, root.ID, self, "took_in", "other", id); err != nil {
					return err
				}
			}
			if _, err := v.tx.NewUpdate().Model(r).Column("merged_into", "merged_by", "absorbed", "version").WherePK().Exec(ctx); err != nil {
				return err
			}
			v.touched[id], v.touched[root.ID] = true, true
			v.out.Changed = append(v.out.Changed, id, root.ID)
		}
	}
	return nil
}
