// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// witnessIndex picks the rules of a bucket that an event can meet at all.
type witnessIndex struct {
	always []int32 // rules without a witness
	fields []*fieldIndex
}

// fieldIndex finds the witnesses that occur in one field.
type fieldIndex struct {
	field  int32
	least  int // bytes of the shortest text
	whole  map[string][]int32
	fronts []endIndex
	backs  []endIndex
	bytes  []byteEntry
	pairs  *pairIndex
	grams  []*gramIndex
}

// found is a text and the rules that it makes candidates.
type found struct {
	text  string
	rules []int32
}

// newWitnessIndex makes the index of a bucket; with all, one that picks every
// rule. The caller holds the engine's lock.
func newWitnessIndex(p *program, b *bucket, all bool) *witnessIndex {
	x := &witnessIndex{}
	p.built++
	for i := range b.rules {
		for j := range b.rules[i].variants {
			p.count(&b.rules[i].variants[j].tree, int32(i))
		}
	}
	var order []int32
	for i := range b.rules {
		ids, ok := p.ruleWitnesses(&b.rules[i])
		if !ok || all {
			x.always = append(x.always, int32(i))
			continue
		}
		for _, id := range ids {
			w := &p.witnesses[id]
			n := len(w.rules)
			if n == 0 {
				order = append(order, id)
			}
			if n == 0 || w.rules[n-1] != int32(i) {
				w.rules = append(w.rules, int32(i))
			}
		}
	}
	byField := map[int32]*fieldWitnesses{}
	var fields []*fieldWitnesses
	for _, id := range order {
		w := &p.witnesses[id]
		f := byField[w.field]
		if f == nil {
			f = &fieldWitnesses{field: w.field}
			byField[w.field] = f
			fields = append(fields, f)
		}
		f.at[w.where] = append(f.at[w.where], found{w.text, w.rules})
	}
	for _, f := range fields {
		x.fields = append(x.fields, f.index())
	}
	return x
}

type fieldWitnesses struct {
	field int32
	at    [alone + 1][]found
}

func (f *fieldWitnesses) index() *fieldIndex {
	x := &fieldIndex{field: f.field, least: 1 << 30, fronts: newEnds(f.at[front], false), backs: newEnds(f.at[back], true)}
	for _, ws := range f.at {
		for _, w := range ws {
			x.least = min(x.least, len(w.text))
		}
	}
	if len(f.at[alone]) > 0 {
		x.whole = map[string][]int32{}
		for _, w := range f.at[alone] {
			x.whole[w.text] = w.rules
		}
	}
	var pairs, short, long []found
	for _, w := range f.at[inside] {
		switch n := len(w.text); {
		case n == 1:
			x.bytes = append(x.bytes, byteEntry{w.text[0], w.rules})
		case n == 2:
			pairs = append(pairs, w)
		case n < 4+longStride-1:
			short = append(short, w)
		default:
			long = append(long, w)
		}
	}
	if len(pairs) > 0 {
		x.pairs = newPairIndex(pairs)
	}
	if len(short) > 0 {
		x.grams = append(x.grams, newGramIndex(short, 3, 1))
	}
	if len(long) > 0 {
		x.grams = append(x.grams, newGramIndex(long, 4, longStride))
	}
	return x
}

// candidates returns the rules of the bucket worth evaluating for the current
// event, in their order.
func (x *witnessIndex) candidates(m *Matcher) []int32 {
	m.cand = append(m.cand[:0], x.always...)
	for _, f := range x.fields {
		if f.field != keywordField {
			f.lookAll(m, m.slot(f.field).texts)
			continue
		}
		for i := range m.ev.Fields {
			f.lookAll(m, m.textsOf(i))
		}
	}
	slices.Sort(m.cand)
	return m.cand
}

// pick makes rules candidates.
func (m *Matcher) pick(rules []int32) {
	for _, r := range rules {
		if m.seen[r] != m.gen {
			m.seen[r] = m.gen
			m.cand = append(m.cand, r)
		}
	}
}

