// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package rulebook

import (
	"path/filepath"
	"testing"

	"citywall/asset"
	"citywall/detect/detectdb"
	"citywall/detect/sigma"
	"citywall/internal/db"
	"citywall/internal/shared"
)

// large is a book of thousands of rules.
func large(b *testing.B) *Book {
	b.Helper()
	name := shared.Path(b, "sigma/sigmahq-rules.zip")
	d, err := db.Open(b.Context(), filepath.Join(b.TempDir(), "r.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	store, err := detectdb.Open(b.Context(), d, asset.City)
	if err != nil {
		b.Fatal(err)
	}
	book, err := Open(b.Context(), Config{
		Sets: func() ([]sigma.Set, func(), error) {
			s, c, err := sigma.Open(name)
			if err != nil {
				return nil, nil, err
			}
			return []sigma.Set{s}, func() { c.Close() }, nil
		},
		Store: store,
	})
	if err != nil {
		b.Fatal(err)
	}
	return book
}

func BenchmarkReload(b *testing.B) {
	book := large(b)
	for b.Loop() {
		if _, _, err := book.Reload(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	book := large(b)
	for b.Loop() {
		if _, err := book.List(b.Context(), city, Query{Sort: ByNoise, Limit: 100, Cover: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTry(b *testing.B) {
	book := large(b)
	e := windows("EventID", "4688", "CommandLine", "powershell -enc aaaa")
	id := book.Engine().Rules()[100].ID
	for b.Loop() {
		if _, err := book.Try(id, nil, e); err != nil {
			b.Fatal(err)
		}
	}
}
