// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package family

import (
	"cmp"
	"hash/fnv"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Index is a Base made ready for questions. It is not changed by them.
type Index struct {
	families []Family
	notes    []note
	called   [][]vector         // by family: the words of its notes' names
	texts    weights            // how rare a term of notes is
	names    weights            // how rare a word of notes' names is
	exts     map[string][]int   // pattern -> families
	whole    map[string][]int   // template of a note's name -> families
	ways     map[contact][]int  // contact -> families
	said     map[string][]int   // a family's name as a word -> families, where notes of others do not say it
	patterns []extensionPattern // extensions with something that changes in them
}

type note struct {
	family   int
	vector   vector
	shingles map[uint64]bool
}

// vocabulary numbers terms.
type vocabulary map[string]int32

func (v vocabulary) number(t string) int32 {
	n, ok := v[t]
	if !ok {
		n = int32(len(v))
		v[t] = n
	}
	return n
}

// weights say how rare a term is: how many families use it.
type weights struct {
	terms vocabulary
	df    []int32 // by number of the term
	n     int     // families
}

// of is the weight of a term that a text has count times.
func (w *weights) of(number, count int32) float64 {
	df := int32(1)
	if int(number) < len(w.df) {
		df = max(1, w.df[number])
	}
	return (1 + math.Log(float64(count))) * math.Log(1+float64(w.n)/float64(df))
}

// families returns how many use a term.
func (w *weights) families(t string) int {
	if n, ok := w.terms[t]; ok && int(n) < len(w.df) {
		return int(w.df[n])
	}
	return 0
}

// counts are the terms of a text, by number, and how often it has each.
type counts []struct{ number, count int32 }

// vector is the weighted terms of a text, by number, of length one.
type vector []struct {
	number int32
	weight float64
}

// terms are single words, pairs and triples.
func terms(ws []string) []string {
	out := make([]string, 0, 3*len(ws))
	for i := range ws {
		out = append(out, ws[i])
		if i+1 < len(ws) {
			out = append(out, ws[i]+" "+ws[i+1])
		}
		if i+2 < len(ws) {
			out = append(out, ws[i]+" "+ws[i+1]+" "+ws[i+2])
		}
	}
	return out
}

// count counts terms. Those that the vocabulary lacks get numbers beyond it
// where learn is not set.
func (v vocabulary) count(ts []string, learn bool) counts {
	if !learn {
		known := v
		v = vocabulary{}
		n := map[int32]int32{}
		for _, t := range ts {
			id, ok := known[t]
			if !ok {
				id = int32(len(known)) + v.number(t)
			}
			n[id]++
		}
		return ordered(n)
	}
	n := map[int32]int32{}
	for _, t := range ts {
		n[v.number(t)]++
	}
	return ordered(n)
}

func ordered(n map[int32]int32) counts {
	out := make(counts, 0, len(n))
	for _, id := range slices.Sorted(maps.Keys(n)) {
		out = append(out, struct{ number, count int32 }{id, n[id]})
	}
	return out
}

func (w *weights) vector(cs counts) vector {
	v := make(vector, len(cs))
	sum := 0.0
	for i, c := range cs {
		v[i].number, v[i].weight = c.number, w.of(c.number, c.count)
		sum += v[i].weight * v[i].weight
	}
	if sum > 0 {
		l := math.Sqrt(sum)
		for i := range v {
			v[i].weight /= l
		}
	}
	return v
}

// cosine is how alike two texts are, from 0 to 1.
func cosine(a, b vector) float64 {
	sum := 0.0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i].number < b[j].number:
			i++
		case a[i].number > b[j].number:
			j++
		default:
			sum += a[i].weight * b[j].weight
			i, j = i+1, j+1
		}
	}
	return sum
}

// shingles are hashes of five words in a row.
func shingles(ws []string) map[uint64]bool {
	out := map[uint64]bool{}
	for i := 0; i+5 <= len(ws); i++ {
		h := fnv.New64a()
		for _, w := range ws[i : i+5] {
			h.Write([]byte(w))
			h.Write([]byte{0})
		}
		out[h.Sum64()] = true
	}
	return out
}

func jaccard(a, b map[uint64]bool) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	n := 0
	for s := range a {
		if b[s] {
			n++
		}
	}
	return float64(n) / float64(len(a)+len(b)-n)
}

// changing are the places of names and extensions that differ from victim to
// victim.
var changing = regexp.MustCompile(`(?i)\[[^\[\]]{1,30}\]|<[^<>]{1,30}>|%[a-z]+%`)

// template is a note's name without what changes in it.
func template(name string) string {
	return strings.ToLower(changing.ReplaceAllString(strings.TrimSpace(name), "*"))
}

// nameWords are the words of a note's name; digits and what changes are none.
func nameWords(name string) []string {
	name = changing.ReplaceAllString(name, " ")
	var b strings.Builder
	var last rune
	for _, r := range name { // ReadMeNow is three words
		if unicode.IsUpper(r) && unicode.IsLower(last) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last = r
	}
	return strings.FieldsFunc(strings.ToLower(b.String()), func(r rune) bool { return !unicode.IsLetter(r) })
}

type extensionPattern struct {
	find   *regexp.Regexp
	family int
	text   string
	fixed  int // characters that do not change
}

