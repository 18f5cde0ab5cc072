// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package rulebook

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"citywall/detect"
	"citywall/detect/coverage"
	"citywall/detect/detectdb"
	"citywall/detect/sigma"
	"citywall/identity"
	"citywall/internal/fault"
)

// State says what became of a rule. A rule is in one.
type State string

// States of a rule.
const (
	Loaded   State = "loaded"   // held against every record that it is about
	Off      State = "off"      // switched off by a person: it gives no findings
	Unrouted State = "unrouted" // can be run, but no known source sends what it looks at
	Waiting  State = "waiting"  // for the values of a placeholder
	Refused  State = "refused"  // cannot be run
)

// States lists them.
func States() []State { return []State{Loaded, Off, Unrouted, Waiting, Refused} }

// Behaviour is the name of the set of the detectors of behaviour.
const Behaviour = "behaviour"

// Rule is one rule and what became of it.
type Rule struct {
	detect.Rule
	Set      string     `json:"set"`
	Line     int        `json:"line,omitempty"` // where its document begins in the file
	Kind     string     `json:"kind,omitempty"` // "correlation" for one that counts hits of others, "detector"
	State    State      `json:"state"`
	Class    string     `json:"class,omitempty"` // refused: short word for why; off: "gone" when no set has it any more
	Why      string     `json:"why,omitempty"`   // refused, unrouted, waiting
	Off      *SwitchOff `json:"off,omitempty"`
	Warnings []string   `json:"warnings,omitempty"`
	Source   string     `json:"logsource,omitempty"` // product/category/service
	Step     string     `json:"step,omitempty"`
	Tags     []string   `json:"tags,omitempty"`
	Link     bool       `json:"link,omitempty"` // its hits only feed rules that count them
	Fired    int64      `json:"fired"`          // findings of the last 30 days
	LastHit  time.Time  `json:"last_hit,omitzero"`

	Matches int64     `json:"matches"`          // since Counted, findings or not
	Per10k  float64   `json:"per_10k"`          // of 10,000 events since then
	Counted time.Time `json:"counted,omitzero"` // since when matches are counted
}

// SwitchOff is who switched a rule off, and why.
type SwitchOff struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason"`
	Changed bool      `json:"changed,omitempty"` // the rule is another since then
}

// Key names a rule in a list; several may have the same id when all but one are
// refused for it.
func (r Rule) Key() string { return fmt.Sprintf("%s/%s:%d#%s", r.Set, r.File, r.Line, r.ID) }

// Known reports whether the rule was read whole: a refused one, or one that waits,
// has no level.
func (r Rule) Known() bool { return r.State != Refused && r.State != Waiting && r.Class != "gone" }

// Set is a collection of rules. Its states add up to its rules.
type Set struct {
	Name     string    `json:"name"`
	Files    int       `json:"files"` // with rules
	Rules    int       `json:"rules"`
	Loaded   int       `json:"loaded"`
	Off      int       `json:"off"`
	Unrouted int       `json:"unrouted"`
	Waiting  int       `json:"waiting"`
	Refused  int       `json:"refused"`
	Licence  string    `json:"licence,omitempty"`
	Read     time.Time `json:"read,omitzero"`
}

// List is what became of the rules.
type List struct {
	Sets   []Set     `json:"sets"`
	Rules  []Rule    `json:"rules"`
	Total  int       `json:"total"`          // that the query selects
	Next   string    `json:"next,omitempty"` // Query.After of the next page
	Events int64     `json:"events"`         // held against the rules since Since
	Since  time.Time `json:"since,omitzero"`

	Covered coverage.Coverage `json:"-"` // by all rules, when Query.Cover asks for it
}

// Of counts the rules of all sets in a state.
func (l List) Of(s State) int {
	n := 0
	for _, x := range l.Sets {
		n += x.of(s)
	}
	return n
}

