// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ocsf

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"citywall/event"
)

//go:embed classes.yaml
var classesFile []byte

// schema is classes.yaml, which explains itself.
type schema struct {
	Version string                        `yaml:"version"`
	Classes map[string]*class             `yaml:"classes"`
	Objects map[string]*object            `yaml:"objects"`
	Groups  map[string]map[string]*source `yaml:"groups"`
	Rows    []*row                        `yaml:"rows"`

	prune []string // the objects' paths, the deepest first
}

// class is what an event of it must hold.
type class struct {
	UID      int      `yaml:"uid"`
	Required []string `yaml:"required"`
	OneOf    []string `yaml:"one_of"`
}

// object is what must be in an object for it to be one.
type object struct {
	Required []string       `yaml:"required"`
	OneOf    []string       `yaml:"one_of"`
	With     map[string]int `yaml:"with"`
}

type row struct {
	Action   []string            `yaml:"action"`
	Product  []string            `yaml:"product"`
	Service  []string            `yaml:"service"` // of the view
	Field    map[string][]string `yaml:"field"`   // native field: one of these texts, case ignored
	Class    string              `yaml:"class"`
	Activity activity            `yaml:"activity"`
	Use      []string            `yaml:"use"`
	Set      map[string]*source  `yaml:"set"`

	attrs []attr // of use and set, by path
}

type attr struct {
	path []string
	from *source
}

// source is where an attribute comes from.
type source struct {
	View   string         `yaml:"view"`
	Field  []string       `yaml:"field"`
	Value  any            `yaml:"value"`
	As     string         `yaml:"as"`
	Values map[string]any `yaml:"values"`
	Else   any            `yaml:"else"`
	fixed  bool
}

func (s *source) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		s.View = n.Value
		return nil
	}
	type plain source
	if err := n.Decode((*plain)(s)); err != nil {
		return err
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		s.fixed = s.fixed || n.Content[i].Value == "value"
	}
	return nil
}

// activity is a number, or a source of one; name is what 99 is called, else the
// action's name.
type activity struct {
	fixed int
	from  *source
	name  *source
}

func (a *activity) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&a.fixed)
	}
	a.from = new(source)
	if err := n.Decode(a.from); err != nil {
		return err
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "name" {
			a.name = new(source)
			return n.Content[i+1].Decode(a.name)
		}
	}
	return nil
}

// load reads the table. It is part of the program: one that does not load is a
// fault of the build, which the tests of this package find.
var load = sync.OnceValue(func() *schema {
	s, err := parse(classesFile)
	if err != nil {
		panic(err)
	}
	return s
})

func parse(text []byte) (*schema, error) {
	s := new(schema)
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(s); err != nil {
		return nil, fmt.Errorf("OCSF classes: %w", err)
	}
	for i, r := range s.Rows {
		if err := s.compile(r); err != nil {
			return nil, fmt.Errorf("OCSF classes, row %d: %w", i+1, err)
		}
	}
	s.prune = slices.Collect(maps.Keys(s.Objects))
	slices.SortFunc(s.prune, func(a, b string) int {
		if d := strings.Count(b, ".") - strings.Count(a, "."); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return s, nil
}

func (s *schema) compile(r *row) error {
	if s.Classes[r.Class] == nil {
		return fmt.Errorf("there is no class %q", r.Class)
	}
	if len(r.Action) == 0 {
		return errors.New("no action")
	}
	all := map[string]*source{}
	for _, g := range r.Use {
		if s.Groups[g] == nil {
			return fmt.Errorf("there is no group %q", g)
		}
		maps.Copy(all, s.Groups[g])
	}
	maps.Copy(all, r.Set)
	for _, p := range slices.Sorted(maps.Keys(all)) {
		if err := all[p].check(); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		r.attrs = append(r.attrs, attr{strings.Split(p, "."), all[p]})
	}
	for _, x := range []*source{r.Activity.from, r.Activity.name} {
		if x != nil {
			if err := x.check(); err != nil {
				return fmt.Errorf("activity: %w", err)
			}
		}
	}
	return nil
}

func (s *source) check() error {
	if s == nil {
		return errors.New("comes from nowhere")
	}
	if s.View != "" && !slices.Contains(viewFields, s.View) {
		return fmt.Errorf("the view has no field %q", s.View)
	}
	if !slices.Contains([]string{"", "int", "base", "words", "ms", "s", "list", "addresses", "upper", "id"}, s.As) {
		return fmt.Errorf("there is no way %q to write a value", s.As)
	}
	if s.View == "" && len(s.Field) == 0 && !s.fixed {
		return errors.New("comes from nowhere")
	}
	for k := range s.Values {
		if k != strings.ToLower(k) {
			return fmt.Errorf("value %q: want lower case", k)
		}
	}
	return nil
}

// classify gives an event its class: the first row that holds and whose class gets
// all it must have. False means a Base Event.
func (s *schema) classify(e *event.Event, v *event.View) (uid, number int, name string, attrs Object, ok bool) {
	for _, r := range s.Rows {
		if !r.holds(e, v) {
			continue
		}
		o := Object{}
		for _, a := range r.attrs {
			if x := a.from.read(e, v); x != nil {
				put(o, a.path, x)
			}
		}
		for _, p := range s.prune {
			s.Objects[p].prune(o, strings.Split(p, "."))
		}
		c := s.Classes[r.Class]
		if !c.complete(o) {
			continue
		}
		number = r.Activity.fixed
		if r.Activity.from != nil {
			number, _ = r.Activity.from.read(e, v).(int)
		}
		if number == other {
			name = string(v.Action)
			if r.Activity.name != nil {
				if n, ok := r.Activity.name.read(e, v).(string); ok {
					name = n
				}
			}
		}
		return c.UID, number, name, o, true
	}
	return 0, 0, "", nil, false
}

func (r *row) holds(e *event.Event, v *event.View) bool {
	if !slices.Contains(r.Action, string(v.Action)) || len(r.Product) > 0 && !slices.Contains(r.Product, e.Product) || len(r.Service) > 0 && !slices.Contains(r.Service, v.Service) {
		return false
	}
	for name, texts := range r.Field {
		s := e.Fields.Str(name)
		if !slices.ContainsFunc(texts, func(t string) bool { return strings.EqualFold(t, s) }) {
			return false
		}
	}
	return true
}

func (c *class) complete(o Object) bool {
	for _, k := range c.Required {
		if _, there := o[k]; !there {
			return false
		}
	}
	for _, k := range c.OneOf {
		if _, there := o[k]; there {
			return true
		}
	}
	return len(c.OneOf) == 0
}

// prune takes the object at path out of o when it lacks what makes it one, and
// adds what the schema requires of it.
func (x *object) prune(o Object, path []string) {
	for _, p := range path[:len(path)-1] {
		in, ok := o[p].(Object)
		if !ok {
			return
		}
		o = in
	}
	last := path[len(path)-1]
	in, ok := o[last].(Object)
	if !ok {
		return
	}
	if c := (class{Required: x.Required, OneOf: x.OneOf}); !c.complete(in) {
		delete(o, last)
		return
	}
	for k, n := range x.With {
		if _, there := in[k]; !there {
			in[k] = n
		}
	}
}

// put sets the attribute at path, making the objects on the way.
func put(o Object, path []string, x any) {
	for _, p := range path[:len(path)-1] {
		in, ok := o[p].(Object)
		if !ok {
			in = Object{}
			o[p] = in
		}
		o = in
	}
	o[path[len(path)-1]] = x
}
