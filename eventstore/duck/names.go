// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"citywall/internal/durable"
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

// namesFile has the book again, for a store whose hot file was lost: reading
// the names out of sealed days would take hours.
const namesFile = "names.json"

func (s *Store) writeNamesFile() error {
	s.nameMu.RLock()
	all := make([]string, 0, len(s.names.known))
	for n := range s.names.known {
		all = append(all, n)
	}
	s.nameMu.RUnlock()
	slices.Sort(all)
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return durable.Replace(s.path(namesFile), 0o600, append(b, '\n'))
}

func (s *Store) readNamesFile() (all []string, err error) {
	b, err := os.ReadFile(s.path(namesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", namesFile, err)
	}
	return all, nil
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
	s.nameMu.Lock()
	s.names.add(list)
	s.nameMu.Unlock()
	return rows.Err()
}
