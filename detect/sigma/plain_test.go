// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"archive/zip"
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode"
	"unicode/utf16"

	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx"
	"citywall/internal/shared"
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

// value compares one value of a rule with one of the event.
func (p plainEvent) value(n *yaml.Node, have string, mods []string) bool {
	has := func(w string) bool { return slices.Contains(mods, w) }
	want := n.Value
	if n.Tag == "!!int" {
		var i int64
		if n.Decode(&i) == nil {
			want = strconv.FormatInt(i, 10)
		}
	}
	front, back := has("endswith") || has("contains"), has("startswith") || has("contains")
	switch {
	case has("re"):
		flags := ""
		for _, m := range mods {
			if f, ok := map[string]string{"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}[m]; ok {
				flags += f
			}
		}
		re := want
		if front != back {
			re = map[bool]string{true: "(?:" + want + `)\z`, false: `\A(?:` + want + ")"}[front]
		}
		if flags != "" {
			re = "(?" + flags + ")" + re
		}
		return plainRegexp(re).MatchString(have)
	case has("cidr"):
		a, err := netip.ParseAddr(have)
		if err != nil {
			return false
		}
		net, err := netip.ParsePrefix(want)
		if err != nil {
			one := netip.MustParseAddr(want)
			net = netip.PrefixFrom(one, one.BitLen())
		}
		if net.Addr().Is4In6() {
			net = netip.PrefixFrom(net.Addr().Unmap(), net.Bits()-96)
		}
		return net.Contains(a.Unmap().WithZone(""))
	case has("fieldref"):
		_, others := p.values(want)
		if !has("cased") {
			have = foldSlow(have)
		}
		return slices.ContainsFunc(others, func(o string) bool {
			if !has("cased") {
				o = foldSlow(o)
			}
			switch {
			case front && back:
				return strings.Contains(have, o)
			case front:
				return strings.HasSuffix(have, o)
			case back:
				return strings.HasPrefix(have, o)
			}
			return have == o
		})
	}
	for _, m := range mods {
		if slices.Contains([]string{"lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"}, m) {
			return plainNumbers(want, have, mods)
		}
	}
	cased := has("cased")
	texts := []string{want}
	encoded, dashed := false, false
	for _, m := range mods {
		switch m {
		case "windash":
			dashed = true
		case "wide", "utf16le", "utf16be", "utf16", "base64", "base64offset":
			var next []string
			for _, s := range texts {
				forms := []string{s}
				if !encoded {
					forms = plainDashes(plainUnescape(s), dashed)
				}
				for _, f := range forms {
					next = append(next, plainEncode(m, f)...)
				}
			}
			texts, encoded = next, true
			cased = cased || strings.HasPrefix(m, "base64")
		}
	}
	if !cased {
		have = foldSlow(have)
	}
	return slices.ContainsFunc(texts, func(s string) bool {
		re := ""
		if encoded {
			if !cased {
				s = foldSlow(s)
			}
			re = regexp.QuoteMeta(s)
		} else {
			re = plainGlob(s, dashed, cased)
		}
		return plainRegexp(`(?s)\A` + map[bool]string{true: ".*"}[front] + re + map[bool]string{true: ".*"}[back] + `\z`).MatchString(have)
	})
}

var plainCompiled = map[string]*regexp.Regexp{}

func plainRegexp(s string) *regexp.Regexp {
	if plainCompiled[s] == nil {
		plainCompiled[s] = regexp.MustCompile(s)
	}
	return plainCompiled[s]
}

