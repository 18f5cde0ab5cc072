// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

//go:embed mapping/*.yaml
var mappingFiles embed.FS

// mapping is the table of one product: mapping/README.md explains the files.
// Rows apply in their order; a later row overrides an earlier one.
type mapping struct {
	Product string        `yaml:"product"`
	Rows    []*mappingRow `yaml:"rows"`
}

// mappingRow applies to events of its services and categories whose fields meet
// all of its conditions.
type mappingRow struct {
	Service  []string            `yaml:"service"`
	Category []string            `yaml:"category"`
	When     map[string]textList `yaml:"when"`   // native field: one of these texts, case ignored; "" is empty or absent, "x*" and "*x" are ends
	Unless   map[string]textList `yaml:"unless"` // the row does not apply when one of these holds
	Action   Action              `yaml:"action"`
	Outcome  Outcome             `yaml:"outcome"`
	Set      map[string]*reading `yaml:"set"` // field of the View, by its JSON name

	when, unless []condition
	set          []setting
}

// reading says where a field of the View comes from. In YAML a text or a list
// of texts is its From.
type reading struct {
	From   textList          `yaml:"from"`   // native fields; the first that is not empty counts
	Text   string            `yaml:"text"`   // a fixed text
	Join   string            `yaml:"join"`   // "{method} {host}{uri}" of native fields; empty when all of them are
	View   string            `yaml:"view"`   // another field of the View, as set by then
	Domain string            `yaml:"domain"` // accounts: native field of the domain
	Unit   string            `yaml:"unit"`   // durations: s (default), ms, us, ns
	Values map[string]string `yaml:"values"` // native text, lower case -> text of the View; others pass
	Before string            `yaml:"before"` // start: "duration" means that much before the event's time
}

func (r *reading) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return n.Decode(&r.From)
	}
	type plain reading
	return n.Decode((*plain)(r))
}

// textList is one text or a list of them.
type textList []string

func (l *textList) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = textList{n.Value}
		return nil
	}
	return n.Decode((*[]string)(l))
}

type condition struct {
	field string
	texts []string // lower case
}

type setting struct {
	field string
	put   func(*View, string)
	r     *reading
	parts []part // of r.Join
}

// part of a joined text: a native field, or text between.
type part struct{ field, text string }

// mappings returns the tables by product. They are part of the program: one
// that does not load is a fault of the build, which the tests of this package
// find.
var mappings = sync.OnceValue(func() map[string]*mapping {
	m, err := parseMappings(mappingFiles)
	if err != nil {
		panic(err)
	}
	return m
})

func parseMappings(fsys fs.FS) (map[string]*mapping, error) {
	names, err := fs.Glob(fsys, "mapping/*.yaml")
	if err != nil {
		return nil, err
	}
	out := map[string]*mapping{}
	for _, n := range names {
		b, err := fs.ReadFile(fsys, n)
		if err != nil {
			return nil, err
		}
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		var m mapping
		if err := dec.Decode(&m); err != nil {
			return nil, fmt.Errorf("mapping table %s: %w", path.Base(n), err)
		}
		if m.Product == "" || out[m.Product] != nil {
			return nil, fmt.Errorf("mapping table %s: product %q is empty or has a table already", path.Base(n), m.Product)
		}
		for i, r := range m.Rows {
			if err := r.compile(); err != nil {
				return nil, fmt.Errorf("mapping table %s, row %d: %w", path.Base(n), i+1, err)
			}
		}
		out[m.Product] = &m
	}
	return out, nil
}

func (r *mappingRow) compile() error {
	var err error
	if r.when, err = conditions(r.When); err != nil {
		return err
	}
	if r.unless, err = conditions(r.Unless); err != nil {
		return err
	}
	// In the order of settable, so that a reading of another field of the View
	// sees it set.
	left := len(r.Set)
	for _, f := range settable {
		rd := r.Set[f.name]
		if rd == nil {
			continue
		}
		left--
		s := setting{field: f.name, put: f.put, r: rd}
		if s.parts, err = parts(rd.Join); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if rd.Before != "" && (f.name != "start" || rd.Before != "duration") {
			return fmt.Errorf("%s: before is for start and takes duration", f.name)
		}
		if rd.View != "" && !viewNames[rd.View] {
			return fmt.Errorf("%s: the view has no field %q that can be copied", f.name, rd.View)
		}
		if _, ok := units[rd.Unit]; !ok {
			return fmt.Errorf("%s: unit %q: want s, ms, us or ns", f.name, rd.Unit)
		}
		r.set = append(r.set, s)
	}
	if left > 0 {
		for name := range r.Set {
			if !settableNames[name] {
				return fmt.Errorf("the view has no field %q", name)
			}
		}
	}
	return nil
}

