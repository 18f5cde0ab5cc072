// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/zip"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"citywall/casework/family"
	"citywall/internal/durable"
	"citywall/internal/fault"
)

func newFamily(io streams) *cobra.Command {
	c := group("family", "Say which family of ransomware a victim met", newFamilyIdentify(io), newFamilyLoad(io), newFamilyList(io))
	c.Long = `Say which family of ransomware a victim met, from what it left. Nothing leaves this
machine. Citywall knows some families by the names of their notes and by extensions;
load adds notes, and clusters of MISP galaxy.` + exits
	return c
}

// familiesName is the file of loaded families in the data folder.
const familiesName = "families.json"

// loadedFamilies reads what was loaded into the data folder; nothing is no error.
func loadedFamilies(dir string) (family.Base, error) {
	f, err := os.Open(filepath.Join(dir, familiesName))
	if errors.Is(err, fs.ErrNotExist) {
		return family.Base{}, nil
	}
	if err != nil {
		return family.Base{}, fault.New(fault.Unavailable, "open the families that were loaded: %w", err)
	}
	defer f.Close()
	return family.ReadBase(f)
}

// allFamilies is what Citywall knows and what was loaded.
func allFamilies(c *cobra.Command) (family.Base, error) {
	dir, err := dataDir(c)
	if err != nil {
		return family.Base{}, err
	}
	b, err := family.Builtin()
	if err != nil {
		return b, err
	}
	more, err := loadedFamilies(dir)
	for _, f := range more.Families {
		b.Add(f)
	}
	return b, err
}

