// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"sync"
)

// Engine is a set of compiled rules. It does not change after Load and may be
// shared; a reload builds another one. What it builds late (buckets, one for
// each kind of event that is met) depends on nothing but the rules.
type Engine struct {
	rules        []*Rule
	filters      []*filter
	correlations []*correlation // members before those built on them
	batch        bool
	without      Layers
	prog         *program
	byTarget     []routed
	byLabels     map[labels][]int32 // of byTarget, those that name no channel
	byChannel    map[place][]int32  // and the others
	vocab        vocabulary
	seen         *seen

	mu      sync.Mutex
	buckets map[bucketKey]*bucket // guarded by mu
}

// place is a Windows channel, and an event id in it or "" for all.
type place struct{ channel, eventID string }

// routed is a rule held against one target.
type routed struct {
	rule    int32
	target  *target
	tree    node
	filters []boundFilter
	feeds   []feed
}

// boundFilter is a filter bound to the fields of a target.
type boundFilter struct {
	filter int32
	tree   node
}

// bucketKey names a kind of event by what routing looks at. Words that no rule
// asks for are "" in it, so that strange input cannot make buckets without end.
type bucketKey struct {
	from    labels
	channel string
	eventID string
}

// bucket holds what is left of the rules for one kind of event.
type bucket struct {
	rules []bucketRule
	index *witnessIndex
}

// bucketRule is one rule in a bucket; its variants differ by route.
type bucketRule struct {
	rule     int32
	variants []variant
}

type variant struct {
	tree    node
	filters []boundFilter
	feeds   []feed // correlations that take its hits
	silent  bool   // and nothing else does
}

// vocabulary is every word that a target asks for.
type vocabulary struct {
	products, categories, services map[string]bool
	channels                       map[string]map[string]bool // folded channel -> event ids that rules name
	anywhere                       map[string]bool            // event ids named by rules that name no channel
}

// Rules returns what is known of the loaded rules, in the order of their files.
func (e *Engine) Rules() []*Rule { return slices.Clone(e.rules) }