func (s *Set) at(st State) *int {
	switch st {
	case Loaded:
		return &s.Loaded
	case Off:
		return &s.Off
	case Unrouted:
		return &s.Unrouted
	case Waiting:
		return &s.Waiting
	}
	return &s.Refused
}

func (s Set) of(st State) int { return *s.at(st) }

// coverage says which techniques of ATT&CK the rules look for: those that are
// loaded, that a known source feeds and that give findings of their own.
func (l List) coverage() coverage.Coverage {
	var rs []coverage.Rule
	for _, x := range l.Rules {
		if x.State == Loaded && !x.Link {
			rs = append(rs, coverage.Rule{ID: x.ID, Level: x.Level, Tags: x.Tags})
		}
	}
	return coverage.Of(rs)
}

// Orders of a list of rules; "" is what fired most first.
const (
	ByNoise   = "noise" // matches of 10,000 events, most first; rules that only feed others last
	ByLevel   = "level" // severest first
	ByTitle   = "title"
	ByLastHit = "last" // newest first
)

// Query asks for rules.
type Query struct {
	States []State        // none: all
	Levels []detect.Level // likewise
	Sets   []string       // likewise
	Text   string         // in title, id, author, file, source, tags, reason
	Sort   string
	After  string // Next of the page before
	Limit  int    // 0: all
	Quick  bool   // without what records of findings say: Fired and LastHit
	Cover  bool   // List.Covered too
	// Titles gives other titles by id, as a person knows them, to find and order
	// rules by.
	Titles func(id string) string
}

// Validate reports what cannot be asked.
func (q Query) Validate() error {
	if !slices.Contains([]string{"", ByNoise, ByLevel, ByTitle, ByLastHit}, q.Sort) {
		return fault.New(fault.Invalid, "sort=%q: want %s, %s, %s or %s", q.Sort, ByNoise, ByLevel, ByTitle, ByLastHit)
	}
	for _, s := range q.States {
		if !slices.Contains(States(), s) {
			return fault.New(fault.Invalid, "state=%q: want loaded, off, unrouted, waiting or refused", s)
		}
	}
	if q.Limit < 0 {
		return fault.New(fault.Invalid, "limit=%d: want a whole number from 0", q.Limit)
	}
	return nil
}

// List answers q. Sets are those of all rules; findings are counted within sc.
func (b *Book) List(ctx context.Context, sc identity.Scope, q Query) (List, error) {
	if err := q.Validate(); err != nil {
		return List{}, err
	}
	var counts []detectdb.RuleCount
	if !q.Quick {
		now := b.cfg.Now()
		var err error
		if counts, err = b.cfg.Store.CountByRule(ctx, sc, now.AddDate(0, 0, -30), now.Add(24*time.Hour)); err != nil {
			return List{}, err
		}
	}
	l := b.all(counts)
	if q.Cover {
		l.Covered = l.coverage()
	}
	q.apply(&l)
	return l, nil
}

