// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package family

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"citywall/internal/fault"
)

// How much each signal weighs, in nats. They are set by hand; TestLeaveOneOut
// measures what comes of them.
const (
	textWeight    = 14.0 // of a cosine of 1
	textFloor     = 0.12 // a cosine that any two notes reach
	copyWeight    = 4.0  // of the same five-word runs throughout
	nameWeight    = 3.0  // of a cosine of 1 between words of names
	wholeWeight   = 0.6  // of the rarity of a name that is equal throughout
	contactWeight = 1.0  // of the rarity of a contact
	contactMost   = 8.0
	saidWeight    = 4.0 // the note says the family's name, and no other family's notes do
	extWeight     = 1.0 // of the rarity of an extension

	identifiedAt = 4.0 // a score below says too little
	candidateAt  = 1.0
	marginAt     = 1.2 // of the best before the second
	signalsAt    = 2   // kinds of evidence that a name rests on, see strong
)

// strong is the weight from which a signal counts as one. Rebrands and relatives
// copy notes word for word, and a contact may be a broker's, so that none of them
// names a family alone, however much it weighs.
var strong = map[string]float64{"text": 2, "contact": 4, "says_so": saidWeight, "name": 1.5, "extension": 3}

func signals(es []Evidence) int {
	sum := map[string]float64{}
	for _, e := range es {
		sum[e.Signal] += e.Weight
	}
	n := 0
	for s, w := range sum {
		if least, ok := strong[s]; ok && w >= least {
			n++
		}
	}
	return n
}

// Identify compares q with all that is known. Equal questions have equal answers.
func (x *Index) Identify(q Query) (Answer, error) {
	if len(q.Note) == 0 && q.Name == "" && q.Extension == "" {
		return Answer{}, fault.New(fault.Invalid, "nothing to go by: give a note, its name, or the extension of encrypted files")
	}
	ev := make([][]Evidence, len(x.families))
	say := func(i int, e Evidence) {
		if e.Weight > 0.05 {
			ev[i] = append(ev[i], e)
		}
	}
	if len(q.Note) > 0 {
		x.byText(Decode(q.Note), say)
	}
	if q.Name != "" {
		x.byName(path.Base(strings.ReplaceAll(q.Name, `\`, "/")), say)
	}
	if q.Extension != "" {
		x.byExtension(q.Extension, say)
	}
	var all []Candidate
	for i, es := range ev {
		c := Candidate{Family: x.families[i].Name, Known: x.families[i].Known, Evidence: es}
		for _, e := range es {
			c.Score += e.Weight
		}
		c.Score = math.Round(c.Score*1000) / 1000
		if c.Score >= candidateAt {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Family, b.Family))
	})
	return conclude(all), nil
}

// conclude cuts the list and says what it allows to say.
func conclude(all []Candidate) Answer {
	const few, many = 3, 60
	n := min(few, len(all))
	for n > 0 && n < len(all) && n < many && all[n].Score == all[n-1].Score { // cutting equals would be a choice
		n++
	}
	a := Answer{Candidates: append([]Candidate{}, all[:n]...)}
	switch {
	case n == 0:
		a.Verdict = Unknown
	case all[0].Score >= identifiedAt && (n == 1 || all[0].Score-all[1].Score >= marginAt) && signals(all[0].Evidence) >= signalsAt:
		a.Verdict = Identified
	case n == 1 && all[0].Score < identifiedAt:
		a.Verdict = Unknown
	default:
		a.Verdict = Ambiguous
	}
	return a
}

func (x *Index) byText(s string, say func(int, Evidence)) {
	ws := words(s)
	v, sh := x.texts.vector(x.texts.terms.count(terms(ws), false)), shingles(ws)
	best := make([]float64, len(x.families))
	near := make([]float64, len(x.families))
	for _, n := range x.notes {
		best[n.family] = max(best[n.family], cosine(v, n.vector))
		near[n.family] = max(near[n.family], jaccard(sh, n.shingles))
	}
	for i := range best {
		if c := best[i]; c > textFloor {
			say(i, Evidence{"text", fmt.Sprintf("%.0f %% of the weight of its words stands in a known note", 100*c), 0, textWeight * (c - textFloor)})
		}
		if near[i] > 0.05 {
			say(i, Evidence{"near_copy", fmt.Sprintf("%.0f %% of all runs of five words are the same", 100*near[i]), 0, copyWeight * near[i]})
		}
	}
	left := map[int]float64{}
	for _, c := range findContacts(s) {
		fs := x.ways[c]
		for _, i := range fs {
			if left[i] < contactMost {
				w := min(contactWeight*x.rarity(len(fs)), contactMost-left[i])
				left[i] += w
				say(i, Evidence{"contact", c.kind + " " + c.value, len(fs), w})
			}
		}
	}
	for _, w := range sortedSet(ws) {
		for _, i := range x.said[w] {
			say(i, Evidence{"says_so", w, len(x.said[w]), saidWeight / float64(len(x.said[w]))})
		}
	}
}

func sortedSet(ws []string) []string {
	out := slices.Clone(ws)
	slices.Sort(out)
	return slices.Compact(out)
}

// rarity is the logarithm of how much likelier a family is by something that n
// of all families share.
func (x *Index) rarity(n int) float64 {
	return math.Log(float64(max(2, len(x.families))) / float64(max(1, n)))
}

func (x *Index) byName(name string, say func(int, Evidence)) {
	if fs := x.whole[template(name)]; len(fs) > 0 {
		for _, i := range fs {
			say(i, Evidence{"name", template(name), len(fs), wholeWeight * x.rarity(len(fs))})
		}
	}
	// Words of the name that no known note's name has are the victim's.
	known := slices.DeleteFunc(nameWords(name), func(w string) bool { return x.names.families(w) == 0 })
	v := x.names.vector(x.names.terms.count(known, false))
	for i, f := range x.families {
		best, by := 0.0, ""
		for j, n := range f.allNames() {
			if c := cosine(v, x.called[i][j]); c > best {
				best, by = c, n
			}
		}
		if best > 0.3 {
			say(i, Evidence{"name", "alike: " + by, 0, nameWeight * (best - 0.3)})
		}
	}
}

func (x *Index) byExtension(e string, say func(int, Evidence)) {
	e = strings.ToLower(strings.TrimSpace(e))
	if !utf8.ValidString(e) || len(e) > 1000 {
		return
	}
	if !strings.Contains(e, ".") {
		e = "." + e
	}
	said := map[int]bool{}
	// The longest known end of the name: of report.docx.id-1A2B.[a@b.c].phobos the
	// pattern of all of it, else .phobos.
	for at := strings.IndexByte(e, '.'); at >= 0; {
		for _, i := range x.exts[e[at:]] {
			if !said[i] {
				said[i] = true
				say(i, Evidence{"extension", e[at:], len(x.exts[e[at:]]), extWeight * x.rarity(len(x.exts[e[at:]]))})
			}
		}
		next := strings.IndexByte(e[at+1:], '.')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	var fits []extensionPattern // those that say most
	for _, p := range x.patterns {
		if !p.find.MatchString(e) || len(fits) > 0 && p.fixed < fits[0].fixed {
			continue
		}
		if len(fits) > 0 && p.fixed > fits[0].fixed {
			fits = fits[:0]
		}
		fits = append(fits, p)
	}
	for _, p := range fits {
		if !said[p.family] {
			said[p.family] = true
			say(p.family, Evidence{"extension", p.text, len(fits), extWeight * x.rarity(len(fits))})
		}
	}
}