// Rule returns the rule with that id, or nil.
func (e *Engine) Rule(id string) *Rule {
	for _, r := range e.rules {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// build binds every rule to its targets and collects the vocabulary.
func (e *Engine) build(rt *routing, filtersOf map[int32][]int32) {
	e.prog = newProgram()
	e.buckets = map[bucketKey]*bucket{}
	e.byLabels, e.byChannel = map[labels][]int32{}, map[place][]int32{}
	v := &e.vocab
	v.products, v.categories, v.services = map[string]bool{}, map[string]bool{}, map[string]bool{}
	v.channels, v.anywhere = map[string]map[string]bool{}, map[string]bool{}
	for i, r := range e.rules {
		if r.logic == nil {
			continue // a correlation
		}
		targets := rt.targets(r.LogSource)
		for j := range targets {
			t := &targets[j]
			r.Routed = r.Routed || t.known
			x := routed{rule: int32(i), target: t, tree: e.prog.bind(whenExpr(r.logic, t), t)}
			for _, f := range filtersOf[int32(i)] {
				x.filters = append(x.filters, boundFilter{f, e.prog.bind(e.filters[f].logic, t)})
			}
			x.feeds = e.feeds(int32(i), t)
			r.Link = silent(x.feeds)
			if n := int32(len(e.byTarget)); t.channel == "" {
				e.byLabels[t.from] = append(e.byLabels[t.from], n)
			} else {
				for _, id := range t.events {
					e.byChannel[place{t.channel, id}] = append(e.byChannel[place{t.channel, id}], n)
				}
				if len(t.events) == 0 {
					e.byChannel[place{channel: t.channel}] = append(e.byChannel[place{channel: t.channel}], n)
				}
			}
			e.byTarget = append(e.byTarget, x)
			v.add(t, r.logic)
		}
	}
	for _, c := range e.correlations {
		c.rule.Link = !c.speaks()
	}
}

// whenExpr adds the conditions of a route to a rule.
func whenExpr(logic *expr, t *target) *expr {
	if len(t.when) == 0 {
		return logic
	}
	and := &expr{op: opAnd}
	for _, w := range t.when {
		p := pattern{{lit, w.value}}.fold()
		and.kids = append(and.kids, &expr{op: opItem, item: &item{field: w.field, preds: []pred{{op: opGlob, text: w.value, pat: p, glob: compileGlob(p)}}}})
	}
	and.kids = append(and.kids, logic)
	return and
}

func (v *vocabulary) add(t *target, logic *expr) {
	for _, x := range []struct {
		set  map[string]bool
		word string
	}{{v.products, t.from.Product}, {v.categories, t.from.Category}, {v.services, t.from.Service}} {
		if x.word != "" {
			x.set[x.word] = true
		}
	}
	if t.channel == "" {
		eventIDs(logic, v.anywhere)
		return
	}
	ids := v.channels[t.channel]
	if ids == nil {
		ids = map[string]bool{}
		v.channels[t.channel] = ids
	}
	for _, id := range t.events {
		ids[id] = true
	}
	if len(t.events) == 0 {
		eventIDs(logic, ids)
	}
}

// eventIDs collects the event ids that a rule names.
func eventIDs(e *expr, ids map[string]bool) {
	if e.op == opItem {
		if e.item.field == "EventID" {
			for i := range e.item.preds {
				if s, ok := e.item.preds[i].pat.literal(); ok && s != "" {
					ids[s] = true
				}
			}
		}
		return
	}
	for _, k := range e.kids {
		eventIDs(k, ids)
	}
}

// bucket returns the bucket of key, building it when it is the first time.
func (e *Engine) bucket(key bucketKey) *bucket {
	e.mu.Lock()
	defer e.mu.Unlock()
	if b, ok := e.buckets[key]; ok {
		return b
	}
	b := e.newBucket(key)
	e.buckets[key] = b
	return b
}

func (e *Engine) newBucket(key bucketKey) *bucket {
	f := facts{channel: key.channel, eventID: key.eventID, other: key.channel != "" && key.eventID == ""}
	b := &bucket{}
	at := map[int32]int{}
	for _, i := range e.near(key) {
		x := &e.byTarget[i]
		if !x.target.takes(key) {
			continue
		}
		tree := x.tree
		if e.without&Folding == 0 {
			tree = e.prog.fold(x.tree, &f)
		}
		if tree.op == opFalse {
			continue
		}
		v := variant{tree: tree, feeds: x.feeds, silent: silent(x.feeds)}
		for _, bf := range x.filters {
			v.filters = append(v.filters, boundFilter{bf.filter, e.prog.fold(bf.tree, &f)})
		}
		n, ok := at[x.rule]
		if !ok {
			n = len(b.rules)
			at[x.rule] = n
			b.rules = append(b.rules, bucketRule{rule: x.rule})
		}
		b.rules[n].variants = append(b.rules[n].variants, v)
	}
	b.index = newWitnessIndex(e.prog, b, e.without&Witnesses != 0)
	return b
}

// near lists, in order, the rules against targets that may take events of a
// bucket; takes decides.
func (e *Engine) near(key bucketKey) []int32 {
	out := slices.Clone(e.byChannel[place{channel: key.channel}])
	if key.eventID != "" {
		out = append(out, e.byChannel[place{key.channel, key.eventID}]...)
	}
	words := func(w string) []string {
		if w == "" {
			return []string{""}
		}
		return []string{"", w}
	}
	for _, p := range words(key.from.Product) {
		for _, c := range words(key.from.Category) {
			for _, s := range words(key.from.Service) {
				out = append(out, e.byLabels[labels{p, c, s}]...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// takes reports whether events of a bucket are among those of the target.
func (t *target) takes(k bucketKey) bool {
	if t.from.Product != "" && t.from.Product != k.from.Product ||
		t.from.Category != "" && t.from.Category != k.from.Category ||
		t.from.Service != "" && t.from.Service != k.from.Service {
		return false
	}
	if t.channel == "" {
		return true
	}
	return t.channel == k.channel && (len(t.events) == 0 || k.eventID != "" && slices.Contains(t.events, k.eventID))
}
