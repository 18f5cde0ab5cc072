// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"citywall/event"
)

// The plain evaluator is a second reading of the specification: no index, no
// buckets, no memo, no folding of constants, no compiled rule. It walks the YAML
// for every event and turns every value into a regular expression. It shares
// with the engine only what is no rule logic: the routing tables as files, and
// the derivations of fields that they name (takes, pairValue).

// plainRule is a rule as its document stands.
type plainRule struct {
	id, product, category, service string
	detection                      *yaml.Node
}

// plainRules reads the plain rules among documents; correlations and filters
// are left out, and so is what has a placeholder.
func plainRules(t testing.TB, docs ...string) (out []plainRule) {
	for _, text := range docs {
		d := yaml.NewDecoder(strings.NewReader(text))
		for {
			var doc struct {
				ID        string
				LogSource struct{ Product, Category, Service string }
				Detection yaml.Node
			}
			if err := d.Decode(&doc); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if doc.Detection.Kind == yaml.MappingNode {
				out = append(out, plainRule{doc.ID, doc.LogSource.Product, doc.LogSource.Category, doc.LogSource.Service, &doc.Detection})
			}
		}
	}
	return out
}

// plainRoute is a row of a routing table, with its fields resolved.
type plainRoute struct {
	product, category, service string
	channels, events           []string
	from                       []map[string]string
	when                       map[string]string
	fields                     map[string]fieldSource
	pairs                      []string
}

// plainTables reads the files of routing/ again.
func plainTables(t testing.TB) (out []plainRoute) {
	names, err := filepath.Glob("routing/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		var f struct {
			Product string
			Fields  map[string]fieldSource
			Own     []string
			Routes  []struct {
				Category, Service       string
				Channels, Events, Pairs []string
				From                    []map[string]string
				When                    map[string]string
				Fields                  map[string]fieldSource
			}
		}
		if err := yaml.Unmarshal(b, &f); err != nil {
			t.Fatal(err)
		}
		out = append(out, plainRoute{product: f.Product, fields: f.Fields, service: "*"})
		for _, s := range f.Own {
			out = append(out, plainRoute{product: f.Product, service: s, fields: f.Fields, from: []map[string]string{{"service": s}}})
		}
		for _, r := range f.Routes {
			all := map[string]fieldSource{}
			for k, v := range f.Fields {
				all[k] = v
			}
			for k, v := range r.Fields {
				all[k] = v
			}
			out = append(out, plainRoute{f.Product, r.Category, r.Service, r.Channels, r.Events, r.From, r.When, all, r.Pairs})
		}
	}
	return out
}

// plainEvent is an event seen through one route.
type plainEvent struct {
	e     *event.Event
	route plainRoute
}

// values returns what a rule's field holds: absent, null, or its values.
func (p plainEvent) values(field string) (state string, vals []string) {
	get := func(name string) (event.Value, bool) {
		for _, f := range p.e.Fields {
			if f.Name == name || strings.ReplaceAll(f.Name, " ", "") == name {
				return f.Value, true
			}
		}
		return event.Value{}, false
	}
	read := func(name string, via *fieldSource) bool {
		v, ok := get(name)
		if !ok {
			return false
		}
		var raw []string
		switch v.Kind {
		case event.Null:
			state = "null"
			return true
		case event.List:
			raw = v.List
			if len(raw) == 0 {
				state = "present"
				return true
			}
		default:
			raw = []string{v.Text}
		}
		for _, s := range raw {
			if via != nil && via.Take != "" {
				if s, ok = takes[via.Take](field, s); !ok {
					continue
				}
			}
			if via != nil {
				for from, to := range via.Values {
					if strings.EqualFold(from, s) {
						s = to
					}
				}
			}
			state, vals = "present", append(vals, s)
		}
		return state != "absent"
	}
	state = "absent"
	src, mapped := p.route.fields[field]
	if !mapped {
		if read(field, nil) {
			return state, vals
		}
		for _, name := range p.route.pairs {
			v, ok := get(name)
			if !ok {
				continue
			}
			texts := v.List
			if v.Kind == event.Text {
				texts = []string{v.Text}
			}
			for _, s := range texts {
				if x, ok := pairValue(s, field); ok {
					state, vals = "present", append(vals, x)
				}
			}
		}
		return state, vals
	}
	if src.Take != "" && read(field, nil) {
		return state, vals
	}
	for _, name := range src.From {
		if read(name, &src) {
			break
		}
	}
	return state, vals
}

func (p plainEvent) everything() (out []string) {
	for _, f := range p.e.Fields {
		switch f.Value.Kind {
		case event.Text:
			out = append(out, f.Value.Text)
		case event.List:
			out = append(out, f.Value.List...)
		}
	}
	return out
}

