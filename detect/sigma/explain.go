// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"fmt"
	"strings"

	"citywall/event"
)

// Explanation says why a rule did or did not meet an event: for every source
// that the rule is for, whether the event is of it, and every comparison.
type Explanation struct {
	Rule    string          `json:"rule"`
	Title   string          `json:"title"`
	Matched bool            `json:"matched"` // a finding, or a hit for correlations, follows
	Note    string          `json:"note,omitempty"`
	Sources []SourceVerdict `json:"sources"`
}

// SourceVerdict is a rule held against an event of one source.
type SourceVerdict struct {
	Source   string   `json:"source"`
	Taken    bool     `json:"taken"` // the event is of this source
	Why      string   `json:"why,omitempty"`
	Holds    bool     `json:"holds"`
	Filtered string   `json:"filtered,omitempty"` // the filter that suppresses the hit
	Logic    *Verdict `json:"logic,omitempty"`    // with the conditions of the source
}

// Verdict is a node of a rule's logic: all, any, not, "n of", or one field.
type Verdict struct {
	Op     string         `json:"op"`
	Holds  bool           `json:"holds"`
	Field  string         `json:"field,omitempty"`
	From   string         `json:"from,omitempty"`  // the field of the event, when it has another name
	State  string         `json:"state,omitempty"` // "absent" or "null"
	Values []string       `json:"values,omitempty"`
	Tests  []ValueVerdict `json:"tests,omitempty"`
	Kids   []Verdict      `json:"kids,omitempty"`
}

// ValueVerdict is one of a rule's values.
type ValueVerdict struct {
	Value string `json:"value"`
	Holds bool   `json:"holds"`
}

// Explain holds one rule against one event, comparison by comparison. It looks
// at everything; Match stops where it can.
func (m *Matcher) Explain(r *Rule, ev *event.Event) Explanation {
	x := Explanation{Rule: r.ID, Title: r.Title, Sources: []SourceVerdict{}}
	if r.Kind != "" {
		x.Note = "a rule over the hits of other rules: explain those"
		return x
	}
	key := m.e.keyOf(kindOf(ev))
	m.begin(ev)
	defer func() { m.ev = nil }()
	for i := range m.e.byTarget {
		t := &m.e.byTarget[i]
		if m.e.rules[t.rule] != r {
			continue
		}
		v := SourceVerdict{Source: t.target.String()}
		v.Why = t.target.refuses(key, ev)
		if v.Taken = v.Why == ""; v.Taken {
			l := m.verdict(&t.tree)
			v.Logic, v.Holds = &l, l.Holds
			for _, f := range t.filters {
				if v.Holds && !m.eval(&f.tree) {
					v.Filtered = m.e.filters[f.filter].rule.Title
					break
				}
			}
			x.Matched = x.Matched || v.Holds && v.Filtered == ""
		}
		x.Sources = append(x.Sources, v)
	}
	if len(x.Sources) == 0 {
		x.Note = "no known source has events of " + r.LogSource.String()
	}
	return x
}

func (m *Matcher) verdict(n *node) Verdict {
	v := Verdict{Holds: m.eval(n)}
	switch n.op {
	case opAnd:
		v.Op = "all"
	case opOr:
		v.Op = "any"
	case opNot:
		v.Op = "not"
	case opAtLeast:
		v.Op = fmt.Sprintf("%d of", n.n)
	case opTrue, opFalse:
		v.Op = "always"
		return v
	case opItem:
		return m.itemVerdict(&m.e.prog.atoms[n.atom], v.Holds)
	}
	for i := range n.kids {
		v.Kids = append(v.Kids, m.verdict(&n.kids[i]))
	}
	return v
}

