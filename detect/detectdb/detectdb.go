// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package detectdb keeps the findings of one realm and finds them again.
//
// It promises that a finding is stored once however often it is saved, that a
// saved batch survives loss of power, and that every read is bounded by a
// scope. Findings of exhibits lie with their case and are refused here. It
// never changes a finding.
package detectdb

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"citywall/asset"
	"citywall/detect"
	"citywall/internal/db"
	"citywall/internal/fault"
)

//go:embed migrations
var migrations embed.FS

// Store is the findings of one realm. It is safe for concurrent use.
type Store struct {
	d     *db.DB
	realm asset.Realm
}

// Open migrates and opens the tables of findings in d.
func Open(ctx context.Context, d *db.DB, realm asset.Realm) (*Store, error) {
	if !realm.Valid() {
		return nil, fault.New(fault.Invalid, "findings: %q is no realm", realm)
	}
	if err := d.Migrate(ctx, "detect", migrations); err != nil {
		return nil, err
	}
	if err := d.TextIndex(ctx, "detect_finding", "search"); err != nil {
		return nil, err
	}
	return &Store{d: d, realm: realm}, nil
}

type findingRow struct {
	bun.BaseModel `bun:"table:detect_finding,alias:f"`

	ID     string `bun:"id,pk"`
	TimeUS int64  `bun:"time_us"`
	Level  uint8  `bun:"level"`
	RuleID string `bun:"rule_id"`
	Step   string `bun:"step"`
	Host   string `bun:"host"`
	Agency string `bun:"agency"`
	Search string `bun:"search"`
	Doc    string `bun:"doc"`
}

type ruleRow struct {
	bun.BaseModel `bun:"table:detect_rule,alias:r"`

	ID     string `bun:"id,pk"`
	Doc    string `bun:"doc"`
	SeenUS int64  `bun:"seen_us"`
}

// Limits of what is stored of one finding.
const (
	maxSearch  = 4 << 10   // bytes
	maxDoc     = 1 << 20   // bytes
	perInsert  = 200       // rows of one statement
	maxFinding = 1_000_000 // findings of one Save
)

// Save stores findings, all or none, and returns how many were new.
func (s *Store) Save(ctx context.Context, fs []detect.Finding) (added int, err error) {
	if len(fs) > maxFinding {
		return 0, fault.New(fault.Invalid, "save findings: %d at once are more than %d", len(fs), maxFinding)
	}
	rows := make([]findingRow, 0, len(fs))
	rules := map[string]ruleRow{}
	for i := range fs {
		r, err := s.row(&fs[i])
		if err != nil {
			return 0, err
		}
		rows = append(rows, r)
		if old, ok := rules[r.RuleID]; !ok || old.SeenUS < r.TimeUS {
			doc, err := json.Marshal(fs[i].Rule)
			if err != nil {
				return 0, fmt.Errorf("save finding %s: %w", r.ID, err)
			}
			rules[r.RuleID] = ruleRow{ID: r.RuleID, Doc: string(doc), SeenUS: r.TimeUS}
		}
	}
	if len(rows) == 0 {
		return 0, nil
	}
	var newest []ruleRow
	for _, r := range rules {
		newest = append(newest, r)
	}
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		added = 0
		for part := range slices.Chunk(newest, perInsert) {
			if _, err := tx.NewInsert().Model(&part).On("CONFLICT (id) DO UPDATE").
				Set("doc = EXCLUDED.doc").Set("seen_us = EXCLUDED.seen_us").Where("r.seen_us < EXCLUDED.seen_us").Exec(ctx); err != nil {
				return err
			}
		}
		for part := range slices.Chunk(rows, perInsert) {
			res, err := tx.NewInsert().Model(&part).On("CONFLICT (id) DO NOTHING").Exec(ctx)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			added += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, db.Err("save findings", err)
	}
	return added, nil
}

func (s *Store) row(f *detect.Finding) (findingRow, error) {
	switch {
	case f.ID == "" || f.Rule.ID == "":
		return findingRow{}, fault.New(fault.Invalid, "save finding %q: it lacks its id or the id of its rule", f.ID)
	case f.Realm != s.realm:
		return findingRow{}, fault.New(fault.Invalid, "save finding %s: it is of the realm %q, and these are the records of %s", f.ID, f.Realm, s.realm)
	}
	for _, o := range f.Origins {
		if o.Exhibit != "" {
			return findingRow{}, fault.New(fault.Invalid, "save finding %s: its records are of exhibit %s; such findings lie with their case", f.ID, o.Exhibit)
		}
	}
	doc, err := json.Marshal(f)
	if err != nil {
		return findingRow{}, fmt.Errorf("save finding %s: %w", f.ID, err)
	}
	if len(doc) > maxDoc {
		return findingRow{}, fault.New(fault.Invalid, "save finding %s: %d bytes are more than %d", f.ID, len(doc), maxDoc)
	}
	return findingRow{
		ID: f.ID, TimeUS: f.Time.UnixMicro(), Level: uint8(f.Rule.Level), RuleID: db.Text(f.Rule.ID), Step: string(f.Meaning.Step),
		Host: db.Text(f.Host), Agency: db.Text(f.Agency), Search: search(f), Doc: string(doc),
	}, nil
}

// search joins what a person may look for, folded.
func search(f *detect.Finding) string {
	v := &f.View
	parts := []string{
		f.ID, f.Rule.ID, f.Rule.Title, f.Meaning.Technique, string(f.Meaning.Step), f.Host, f.Agency,
		v.Host, v.SrcHost, v.DstHost, v.User.String(), v.Target.String(), v.Process, v.Message, v.EventID, v.Hash, v.File, v.Command,
	}
	for _, a := range []interface {
		IsValid() bool
		String() string
	}{v.HostAddr, v.Src, v.Dst} {
		if a.IsValid() {
			parts = append(parts, a.String())
		}
	}
	for _, m := range f.Matched {
		parts = append(parts, m.Value)
	}
	parts = append(parts, f.Tags...)
	var b strings.Builder
	seen := map[string]bool{}
	for _, p := range parts {
		p = strings.ToLower(strings.TrimSpace(p))
		if p == "" || seen[p] {
			continue
		}
		seen[p] = true
		if b.Len()+len(p) > maxSearch {
			p = p[:max(0, maxSearch-b.Len())] // Text below mends a cut character
		}
		b.WriteString(p)
		b.WriteByte('\n') // no search text holds one, so nothing is found across two parts
	}
	return db.Text(b.String())
}

func at(us int64) time.Time { return time.UnixMicro(us).UTC() }
