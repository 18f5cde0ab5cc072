// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

//go:embed routing/*.yaml
var routingFiles embed.FS

// routingFile is the table of one product; routing/README.md explains it.
type routingFile struct {
	Product string                 `yaml:"product"`
	Fields  map[string]fieldSource `yaml:"fields"` // hold for all routes of the file
	Own     []string               `yaml:"own"`    // services that the decoder names itself
	Routes  []routingRow           `yaml:"routes"`
}

// routingRow sends rules of one log source to the events of one source.
type routingRow struct {
	Category string                 `yaml:"category"`
	Service  string                 `yaml:"service"`
	Channels []string               `yaml:"channels"` // Windows; spellings of one channel, or several
	Events   []string               `yaml:"events"`   // Windows event ids; none means all
	From     []labels               `yaml:"from"`     // other products: labels of the event
	When     map[string]string      `yaml:"when"`     // further conditions on the event's fields
	Fields   map[string]fieldSource `yaml:"fields"`
	Pairs    []string               `yaml:"pairs"` // fields whose key=value text is also looked into
}

// labels are what a decoder says of an event; "" takes any.
type labels struct {
	Product  string `yaml:"product"`
	Category string `yaml:"category"`
	Service  string `yaml:"service"`
}

// fieldSource says where a rule's field lies in the event. In YAML it is a
// name, a list of names of which the first present counts, or a mapping.
type fieldSource struct {
	From   nameList          `yaml:"from"`
	Take   string            `yaml:"take"`   // "", or a derivation of derive.go
	Values map[string]string `yaml:"values"` // event value -> rule value
}

func (f *fieldSource) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return n.Decode(&f.From)
	}
	type plain fieldSource
	return n.Decode((*plain)(f))
}

// nameList is one name or a list of them.
type nameList []string

func (l *nameList) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = nameList{n.Value}
		return nil
	}
	return n.Decode((*[]string)(l))
}

// target is one kind of event that a rule is held against.
type target struct {
	from    labels
	channel string   // lower case; Windows only
	events  []string // Windows event ids; none means all
	when    []whenField
	fields  map[string]fieldSource
	pairs   []string
	known   bool // from a table, not only from labels that match by chance
}

type whenField struct{ field, value string }

// routing is all tables together.
type routing struct{ files []routingFile }

var loadRouting = sync.OnceValues(func() (*routing, error) { return parseRouting(routingFiles) })

func parseRouting(fsys fs.FS) (*routing, error) {
	names, err := fs.Glob(fsys, "routing/*.yaml")
	if err != nil {
		return nil, err
	}
	rt := &routing{}
	for _, n := range names {
		b, err := fs.ReadFile(fsys, n)
		if err != nil {
			return nil, err
		}
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		var f routingFile
		if err := dec.Decode(&f); err != nil {
			return nil, fmt.Errorf("routing table %s: %w", path.Base(n), err)
		}
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("routing table %s: %w", path.Base(n), err)
		}
		for _, s := range f.Own {
			f.Routes = append(f.Routes, routingRow{Service: s, From: []labels{{Service: s}}})
		}
		rt.files = append(rt.files, f)
	}
	return rt, nil
}

func (f *routingFile) check() error {
	if f.Product == "" {
		return fmt.Errorf("product is missing")
	}
	sources := []map[string]fieldSource{f.Fields}
	for i, r := range f.Routes {
		if r.Category == "" && r.Service == "" {
			return fmt.Errorf("route %d: neither category nor service", i+1)
		}
		if len(r.Channels) == 0 && len(r.From) == 0 {
			return fmt.Errorf("route %d: neither channels nor from", i+1)
		}
		sources = append(sources, r.Fields)
	}
	for _, m := range sources {
		for name, s := range m {
			if len(s.From) == 0 {
				return fmt.Errorf("field %s comes from nowhere", name)
			}
			if s.Take != "" && takes[s.Take] == nil {
				return fmt.Errorf("field %s: %q is no derivation", name, s.Take)
			}
		}
	}
	return nil
}

// targets returns the kinds of event that a rule of log source l is held
// against. The last one are events that carry l's own words as labels: so a CSV
// with a mapping, or an agent, can feed rules that no table knows.
func (rt *routing) targets(l LogSource) []target {
	var out []target
	for i := range rt.files {
		f := &rt.files[i]
		if l.Product != "" && l.Product != f.Product {
			continue
		}
		if l.Category == "" && l.Service == "" {
			out = append(out, target{from: labels{Product: f.Product}, fields: f.Fields, known: true})
			continue
		}
		for j := range f.Routes {
			if r := &f.Routes[j]; f.fits(r, l) {
				out = append(out, f.rowTargets(r)...)
			}
		}
	}
	own := target{from: labels{l.Product, l.Category, l.Service}}
	for i := range rt.files {
		if rt.files[i].Product == l.Product {
			own.fields = rt.files[i].Fields
		}
	}
	return append(out, own)
}

// fits reports whether a row serves log source l. A rule that names category
// and service wants the category's events of that service.
func (f *routingFile) fits(r *routingRow, l LogSource) bool {
	if l.Category == "" {
		return r.Category == "" && r.Service == l.Service
	}
	if r.Category != l.Category {
		return false
	}
	if l.Service == "" || r.Service == l.Service {
		return true
	}
	for i := range f.Routes {
		s := &f.Routes[i]
		if s.Category == "" && s.Service == l.Service && slices.ContainsFunc(s.Channels, func(c string) bool { return slices.Contains(r.Channels, c) }) {
			return true
		}
	}
	return false
}

func (f *routingFile) rowTargets(r *routingRow) []target {
	fields := f.Fields
	if len(r.Fields) > 0 {
		fields = map[string]fieldSource{}
		for k, v := range f.Fields {
			fields[k] = v
		}
		for k, v := range r.Fields {
			fields[k] = v
		}
	}
	base := target{events: r.Events, fields: fields, pairs: r.Pairs, known: true}
	for _, k := range sortedNames(r.When) {
		base.when = append(base.when, whenField{k, r.When[k]})
	}
	var out []target
	for _, c := range r.Channels {
		t := base
		t.from.Product, t.channel = f.Product, strings.ToLower(c)
		out = append(out, t)
	}
	for _, l := range r.From {
		t := base
		if t.from = l; l.Product == "" {
			t.from.Product = f.Product
		}
		out = append(out, t)
	}
	return out
}