// plainUnescape reads a text without wildcards.
func plainUnescape(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\*`, `*`, `\?`, `?`).Replace(s)
}

// plainGlob turns a Sigma string into a regular expression.
func plainGlob(s string, dashed, cased bool) string {
	type char struct {
		r    rune
		wild bool
	}
	var cs []char
	rs := []rune(s)
	for i := 0; i < len(rs); i++ {
		switch {
		case rs[i] == '\\' && i+1 < len(rs) && strings.ContainsRune(`\*?`, rs[i+1]):
			i++
			cs = append(cs, char{rs[i], false})
		case rs[i] == '*' || rs[i] == '?':
			cs = append(cs, char{rs[i], true})
		default:
			cs = append(cs, char{rs[i], false})
		}
	}
	var b strings.Builder
	for i, c := range cs {
		switch {
		case c.wild && c.r == '*':
			b.WriteString(".*")
		case c.wild:
			b.WriteString(".")
		case dashed && strings.ContainsRune("-/–—―", c.r) && (i == 0 || cs[i-1].wild || !plainWord(cs[i-1].r)) && i+1 < len(cs) && !cs[i+1].wild && plainWord(cs[i+1].r):
			b.WriteString("[-/–—―]")
		default:
			r := c.r
			if !cased {
				r = unicode.ToLower(r)
			}
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return b.String()
}

func plainWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// plainDashes writes every form of a text that windash allows.
func plainDashes(s string, dashed bool) []string {
	out := []string{""}
	rs := []rune(s)
	for i, r := range rs {
		forms := []rune{r}
		if dashed && strings.ContainsRune("-/–—―", r) && (i == 0 || !plainWord(rs[i-1])) && i+1 < len(rs) && plainWord(rs[i+1]) {
			forms = []rune("-/–—―")
		}
		var next []string
		for _, o := range out {
			for _, f := range forms {
				next = append(next, o+string(f))
			}
		}
		out = next
	}
	return out
}

func plainEncode(m, s string) []string {
	units := utf16.Encode([]rune(s))
	bytes := func(big bool) string {
		var b []byte
		for _, u := range units {
			if big {
				b = append(b, byte(u>>8), byte(u))
			} else {
				b = append(b, byte(u), byte(u>>8))
			}
		}
		return string(b)
	}
	switch m {
	case "wide", "utf16le":
		return []string{bytes(false)}
	case "utf16be":
		return []string{bytes(true)}
	case "utf16":
		return []string{"\xff\xfe" + bytes(false)}
	case "base64":
		return []string{base64.StdEncoding.EncodeToString([]byte(s))}
	}
	// A character of base64 is six bits: those that lie in s alone are the same
	// whatever stands before and after.
	var out []string
	for shift := range 3 {
		whole := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + s + "\x00\x00\x00"))
		if from, to := (8*shift+5)/6, 8*(shift+len(s))/6; from < to {
			out = append(out, whole[from:to])
		}
	}
	return out
}

func plainNumbers(want, have string, mods []string) bool {
	num := func(s string) (float64, bool) {
		s = strings.TrimSpace(s)
		if len(s) > 2 && strings.EqualFold(s[:2], "0x") {
			u, err := strconv.ParseUint(s[2:], 16, 64)
			return float64(u), err == nil
		}
		if strings.ContainsAny(strings.ToLower(s), "nixp_") {
			return 0, false
		}
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil
	}
	w, _ := num(want)
	h, ok := num(have)
	cmp := "eq"
	for _, m := range mods {
		switch m {
		case "lt", "lte", "gt", "gte":
			cmp = m
		case "minute", "hour", "day", "week", "month", "year":
			ok = false
			for _, l := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
				if len(have) < len(l) {
					continue
				}
				t, err := time.Parse(l, have[:len(l)])
				if err != nil {
					continue
				}
				if len(l) == 10 && (m == "minute" || m == "hour") {
					break
				}
				_, week := t.ISOWeek()
				h, ok = float64(map[string]int{"minute": t.Minute(), "hour": t.Hour(), "day": t.Day(), "week": week, "month": int(t.Month()), "year": t.Year()}[m]), true
				break
			}
		}
	}
	if !ok {
		return false
	}
	return map[string]bool{"eq": h == w, "lt": h < w, "lte": h <= w, "gt": h > w, "gte": h >= w}[cmp]
}

// TestPlainRandom holds the engine against the plain evaluator on random rules
// and events.
func TestPlainRandom(t *testing.T) {
	routes := plainTables(t)
	rapid.Check(t, func(t *rapid.T) {
		var docs []string
		f := fstest.MapFS{}
		for i := range 3 {
			doc := fmt.Sprintf("id: 00000000-0000-4000-8000-00000000000%d\n%s", i, randomRule(t))
			docs = append(docs, doc)
			f[fmt.Sprint(i, ".yml")] = &fstest.MapFile{Data: []byte(doc)}
		}
		e, rep, err := Load([]Set{{Name: "x", FS: f}}, Options{})
		if err != nil || rep.Loaded != 3 {
			t.Fatalf("%v %+v", err, rep)
		}
		rules := plainRules(nil, docs...)
		m := e.NewMatcher()
		for range 4 {
			ev := &event.Event{Product: "test", Fields: randomFields(t)}
			if d := plainDiffers(m, rules, ev, routes); d != "" {
				t.Fatalf("%v\n%s\n%s", ev.Fields, d, strings.Join(docs, "---\n"))
			}
		}
	})
}

// plainDiffers says which rules the two do not agree on.
func plainDiffers(m *Matcher, rules []plainRule, ev *event.Event, routes []plainRoute) string {
	got := map[string]bool{}
	for _, f := range m.Match(ev) {
		got[f.Rule.ID] = true
	}
	var out []string
	for _, r := range rules {
		if want := plainMatch(r, ev, routes); want != got[r.id] {
			out = append(out, fmt.Sprintf("rule %s: engine %v, plain evaluator %v", r.id, got[r.id], want))
		}
	}
	return strings.Join(out, "\n")
}

// TestPlainDecisions goes over what the random rules do not
// reach: encodings, dates, lists, field names.
func TestPlainDecisions(t *testing.T) {
	routes := plainTables(t)
	values := []string{"Zm9vYmFy", "xx Zm9vYmFy xx", "eGZvb2Jhcg==", "eHhmb29iYXI=", "YQBiAA==", "AGEAYg==", "//5hAGIA", "foobar", "/c ab-cd", "–c ab-cd", "-c ab/cd", "2025-10-22T20:30:29Z", "2025-10-22", "0x14", "20", "20.5", "abc", "ABC", "", `C:\x`, `C:\\x`, "a*c", "a護c"}
	for i, entry := range []string{
		`F|base64: foobar`, `F|base64offset|contains: foobar`, `F|wide|base64offset|contains: ab`, `F|utf16be|base64: ab`, `F|utf16|base64: ab`, `F|windash: '/c ab-cd'`, `F|contains|windash: '-c'`, `F|windash|base64offset|contains: '-c ab'`,
		`F|hour: 20`, `F|hour|gte: 20`, `F|week: 43`, `F|minute: 30`, `F|year|lt: 2026`, `F|gt: 19`, `F|lte: 20`, `F: 0x14`, `F: 20`, `F: 'a*c'`, `F: 'a\*c'`, `F: 'a?c'`, `F: 'C:\x'`, `F: 'C:\\x'`, `F|cased: abc`, `F: ''`, `F: null`, `F|exists: false`, `F|re: '^a.c$'`, `F|re|i: 'abc'`,
		`F|neq: abc`, `F|fieldref: G`, `F|fieldref|neq: G`, "F|contains|all: [a, c]", "'|all': [abc, foo]",
	} {
		doc := fmt.Sprintf("title: t\nid: 00000000-0000-4000-8000-0000000001%02d\nlogsource: {product: test}\ndetection:\n  s:\n    %s\n  condition: s\n", i, entry)
		e, rep, err := Load([]Set{{Name: "x", FS: fstest.MapFS{"a.yml": {Data: []byte(doc)}}}}, Options{})
		if err != nil || rep.Loaded != 1 {
			t.Fatalf("%s: %v %+v", entry, err, rep.Refused)
		}
		rules, m := plainRules(t, doc), e.NewMatcher()
		for _, v := range values {
			for _, w := range []string{"abc", "foo abc"} {
				for _, fields := range []event.Fields{{{Name: "F", Value: event.T(v)}, {Name: "G", Value: event.T(w)}}, {{Name: "F", Value: event.L(v, w)}}, {{Name: "F"}}, {{Name: "G", Value: event.T(v)}}} {
					if d := plainDiffers(m, rules, &event.Event{Product: "test", Fields: fields}, routes); d != "" {
						t.Errorf("%s on %v: %s", entry, fields, d)
					}
				}
			}
		}
	}
}

// TestPlainCorpus holds all of SigmaHQ against the records of the regression
// cases and of recorded attacks, with the engine and with the plain evaluator.
// For time's sake the latter takes one in so many records of both; the
// environment variable CITYWALL_PLAIN_ALL takes them all.
func TestPlainCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("slow by design: not with -short")
	}
	e, rep := loadHQ(t, Options{})
	waiting := map[string]bool{}
	for _, p := range rep.Waiting {
		waiting[p.ID] = true
	}
	z, err := zip.OpenReader(shared.Path(t, "sigma/sigmahq-rules.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var docs []string
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".yml") {
			docs = append(docs, string(readMember(t, &z.Reader, f.Name)))
		}
	}
	var rules []plainRule
	for _, r := range plainRules(t, docs...) {
		if !waiting[r.id] {
			rules = append(rules, r)
		}
	}
	if len(rules) < 3500 {
		t.Fatalf("%d rules", len(rules))
	}
	routes := plainTables(t)
	m := e.NewMatcher()
	n, hits := 0, 0
	check := func(ev *event.Event) {
		n++
		hits += len(m.Match(ev))
		if d := plainDiffers(m, rules, ev, routes); d != "" {
			t.Errorf("%s %s:\n%s", ev.Fields.Str("Channel"), ev.Fields.Str("EventID"), d)
		}
	}
	every, cases := 500, 3
	if os.Getenv("CITYWALL_PLAIN_ALL") != "" {
		every, cases = 1, 1
	}
	for i, ev := range regressionEvents(t) {
		if i%cases == 0 {
			check(ev)
		}
	}
	a, err := zip.OpenReader(shared.Path(t, "evtx/attack/evtx-to-mitre-attack.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	at := 0
	for _, f := range a.File {
		if !strings.HasSuffix(f.Name, ".evtx") {
			continue
		}
		_, err := evtx.Format().Decode(t.Context(), strings.NewReader(string(readMember(t, &a.Reader, f.Name))), format.Source{File: f.Name}, func(ev *event.Event) error {
			if at++; at%every == 0 {
				check(ev)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d records, %d rules, %d hits", n, len(rules), hits)
	if hits < n {
		t.Errorf("%d hits in %d records: the comparison says little", hits, n)
	}
}