// lookAll looks into values, unless they are too short for any text.
func (f *fieldIndex) lookAll(m *Matcher, t *texts) {
	for _, v := range t.raw {
		if !shorter(v, f.least) {
			for _, v := range m.fold(t) {
				f.look(m, v)
			}
			return
		}
	}
}

// shorter reports whether v has less than n bytes when it is folded, as far as
// that can be told before: other letters than ASCII's may grow.
func shorter(v string, n int) bool {
	if len(v) >= n {
		return false
	}
	for i := range len(v) {
		if v[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (f *fieldIndex) look(m *Matcher, v []byte) {
	if f.whole != nil {
		m.pick(f.whole[string(v)])
	}
	for i := range f.fronts {
		if e := &f.fronts[i]; len(v) >= e.size {
			for _, t := range e.texts[pack(v[:e.size])] {
				if len(v) >= len(t.text) && string(v[:len(t.text)]) == t.text {
					m.pick(t.rules)
				}
			}
		}
	}
	for i := range f.backs {
		if e := &f.backs[i]; len(v) >= e.size {
			for _, t := range e.texts[pack(v[len(v)-e.size:])] {
				if len(v) >= len(t.text) && string(v[len(v)-len(t.text):]) == t.text {
					m.pick(t.rules)
				}
			}
		}
	}
	for i := range f.bytes {
		if bytes.IndexByte(v, f.bytes[i].c) >= 0 {
			m.pick(f.bytes[i].rules)
		}
	}
	if f.pairs != nil {
		f.pairs.scan(m, v)
	}
	for _, g := range f.grams {
		g.scan(m, v)
	}
}

type byteEntry struct {
	c     byte
	rules []int32
}

// endIndex finds texts at one end of a value by their last (or first) size bytes.
type endIndex struct {
	size  int
	texts map[uint64][]found
}

// endSizes are the sizes of keys; a text has the longest that it fills.
var endSizes = [...]int{7, 3, 1}

func newEnds(ws []found, back bool) []endIndex {
	var out []endIndex
	for i, size := range endSizes {
		e := endIndex{size: size}
		for _, w := range ws {
			if len(w.text) < size || i > 0 && len(w.text) >= endSizes[i-1] {
				continue
			}
			if e.texts == nil {
				e.texts = map[uint64][]found{}
			}
			end := w.text[:size]
			if back {
				end = w.text[len(w.text)-size:]
			}
			k := pack([]byte(end))
			e.texts[k] = append(e.texts[k], w)
		}
		if e.texts != nil {
			out = append(out, e)
		}
	}
	return out
}

// pack makes a number of at most eight bytes.
func pack(b []byte) (k uint64) {
	for _, c := range b {
		k = k<<8 | uint64(c)
	}
	return k
}

// pairIndex finds texts of two bytes.
type pairIndex struct {
	bits  [1 << 16 / 64]uint64
	rules map[uint16][]int32
}

func newPairIndex(ws []found) *pairIndex {
	x := &pairIndex{rules: map[uint16][]int32{}}
	for _, w := range ws {
		k := uint16(w.text[0]) | uint16(w.text[1])<<8
		x.bits[k/64] |= 1 << (k % 64)
		x.rules[k] = w.rules
	}
	return x
}

func (x *pairIndex) scan(m *Matcher, v []byte) {
	if len(v) < 2 {
		return
	}
	k := uint16(v[0]) << 8
	for _, c := range v[1:] {
		k = k>>8 | uint16(c)<<8
		if x.bits[k/64]&(1<<(k%64)) != 0 {
			m.pick(x.rules[k])
		}
	}
}

// longStride is how many positions the index of long texts goes on at a time.
const longStride = 4

// gramIndex finds texts by groups of size bytes (grams). It looks at every
// stride'th position of a value, so each text is filed under stride
// neighbouring grams, the rarest it has: one of them lies at such a position. A
// bit set says no for most positions, and the text itself is compared before it
// counts.
type gramIndex struct {
	size  int
	bits  []uint64
	shift uint32 // of the hash, so that it fits bits

	// The entries of one slot lie together; a slot takes the grams with the same
	// first bits of the hash.
	entries []gramEntry
	from    []uint32 // by slot, and one more
	narrow  uint32   // of the hash, so that it is a slot
}

type gramEntry struct {
	found
	gram uint32
	off  int32 // of the gram in text
}

// The bit set is sparse enough that few positions pass by chance, within these
// bounds of its size (powers of two).
const (
	minGramBits = 9
	maxGramBits = 18
)

func gramAt(s string, i, size int) uint32 {
	g := uint32(s[i]) | uint32(s[i+1])<<8 | uint32(s[i+2])<<16
	if size == 4 {
		g |= uint32(s[i+3]) << 24
	}
	return g
}

const hashFactor = 0x9e3779b1

func newGramIndex(ws []found, size, stride int) *gramIndex {
	count := len(ws) * stride
	n := min(max(bits.Len(uint(count*32)), minGramBits), maxGramBits)
	slots := min(bits.Len(uint(count)), n)
	x := &gramIndex{size: size, bits: make([]uint64, 1<<n/64), shift: 32 - uint32(n), from: make([]uint32, 1<<slots+1), narrow: 32 - uint32(slots)}

	// The rarest place of every text, by how often its grams, or such as share a
	// slot here, occur in the texts.
	seen := make([]uint16, 1<<n)
	for _, w := range ws {
		for i := 0; i+size <= len(w.text); i++ {
			if c := &seen[gramAt(w.text, i, size)*hashFactor>>x.shift]; *c < 1<<16-1 {
				*c++
			}
		}
	}
	entries := make([]gramEntry, 0, count)
	for _, w := range ws {
		best, off := 1<<30, 0
		for i := 0; i+size+stride-1 <= len(w.text); i++ {
			sum := 0
			for k := range stride {
				sum += int(seen[gramAt(w.text, i+k, size)*hashFactor>>x.shift])
			}
			if sum < best {
				best, off = sum, i
			}
		}
		for k := range stride {
			g := gramAt(w.text, off+k, size)
			bit := g * hashFactor >> x.shift
			x.bits[bit/64] |= 1 << (bit % 64)
			x.from[g*hashFactor>>x.narrow+1]++
			entries = append(entries, gramEntry{w, g, int32(off + k)})
		}
	}
	for i := 1; i < len(x.from); i++ {
		x.from[i] += x.from[i-1]
	}
	x.entries = make([]gramEntry, count)
	next := slices.Clone(x.from)
	for _, e := range entries {
		at := &next[e.gram*hashFactor>>x.narrow]
		x.entries[*at] = e
		*at++
	}
	return x
}

func (x *gramIndex) scan(m *Matcher, v []byte) {
	if x.size == 3 {
		if len(v) < 3 {
			return
		}
		g := uint32(v[0])<<8 | uint32(v[1])<<16
		for i, c := range v[2:] {
			g = g>>8 | uint32(c)<<16
			if bit := g * hashFactor >> x.shift; x.bits[bit/64]&(1<<(bit%64)) != 0 {
				x.compare(m, v, i, g)
			}
		}
		return
	}
	for i := 0; i+4 <= len(v); i += longStride {
		g := binary.LittleEndian.Uint32(v[i:])
		if bit := g * hashFactor >> x.shift; x.bits[bit/64]&(1<<(bit%64)) != 0 {
			x.compare(m, v, i, g)
		}
	}
}

// compare picks the rules of the texts that lie around position at, where the
// gram is.
func (x *gramIndex) compare(m *Matcher, v []byte, at int, gram uint32) {
	slot := gram * hashFactor >> x.narrow
	for i := x.from[slot]; i < x.from[slot+1]; i++ {
		e := &x.entries[i]
		if e.gram != gram {
			continue
		}
		from := at - int(e.off)
		if from >= 0 && len(v)-from >= len(e.text) && string(v[from:from+len(e.text)]) == e.text {
			m.pick(e.rules)
		}
	}
}