// all joins what was read with switches and counts.
func (b *Book) all(counts []detectdb.RuleCount) List {
	p, off := b.page.Load(), *b.off.Load()
	fired := map[string]detectdb.RuleCount{}
	for _, c := range counts {
		fired[c.Rule.ID] = c
	}
	var l List
	licence := map[string]string{}
	why := map[string]sigma.Problem{}
	for _, x := range p.report.Unrouted {
		why[x.ID] = x
	}
	warned := map[string][]string{}
	for _, x := range p.report.Warnings {
		warned[x.ID] = append(warned[x.ID], x.Reason)
	}
	for _, r := range p.engine.Rules() {
		x := Rule{Rule: r.Rule, Set: r.Set, Line: r.Line, Kind: r.Kind, State: Loaded, Source: source(r.LogSource), Step: string(r.Meaning.Step), Tags: r.Tags, Link: r.Link, Warnings: warned[r.ID]}
		if u, ok := why[r.ID]; ok {
			x.State, x.Why = Unrouted, u.Reason
		}
		if licence[r.Set] == "" {
			licence[r.Set] = r.License
		}
		l.Rules = append(l.Rules, x)
	}
	for state, ps := range map[State][]sigma.Problem{Refused: p.report.Refused, Waiting: p.report.Waiting} {
		for _, x := range ps {
			l.Rules = append(l.Rules, Rule{Rule: detect.Rule{ID: x.ID, Title: x.Title, File: x.File}, Set: x.Set, Line: x.Line, State: state, Class: x.Class, Why: x.Reason})
		}
	}
	for _, d := range b.cfg.Detectors {
		l.Rules = append(l.Rules, Rule{Rule: d.Rule, Set: Behaviour, Kind: "detector", State: Loaded, Step: string(d.Meaning.Step), Tags: d.Tags})
	}
	count(&l, p)
	gone := maps.Clone(off)
	for i := range l.Rules {
		x := &l.Rules[i]
		o, isOff := off[x.ID]
		delete(gone, x.ID)
		if isOff {
			x.Off = &SwitchOff{By: o.By, At: o.At, Reason: o.Reason, Changed: o.Hash != x.Hash}
		}
		if x.State == Refused || x.State == Waiting {
			continue
		}
		if isOff {
			x.State = Off
		}
		c := fired[x.ID]
		x.Fired, x.LastHit = c.Count, c.Last
	}
	for _, o := range gone { // its switch must not be forgotten with it: the rule may come back
		l.Rules = append(l.Rules, Rule{Rule: detect.Rule{ID: o.ID, Title: o.Title, Hash: o.Hash}, State: Off, Class: "gone", Off: &SwitchOff{By: o.By, At: o.At, Reason: o.Reason}})
	}
	l.Sets = setsOf(l.Rules, p, licence, b.cfg.Licences)
	return l
}

// count adds how often the rules of the sets matched.
func count(l *List, p *page) {
	c := p.engine.Counts()
	l.Events, l.Since = c.Events, c.Since
	counted := map[string]sigma.RuleCount{}
	for _, x := range c.Rules {
		counted[x.ID] = x
	}
	for i := range l.Rules {
		x := &l.Rules[i]
		if n, ok := counted[x.ID]; ok && x.Set != Behaviour && x.State != Refused && x.State != Waiting {
			x.Matches, x.Per10k, x.Counted = n.Matches, n.Per10000(), n.Since
		}
	}
}

// setsOf counts the rules of every set.
func setsOf(rules []Rule, p *page, licence, known map[string]string) []Set {
	names := slices.Clone(p.sets)
	if slices.ContainsFunc(rules, func(r Rule) bool { return r.Set == Behaviour }) {
		names = append(names, Behaviour)
	}
	sets := make([]Set, len(names))
	at := map[string]*Set{}
	for i, n := range names {
		sets[i] = Set{Name: n, Read: p.read, Licence: cmp.Or(licence[n], known[n])}
		at[n] = &sets[i]
	}
	files := map[[2]string]bool{}
	for i := range rules {
		r := &rules[i]
		s := at[r.Set]
		if s == nil {
			continue
		}
		s.Rules++
		*s.at(r.State)++
		if f := [2]string{r.Set, r.File}; r.File != "" && !files[f] {
			files[f] = true
			s.Files++
		}
	}
	return sets
}