// prose tells a sentence about extensions from an extension.
func prose(ext string) bool {
	return ext == "" || len(ext) > 60 || strings.ContainsAny(strings.Trim(ext, " "), " \t\n")
}

// prepared is what an index needs of a family, worked out once.
type prepared struct {
	docs  []document
	ways  []contact
	names []counts
}

type document struct {
	terms    counts
	shingles map[uint64]bool
}

// lexicon numbers the terms of notes and the words of their names.
type lexicon struct{ texts, names vocabulary }

func (l lexicon) prepare(f Family) prepared {
	var p prepared
	for _, n := range f.Notes {
		ws := words(n.Text)
		p.docs = append(p.docs, document{l.texts.count(terms(ws), true), shingles(ws)})
		p.ways = append(p.ways, findContacts(n.Text)...)
	}
	for _, n := range f.allNames() {
		p.names = append(p.names, l.names.count(nameWords(n), true))
	}
	return p
}

// NewIndex makes a Base ready. What it cannot use of it, it passes over.
func NewIndex(b Base) *Index {
	l := lexicon{vocabulary{}, vocabulary{}}
	ps := make([]prepared, len(b.Families))
	for i, f := range b.Families {
		ps[i] = l.prepare(f)
	}
	return newIndex(b.Families, ps, l)
}

func newIndex(families []Family, ps []prepared, l lexicon) *Index {
	n := max(1, len(families))
	x := &Index{
		families: families, exts: map[string][]int{}, whole: map[string][]int{}, ways: map[contact][]int{}, said: map[string][]int{},
		texts: weights{l.texts, make([]int32, len(l.texts)), n}, names: weights{l.names, make([]int32, len(l.names)), n},
	}
	lastText, lastName := make([]int, len(l.texts)), make([]int, len(l.names)) // 1 + the last family counted
	for i, f := range families {
		for _, d := range ps[i].docs {
			for _, t := range d.terms {
				if lastText[t.number] != i+1 {
					lastText[t.number] = i + 1
					x.texts.df[t.number]++
				}
			}
		}
		for _, ws := range ps[i].names {
			for _, w := range ws {
				if lastName[w.number] != i+1 {
					lastName[w.number] = i + 1
					x.names.df[w.number]++
				}
			}
		}
		for _, c := range ps[i].ways {
			add(x.ways, c, i)
		}
		for _, n := range f.allNames() {
			add(x.whole, template(n), i)
		}
		for _, e := range f.Extensions {
			x.extension(e, i)
		}
	}
	for i, f := range families {
		for _, d := range ps[i].docs {
			x.notes = append(x.notes, note{i, x.texts.vector(d.terms), d.shingles})
		}
		var called []vector
		for _, ws := range ps[i].names {
			called = append(called, x.names.vector(ws))
		}
		x.called = append(x.called, called)
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			name = fold(name)
			others := x.texts.families(name)
			if ps[i].says(l.texts, name) {
				others--
			}
			if len(name) >= 4 && others <= 0 {
				add(x.said, name, i)
			}
		}
	}
	return x
}

// says reports whether a note has the word.
func (p prepared) says(v vocabulary, word string) bool {
	n, ok := v[word]
	return ok && slices.ContainsFunc(p.docs, func(d document) bool {
		_, has := slices.BinarySearchFunc(d.terms, n, func(c struct{ number, count int32 }, n int32) int { return cmp.Compare(c.number, n) })
		return has
	})
}

func (f Family) allNames() []string {
	out := slices.Clone(f.NoteNames)
	for _, n := range f.Notes {
		if n.Name != "" && !slices.Contains(out, n.Name) {
			out = append(out, n.Name)
		}
	}
	return out
}

func add[K comparable](m map[K][]int, k K, i int) {
	if l := m[k]; len(l) == 0 || l[len(l)-1] != i {
		m[k] = append(l, i)
	}
}

// extension learns one extension of a family.
func (x *Index) extension(e string, i int) {
	e = strings.ToLower(strings.TrimSpace(e))
	if prose(e) {
		return
	}
	if !strings.HasPrefix(e, ".") && !strings.HasPrefix(e, "[") {
		e = "." + e
	}
	if !changing.MatchString(e) {
		add(x.exts, e, i)
		return
	}
	var b strings.Builder
	last := 0
	for _, m := range changing.FindAllStringIndex(e, -1) {
		b.WriteString(regexp.QuoteMeta(e[last:m[0]]))
		if strings.Contains(e[m[0]:m[1]], "mail") {
			b.WriteString(`\[?[^\s\[\]]+@[^\s\[\]]+\]?`)
		} else {
			b.WriteString(`\[?[a-z0-9-]{2,40}\]?`)
		}
		last = m[1]
	}
	b.WriteString(regexp.QuoteMeta(e[last:]))
	fixed := strings.Trim(changing.ReplaceAllString(e, ""), ".-_[]")
	if fixed == "" && !strings.Contains(e, "mail") {
		return // any random extension would fit
	}
	if find, err := regexp.Compile(`(?i)` + b.String() + `$`); err == nil {
		x.patterns = append(x.patterns, extensionPattern{find, i, e, len(fixed)})
	}
}
