// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// item is one field of a selection with its values: the smallest thing that is
// true or false of an event.
type item struct {
	field string // "" for keywords
	chain chain
	preds []pred
	line  int
}

// detection compiles a `detection:` or `filter:` section.
type detection struct {
	doc      document
	opt      *Options
	warnings []string
	sels     map[string]*expr
	names    []string // in the order of the document
}

// detectionKeys are no search identifiers.
var detectionKeys = map[string]bool{"condition": true, "timeframe": true, "rules": true}

// parseDetection reads all search identifiers and the condition. prefix is put
// before the names in messages only.
func parseDetection(doc document, n *yaml.Node, opt *Options) (*expr, []string, error) {
	if n.Kind != yaml.MappingNode {
		return nil, nil, errors.New("detection is not a mapping")
	}
	d := &detection{doc: doc, opt: opt, sels: map[string]*expr{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		if detectionKeys[name] {
			continue
		}
		e, err := d.selection(n.Content[i+1])
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		d.sels[name] = e
		d.names = append(d.names, name)
	}
	if len(d.names) == 0 {
		return nil, nil, errors.New("detection has no selection")
	}
	e, err := d.condition(child(n, "condition"))
	if errors.Is(err, errPipe) {
		return nil, nil, classed("aggregation", err)
	}
	if err != nil {
		return nil, nil, classed("condition", err)
	}
	if child(n, "timeframe") != nil {
		d.warn("timeframe has no meaning without an aggregation and is not looked at")
	}
	return e, d.warnings, nil
}

func (d *detection) warn(f string, args ...any) {
	d.warnings = append(d.warnings, fmt.Sprintf(f, args...))
}

func (d *detection) condition(n *yaml.Node) (*expr, error) {
	if n == nil {
		return nil, errors.New("detection has no condition")
	}
	var texts []string
	switch n.Kind {
	case yaml.ScalarNode:
		texts = []string{n.Value}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("line %d: a condition is not a text", d.doc.at(c))
			}
			texts = append(texts, c.Value)
		}
	}
	if len(texts) == 0 {
		return nil, errors.New("condition is empty")
	}
	used := map[string]bool{}
	var alts []*expr
	for _, t := range texts {
		e, err := parseCondition(t, d.names, func(name string) *expr { return d.sels[name] }, used)
		if err != nil {
			return nil, err
		}
		alts = append(alts, e)
	}
	for _, name := range d.names {
		if !used[name] {
			d.warn("selection %q is not used by the condition", name)
		}
	}
	if len(alts) == 1 {
		return alts[0], nil
	}
	return &expr{op: opOr, kids: alts}, nil
}

// selection reads one search identifier: a map (AND), a list of maps (OR), a
// list of texts or one text (keywords).
func (d *detection) selection(n *yaml.Node) (*expr, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return d.fields(n)
	case yaml.ScalarNode:
		return d.keywords([]*yaml.Node{n}, chain{}, n)
	case yaml.SequenceNode:
	default:
		return nil, fmt.Errorf("line %d: not a selection", d.doc.at(n))
	}
	if len(n.Content) == 0 {
		return nil, fmt.Errorf("line %d: an empty list", d.doc.at(n))
	}
	or := &expr{op: opOr}
	var words []*yaml.Node
	for _, c := range n.Content {
		switch c.Kind {
		case yaml.MappingNode:
			e, err := d.fields(c)
			if err != nil {
				return nil, err
			}
			or.kids = append(or.kids, e)
		case yaml.ScalarNode:
			words = append(words, c)
		default:
			return nil, fmt.Errorf("line %d: a list in a list", d.doc.at(c))
		}
	}
	if len(words) > 0 {
		e, err := d.keywords(words, chain{}, n)
		if err != nil {
			return nil, err
		}
		or.kids = append(or.kids, e)
	}
	if len(or.kids) == 1 {
		return or.kids[0], nil
	}
	return or, nil
}

// fields reads a map: every entry must hold.
func (d *detection) fields(n *yaml.Node) (*expr, error) {
	and := &expr{op: opAnd}
	for i := 0; i+1 < len(n.Content); i += 2 {
		e, err := d.entry(n.Content[i], n.Content[i+1])
		if err != nil {
			return nil, err
		}
		and.kids = append(and.kids, e)
	}
	switch len(and.kids) {
	case 0:
		return nil, fmt.Errorf("line %d: an empty map", d.doc.at(n))
	case 1:
		return and.kids[0], nil
	}
	return and, nil
}

// entry reads `field|modifier|modifier: value or values`.
func (d *detection) entry(key, val *yaml.Node) (*expr, error) {
	words := strings.Split(key.Value, "|")
	c, err := parseChain(words[1:])
	if err != nil {
		return nil, classed("modifier", fmt.Errorf("line %d: %s: %w", d.doc.at(key), key.Value, err))
	}
	nodes := []*yaml.Node{val}
	if val.Kind == yaml.SequenceNode {
		nodes = val.Content
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("line %d: %s has no values", d.doc.at(key), key.Value)
	}
	if c.all && len(nodes) < 2 {
		d.warn("line %d: %s: all wants more than one value", d.doc.at(key), key.Value)
	}
	if words[0] == "" {
		return d.keywords(nodes, c, key)
	}
	it, err := d.item(words[0], nodes, c, key)
	if err != nil {
		return nil, err
	}
	return &expr{op: opItem, item: it}, nil
}

func (d *detection) item(field string, nodes []*yaml.Node, c chain, key *yaml.Node) (*item, error) {
	values := make([]scalar, 0, len(nodes))
	for _, n := range nodes {
		s, err := d.doc.toScalar(n)
		if err != nil {
			return nil, err
		}
		if s.kind == nullScalar && len(nodes) > 1 {
			d.warn("line %d: null stands in a list", d.doc.at(n))
		}
		values = append(values, s)
	}
	ps, err := c.preds(values, d.opt)
	if err != nil {
		return nil, fmt.Errorf("line %d: %s: %w", d.doc.at(key), key.Value, err)
	}
	if len(ps) == 0 {
		return nil, fmt.Errorf("line %d: %s: a value is too short to be encoded", d.doc.at(key), key.Value)
	}
	return &item{field: field, chain: c, preds: ps, line: d.doc.at(key)}, nil
}

// keywords are looked for in every value of the event.
func (d *detection) keywords(nodes []*yaml.Node, c chain, at *yaml.Node) (*expr, error) {
	if c.cidr || c.exists || c.ref || c.neg || c.cmp != cmpNone || c.part != partNone {
		return nil, fmt.Errorf("line %d: a modifier that needs a field stands on keywords", d.doc.at(at))
	}
	if !c.front && !c.back {
		c.front, c.back = true, true
	}
	for _, n := range nodes {
		if n.Kind == yaml.ScalarNode && (n.Tag == "!!null" || n.Value == "") {
			return nil, fmt.Errorf("line %d: an empty keyword meets every event", d.doc.at(n))
		}
	}
	it, err := d.item("", nodes, c, at)
	if err != nil {
		return nil, err
	}
	return &expr{op: opItem, item: it}, nil
}
