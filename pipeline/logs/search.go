// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"regexp"
	"strings"

	"citywall/event"
	"citywall/internal/fault"
)

// Query asks for records by what stands in them.
type Query struct {
	words  []*regexp.Regexp
	all    bool
	fields map[string]*regexp.Regexp
}

// NewQuery reads a query. words are looked for in every value; all wants every
// one of them in a record, otherwise one is enough. fields are NAME=PATTERN and
// must all hold. Patterns are texts, or with regex regular expressions (RE2);
// case does not matter unless cased is set.
func NewQuery(words, fields []string, all, regex, cased bool) (*Query, error) {
	if len(words)+len(fields) == 0 {
		return nil, fault.New(fault.Invalid, "say what to look for: a word, or --field NAME=PATTERN")
	}
	compile := func(s string) (*regexp.Regexp, error) {
		if s == "" {
			return nil, fault.New(fault.Invalid, "an empty word is in every record")
		}
		if !regex {
			s = regexp.QuoteMeta(s)
		}
		if !cased {
			s = "(?i)" + s
		}
		re, err := regexp.Compile(s)
		if err != nil {
			return nil, fault.New(fault.Invalid, "%w", err)
		}
		return re, nil
	}
	q := &Query{all: all, fields: map[string]*regexp.Regexp{}}
	for _, w := range words {
		re, err := compile(w)
		if err != nil {
			return nil, err
		}
		q.words = append(q.words, re)
	}
	for _, f := range fields {
		name, pattern, ok := strings.Cut(f, "=")
		if !ok || name == "" {
			return nil, fault.New(fault.Invalid, "--field %q: want NAME=PATTERN", f)
		}
		re, err := compile(pattern)
		if err != nil {
			return nil, err
		}
		q.fields[name] = re
	}
	return q, nil
}

// Match reports whether a record holds what was asked for.
func (q *Query) Match(e *event.Event) bool {
	for name, re := range q.fields {
		v, ok := e.Fields.Get(name)
		if !ok || !within(re, v) {
			return false
		}
	}
	if len(q.words) == 0 {
		return true
	}
	for _, re := range q.words {
		found := false
		for i := range e.Fields {
			if found = within(re, e.Fields[i].Value); found {
				break
			}
		}
		if found != q.all {
			return found
		}
	}
	return q.all
}

func within(re *regexp.Regexp, v event.Value) bool {
	if v.Kind == event.List {
		for _, s := range v.List {
			if re.MatchString(s) {
				return true
			}
		}
		return false
	}
	return re.MatchString(v.String())
}
