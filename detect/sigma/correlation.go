// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// correlation is a rule over the hits of other rules (specification, "Sigma
// Correlation Rules").
type correlation struct {
	rule     *Rule
	index    int32 // in Engine.rules
	kind     string
	refs     []string
	groupBy  []string
	aliases  map[string]map[string]string // alias -> name of a rule -> its field
	span     time.Duration
	field    []string // value_*: the field, or several that count as one tuple
	bounds   []bound
	generate bool
	members  []member      // what refs resolve to, same order
	parents  []parent      // correlations that use this one
	needs    []string      // fields that its events must carry, for itself and its parents
	groupAt  []int         // where groupBy lies in needs
	valueAt  []int         // where field lies in needs
	state    *windowMemory // survives a reload
}

// member is a rule, or another correlation, that a correlation refers to.
type member struct {
	rule int32 // index into Engine.rules
	corr *correlation
}

type parent struct {
	corr   *correlation
	member int
	at     []int // where the parent's needs lie in the child's; -1 nowhere
}

// bound is one comparison of a condition; several are joined with AND.
type bound struct {
	op    cmpOp
	limit number
}

var correlationKinds = map[string]bool{
	"event_count": true, "value_count": true, "value_sum": true, "value_avg": true, "temporal": true, "temporal_ordered": true,
}

func parseCorrelation(doc document, r *Rule, opt *Options) (*correlation, error) {
	n := child(doc.root, "correlation")
	if n.Kind != yaml.MappingNode {
		return nil, errors.New("correlation is not a mapping")
	}
	if r.Status == "unsupported" {
		return nil, errors.New("its author marks it unsupported")
	}
	r.Kind = "correlation"
	c := &correlation{rule: r}
	var err error
	if c.kind, err = str(n, "type"); err != nil {
		return nil, err
	}
	switch {
	case c.kind == "value_percentile":
		return nil, errors.New("correlation type value_percentile: not yet")
	case !correlationKinds[c.kind]:
		return nil, fmt.Errorf("correlation type %q is none of the specification's", c.kind)
	}
	if c.refs, err = strs(n, "rules"); err != nil {
		return nil, err
	}
	if c.groupBy, err = strs(n, "group-by"); err != nil {
		return nil, err
	}
	if len(c.refs) == 0 {
		return nil, errors.New("correlation refers to no rules")
	}
	if len(c.groupBy) == 0 {
		r.warnings = append(r.warnings, "no group-by: all events count as one group")
	}
	span, err := str(n, "timespan")
	if err != nil {
		return nil, err
	}
	if c.span, err = parseTimespan(span); err != nil {
		return nil, err
	}
	if g := child(n, "generate"); g != nil {
		if c.generate, err = flag(g); err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
	}
	if err := c.parseAliases(child(n, "aliases")); err != nil {
		return nil, err
	}
	if err := c.parseBounds(child(n, "condition")); err != nil {
		return nil, err
	}
	r.Meaning, err = meaning(doc, r)
	return c, err
}

// parseTimespan reads a number and a unit: s, m, h, d of the specification, and
// w, M (30 days), y (365 days) that others write.
func parseTimespan(s string) (time.Duration, error) {
	units := map[string]time.Duration{
		"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "M": 30 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
	}
	if s == "" {
		return 0, errors.New("timespan is missing")
	}
	unit, ok := units[s[len(s)-1:]]
	n, err := strconv.ParseInt(s[:len(s)-1], 10, 32)
	if !ok || err != nil || n < 1 {
		return 0, fmt.Errorf("timespan %q: want a number and one of s, m, h, d", s)
	}
	if n > int64(100*365*24*time.Hour/unit) {
		return 0, fmt.Errorf("timespan %q is longer than a hundred years", s)
	}
	return time.Duration(n) * unit, nil
}

func (c *correlation) parseAliases(n *yaml.Node) error {
	if n == nil || n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return errors.New("aliases: want a mapping")
	}
	c.aliases = map[string]map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		m := n.Content[i+1]
		if m.Kind != yaml.MappingNode {
			return fmt.Errorf("aliases: %s: want a mapping of rules to fields", n.Content[i].Value)
		}
		to := map[string]string{}
		for j := 0; j+1 < len(m.Content); j += 2 {
			to[m.Content[j].Value] = m.Content[j+1].Value
		}
		c.aliases[n.Content[i].Value] = to
	}
	return nil
}

