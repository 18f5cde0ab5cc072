// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package family says which family of ransomware (勒索軟體家族) a victim met, from
// what it left: the note, the note's name, the extension of encrypted files, the
// contacts.
//
// It promises that each candidate carries the evidence for it, that what many
// families share weighs little, and that it says 無法判定 (cannot be determined)
// when the evidence does not tell candidates apart. It works offline: nothing of
// a victim leaves the machine.
//
// It never renders a note, opens a link in it, or offers a decryptor; it knows
// names and words, not samples.
package family

import (
	"slices"
	"strings"
)

// Note is one ransom note that a family is known to leave.
type Note struct {
	Name string `json:"name,omitempty"` // as it is called on disk; [rand], [id] and [victim] stand for what changes
	Text string `json:"text,omitempty"` // decoded, without markup
}

// Family is what is known of one family.
type Family struct {
	Name       string   `json:"name" yaml:"name"`
	Aliases    []string `json:"aliases,omitempty" yaml:"aliases"`
	Extensions []string `json:"extensions,omitempty" yaml:"extensions"` // ".akira"; [id], [mail] and [rand] stand for what changes
	NoteNames  []string `json:"note_names,omitempty" yaml:"note_names"`
	Notes      []Note   `json:"notes,omitempty" yaml:"-"`
	Known      string   `json:"known,omitempty" yaml:"known"` // what is publicly known, in a sentence
	Source     string   `json:"source,omitempty" yaml:"-"`    // where this came from: "citywall", the name of a file
}

// Base is what is known of families.
type Base struct {
	Families []Family `json:"families"`

	at map[string]int // of Families, by folded name; see Add
}

// Add puts a family in, joined to the one of its name if there is one: aliases,
// extensions, names and notes that are new are added.
func (b *Base) Add(f Family) {
	if b.at == nil || len(b.at) != len(b.Families) { // read, or put together by hand
		b.at = make(map[string]int, len(b.Families)+1)
		for i, o := range b.Families {
			b.at[fold(o.Name)] = i
		}
	}
	key := fold(f.Name)
	i, known := b.at[key]
	if !known {
		b.at[key] = len(b.Families)
		b.Families = append(b.Families, f)
		return
	}
	o := &b.Families[i]
	o.Aliases = union(o.Aliases, f.Aliases)
	o.Extensions = union(o.Extensions, f.Extensions)
	o.NoteNames = union(o.NoteNames, f.NoteNames)
	for _, n := range f.Notes {
		if !slices.Contains(o.Notes, n) {
			o.Notes = append(o.Notes, n)
		}
	}
	if o.Known == "" {
		o.Known = f.Known
	}
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// fold makes names comparable: "Lock Bit 3.0 Ransomware" and "lockbit3.0" are one.
func fold(name string) string {
	name = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(name)), " ransomware")
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '_' {
			return -1
		}
		return r
	}, name)
}

// Query is what a victim has. At least one part must be there.
type Query struct {
	Note      []byte // as it lies on disk
	Name      string // of the note
	Extension string // of encrypted files, with its dot, or a whole encrypted name
}

// Verdict is what the evidence allows to say.
type Verdict string

// Verdicts.
const (
	Identified Verdict = "identified" // one candidate stands clearly before the others
	Ambiguous  Verdict = "ambiguous"  // several, and nothing tells them apart
	Unknown    Verdict = "unknown"    // nothing that is known fits
)

// Evidence is one reason for a candidate. Weight is what it adds to the score,
// in nats of odds against a family taken at random.
type Evidence struct {
	Signal string  `json:"signal"` // text, near_copy, name, contact, extension, says_so
	Detail string  `json:"detail"`
	Shared int     `json:"families"` // how many families this would speak for
	Weight float64 `json:"weight"`
}

// Candidate is a family that fits.
type Candidate struct {
	Family   string     `json:"family"`
	Score    float64    `json:"score"`
	Known    string     `json:"known,omitempty"`
	Evidence []Evidence `json:"evidence"`
}

// Answer is the candidates, the best first and at most three, or more when they
// are equal.
type Answer struct {
	Candidates []Candidate `json:"candidates"`
	Verdict    Verdict     `json:"verdict"`
}
