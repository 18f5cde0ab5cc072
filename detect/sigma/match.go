// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"net/netip"
	"strings"

	"citywall/detect"
	"citywall/event"
)

// Matcher holds events against an engine's rules. It reuses its memory from
// event to event, so each goroutine needs its own.
type Matcher struct {
	e       *Engine
	ev      *event.Event
	view    *event.View // of ev, read when it is first needed
	gen     uint32
	slots   []slot   // per binding
	fields  []texts  // of the event, by place
	all     slot     // every value of the event, for keywords
	allName []string // the field of each
	buf     []byte   // folded values of this event
	names   []string // of the last event's fields
	spaced  bool     // one of them has a space
	ways    map[kind]way
	cand    []int32
	seen    []uint32
	stats   Stats
	unseen  map[Unseen]int64
	dropped []int64 // per filter
}

// slot holds the values of one binding for the current event.
type slot struct {
	gen    uint32
	state  slotState
	name   string // of the event's field that gave the values
	*texts        // those of a field of the event, or own
	own    texts  // derived ones
}

// texts are values, and their forms as far as they were asked for.
type texts struct {
	gen    uint32
	raw    []string
	folded [][]byte // nil or as long as raw
	cased  [][]byte
}

type slotState uint8

const (
	absent slotState = iota
	null
	present
)

// NewMatcher returns a matcher for one goroutine.
func (e *Engine) NewMatcher() *Matcher {
	return &Matcher{
		e: e, slots: make([]slot, len(e.prog.binds)), seen: make([]uint32, len(e.rules)),
		ways: map[kind]way{}, unseen: map[Unseen]int64{}, dropped: make([]int64, len(e.filters)),
	}
}

// Match returns the findings of one event, in the order of the rules. It keeps
// nothing of the event.
func (m *Matcher) Match(ev *event.Event) []detect.Finding {
	m.stats.Events++
	m.e.seen.n.Add(1)
	b := m.bucketOf(ev)
	if len(b.rules) == 0 {
		return nil
	}
	m.begin(ev)
	var out []detect.Finding
	for _, i := range b.index.candidates(m) {
		br := &b.rules[i]
		for j := range br.variants {
			v := &br.variants[j]
			if !m.eval(&v.tree) {
				continue
			}
			if !m.filtered(v) {
				out = m.hit(out, m.e.rules[br.rule], v)
			}
			break
		}
	}
	m.ev, m.view = nil, nil
	m.stats.Findings += int64(len(out))
	return out
}

// hit adds the findings that follow from one rule's hit.
func (m *Matcher) hit(out []detect.Finding, r *Rule, v *variant) []detect.Finding {
	r.tally.n.Add(1)
	if m.view == nil {
		w := m.ev.View()
		m.view = &w
	}
	if !v.silent {
		out = append(out, m.finding(r, v))
	}
	if len(v.feeds) > 0 {
		out = append(out, m.correlate(v, m.view)...)
	}
	return out
}

// maxRemembered bounds what a matcher keeps per name it has met.
const maxRemembered = 4096

// kind is what routing looks at, as the event has it.
type kind struct{ product, category, service, channel, eventID string }

// way leads from a kind to its bucket.
type way struct {
	bucket  *bucket
	unknown bool // no rule names the channel
}

func kindOf(ev *event.Event) kind {
	k := kind{product: ev.Product, category: ev.Category, service: ev.Service}
	if ev.Product == "windows" {
		k.channel, k.eventID = ev.Fields.Str("Channel"), ev.Fields.Str("EventID")
	}
	return k
}

// keyOf names the kind as far as rules tell kinds apart.
func (e *Engine) keyOf(k kind) (key bucketKey) {
	v := &e.vocab
	if v.products[k.product] {
		key.from.Product = k.product
	}
	if v.categories[k.category] {
		key.from.Category = k.category
	}
	if v.services[k.service] {
		key.from.Service = k.service
	}
	if k.channel != "" {
		folded := strings.ToLower(k.channel)
		if ids, ok := v.channels[folded]; ok {
			key.channel = folded
			if ids[k.eventID] || v.anywhere[k.eventID] {
				key.eventID = k.eventID
			}
		}
	}
	return key
}

// bucketOf returns the bucket of the event.
func (m *Matcher) bucketOf(ev *event.Event) *bucket {
	k := kindOf(ev)
	w, ok := m.ways[k]
	if !ok {
		key := m.e.keyOf(k)
		w = way{m.e.bucket(key), key.channel == ""}
		if len(m.ways) < maxRemembered {
			m.ways[k.clone()] = w
		}
	}
	if len(w.bucket.rules) == 0 && w.unknown {
		m.countUnseen(ev, k.channel)
	}
	return w.bucket
}

// clone keeps k from holding the memory of a whole record.
func (k kind) clone() kind {
	c := strings.Clone
	return kind{c(k.product), c(k.category), c(k.service), c(k.channel), c(k.eventID)}
}