// plainMatch reports whether a rule meets an event by any of its routes.
func plainMatch(r plainRule, e *event.Event, routes []plainRoute) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	var fit []plainRoute
	own := plainRoute{product: r.product}
	for _, x := range routes {
		if x.product == r.product && x.service == "*" {
			own.fields = x.fields
		}
		if r.product != "" && r.product != x.product {
			continue
		}
		switch {
		case r.category == "" && r.service == "":
			if x.service == "*" && e.Product == x.product {
				fit = append(fit, x)
			}
			continue
		case x.service == "*":
			continue
		case r.category == "":
			if x.category != "" || x.service != r.service {
				continue
			}
		case x.category != r.category:
			continue
		case r.service != "" && x.service != r.service:
			// the category's events of that service: their channels meet
			if !slices.ContainsFunc(routes, func(s plainRoute) bool {
				return s.product == x.product && s.category == "" && s.service == r.service && slices.ContainsFunc(s.channels, func(c string) bool { return slices.Contains(x.channels, c) })
			}) {
				continue
			}
		}
		channel, id := e.Fields.Str("Channel"), e.Fields.Str("EventID")
		for _, c := range x.channels {
			if e.Product == x.product && strings.EqualFold(c, channel) && (len(x.events) == 0 || slices.Contains(x.events, id)) {
				fit = append(fit, x)
			}
		}
		for _, f := range x.from {
			product := f["product"]
			if product == "" {
				product = x.product
			}
			if e.Product == product && is(f["category"], e.Category) && is(f["service"], e.Service) {
				fit = append(fit, x)
			}
		}
	}
	if is(r.product, e.Product) && is(r.category, e.Category) && is(r.service, e.Service) {
		fit = append(fit, own)
	}
	for _, x := range fit {
		p := plainEvent{e, x}
		ok := true
		for f, want := range x.when {
			_, vals := p.values(f)
			ok = ok && slices.ContainsFunc(vals, func(v string) bool { return foldSlow(v) == foldSlow(want) })
		}
		if ok && p.rule(r.detection) {
			return true
		}
	}
	return false
}

func (p plainEvent) rule(det *yaml.Node) bool {
	names := []string{}
	sel := map[string]*yaml.Node{}
	var conds []string
	for i := 0; i < len(det.Content); i += 2 {
		switch k, v := det.Content[i].Value, det.Content[i+1]; k {
		case "condition":
			conds = []string{v.Value}
			if v.Kind == yaml.SequenceNode {
				conds = nil
				for _, c := range v.Content {
					conds = append(conds, c.Value)
				}
			}
		case "timeframe":
		default:
			names = append(names, k)
			sel[k] = v
		}
	}
	for _, c := range conds {
		toks := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(c))
		ok, rest := p.or(toks, names, sel)
		if len(rest) > 0 {
			panic("condition " + c)
		}
		if ok {
			return true
		}
	}
	return false
}

func (p plainEvent) or(t, names []string, sel map[string]*yaml.Node) (bool, []string) {
	ok, t := p.and(t, names, sel)
	for len(t) > 0 && strings.EqualFold(t[0], "or") {
		var b bool
		b, t = p.and(t[1:], names, sel)
		ok = ok || b
	}
	return ok, t
}

func (p plainEvent) and(t, names []string, sel map[string]*yaml.Node) (bool, []string) {
	ok, t := p.not(t, names, sel)
	for len(t) > 0 && strings.EqualFold(t[0], "and") {
		var b bool
		b, t = p.not(t[1:], names, sel)
		ok = ok && b
	}
	return ok, t
}

func (p plainEvent) not(t, names []string, sel map[string]*yaml.Node) (bool, []string) {
	switch {
	case strings.EqualFold(t[0], "not"):
		ok, rest := p.not(t[1:], names, sel)
		return !ok, rest
	case t[0] == "(":
		ok, rest := p.or(t[1:], names, sel)
		return ok, rest[1:]
	case len(t) > 2 && strings.EqualFold(t[1], "of"):
		n, of := 0, 0
		for _, name := range names {
			in, _ := path.Match(t[2], name)
			if strings.EqualFold(t[2], "them") {
				in = !strings.HasPrefix(name, "_")
			}
			if in {
				of++
				if p.selection(sel[name]) {
					n++
				}
			}
		}
		switch strings.ToLower(t[0]) {
		case "all":
			return n == of, t[3:]
		case "any":
			return n > 0, t[3:]
		}
		want, _ := strconv.Atoi(t[0])
		return n >= want, t[3:]
	}
	return p.selection(sel[t[0]]), t[1:]
}

func (p plainEvent) selection(n *yaml.Node) bool {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			if !p.entry(n.Content[i].Value, n.Content[i+1]) {
				return false
			}
		}
		return true
	case yaml.ScalarNode:
		return p.entry("", n)
	}
	for _, c := range n.Content { // a list: any of it
		if p.selection(c) {
			return true
		}
	}
	return false
}

// entry is field|modifiers: value or list.
func (p plainEvent) entry(key string, n *yaml.Node) bool {
	words := strings.Split(key, "|")
	field, mods := words[0], words[1:]
	has := func(w ...string) bool {
		return slices.ContainsFunc(mods, func(m string) bool { return slices.Contains(w, m) })
	}
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	state, vals := "present", p.everything()
	if field != "" {
		state, vals = p.values(field)
	} else if len(vals) == 0 {
		state = "absent"
	}
	if field == "" && !has("contains", "startswith", "endswith") {
		mods = append(slices.Clone(mods), "contains")
	}
	all, any := true, false
	for _, x := range nodes {
		ok := false
		switch {
		case has("exists"):
			ok = (state != "absent") == strings.EqualFold(x.Value, "true")
		case x.Tag == "!!null":
			ok = state != "present"
		case state != "present":
		default:
			ok = slices.ContainsFunc(vals, func(v string) bool { return p.value(x, v, mods) })
		}
		all, any = all && ok, any || ok
	}
	ok := any
	if has("all") {
		ok = all
	}
	if has("neq") {
		return state == "present" && !ok
	}
	return ok
}
