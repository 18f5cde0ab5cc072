// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"citywall/detect"
	"citywall/event"
)

// maxMatched bounds the fields that one finding shows.
const maxMatched = 20

// finding states that rule r met the current event.
func (m *Matcher) finding(r *Rule, v *variant) detect.Finding {
	ev := m.ev
	f := detect.Finding{
		ID: detect.NewID(r.Hash, ev.ID), Realm: ev.Realm, Agency: ev.Agency, Rule: r.Rule, Meaning: r.Meaning, Tags: r.Tags,
		Time: ev.Time, Host: m.view.Host, Events: []event.ID{ev.ID}, Origins: []event.Origin{ev.Origin}, View: *m.view,
	}
	m.explain(&v.tree, &f.Matched)
	return f
}

// explain lists the fields that made a tree true. What stands under "not" is no
// reason and is left out.
func (m *Matcher) explain(n *node, out *[]detect.Matched) {
	if len(*out) >= maxMatched {
		return
	}
	switch n.op {
	case opItem:
		m.explainAtom(&m.e.prog.atoms[n.atom], out)
	case opAnd:
		for i := range n.kids {
			m.explain(&n.kids[i], out)
		}
	case opOr:
		for i := range n.kids {
			if m.eval(&n.kids[i]) {
				m.explain(&n.kids[i], out)
				return
			}
		}
	case opAtLeast:
		for i := range n.kids {
			if m.eval(&n.kids[i]) {
				m.explain(&n.kids[i], out)
			}
		}
	}
}

func (m *Matcher) explainAtom(a *atom, out *[]detect.Matched) {
	s := &m.all
	name := ""
	if a.field == keywordField {
		m.fillAll()
	} else {
		s = m.slot(a.field)
		if name = s.name; name == "" {
			name = m.e.prog.binds[a.field].field
		}
	}
	add := func(k int, p *pred, not string) {
		x := detect.Matched{Field: name, Pattern: clip(not + p.text)}
		if k >= 0 && k < len(s.raw) {
			x.Value = clip(s.raw[k])
		}
		if a.field == keywordField {
			x.Field = m.allName[k]
		}
		for _, o := range *out {
			if o == x {
				return
			}
		}
		if len(*out) < maxMatched {
			*out = append(*out, x)
		}
	}
	if a.chain.neg {
		add(0, &a.preds[0], "≠ ")
		return
	}
	for i := range a.preds {
		p := &a.preds[i]
		if s.state != present {
			if p.op == opNull || p.op == opExists {
				add(-1, p, "")
				return
			}
			continue
		}
		if k := m.holds(a, i, s); k >= 0 {
			add(k, p, "")
			if !a.chain.all {
				return
			}
		}
	}
}