func conditions(m map[string]textList) ([]condition, error) {
	var out []condition
	for f, l := range m {
		if len(l) == 0 {
			return nil, fmt.Errorf("condition on %s names no text", f)
		}
		c := condition{field: f}
		for _, t := range l {
			c.texts = append(c.texts, strings.ToLower(t))
		}
		out = append(out, c)
	}
	return out, nil
}

func parts(join string) ([]part, error) {
	var out []part
	for join != "" {
		text, rest, ok := strings.Cut(join, "{")
		if text != "" {
			out = append(out, part{text: text})
		}
		if !ok {
			break
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok || name == "" {
			return nil, errors.New("join: want {field}")
		}
		out = append(out, part{field: name})
		join = after
	}
	return out, nil
}

// apply sets the fields of v that the table knows.
func (m *mapping) apply(e *Event, v *View) {
	for _, r := range m.Rows {
		if !r.holds(e) {
			continue
		}
		if r.Action != "" {
			v.Action, v.Outcome = r.Action, r.Outcome
		} else if r.Outcome != "" {
			v.Outcome = r.Outcome
		}
		for i := range r.set {
			r.set[i].apply(e, v)
		}
	}
}

func (r *mappingRow) holds(e *Event) bool {
	if len(r.Service) > 0 && !isOne(e.Service, r.Service) || len(r.Category) > 0 && !isOne(e.Category, r.Category) {
		return false
	}
	for _, c := range r.when {
		if !c.holds(e.Fields) {
			return false
		}
	}
	for _, c := range r.unless {
		if c.holds(e.Fields) {
			return false
		}
	}
	return true
}

func isOne(s string, of []string) bool {
	for _, x := range of {
		if x == s {
			return true
		}
	}
	return false
}

func (c condition) holds(f Fields) bool {
	s := strings.ToLower(f.Str(c.field))
	for _, t := range c.texts {
		switch {
		case t == s:
			return true
		case len(t) > 1 && strings.HasSuffix(t, "*") && strings.HasPrefix(s, t[:len(t)-1]):
			return true
		case len(t) > 1 && strings.HasPrefix(t, "*") && strings.HasSuffix(s, t[1:]):
			return true
		}
	}
	return false
}

func (s *setting) apply(e *Event, v *View) {
	r := s.r
	if r.Before != "" {
		if v.Duration > 0 && !e.Time.IsZero() {
			v.Start = e.Time.Add(-v.Duration)
		}
		return
	}
	t := s.text(e.Fields, v)
	if t == "" {
		return // a later row without a value does not erase what an earlier one knew
	}
	if to, ok := r.Values[strings.ToLower(t)]; ok {
		t = to
	}
	switch s.field {
	case "duration":
		v.Duration = seconds(t) / units[r.Unit]
	case "user":
		v.User = account(e.Fields.Str(r.Domain), t)
	case "target":
		v.Target = account(e.Fields.Str(r.Domain), t)
	default:
		s.put(v, t)
	}
}

func (s *setting) text(f Fields, v *View) string {
	switch {
	case s.r.Text != "":
		return s.r.Text
	case s.r.View != "":
		return v.text(s.r.View)
	case len(s.parts) == 0:
		return f.First(s.r.From...)
	}
	var b strings.Builder
	some := false
	for _, p := range s.parts {
		if p.field == "" {
			b.WriteString(p.text)
			continue
		}
		x := f.Str(p.field)
		some = some || x != ""
		b.WriteString(x)
	}
	if !some {
		return ""
	}
	return strings.TrimSpace(b.String())
}
