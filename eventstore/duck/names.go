// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Names of native fields come from records. Beyond these bounds a name is no
// longer learned, and can be asked for only as it is spelt.
const (
	maxNames   = 20_000
	maxNameLen = 256 // bytes
)

// nameBook knows the spellings of native field names.
type nameBook struct {
	known  map[string]bool     // every spelling
	folded map[string][]string // lower case -> spellings, in the order they were met
}

func (b *nameBook) add(names []string) {
	if b.known == nil {
		b.known, b.folded = map[string]bool{}, map[string][]string{}
	}
	for _, n := range names {
		if !b.known[n] {
			b.known[n] = true
			f := strings.ToLower(n)
			b.folded[f] = append(b.folded[f], n)
		}
	}
}

// spellings returns the spellings under which a field may stand in records,
// the given one among them.
func (s *Store) spellings(name string) []string {
	s.nameMu.RLock()
	defer s.nameMu.RUnlock()
	out := slices.Clone(s.names.folded[strings.ToLower(name)])
	if !slices.Contains(out, name) {
		out = append(out, name)
	}
	return out
}

// newNames writes the names that events bring and the book has not, and
// returns them. Only the writer adds names, so reading the book without its
// lock is safe here.
func (s *Store) newNames(ctx context.Context, events []placed) ([]string, error) {
	var out []string
	room := maxNames - len(s.names.known)
	seen := map[string]bool{}
	for _, p := range events {
		for i := range p.e.Fields {
			n := p.e.Fields[i].Name
			if room <= 0 || s.names.known[n] || seen[n] || len(n) > maxNameLen || !utf8.ValidString(n) {
				continue
			}
			seen[n] = true
			out = append(out, n)
			room--
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	if _, err := s.w.ExecContext(ctx, `INSERT INTO names SELECT unnest($1::VARCHAR[])`, out); err != nil {
		return nil, fmt.Errorf("learn field names: %w", err)
	}
	return out, nil
}

func (s *Store) readNames(ctx context.Context) error {
	rows, err := s.w.QueryContext(ctx, `SELECT name FROM names ORDER BY rowid`)
	if err != nil {
		return fmt.Errorf("read field names: %w", err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return fmt.Errorf("read field names: %w", err)
		}
		list = append(list, n)
	}
	s.names.add(list)
	return rows.Err()
}
