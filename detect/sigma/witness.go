// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"math/bits"
	"slices"
)

// minWitness is the shortest literal, in bytes, that is worth looking for; the
// index looks at three bytes at a time.
const minWitness = 3

// maxWitness bounds the literals of one rule; a rule with more is always tried.
const maxWitness = 20_000

// witness is a text of which a field must hold at least one in the set, if the
// rule is to match.
type witness struct {
	field int32 // binding; keywordField for any field
	text  string
}

// witnesses returns a set of which at least one member must occur in an event
// that meets n; false when there is none. AND takes its best part, OR needs one
// of each part, NOT promises nothing.
func (p *program) witnesses(n *node) ([]witness, bool) {
	switch n.op {
	case opItem:
		return p.atomWitnesses(&p.atoms[n.atom])
	case opAnd:
		var best []witness
		for i := range n.kids {
			if w, ok := p.witnesses(&n.kids[i]); ok && (best == nil || better(w, best)) {
				best = w
			}
		}
		return best, best != nil
	case opOr, opAtLeast:
		var all []witness
		for i := range n.kids {
			w, ok := p.witnesses(&n.kids[i])
			if !ok {
				return nil, false
			}
			if all = append(all, w...); len(all) > maxWitness {
				return nil, false
			}
		}
		return all, true
	}
	return nil, n.op == opFalse
}

// better prefers the set whose shortest text is longer, then the smaller set.
func better(a, b []witness) bool {
	x, y := shortest(a), shortest(b)
	return x > y || x == y && len(a) < len(b)
}

func shortest(ws []witness) int {
	n := 1 << 30
	for _, w := range ws {
		n = min(n, len(w.text))
	}
	return min(n, 16) // beyond that, longer is not rarer
}

func (p *program) atomWitnesses(a *atom) ([]witness, bool) {
	if a.chain.neg {
		return nil, false
	}
	var best, group []witness
	usable := true
	for i := range a.preds {
		if i > 0 && a.chain.all && a.preds[i].value != a.preds[i-1].value {
			if usable && (best == nil || better(group, best)) {
				best = group
			}
			group, usable = nil, true
		}
		texts := a.preds[i].required()
		usable = usable && len(texts) > 0
		for _, t := range texts {
			group = append(group, witness{a.field, t})
		}
	}
	if usable && (best == nil || better(group, best)) {
		best = group
	}
	return best, len(best) > 0 && len(best) <= maxWitness
}

// required returns folded texts of which one must occur in a value that the
// pred holds for; none when there is no such set.
func (p *pred) required() []string {
	switch p.op {
	case opRegexp:
		return p.re.need
	case opGlob:
		best := ""
		for _, e := range p.pat {
			if e.kind == lit && len(e.text) > len(best) {
				best = e.text
			}
		}
		if p.cased {
			best = string(appendFold(nil, best))
		}
		if len(best) >= minWitness {
			return []string{best}
		}
	}
	return nil
}

// witnessIndex picks the rules of a bucket that an event can meet at all.
type witnessIndex struct {
	always []int32 // rules without a witness
	fields []fieldIndex
}

// fieldIndex finds the literals that occur in one field. Each literal is filed
// under its rarest group of three bytes; a bit set says no for most positions
// of a value, and the literal itself is compared before it counts.
type fieldIndex struct {
	field int32
	bits  []uint64
	shift uint32 // of the hash, so that it fits bits
	grams map[uint32][]gramEntry
}

type gramEntry struct {
	text  string
	off   int // of the gram in text
	rules []int32
}

// The bit set is sparse enough that one position in 64 passes by chance, within
// these bounds of its size (powers of two).
const (
	minGramBits = 9
	maxGramBits = 17
)

func gramOf(a, b, c byte) uint32 { return uint32(a) | uint32(b)<<8 | uint32(c)<<16 }

func (f *fieldIndex) bit(g uint32) uint32 { return (g * 0x9e3779b1) >> f.shift }

// newWitnessIndex makes the index of a bucket; with all, one that picks every rule.
func newWitnessIndex(p *program, b *bucket, all bool) *witnessIndex {
	x := &witnessIndex{}
	texts := map[witness][]int32{}
	var order []witness
	for i := range b.rules {
		ws, ok := p.ruleWitnesses(&b.rules[i])
		if !ok || all {
			x.always = append(x.always, int32(i))
			continue
		}
		for _, w := range ws {
			rules, known := texts[w]
			if !known {
				order = append(order, w)
			}
			if n := len(rules); n == 0 || rules[n-1] != int32(i) {
				texts[w] = append(rules, int32(i))
			}
		}
	}
	byField := map[int32][]witness{}
	var fields []int32
	for _, w := range order {
		if _, ok := byField[w.field]; !ok {
			fields = append(fields, w.field)
		}
		byField[w.field] = append(byField[w.field], w)
	}
	for _, f := range fields {
		x.fields = append(x.fields, newFieldIndex(f, byField[f], texts))
	}
	return x
}

func (p *program) ruleWitnesses(r *bucketRule) ([]witness, bool) {
	var all []witness
	for i := range r.variants {
		w, ok := p.witnesses(&r.variants[i].tree)
		if !ok {
			return nil, false
		}
		all = append(all, w...)
	}
	return all, true
}

func newFieldIndex(field int32, ws []witness, rules map[witness][]int32) fieldIndex {
	size := min(max(bits.Len(uint(len(ws)*64)), minGramBits), maxGramBits)
	x := fieldIndex{field: field, bits: make([]uint64, 1<<size/64), shift: 32 - uint32(size), grams: map[uint32][]gramEntry{}}
	seen := map[uint32]int{}
	for _, w := range ws {
		for i := 0; i+3 <= len(w.text); i++ {
			seen[gramOf(w.text[i], w.text[i+1], w.text[i+2])]++
		}
	}
	for _, w := range ws {
		best, off := 1<<30, 0
		for i := 0; i+3 <= len(w.text); i++ {
			if n := seen[gramOf(w.text[i], w.text[i+1], w.text[i+2])]; n < best {
				best, off = n, i
			}
		}
		g := gramOf(w.text[off], w.text[off+1], w.text[off+2])
		bit := x.bit(g)
		x.bits[bit/64] |= 1 << (bit % 64)
		x.grams[g] = append(x.grams[g], gramEntry{w.text, off, rules[w]})
	}
	return x
}

// candidates returns the rules of the bucket worth evaluating for the current
// event, in their order.
func (x *witnessIndex) candidates(m *Matcher) []int32 {
	m.cand = append(m.cand[:0], x.always...)
	for i := range x.fields {
		f := &x.fields[i]
		s := &m.all
		if f.field == keywordField {
			m.fillAll()
		} else {
			s = m.slot(f.field)
		}
		for _, v := range m.foldedOf(s) {
			f.scan(m, v)
		}
	}
	slices.Sort(m.cand)
	return m.cand
}

func (f *fieldIndex) scan(m *Matcher, v []byte) {
	for i := 0; i+3 <= len(v); i++ {
		g := gramOf(v[i], v[i+1], v[i+2])
		if bit := f.bit(g); f.bits[bit/64]&(1<<(bit%64)) == 0 {
			continue
		}
		for _, e := range f.grams[g] {
			from := i - e.off
			if from < 0 || len(v)-from < len(e.text) || string(v[from:from+len(e.text)]) != e.text {
				continue
			}
			for _, r := range e.rules {
				if m.seen[r] != m.gen {
					m.seen[r] = m.gen
					m.cand = append(m.cand, r)
				}
			}
		}
	}
}
