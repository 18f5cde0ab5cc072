// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// binding is where one field of a rule is read from in the events of one
// target.
type binding struct {
	field  string // as the rule calls it
	from   []string
	take   func(field, value string) (string, bool)
	values map[string]string // folded event value -> rule value
	pairs  []string
}

// atom is an item bound to its fields, once for all rules that have it.
type atom struct {
	field int32 // index of the binding; keywordField for keywords
	chain chain
	preds []pred
	refs  []int32 // of each pred, the binding of fieldref
	cost  int

	grouped bool // groups is made
	groups  [][]int32
}

const keywordField = -1

// node is an expr bound to one target. The tree is walked for every candidate
// rule, so it holds indexes only.
type node struct {
	op   exprOp
	atom int32
	n    int32
	kids []node
}

// program holds all bindings and atoms of an engine once each.
type program struct {
	binds   []binding
	atoms   []atom
	bindIDs map[string]int32
	atomIDs map[string]int32

	witnesses  []counted // of the buckets that are built
	witnessIDs map[witness]int32
	built      int32 // buckets so far
}

func newProgram() *program {
	return &program{bindIDs: map[string]int32{}, atomIDs: map[string]int32{}, witnessIDs: map[witness]int32{}}
}

// bind turns an expr into a node for events of one target.
func (p *program) bind(e *expr, t *target) node {
	if e.op == opItem {
		return node{op: opItem, atom: p.atom(e.item, t)}
	}
	n := node{op: e.op, n: int32(e.n)}
	for _, k := range e.kids {
		n.kids = append(n.kids, p.bind(k, t))
	}
	return n
}

func (p *program) atom(it *item, t *target) int32 {
	a := atom{field: keywordField, chain: it.chain, preds: it.preds}
	if it.field != "" {
		a.field = p.field(it.field, t)
	}
	var key strings.Builder
	c := &it.chain
	fmt.Fprintf(&key, "%d/%t%t%t%t%t%t%d%d", a.field, c.all, c.neg, c.cased, c.front, c.back, c.re, c.cmp, c.part)
	for i := range a.preds {
		pr := &a.preds[i]
		ref := int32(-1)
		if pr.op == opRef {
			ref = p.field(pr.ref, t)
		}
		a.refs = append(a.refs, ref)
		a.cost += pr.cost()
		fmt.Fprintf(&key, "\x00%d\x01%d\x01%s\x01%t%t%d\x01", pr.value, pr.op, pr.text, pr.want, pr.cased, ref)
		for _, e := range pr.pat {
			fmt.Fprintf(&key, "%d%q", e.kind, e.text)
		}
		if pr.re != nil {
			key.WriteString(pr.re.src)
		}
	}
	if a.field == keywordField {
		a.cost *= 20
	}
	k := key.String()
	if id, ok := p.atomIDs[k]; ok {
		return id
	}
	id := int32(len(p.atoms))
	p.atoms = append(p.atoms, a)
	p.atomIDs[k] = id
	return id
}

// cost is a rough order of how long a pred takes, to try cheap ones first.
func (p *pred) cost() int {
	switch p.op {
	case opRegexp:
		return 200
	case opCIDR, opNumber, opRef:
		return 10
	case opGlob:
		switch p.glob.shape {
		case contains:
			return 8
		case general:
			return 20
		}
	}
	return 1
}

func (p *program) field(name string, t *target) int32 {
	b := binding{field: name, from: []string{name}, pairs: t.pairs}
	take, valuesKey := "", ""
	if s, ok := t.fields[name]; ok {
		b.from, take = s.From, s.Take
		b.take = takes[take]
		if len(s.Values) > 0 {
			b.values = map[string]string{}
			for _, k := range sortedNames(s.Values) {
				b.values[string(appendFold(nil, k))] = s.Values[k]
				valuesKey += k + "\x02" + s.Values[k] + "\x02"
			}
		}
		b.pairs = nil
	}
	key := strings.Join([]string{name, strings.Join(b.from, "\x01"), take, valuesKey, strings.Join(b.pairs, "\x01")}, "\x00")
	if id, ok := p.bindIDs[key]; ok {
		return id
	}
	id := int32(len(p.binds))
	p.binds = append(p.binds, b)
	p.bindIDs[key] = id
	return id
}

// facts are what a bucket knows of all its events.
type facts struct {
	channel string // folded; "" not known
	eventID string // "" when it is none of those that rules name
	other   bool   // eventID is none of those
}

// fold simplifies a tree by the facts: parts that are always true or false
// vanish.
func (p *program) fold(n node, f *facts) node {
	switch n.op {
	case opItem:
		if v, ok := p.known(&p.atoms[n.atom], f); ok {
			return constant(v)
		}
		return n
	case opNot:
		k := p.fold(n.kids[0], f)
		if k.op == opTrue || k.op == opFalse {
			return constant(k.op == opFalse)
		}
		return node{op: opNot, kids: []node{k}}
	case opAnd, opOr:
		return p.foldList(n, f)
	case opAtLeast:
		out := node{op: opAtLeast, n: n.n}
		for _, k := range n.kids {
			switch k = p.fold(k, f); k.op {
			case opTrue:
				out.n--
			case opFalse:
			default:
				out.kids = append(out.kids, k)
			}
		}
		switch {
		case out.n <= 0:
			return constant(true)
		case int(out.n) > len(out.kids):
			return constant(false)
		}
		return out
	}
	return n
}

func (p *program) foldList(n node, f *facts) node {
	neutral, decides := opTrue, opFalse
	if n.op == opOr {
		neutral, decides = opFalse, opTrue
	}
	out := node{op: n.op}
	for _, k := range n.kids {
		switch k = p.fold(k, f); k.op {
		case neutral:
		case decides:
			return constant(decides == opTrue)
		case n.op: // and in and, or in or
			out.kids = append(out.kids, k.kids...)
		default:
			out.kids = append(out.kids, k)
		}
	}
	switch len(out.kids) {
	case 0:
		return constant(neutral == opTrue)
	case 1:
		return out.kids[0]
	}
	slices.SortStableFunc(out.kids, func(a, b node) int { return cmp.Compare(p.cost(&a), p.cost(&b)) })
	return out
}

func constant(v bool) node {
	if v {
		return node{op: opTrue}
	}
	return node{op: opFalse}
}

func (p *program) cost(n *node) int {
	if n.op == opItem {
		return p.atoms[n.atom].cost
	}
	c := 0
	for i := range n.kids {
		c += p.cost(&n.kids[i])
	}
	return c
}

// known decides an atom by the facts, when they suffice.
func (p *program) known(a *atom, f *facts) (value, ok bool) {
	if a.field < 0 || a.chain.all {
		return false, false
	}
	b := &p.binds[a.field]
	if b.take != nil || b.values != nil || len(b.from) != 1 {
		return false, false
	}
	fact := ""
	switch b.from[0] {
	case "EventID":
		fact = f.eventID
		if f.other {
			for i := range a.preds {
				if a.preds[i].op != opGlob || a.preds[i].glob.shape != whole {
					return false, false
				}
			}
			return a.chain.neg, true
		}
	case "Channel":
		fact = f.channel
	}
	if fact == "" {
		return false, false
	}
	for i := range a.preds {
		if a.preds[i].op != opGlob || a.preds[i].cased {
			return false, false
		}
		if a.preds[i].glob.match([]byte(fact)) {
			return !a.chain.neg, true
		}
	}
	return a.chain.neg, true
}