func (m *Matcher) itemVerdict(a *atom, holds bool) Verdict {
	v := Verdict{Op: "field", Holds: holds}
	s := &m.all
	if a.field == keywordField {
		m.fillAll()
		v.Op = "keywords"
	} else {
		s = m.slot(a.field)
		v.Field = m.e.prog.binds[a.field].field
		if s.name != "" && s.name != v.Field {
			v.From = s.name
		}
		for _, x := range s.raw {
			v.Values = append(v.Values, clip(x))
		}
	}
	switch s.state {
	case absent:
		v.State = "absent"
	case null:
		v.State = "null"
	}
	if words := a.chain.words(); words != "" {
		v.Op += " " + words
	}
	for i := range a.preds {
		p := &a.preds[i]
		t := ValueVerdict{Value: p.text}
		switch {
		case s.state != present:
			t.Holds = p.op == opNull || p.op == opExists && p.want == (s.state == null)
		default:
			t.Holds = m.holds(a, i, s) >= 0
		}
		v.Tests = append(v.Tests, t)
	}
	return v
}

// words are the modifiers that change how the values are taken together.
func (c *chain) words() string {
	var out []string
	if c.all {
		out = append(out, "all")
	}
	if c.neg {
		out = append(out, "neq")
	}
	if c.cased {
		out = append(out, "cased")
	}
	return strings.Join(out, " ")
}

// String names a target as a person knows it.
func (t *target) String() string {
	var out []string
	for _, x := range [][2]string{{"product", t.from.Product}, {"category", t.from.Category}, {"service", t.from.Service}, {"channel", t.channel}, {"event ids", strings.Join(t.events, " ")}} {
		if x[1] != "" {
			out = append(out, x[0]+" "+x[1])
		}
	}
	if len(out) == 0 {
		return "every source"
	}
	return strings.Join(out, ", ")
}

// refuses says why an event is not of the target, "" when it is.
func (t *target) refuses(k bucketKey, ev *event.Event) string {
	if t.takes(k) {
		return ""
	}
	for _, x := range [][3]string{{"product", t.from.Product, ev.Product}, {"category", t.from.Category, ev.Category}, {"service", t.from.Service, ev.Service}} {
		if x[1] != "" && x[1] != x[2] {
			return fmt.Sprintf("the event's %s is %q", x[0], x[2])
		}
	}
	if t.channel != k.channel {
		return fmt.Sprintf("the event's channel is %q", ev.Fields.Str("Channel"))
	}
	return fmt.Sprintf("the event's id is %q", ev.Fields.Str("EventID"))
}

// Text writes an explanation for a person: + holds, - does not.
func (x *Explanation) Text() string {
	var b strings.Builder
	mark := map[bool]string{true: "+", false: "-"}
	fmt.Fprintf(&b, "%s %s (%s)\n", mark[x.Matched], x.Title, x.Rule)
	if x.Note != "" {
		fmt.Fprintf(&b, "  %s\n", x.Note)
	}
	var node func(v *Verdict, deep int)
	node = func(v *Verdict, deep int) {
		pad := strings.Repeat("  ", deep)
		fmt.Fprintf(&b, "%s%s %s", pad, mark[v.Holds], v.Op)
		if v.Field != "" {
			fmt.Fprintf(&b, " %s", v.Field)
			if v.From != "" {
				fmt.Fprintf(&b, " (from %s)", v.From)
			}
			switch {
			case v.State != "":
				fmt.Fprintf(&b, " is %s", v.State)
			default:
				fmt.Fprintf(&b, " is %q", v.Values)
			}
		}
		b.WriteByte('\n')
		for _, t := range v.Tests {
			fmt.Fprintf(&b, "%s  %s %q\n", pad, mark[t.Holds], t.Value)
		}
		for i := range v.Kids {
			node(&v.Kids[i], deep+1)
		}
	}
	for i := range x.Sources {
		s := &x.Sources[i]
		switch {
		case !s.Taken:
			fmt.Fprintf(&b, "  not of %s: %s\n", s.Source, s.Why)
		default:
			fmt.Fprintf(&b, "  of %s\n", s.Source)
			node(s.Logic, 2)
			if s.Filtered != "" {
				fmt.Fprintf(&b, "    suppressed by the filter %q\n", s.Filtered)
			}
		}
	}
	return b.String()
}
