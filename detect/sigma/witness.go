// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"math"
	"unicode/utf8"
)

// maxWitness bounds the literals of one rule; a rule with more is always tried.
const maxWitness = 20_000

// witness is a text of which a field must hold at least one in the set, if the
// rule is to match.
type witness struct {
	field int32 // binding; keywordField for any field
	where where
	text  string // folded
}

// where says where in the value the text stands.
type where uint8

const (
	inside where = iota // anywhere
	front
	back
	alone // the whole value
)

// counted is a witness and what the bucket in hand says of it.
type counted struct {
	witness
	bucket int32   // for which the rest holds
	uses   int32   // rules of the bucket that name it
	last   int32   // the one that was counted last
	rules  []int32 // those that it makes candidates
}

// chosen is a set of witnesses, and how many events, of one that is any, are
// expected to hold one of them: a guess that only orders sets.
type chosen struct {
	ids    []int32 // in program.witnesses
	expect float64
}

// witnessesOf returns a set of which at least one member must occur in an event
// that meets n; false when there is none. AND takes its rarest part, OR needs
// one of each part, NOT promises nothing.
func (p *program) witnessesOf(n *node) (chosen, bool) {
	switch n.op {
	case opItem:
		return p.atomWitnesses(n.atom)
	case opAnd:
		var best chosen
		found := false
		for i := range n.kids {
			if c, ok := p.witnessesOf(&n.kids[i]); ok && (!found || c.expect < best.expect) {
				best, found = c, true
			}
		}
		return best, found
	case opOr, opAtLeast:
		var all chosen
		for i := range n.kids {
			c, ok := p.witnessesOf(&n.kids[i])
			if !ok {
				return chosen{}, false
			}
			all.ids = append(all.ids, c.ids...)
			all.expect += c.expect
			if len(all.ids) > maxWitness {
				return chosen{}, false
			}
		}
		return all, true
	}
	return chosen{}, n.op == opFalse
}

// expect guesses how many of the events hold w: a character more halves it, and
// so does a place; a text that many rules name is common.
func (w *counted) expect() float64 {
	n := min(len(w.text), 12)
	if w.where != inside {
		n++
	}
	return math.Ldexp(float64(w.uses)*float64(w.uses), -n)
}

func (p *program) atomWitnesses(atom int32) (chosen, bool) {
	best, found := chosen{}, false
	for _, ids := range p.groups(atom) {
		c := chosen{ids: ids}
		for _, id := range ids {
			c.expect += p.witnesses[id].expect()
		}
		if !found || c.expect < best.expect {
			best, found = c, true
		}
	}
	return best, found
}

// groups returns sets of witnesses of an atom; each of them must have a member
// that occurs. They are made once. The caller holds the engine's lock.
func (p *program) groups(atom int32) [][]int32 {
	a := &p.atoms[atom]
	if a.grouped {
		return a.groups
	}
	a.grouped = true
	if a.chain.neg || len(a.preds) > maxWitness {
		return nil
	}
	group := make([]int32, 0, len(a.preds))
	usable := true
	end := func() {
		if usable && len(group) > 0 && len(group) <= maxWitness {
			a.groups = append(a.groups, group)
		}
		group, usable = group[len(group):], true
	}
	for i := range a.preds {
		if i > 0 && a.chain.all && a.preds[i].value != a.preds[i-1].value {
			end()
		}
		if pr := &a.preds[i]; pr.op == opRegexp {
			usable = usable && len(pr.re.need) > 0
			for _, t := range pr.re.need {
				group = append(group, p.witness(witness{a.field, inside, t}))
			}
			continue
		}
		w, ok := a.preds[i].required()
		if usable = usable && ok; usable {
			w.field = a.field
			group = append(group, p.witness(w))
		}
	}
	end()
	return a.groups
}

func (p *program) witness(w witness) int32 {
	id, ok := p.witnessIDs[w]
	if !ok {
		id = int32(len(p.witnesses))
		p.witnessIDs[w] = id
		p.witnesses = append(p.witnesses, counted{witness: w})
	}
	return id
}

// required returns a folded text that a value which the pred, no expression,
// holds for has, and where; false when there is none.
func (p *pred) required() (witness, bool) {
	if p.op != opGlob {
		return witness{}, false
	}
	w := witness{where: inside, text: p.glob.lit}
	switch p.glob.shape {
	case whole:
		w.where = alone
	case prefix:
		w.where = front
	case suffix:
		w.where = back
	case general:
		for _, e := range p.pat {
			if e.kind == lit && len(e.text) > len(w.text) {
				w.text = e.text
			}
		}
	}
	if p.cased {
		if !utf8.ValidString(w.text) {
			return witness{}, false // folding may join its bytes with the value's
		}
		w.text = string(appendFold(nil, w.text))
	}
	return w, w.text != "" || w.where == alone
}

// count notes which witnesses stand in a tree of a rule of the bucket in hand:
// what many rules name, such as a shell, is common.
func (p *program) count(n *node, rule int32) {
	if n.op == opItem {
		for _, ids := range p.groups(n.atom) {
			for _, id := range ids {
				w := &p.witnesses[id]
				if w.bucket != p.built {
					w.bucket, w.uses, w.last, w.rules = p.built, 0, -1, nil
				}
				if w.last != rule {
					w.last = rule
					w.uses++
				}
			}
		}
		return
	}
	if n.op != opNot {
		for i := range n.kids {
			p.count(&n.kids[i], rule)
		}
	}
}

func (p *program) ruleWitnesses(r *bucketRule) ([]int32, bool) {
	var all []int32
	for i := range r.variants {
		c, ok := p.witnessesOf(&r.variants[i].tree)
		if !ok {
			return nil, false
		}
		if len(r.variants) == 1 {
			return c.ids, true
		}
		all = append(all, c.ids...)
	}
	return all, true
}
