// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidentdb

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun"

	"citywall/incident"
	"citywall/internal/db"
)

// show makes what lists and readers see of a record from its own computation
// and those merged into it, for it and for all it is merged into.
func (s *Store) show(ctx context.Context, tx bun.Tx, id string) error {
	for id != "" {
		r, err := recordOf(ctx, tx, id)
		if err != nil {
			return err
		}
		in, err := r.own()
		if err != nil {
			return err
		}
		parts, err := partsOf(ctx, tx, id)
		if err != nil {
			return err
		}
		var others []incident.Incident
		for i := range parts {
			if parts[i].Absorbed {
				continue // its content is in the one that took it in
			}
			o, err := parts[i].own()
			if err != nil {
				return err
			}
			others = append(others, o)
		}
		r.Doc = ""
		if len(others) > 0 {
			in = combine(in, others)
			b, err := json.Marshal(in)
			if err != nil {
				return fmt.Errorf("show incident %s: %w", id, err)
			}
			r.Doc = string(b)
		}
		h, err := json.Marshal(head(in))
		if err != nil {
			return fmt.Errorf("show incident %s: %w", id, err)
		}
		r.Head, r.Search, r.Severity = string(h), search(in), uint8(in.Severity)
		r.Agencies = "," + db.Text(strings.Join(in.Agencies, ",")) + ","
		r.FirstUS, r.LastUS = in.First.UnixMicro(), in.Last.UnixMicro()
		if _, err := tx.NewUpdate().Model(&r).Column("doc", "head", "search", "severity", "agencies", "first_us", "last_us").WherePK().Exec(ctx); err != nil {
			return err
		}
		id = r.MergedInto
	}
	return nil
}

// maxSearch bounds the text that a list looks through, in bytes.
const maxSearch = 64 << 10

// search joins what a person may look for, folded. Hosts and addresses come
// first: if something is cut, it is the tail of a very large incident.
func search(in incident.Incident) string {
	var b strings.Builder
	seen := map[string]bool{}
	add := func(s string) {
		s = strings.ToLower(strings.TrimSpace(s))
		if s == "" || seen[s] || b.Len()+len(s) >= maxSearch {
			return
		}
		seen[s] = true
		b.WriteString(s)
		b.WriteByte('\n')
	}
	add(in.ID)
	add(in.Title.Code)
	for _, k := range slices.Sorted(maps.Keys(in.Title.Args)) {
		add(in.Title.Args[k])
	}
	add(in.Entry.Vector)
	add(in.Entry.Technique)
	for _, s := range in.Suspicious {
		add(s.Addr.String())
	}
	for _, h := range in.Hosts {
		add(h.Host)
		for _, a := range h.Addresses {
			add(a.String())
		}
	}
	for _, a := range in.Accounts {
		add(a.Account.String())
	}
	for _, s := range in.Steps {
		add(s.What)
		add(s.Technique)
	}
	for _, h := range in.Hops {
		add(h.Src.Key())
		add(h.Dst.Key())
		if h.Src.Addr.IsValid() {
			add(h.Src.Addr.String())
		}
		if h.Dst.Addr.IsValid() {
			add(h.Dst.Addr.String())
		}
		add(h.Kind)
		add(h.Technique)
		if h.DstPort != 0 {
			add(":" + strconv.Itoa(int(h.DstPort)))
		}
	}
	return db.Text(b.String())
}