// parseBounds reads the condition. A bound from above can only be decided when
// no more events can come; it is refused rather than guessed.
func (c *correlation) parseBounds(n *yaml.Node) error {
	temporal := strings.HasPrefix(c.kind, "temporal")
	if n == nil || n.Tag == "!!null" {
		if !temporal {
			return errors.New("correlation has no condition")
		}
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return errors.New("correlation condition: want a mapping; extended conditions over names are not taken")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i].Value, n.Content[i+1]
		switch k {
		case "field":
			var err error
			if c.field, err = strs(n, "field"); err != nil {
				return err
			}
		case "gt", "gte":
			num, ok := parseNumber(v.Value)
			if !ok {
				return fmt.Errorf("correlation condition: %s wants a number, not %q", k, v.Value)
			}
			c.bounds = append(c.bounds, bound{cmpWords[k], num})
		case "lt", "lte", "eq", "neq":
			return fmt.Errorf("correlation condition %s: not yet, it can only be decided when no more events can come", k)
		default:
			return fmt.Errorf("correlation condition: %q is no comparison", k)
		}
	}
	value := strings.HasPrefix(c.kind, "value_")
	switch {
	case value && len(c.field) == 0:
		return fmt.Errorf("%s needs a field in its condition", c.kind)
	case !value && len(c.field) > 0:
		return fmt.Errorf("%s takes no field", c.kind)
	case (c.kind == "value_sum" || c.kind == "value_avg") && len(c.field) > 1:
		return fmt.Errorf("%s takes one field", c.kind)
	case len(c.bounds) == 0 && !temporal:
		return errors.New("correlation condition compares nothing")
	}
	return nil
}

// fieldOf returns what a member calls a field of group-by: the field itself, or
// what an alias says for that rule.
func (c *correlation) fieldOf(name string, r *Rule) (string, bool) {
	to, ok := c.aliases[name]
	if !ok {
		return name, true
	}
	for _, key := range []string{r.Name, r.ID} {
		if f, ok := to[key]; ok && key != "" {
			return f, true
		}
	}
	return "", false
}

// resolve ties correlations to the rules they name and to each other. It
// returns those that cannot be, with the reason.
func resolveCorrelations(all []*correlation, rules []*Rule) map[*correlation]error {
	byName := map[string]int32{}
	for i, r := range rules {
		byName[r.ID] = int32(i)
	}
	for i, r := range rules {
		if _, taken := byName[r.Name]; r.Name != "" && !taken {
			byName[r.Name] = int32(i)
		}
	}
	corrOf := map[int32]*correlation{}
	for _, c := range all {
		c.index = byName[c.rule.ID]
		corrOf[c.index] = c
	}
	bad := map[*correlation]error{}
	for _, c := range all {
		for _, ref := range c.refs {
			i, ok := byName[ref]
			if !ok {
				bad[c] = fmt.Errorf("it refers to %q, which is not loaded", ref)
				break
			}
			c.members = append(c.members, member{i, corrOf[i]})
			for _, f := range slices.Concat(c.groupBy, c.field) {
				if _, ok := c.fieldOf(f, rules[i]); !ok {
					bad[c] = fmt.Errorf("alias %q says nothing of rule %q", f, ref)
				}
			}
		}
	}
	for again := true; again; { // a chain is as bad as its worst link
		again = false
		for _, c := range all {
			if bad[c] != nil {
				continue
			}
			for _, m := range c.members {
				if m.corr != nil && bad[m.corr] != nil {
					bad[c] = fmt.Errorf("it refers to %q, which is refused", m.corr.rule.Title)
					again = true
					break
				}
			}
		}
	}
	for _, c := range all {
		if bad[c] == nil && c.reaches(c, 0) {
			bad[c] = errors.New("it refers to itself")
		}
	}
	return bad
}

func (c *correlation) reaches(to *correlation, depth int) bool {
	if depth > 20 {
		return true
	}
	for _, m := range c.members {
		if m.corr != nil && (m.corr == to || m.corr.reaches(to, depth+1)) {
			return true
		}
	}
	return false
}

// plan fixes which fields the events of each correlation must carry: its own
// and, through chains, those of the correlations above it.
func planCorrelations(all []*correlation) {
	for _, c := range all {
		c.need(c.groupBy...)
		c.need(c.field...)
	}
	for range all { // needs travel down a chain one link a round
		for _, c := range all {
			for _, m := range c.members {
				if m.corr == nil {
					continue
				}
				for _, n := range c.needs {
					if f, ok := c.fieldOf(n, m.corr.rule); ok {
						m.corr.need(f)
					}
				}
			}
		}
	}
	for _, c := range all {
		for _, g := range c.groupBy {
			c.groupAt = append(c.groupAt, slices.Index(c.needs, g))
		}
		for _, f := range c.field {
			c.valueAt = append(c.valueAt, slices.Index(c.needs, f))
		}
		for i, m := range c.members {
			if m.corr == nil {
				continue
			}
			p := parent{corr: c, member: i}
			for _, n := range c.needs {
				at := -1 // what an alias of a link below does not know stays empty
				if f, ok := c.fieldOf(n, m.corr.rule); ok {
					at = slices.Index(m.corr.needs, f)
				}
				p.at = append(p.at, at)
			}
			m.corr.parents = append(m.corr.parents, p)
		}
	}
}

func (c *correlation) need(fields ...string) {
	for _, f := range fields {
		if !slices.Contains(c.needs, f) {
			c.needs = append(c.needs, f)
		}
	}
}