func (m *Matcher) begin(ev *event.Event) {
	m.ev = ev
	if m.gen++; m.gen == 1<<31-1 {
		m.gen = 1
		clear(m.seen)
		for i := range m.slots {
			m.slots[i].gen = 0
		}
		for i := range m.fields {
			m.fields[i].gen = 0
		}
		m.all.gen = 0
	}
	m.buf = m.buf[:0]
	for len(m.fields) < len(ev.Fields) {
		m.fields = append(m.fields, texts{})
	}
	m.lookAtNames(ev.Fields)
}

// lookAtNames notes whether a field's name has a space. Events of one kind come
// in runs and share their names.
func (m *Matcher) lookAtNames(f event.Fields) {
	same := len(f) == len(m.names)
	for i := 0; same && i < len(f); i++ {
		same = f[i].Name == m.names[i]
	}
	if same {
		return
	}
	m.names, m.spaced = m.names[:0], false
	for i := range f {
		m.names = append(m.names, f[i].Name)
		m.spaced = m.spaced || strings.IndexByte(f[i].Name, ' ') >= 0
	}
}

func (m *Matcher) eval(n *node) bool {
	switch n.op {
	case opItem:
		return m.test(&m.e.prog.atoms[n.atom])
	case opAnd:
		for i := range n.kids {
			if !m.eval(&n.kids[i]) {
				return false
			}
		}
		return true
	case opOr:
		for i := range n.kids {
			if m.eval(&n.kids[i]) {
				return true
			}
		}
		return false
	case opNot:
		return !m.eval(&n.kids[0])
	case opAtLeast:
		c := int32(0)
		for i := range n.kids {
			if m.eval(&n.kids[i]) {
				if c++; c == n.n {
					return true
				}
			}
		}
		return false
	}
	return n.op == opTrue
}

// test decides one atom.
func (m *Matcher) test(a *atom) bool {
	s := &m.all
	if a.field == keywordField {
		m.fillAll()
	} else {
		s = m.slot(a.field)
	}
	if s.state != present {
		return m.testAbsent(a, s.state)
	}
	ok := false
	if a.chain.all {
		ok = m.testAll(a, s)
	} else {
		for i := range a.preds {
			if m.holds(a, i, s) >= 0 {
				ok = true
				break
			}
		}
	}
	return ok != a.chain.neg
}

// testAbsent: without a value only null and exists can hold, and neq cannot.
func (m *Matcher) testAbsent(a *atom, st slotState) bool {
	ok := false
	for i := range a.preds {
		switch p := &a.preds[i]; p.op {
		case opNull:
			ok = ok || !a.chain.neg
		case opExists:
			ok = ok || p.want == (st == null)
		}
	}
	return ok
}

// testAll asks for one form of each of the rule's values.
func (m *Matcher) testAll(a *atom, s *slot) bool {
	for i := 0; i < len(a.preds); {
		v, ok := a.preds[i].value, false
		for ; i < len(a.preds) && a.preds[i].value == v; i++ {
			ok = ok || m.holds(a, i, s) >= 0
		}
		if !ok {
			return false
		}
	}
	return true
}

// holds returns the index of the first element of s that pred i of a holds for,
// or -1.
func (m *Matcher) holds(a *atom, i int, s *slot) int {
	p := &a.preds[i]
	switch p.op {
	case opGlob:
		vals := m.bytes(s, p)
		for k, v := range vals {
			if p.glob.match(v) {
				return k
			}
		}
	case opRegexp:
		for k, v := range s.raw {
			if p.re.match(v) {
				return k
			}
		}
	case opCIDR:
		for k, v := range s.raw {
			if inPrefix(p.prefix, v) {
				return k
			}
		}
	case opNumber:
		for k, v := range s.raw {
			if a.chain.number(p, v) {
				return k
			}
		}
	case opRef:
		return m.sameAs(a, m.slot(a.refs[i]), s)
	case opExists:
		if p.want {
			return 0
		}
	}
	return -1
}

// number compares a value, or the part of a date, with the rule's number.
func (c *chain) number(p *pred, v string) bool {
	n, ok := number{}, false
	if c.part != partNone {
		n, ok = c.part.of(v)
	} else {
		n, ok = parseNumber(v)
	}
	return ok && c.cmp.holds(n.compare(p.num))
}

func inPrefix(p netip.Prefix, v string) bool {
	a, err := netip.ParseAddr(v)
	return err == nil && p.Contains(a.Unmap().WithZone(""))
}

// sameAs compares two fields of the event; with lists any pair will do.
func (m *Matcher) sameAs(a *atom, other, s *slot) int {
	if other.state != present {
		return -1
	}
	vals, refs := m.foldedOf(s), m.foldedOf(other)
	if a.chain.cased {
		vals, refs = m.casedOf(s), m.casedOf(other)
	}
	for k, v := range vals {
		for _, r := range refs {
			g := glob{shape: whole, text: r}
			switch {
			case a.chain.front && a.chain.back:
				g.shape = contains
			case a.chain.front:
				g.shape = suffix
			case a.chain.back:
				g.shape = prefix
			}
			if g.match(v) {
				return k
			}
		}
	}
	return -1
}

func (m *Matcher) filtered(v *variant) bool {
	for i := range v.filters {
		if !m.eval(&v.filters[i].tree) {
			m.suppressed(v.filters[i].filter)
			return true
		}
	}
	return false
}
