// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package family

import (
	"archive/zip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"citywall/internal/fault"
)

// Limits of what is loaded.
const (
	maxNotes    = 100_000
	maxClusters = 100_000
)

// Loaded says what a load brought.
type Loaded struct {
	Families int      `json:"families"` // that were named
	Notes    int      `json:"notes"`
	Skipped  []string `json:"skipped"` // what was passed over, and why
}

// LoadNotes adds the notes of a ZIP archive. index is CSV whose first line names
// the columns family, entry (in the archive) and original_name; others are passed
// over.
func LoadNotes(b *Base, z *zip.Reader, index io.Reader, source string) (Loaded, error) {
	var l Loaded
	in := csv.NewReader(index)
	in.FieldsPerRecord = -1
	head, err := in.Read()
	if err != nil {
		return l, fault.New(fault.Invalid, "read the index of notes: its first line must name the columns family, entry and original_name: %w", err)
	}
	at := map[string]int{}
	for i, h := range head {
		at[strings.TrimPrefix(strings.TrimSpace(h), "\ufeff")] = i
	}
	for _, c := range []string{"family", "entry", "original_name"} {
		if _, ok := at[c]; !ok {
			return l, fault.New(fault.Invalid, "the index of notes has no column %s", c)
		}
	}
	files := map[string]*zip.File{}
	for _, f := range z.File {
		files[f.Name] = f
	}
	seen := map[string]bool{}
	for line := 2; ; line++ {
		rec, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		skip := func(format string, args ...any) {
			l.Skipped = append(l.Skipped, fmt.Sprintf("line %d of the index: ", line)+fmt.Sprintf(format, args...))
		}
		if err != nil {
			var p *csv.ParseError
			if !errors.As(err, &p) {
				return l, fmt.Errorf("read the index of notes: %w", err)
			}
			skip("%v", p.Err)
			continue
		}
		if len(rec) < len(head) {
			skip("%d columns, not %d", len(rec), len(head))
			continue
		}
		name, entry := strings.TrimSpace(rec[at["family"]]), rec[at["entry"]]
		f := files[entry]
		switch {
		case name == "":
			skip("no family")
			continue
		case f == nil:
			skip("the archive has no entry %q", entry)
			continue
		case f.UncompressedSize64 > MaxNote:
			skip("%q has %d bytes, more than the %d of a note", entry, f.UncompressedSize64, MaxNote)
			continue
		case l.Notes >= maxNotes:
			return l, fault.New(fault.Invalid, "more than %d notes", maxNotes)
		}
		text, err := readEntry(f)
		if err != nil {
			skip("%q: %v", entry, err)
			continue
		}
		b.Add(Family{Name: name, Notes: []Note{{Name: rec[at["original_name"]], Text: Decode(text)}}, Source: source})
		l.Notes++
		if !seen[fold(name)] {
			seen[fold(name)] = true
			l.Families++
		}
	}
	return l, nil
}

func readEntry(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, MaxNote))
}

// LoadClusters adds families from JSON: {"families":[{"name","synonyms",
// "extensions","note_names","note_texts"}]}, or a cluster file of MISP galaxy
// ({"values":[{"value","meta":{…}}]}), of which links and references are never
// taken.
func LoadClusters(b *Base, r io.Reader, source string) (Loaded, error) {
	var l Loaded
	type meta struct {
		Synonyms   []string `json:"synonyms"`
		Extensions []string `json:"extensions"`
		Names      []string `json:"ransomnotes-filenames"`
		Texts      []string `json:"ransomnotes"`
	}
	var in struct {
		Families []struct {
			Name       string   `json:"name"`
			Synonyms   []string `json:"synonyms"`
			Extensions []string `json:"extensions"`
			NoteNames  []string `json:"note_names"`
			NoteTexts  []string `json:"note_texts"`
		} `json:"families"`
		Values []struct {
			Value string `json:"value"`
			Meta  meta   `json:"meta"`
		} `json:"values"`
	}
	if err := json.NewDecoder(io.LimitReader(r, 256<<20)).Decode(&in); err != nil {
		return l, fault.New(fault.Invalid, "read families: %w", err)
	}
	if len(in.Families)+len(in.Values) == 0 {
		return l, fault.New(fault.Invalid, "read families: neither \"families\" nor \"values\" is there")
	}
	if len(in.Families)+len(in.Values) > maxClusters {
		return l, fault.New(fault.Invalid, "more than %d families", maxClusters)
	}
	put := func(name string, synonyms, extensions, names, texts []string) {
		if strings.TrimSpace(name) == "" {
			l.Skipped = append(l.Skipped, "a family without a name")
			return
		}
		f := Family{Name: name, Aliases: synonyms, NoteNames: names, Source: source}
		for _, e := range extensions {
			if prose(strings.TrimSpace(e)) {
				l.Skipped = append(l.Skipped, fmt.Sprintf("%s: %q is no extension", name, e))
				continue
			}
			f.Extensions = append(f.Extensions, e)
		}
		for _, t := range texts {
			if len(t) <= MaxNote {
				f.Notes = append(f.Notes, Note{Text: t})
				l.Notes++
			}
		}
		b.Add(f)
		l.Families++
	}
	for _, f := range in.Families {
		put(f.Name, f.Synonyms, f.Extensions, f.NoteNames, f.NoteTexts)
	}
	for _, v := range in.Values {
		put(v.Value, v.Meta.Synonyms, v.Meta.Extensions, v.Meta.Names, v.Meta.Texts)
	}
	return l, nil
}