// apply narrows, orders and cuts the rules of l.
func (q Query) apply(l *List) {
	title := func(r *Rule) string {
		if q.Titles != nil {
			return cmp.Or(q.Titles(r.ID), r.Title)
		}
		return r.Title
	}
	words := strings.ToLower(strings.TrimSpace(q.Text))
	l.Rules = slices.DeleteFunc(l.Rules, func(r Rule) bool {
		switch {
		case len(q.States) > 0 && !slices.Contains(q.States, r.State),
			len(q.Levels) > 0 && (r.State == Refused || r.State == Waiting || !slices.Contains(q.Levels, r.Level)),
			len(q.Sets) > 0 && !slices.Contains(q.Sets, r.Set):
			return true
		}
		return words != "" && !strings.Contains(strings.ToLower(strings.Join([]string{r.Title, title(&r), r.ID, r.Author, r.File, r.Source, strings.Join(r.Tags, " "), r.Why}, " ")), words)
	})
	slices.SortFunc(l.Rules, func(a, b Rule) int {
		first := 0
		switch q.Sort {
		case ByNoise:
			if a.Link != b.Link {
				first = 1
				if b.Link {
					first = -1
				}
				break
			}
			first = cmp.Compare(b.Per10k, a.Per10k)
		case ByLastHit:
			first = b.LastHit.Compare(a.LastHit)
		case ByLevel:
			first = cmp.Compare(b.Level, a.Level)
		case "":
			first = cmp.Or(cmp.Compare(b.Fired, a.Fired), cmp.Compare(b.Level, a.Level))
		}
		if first != 0 {
			return first
		}
		if c := strings.Compare(title(&a), title(&b)); c != 0 {
			return c
		}
		return cmp.Or(strings.Compare(a.Set, b.Set), strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.ID, b.ID))
	})
	l.Total = len(l.Rules)
	if q.After != "" {
		i := slices.IndexFunc(l.Rules, func(r Rule) bool { return r.Key() == q.After })
		l.Rules = l.Rules[i+1:] // from the beginning when that rule has gone
	}
	if q.Limit > 0 && len(l.Rules) > q.Limit {
		l.Rules = l.Rules[:q.Limit]
		l.Next = l.Rules[q.Limit-1].Key()
	}
}

func source(l sigma.LogSource) string {
	parts := slices.DeleteFunc([]string{l.Product, l.Category, l.Service}, func(s string) bool { return s == "" })
	return strings.Join(parts, "/")
}

// Detail is all about one rule.
type Detail struct {
	Rule
	Description    string   `json:"description,omitempty"`
	Formula        string   `json:"formula,omitempty"` // of a detector
	References     []string `json:"references,omitempty"`
	FalsePositives []string `json:"falsepositives,omitempty"`
	Date           string   `json:"date,omitempty"`
	Modified       string   `json:"modified,omitempty"`
	Licence        string   `json:"licence,omitempty"`
	Definition     string   `json:"definition,omitempty"` // what its source must be set up for
	Counts         []Named  `json:"counts,omitempty"`     // rules whose hits it counts
	CountedBy      []Named  `json:"counted_by,omitempty"` // rules that count its hits
}

// Named is a rule by name.
type Named struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Rule returns all about the rule with that id. A refused one is found by its id
// too, when no other has it.
func (b *Book) Rule(ctx context.Context, sc identity.Scope, id string) (Detail, error) {
	l, err := b.List(ctx, sc, Query{})
	if err != nil {
		return Detail{}, err
	}
	var d Detail
	for _, r := range l.Rules {
		if r.ID == id && id != "" && (d.ID == "" || r.State != Refused) {
			d.Rule = r
		}
	}
	if d.ID == "" {
		return d, fault.New(fault.NotFound, "no rule has the id %q", id)
	}
	for _, x := range b.cfg.Detectors {
		if x.ID == id {
			d.Formula = x.Formula
		}
	}
	e := b.Engine()
	r := e.Rule(id)
	if r == nil {
		return d, nil
	}
	d.Description, d.References, d.FalsePositives, d.Date, d.Modified, d.Licence, d.Definition = r.Description, r.References, r.FalsePositives, r.Date, r.Modified, r.License, r.LogSource.Definition
	d.Counts = named(e.Members(r))
	for _, x := range e.Rules() {
		if x.Kind != "" && slices.Contains(e.Members(x), r) {
			d.CountedBy = append(d.CountedBy, Named{x.ID, x.Title})
		}
	}
	return d, nil
}

func named(rs []*sigma.Rule) []Named {
	var out []Named
	for _, r := range rs {
		out = append(out, Named{r.ID, r.Title})
	}
	return out
}
