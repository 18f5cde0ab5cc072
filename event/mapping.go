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
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

//go:embed mapping/*.yaml
var mappingFiles embed.FS

// mapping is the table of one product as its file has it: mapping/README.md
// explains the files. Rows apply in their order; a later row overrides an
// earlier one.
type mapping struct {
	Product string        `yaml:"product"`
	Rows    []*mappingRow `yaml:"rows"`
}

// mappingRow applies to events of its services and categories whose fields meet
// all of its conditions.
type mappingRow struct {
	Service  []string            `yaml:"service"`
	Category []string            `yaml:"category"`
	When     map[string]textList `yaml:"when"`   // native field: one of these texts, case ignored; "" is empty or absent; "x*", "*x" and "*x*"
	Unless   map[string]textList `yaml:"unless"` // the row does not apply when one of these holds
	Action   Action              `yaml:"action"`
	Outcome  Outcome             `yaml:"outcome"`
	Clear    []string            `yaml:"clear"` // fields of the View that are emptied before set
	Set      map[string]*reading `yaml:"set"`   // field of the View, by its JSON name
}

// reading says where a field of the View comes from. In YAML a text or a list
// of texts is its From.
type reading struct {
	From   textList          `yaml:"from"`   // native fields; the first that has something to say counts
	Text   string            `yaml:"text"`   // a fixed text
	Join   string            `yaml:"join"`   // "{method} {host}{uri}" of native fields; empty when all of them are
	View   string            `yaml:"view"`   // another field of the View, as set by then
	Domain string            `yaml:"domain"` // accounts: native field of the domain
	Unit   string            `yaml:"unit"`   // durations: s (default), ms, us, ns
	Take   string            `yaml:"take"`   // what of the text counts: see takes
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

// anyProduct is the product of the table that reads what has none of its own.
const anyProduct = "*"

// tables are the compiled mappings by product. They are part of the program: one
// that does not load is a fault of the build, which the tests of this package
// find.
var tables = sync.OnceValue(func() *index[*table] {
	ms, err := parseMappings(mappingFiles)
	if err != nil {
		panic(err)
	}
	out := newIndex[*table](len(ms))
	for _, m := range ms {
		t, err := compile(m)
		if err != nil {
			panic(err)
		}
		out.add(m.Product, t)
	}
	return &out
})

// parseMappings reads all tables, in the order of their files.
func parseMappings(fsys fs.FS) ([]*mapping, error) {
	names, err := fs.Glob(fsys, "mapping/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []*mapping
	for _, n := range names {
		b, err := fs.ReadFile(fsys, n)
		if err != nil {
			return nil, err
		}
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		m := new(mapping)
		if err := dec.Decode(m); err != nil {
			return nil, fmt.Errorf("mapping table %s: %w", path.Base(n), err)
		}
		same := func(x *mapping) bool { return x.Product == m.Product }
		if m.Product == "" || slices.ContainsFunc(out, same) {
			return nil, fmt.Errorf("mapping table %s: product %q is empty or has a table already", path.Base(n), m.Product)
		}
		out = append(out, m)
	}
	return out, nil
}

// compile turns m into what Event.View walks.
func compile(m *mapping) (*table, error) {
	t := &table{}
	rows := make([]row, 0, len(m.Rows))
	for i, r := range m.Rows {
		c, err := t.row(r)
		if err != nil {
			return nil, fmt.Errorf("mapping table of %s, row %d: %w", m.Product, i+1, err)
		}
		rows = append(rows, c)
	}
	if len(t.names.list) > maxNames {
		return nil, fmt.Errorf("mapping table of %s: asks for %d native fields, at most %d are possible", m.Product, len(t.names.list), maxNames)
	}
	t.names.index()
	t.root = branchOf(rows, maxBranches)
	return t, nil
}

func (t *table) row(r *mappingRow) (row, error) {
	c := row{action: r.Action, outcome: r.Outcome}
	if r.Action != "" && !isAction(r.Action) {
		return c, fmt.Errorf("there is no action %q", r.Action)
	}
	if r.Outcome != "" && r.Outcome != Success && r.Outcome != Failure {
		return c, fmt.Errorf("outcome %q: want success or failure", r.Outcome)
	}
	if len(r.Service) > 0 {
		c.when = append(c.when, condition{key: keyService, texts: r.Service})
	}
	if len(r.Category) > 0 {
		c.when = append(c.when, condition{key: keyCategory, texts: r.Category})
	}
	var err error
	if c.when, err = t.conditions(c.when, r.When); err != nil {
		return c, err
	}
	if c.unless, err = t.conditions(nil, r.Unless); err != nil {
		return c, err
	}
	for _, n := range r.Clear {
		f, ok := fieldOf(n)
		if !ok {
			return c, fmt.Errorf("clear: the view has no field %q", n)
		}
		c.clear = append(c.clear, f)
	}
	for name, rd := range r.Set {
		f, ok := fieldOf(name)
		if !ok || rd == nil {
			return c, fmt.Errorf("%s: the view has no such field, or it is set to nothing", name)
		}
		s, err := t.setting(f, rd)
		if err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
		c.set = append(c.set, s)
	}
	slices.SortFunc(c.set, func(a, b setting) int { return int(a.field) - int(b.field) })
	return c, nil
}

func (t *table) setting(f field, rd *reading) (setting, error) {
	s := setting{field: f, domain: -1, text: rd.Text, unit: units[rd.Unit]}
	ways := 0
	for w, some := range [...]bool{wayFrom: len(rd.From) > 0, wayText: rd.Text != "", wayView: rd.View != "", wayJoin: rd.Join != "", wayBefore: rd.Before != ""} {
		if some {
			s.way = way(w) //nolint:gosec // few
			ways++
		}
	}
	switch {
	case ways != 1:
		return s, errors.New("want one of from, text, join, view and before")
	case rd.Before != "" && (f != fStart || rd.Before != "duration"):
		return s, errors.New("before is for start and takes duration")
	case s.unit == 0 || rd.Unit != "" && f != fDuration:
		return s, fmt.Errorf("unit %q: want s, ms, us or ns, of a duration", rd.Unit)
	case rd.Take != "" && takes[rd.Take] == nil:
		return s, fmt.Errorf("there is no way %q to take a text", rd.Take)
	case rd.Domain != "" && f != fUser && f != fTarget:
		return s, errors.New("domain is for accounts")
	}
	if rd.View != "" {
		var ok bool
		if s.view, ok = fieldOf(rd.View); !ok || s.view > fDstHost || f > fDstHost {
			return s, fmt.Errorf("the view has no field %q that can be copied", rd.View)
		}
	}
	for k := range rd.Values {
		if k != strings.ToLower(k) {
			return s, fmt.Errorf("value %q: want lower case, native texts are compared so", k)
		}
	}
	if rd.Take != "" || len(rd.Values) > 0 {
		s.how = &how{take: takes[rd.Take], values: rd.Values}
	}
	for _, n := range rd.From {
		s.from = append(s.from, t.names.slot(n))
	}
	if rd.Domain != "" {
		s.domain = t.names.slot(rd.Domain)
	}
	var err error
	s.parts, err = t.parts(rd.Join)
	return s, err
}

func (t *table) conditions(out []condition, m map[string]textList) ([]condition, error) {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if len(m[n]) == 0 {
			return nil, fmt.Errorf("condition on %s names no text", n)
		}
		out = append(out, condition{key: int(t.names.slot(n)), texts: m[n]})
	}
	return out, nil
}

func (t *table) parts(join string) ([]part, error) {
	var out []part
	for join != "" {
		text, rest, ok := strings.Cut(join, "{")
		if text != "" {
			out = append(out, part{slot: -1, text: text})
		}
		if !ok {
			break
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok || name == "" {
			return nil, errors.New("join: want {field}")
		}
		out = append(out, part{slot: t.names.slot(name)})
		join = after
	}
	return out, nil
}
