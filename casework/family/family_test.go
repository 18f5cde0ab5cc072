// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package family

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"citywall/internal/shared"
)

func notes70(t *testing.T) Base {
	t.Helper()
	z, err := zip.OpenReader(shared.Path(t, "casework/notes/notes-70.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := os.Open(shared.Path(t, "casework/notes/notes-70.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b Base
	l, err := LoadNotes(&b, &z.Reader, f, "notes-70")
	if err != nil {
		t.Fatal(err)
	}
	if l.Families != 155 || l.Notes != 229 || len(l.Skipped) != 0 {
		t.Fatalf("loaded %+v", l)
	}
	return b
}

func clusters(t *testing.T, b *Base) {
	t.Helper()
	f, err := os.Open(shared.Path(t, "casework/notes/misp-ransomware-reduced.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoadClusters(b, z, "misp"); err != nil {
		t.Fatal(err)
	}
}

// parts is a base, prepared, that can be looked at without a note or a family.
type parts struct {
	families []Family
	prepared []prepared
	lexicon  lexicon
}

func split(b Base) parts {
	p := parts{families: b.Families, lexicon: lexicon{vocabulary{}, vocabulary{}}}
	for _, f := range b.Families {
		p.prepared = append(p.prepared, p.lexicon.prepare(f))
	}
	return p
}

// without is the index of all but one family, or all but one of its notes.
func (p parts) without(family, note int) *Index {
	fs, ps := slices.Clone(p.families), slices.Clone(p.prepared)
	if note < 0 {
		return newIndex(slices.Delete(fs, family, family+1), slices.Delete(ps, family, family+1), p.lexicon)
	}
	fs[family].Notes = slices.Delete(slices.Clone(fs[family].Notes), note, note+1)
	ps[family] = p.lexicon.prepare(fs[family])
	return newIndex(fs, ps, p.lexicon)
}

// TestLeaveOneOut takes one note out at a time and asks whose it is; and takes a
// whole family out and asks again, when nobody should be named. The bars are
// those of the issue: 80 % first, 90 % among three, at most 10 % wrongly named.
func TestLeaveOneOut(t *testing.T) {
	p := split(notes70(t))
	var n, top1, top3, named, right, left, wrong int
	for i, f := range p.families {
		for j, note := range f.Notes {
			if len(f.Notes) == 1 {
				continue
			}
			a, err := p.without(i, j).Identify(Query{Note: []byte(note.Text), Name: note.Name})
			if err != nil {
				t.Fatal(err)
			}
			n++
			at := slices.IndexFunc(a.Candidates, func(c Candidate) bool { return c.Family == f.Name })
			if at == 0 {
				top1++
			}
			if at >= 0 && at < 3 {
				top3++
			}
			if a.Verdict == Identified {
				named++
				if at == 0 {
					right++
				}
			}
			tell(t, "one note", f, note, a)
		}
		x := p.without(i, -1)
		for _, note := range f.Notes {
			a, err := x.Identify(Query{Note: []byte(note.Text), Name: note.Name})
			if err != nil {
				t.Fatal(err)
			}
			left++
			if a.Verdict == Identified {
				wrong++
			}
			tell(t, "family", f, note, a)
		}
	}
	t.Logf("notes of families with others: %d; first %d (%.1f %%), among three %d (%.1f %%); named %d, rightly %d", n, top1, pc(top1, n), top3, pc(top3, n), named, right)
	t.Logf("notes of families left out: %d; wrongly named %d (%.1f %%)", left, wrong, pc(wrong, left))
	if n != 113 || pc(top1, n) < 80 || pc(top3, n) < 90 || pc(wrong, left) > 10 {
		t.Error("the bars are 80 % first, 90 % among three, and at most 10 % wrongly named")
	}
}

// tell writes an answer as a line of JSON, for those who set the weights.
func tell(t *testing.T, out string, f Family, n Note, a Answer) {
	if os.Getenv("CITYWALL_TELL") == "" {
		return
	}
	b, err := json.Marshal(map[string]any{"out": out, "family": f.Name, "note": n.Name, "answer": a})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(b))
}

// TestExtensions: an extension that many share names nobody, and shapes are
// known with what changes in them.
func TestExtensions(t *testing.T) {
	b, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	clusters(t, &b)
	x := NewIndex(b)
	a, err := x.Identify(Query{Extension: ".locked"})
	if err != nil || a.Verdict != Ambiguous || len(a.Candidates) < 40 {
		t.Errorf(".locked: %s, %d candidates, %v; MISP's clusters have 47", a.Verdict, len(a.Candidates), err)
	}
	for name, want := range map[string]string{
		"a.docx.id[1A2B3C4D-2275].[who@example.org].eking": "Phobos",
		"a.docx.id-1A2B3C4D.[who@example.org].dharma":      "Dharma",
		"a.xlsx.akira": "Akira",
	} {
		a, err := x.Identify(Query{Extension: name})
		if err != nil || len(a.Candidates) == 0 || a.Candidates[0].Family != want {
			t.Errorf("%s: %+v, %v; want %s", name, a, err, want)
		}
	}
	a, err = x.Identify(Query{Extension: ".akira", Name: "akira_readme.txt"})
	if err != nil || a.Verdict != Identified || a.Candidates[0].Family != "Akira" {
		t.Errorf("two kinds of evidence: %+v, %v", a, err)
	}
	a, err = x.Identify(Query{Extension: ".nobodyhasthis"})
	if err != nil || a.Verdict != Unknown || len(a.Candidates) != 0 {
		t.Errorf("nothing known: %+v, %v", a, err)
	}
	if _, err := x.Identify(Query{}); err == nil {
		t.Error("an empty question was answered")
	}
}

func TestDecode(t *testing.T) {
	wide := func(s string, mark bool) []byte {
		var b []byte
		if mark {
			b = []byte{0xff, 0xfe}
		}
		for _, r := range s {
			b = append(b, byte(r), byte(r>>8))
		}
		return b
	}
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"plain":        {[]byte("your files"), "your files"},
		"mark":         {[]byte("\xef\xbb\xbfyour files"), "your files"},
		"wide, marked": {wide("your files", true), "your files"},
		"wide, not":    {wide("your files are encrypted", false), "your files are encrypted"},
		"page":         {[]byte("<html><head><script>var a='x'</script></head><body>your&nbsp;<b>files</b></body></html>"), "your files"},
		"other bytes":  {[]byte("your \xe9 files"), "your files"},
		"cut in two":   {[]byte{0xff, 0xfe, 'a', 0, 'b'}, "a"},
	} {
		got := strings.Join(strings.Fields(strings.ReplaceAll(Decode(c.in), "\u00a0", " ")), " ")
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestKeep: what is loaded is the same when it is read back, and adding it twice
// adds nothing.
func TestKeep(t *testing.T) {
	b := notes70(t)
	enc, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadBase(bytes.NewReader(enc))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range b.Families {
		again.Add(f)
	}
	if len(again.Families) != 155 || !slices.EqualFunc(b.Families, again.Families, func(a, b Family) bool { return a.Name == b.Name && slices.Equal(a.Notes, b.Notes) }) {
		t.Error("families differ after they were read back and added again")
	}
}

func FuzzIdentify(f *testing.F) {
	b, err := Builtin()
	if err != nil {
		f.Fatal(err)
	}
	b.Add(Family{Name: "somebody", Notes: []Note{{Name: "read me.txt", Text: "your files are encrypted write to a@b.example now or never"}}})
	x := NewIndex(b)
	f.Add([]byte("<html>\xff\xfe"), "README.txt", ".id[1].[a@b.c].phobos")
	f.Add([]byte("your files are encrypted write to a@b.example"), "", "")
	f.Fuzz(func(t *testing.T, note []byte, name, ext string) {
		q := Query{Note: note, Name: name, Extension: ext}
		a, err := x.Identify(q)
		if err != nil {
			return
		}
		again, err := x.Identify(q)
		if err != nil || !slices.EqualFunc(a.Candidates, again.Candidates, func(a, b Candidate) bool { return a.Family == b.Family && a.Score == b.Score }) || a.Verdict != again.Verdict {
			t.Fatalf("one question, two answers: %+v and %+v (%v)", a, again, err)
		}
	})
}

func pc(a, b int) float64 { return 100 * float64(a) / float64(b) }
