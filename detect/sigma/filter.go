// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// filter takes findings of other rules away (specification, "Filters"). Its
// condition is joined with AND as it is written: an exclusion says "not".
type filter struct {
	rule  *Rule
	refs  []string // ids or names
	any   bool     // all rules whose log source fits
	logic *expr
}

func parseFilter(doc document, r *Rule, opt *Options) (*filter, error) {
	var err error
	if r.LogSource, err = parseLogSource(doc); err != nil {
		return nil, err
	}
	n := child(doc.root, "filter")
	if n.Kind != yaml.MappingNode {
		return nil, errors.New("filter is not a mapping")
	}
	f := &filter{rule: r}
	r.Kind = "filter"
	if f.refs, err = strs(n, "rules"); err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	switch {
	case len(f.refs) == 0:
		return nil, errors.New("filter names no rules")
	case len(f.refs) == 1 && strings.EqualFold(f.refs[0], "any"):
		f.any = true
	}
	if f.logic, r.warnings, err = parseDetection(doc, n, opt); err != nil {
		return nil, err
	}
	if !hasNot(f.logic) {
		r.warnings = append(r.warnings, `the condition has no "not": only what it selects will still be found`)
	}
	return f, nil
}

func hasNot(e *expr) bool {
	if e.op == opNot {
		return true
	}
	for _, k := range e.kids {
		if hasNot(k) {
			return true
		}
	}
	return false
}

// concerns reports whether the filter is for rule r.
func (f *filter) concerns(r *Rule) bool {
	l, s := f.rule.LogSource, r.LogSource
	if l.Product != "" && l.Product != s.Product || l.Category != "" && l.Category != s.Category || l.Service != "" && l.Service != s.Service {
		return false
	}
	return f.any || f.names(r)
}

func (f *filter) names(r *Rule) bool {
	for _, ref := range f.refs {
		if ref == r.ID || r.Name != "" && ref == r.Name {
			return true
		}
	}
	return false
}