func newFamilyIdentify(st streams) *cobra.Command {
	var note, name, ext, format string
	c := &cobra.Command{
		Use:   "identify",
		Short: "Name the family, with the evidence, or say that it cannot be determined",
		Long: `Compare a ransom note, its name and the extension of encrypted files with what is
known. The answer has the three best candidates with their evidence and one of the
verdicts identified, ambiguous and unknown. A family is named only by two kinds of
evidence: relatives copy each other's notes.

Exit codes: 0 identified, 1 failed, 2 wrong usage, 3 ambiguous or unknown.`,
		Example: "  citywall family identify --note akira_readme.txt --ext .akira\n  citywall family identify --ext .locked --format json",
		Args:    exactly(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error {
			q := family.Query{Name: name, Extension: ext}
			if format != "text" && format != "json" {
				return fault.New(fault.Invalid, "format %q: want text or json", format)
			}
			if note != "" {
				var err error
				if q.Note, err = readNote(st.in, note); err != nil {
					return err
				}
				if q.Name == "" && note != "-" {
					q.Name = filepath.Base(note)
				}
			}
			b, err := allFamilies(c)
			if err != nil {
				return err
			}
			a, err := family.NewIndex(b).Identify(q)
			if err != nil {
				return err
			}
			if err := writeFamily(st.out, a, format); err != nil {
				return err
			}
			if a.Verdict != family.Identified {
				return verdict{code: fault.ExitNegative, msg: "cannot be determined (無法判定): " + string(a.Verdict)}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&note, "note", "", "the ransom note as it lies on disk; - reads standard input")
	f.StringVar(&name, "name", "", "what the note was called (default: the name of the file)")
	f.StringVar(&ext, "ext", "", "extension of encrypted files, or the whole name of one")
	f.StringVar(&format, "format", "text", "text or json")
	return c
}

// readNote reads as much of a note as is looked at, and no more.
func readNote(in io.Reader, path string) ([]byte, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fault.New(fault.Invalid, "open the note: %w", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, family.MaxNote))
	if err == nil && len(b) == 0 {
		return nil, fault.New(fault.Invalid, "the note is empty")
	}
	return b, err
}

func writeFamily(w io.Writer, a family.Answer, format string) error {
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(a)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", a.Verdict)
	for _, c := range a.Candidates {
		fmt.Fprintf(&b, "\n%s  %.1f\n", c.Family, c.Score)
		if c.Known != "" {
			fmt.Fprintf(&b, "  %s\n", c.Known)
		}
		for _, e := range c.Evidence {
			fmt.Fprintf(&b, "  %+.1f  %s: %s", e.Weight, e.Signal, e.Detail)
			if e.Shared > 0 {
				fmt.Fprintf(&b, " (%d known families)", e.Shared)
			}
			b.WriteByte('\n')
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func newFamilyLoad(st streams) *cobra.Command {
	var notes, index, clusters string
	c := &cobra.Command{
		Use:   "load",
		Short: "Add families: notes in a ZIP archive with an index, or clusters in JSON",
		Long: `Add families to those in the data folder. --notes is a ZIP archive, --index its
index in CSV with the columns family, entry and original_name. --clusters is JSON: a
cluster file of MISP galaxy, or {"families":[{"name","extensions",…}]}, also
compressed (.gz). Links in it are never taken.` + exits,
		Example: "  citywall family load --notes notes.zip --index notes.csv\n  citywall family load --clusters ransomware.json",
		Args:    exactly(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := dataDir(c)
			if err != nil {
				return err
			}
			if clusters == "" && (notes == "" || index == "") {
				return fault.New(fault.Invalid, "give --notes with --index, or --clusters")
			}
			b, err := loadedFamilies(dir)
			if err != nil {
				return err
			}
			var all family.Loaded
			if notes != "" {
				if all, err = loadNotes(&b, notes, index); err != nil {
					return err
				}
			}
			if clusters != "" {
				l, err := loadClusters(&b, clusters)
				if err != nil {
					return err
				}
				all.Families, all.Notes, all.Skipped = all.Families+l.Families, all.Notes+l.Notes, append(all.Skipped, l.Skipped...)
			}
			out, err := b.Encode()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return fault.New(fault.Unavailable, "make the data folder: %w", err)
			}
			if err := durable.Replace(filepath.Join(dir, familiesName), 0o600, out); err != nil {
				return fault.New(fault.Unavailable, "keep the families: %w", err)
			}
			for _, s := range all.Skipped {
				fmt.Fprintln(st.err, "citywall: passed over:", s)
			}
			_, err = fmt.Fprintf(st.out, "%d families, %d notes; %d passed over\n", all.Families, all.Notes, len(all.Skipped))
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&notes, "notes", "", "ZIP archive of ransom notes")
	f.StringVar(&index, "index", "", "CSV that says whose each note is")
	f.StringVar(&clusters, "clusters", "", "JSON of families")
	return c
}

func loadNotes(b *family.Base, archive, index string) (family.Loaded, error) {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return family.Loaded{}, fault.New(fault.Invalid, "open the archive of notes: %w", err)
	}
	defer z.Close()
	f, err := os.Open(index)
	if err != nil {
		return family.Loaded{}, fault.New(fault.Invalid, "open the index of notes: %w", err)
	}
	defer f.Close()
	return family.LoadNotes(b, &z.Reader, f, filepath.Base(archive))
}

func loadClusters(b *family.Base, path string) (family.Loaded, error) {
	f, err := os.Open(path)
	if err != nil {
		return family.Loaded{}, fault.New(fault.Invalid, "open the families: %w", err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return family.Loaded{}, fault.New(fault.Invalid, "open the families: %w", err)
		}
	}
	return family.LoadClusters(b, in, filepath.Base(path))
}

func newFamilyList(st streams) *cobra.Command {
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the families that are known",
		Long:    "List the families that are known, as JSON lines: with extensions, names of notes and how many notes." + exits,
		Example: "  citywall family list",
		Args:    exactly(0, "no argument"),
		RunE: func(c *cobra.Command, _ []string) error {
			b, err := allFamilies(c)
			if err != nil {
				return err
			}
			enc := json.NewEncoder(st.out)
			for _, f := range b.Families {
				line := struct {
					family.Family
					Notes int `json:"notes"`
				}{f, len(f.Notes)}
				if err := enc.Encode(line); err != nil {
					return err
				}
			}
			return nil
		},
	}
	return c
}
