// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// maxFiles bounds the rule files of one set.
const maxFiles = 100_000

// Set is a named collection of rule files: a folder, an archive or the embedded
// pack.
type Set struct {
	Name string
	FS   fs.FS
}

// Options are what Load cannot read off the rules.
type Options struct {
	// Placeholders are the values of %name% by name: %Administrators%,
	// %JumpServers%, %Workstations%, %Servers%, %DomainControllers% and others.
	Placeholders map[string][]string

	// Batch leaves correlations to Flush, which decides them over all events in
	// order of time: for files, which are read one after the other. Otherwise
	// they are decided as events come.
	Batch bool

	// Without leaves layers out, for measuring what each is worth.
	Without Layers

	// Keep is the engine that the new one replaces. Correlations that did not
	// change go on with what they remember, and Counts with what was counted.
	Keep *Engine
}

// Problem is a rule that is not, or not yet, evaluated, and why.
type Problem struct {
	Set    string `json:"set,omitempty"`
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"` // of the document
	ID     string `json:"id,omitempty"`
	Title  string `json:"title,omitempty"`
	Class  string `json:"class,omitempty"` // short word for counting
	Reason string `json:"reason"`
}

// Report says what became of every rule file. A rule is loaded, refused or
// waiting; the unrouted ones are among the loaded.
type Report struct {
	Files    int            `json:"files"`    // read
	NotRules int            `json:"notrules"` // documents that are something else
	Loaded   int            `json:"loaded"`   // rules and correlations that are evaluated
	Filters  int            `json:"filters"`  // loaded filters
	Refused  []Problem      `json:"refused"`
	Unrouted []Problem      `json:"unrouted"` // loaded, but no known source feeds them
	Waiting  []Problem      `json:"waiting"`  // for values of a placeholder
	Warnings []Problem      `json:"warnings"`
	ByReason map[string]int `json:"by_reason"` // refused and waiting, by class
}

// Load reads all sets and compiles their rules. What cannot be evaluated as it
// is written is in the report; an error means that a set could not be read at
// all.
func Load(sets []Set, opt Options) (*Engine, *Report, error) {
	rt, err := loadRouting()
	if err != nil {
		return nil, nil, err
	}
	l := &loader{opt: &opt, e: &Engine{batch: opt.Batch, without: opt.Without}, rep: newReport(), ids: map[string]*Rule{}}
	for _, s := range sets {
		if err := l.set(s); err != nil {
			return nil, nil, fmt.Errorf("rules %s: %w", s.Name, err)
		}
	}
	l.tieCorrelations()
	l.e.build(rt, l.assignFilters())
	l.e.startCounting(opt.Keep, time.Now().UTC())
	for _, r := range l.e.rules {
		l.warn(r)
		if r.Kind == "" && !r.Routed {
			l.rep.Unrouted = append(l.rep.Unrouted, r.problem("unrouted", "no known source has events of "+r.LogSource.String()))
		}
	}
	for _, f := range l.e.filters {
		l.warn(f.rule)
	}
	l.rep.Loaded, l.rep.Filters = len(l.e.rules), len(l.e.filters)
	return l.e, l.rep, nil
}

func newReport() *Report {
	return &Report{Refused: []Problem{}, Unrouted: []Problem{}, Waiting: []Problem{}, Warnings: []Problem{}, ByReason: map[string]int{}}
}

type loader struct {
	opt *Options
	e   *Engine
	rep *Report
	ids map[string]*Rule
}

func (l *loader) set(s Set) error {
	n := 0
	return fs.WalkDir(s.FS, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != "." && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if ext := strings.ToLower(path.Ext(p)); ext != ".yml" && ext != ".yaml" {
			return nil
		}
		if n++; n > maxFiles {
			return fmt.Errorf("more than %d rule files", maxFiles)
		}
		return l.file(s, p)
	})
}

func (l *loader) file(s Set, name string) error {
	f, err := s.FS.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return err
	}
	l.rep.Files++
	docs, err := splitDocuments(b)
	if err != nil {
		l.refuse(Problem{Set: s.Name, File: name}, classed("yaml", err))
		return nil
	}
	for _, d := range docs {
		l.document(s, name, d)
	}
	return nil
}

func (l *loader) document(s Set, file string, d document) {
	where := Problem{Set: s.Name, File: file, Line: d.line}
	if err := d.check(); err != nil {
		if d.root.Kind != yaml.MappingNode {
			l.rep.NotRules++
			return
		}
		l.refuse(where, classed("yaml", err))
		return
	}
	r, err := header(d)
	if errors.Is(err, errNoRule) {
		l.rep.NotRules++
		return
	}
	if r != nil {
		r.Set, r.File = s.Name, file
		where.ID, where.Title = r.ID, r.Title
	}
	if err != nil {
		l.refuse(where, classed("attributes", err))
		return
	}
	if o := l.ids[r.ID]; o != nil {
		l.refuse(where, classed("duplicate", fmt.Errorf("its id is already that of %s", o.File)))
		return
	}
	if err := l.add(d, r); err != nil {
		l.refuse(where, err)
		return
	}
	l.ids[r.ID] = r
}

func (l *loader) add(d document, r *Rule) error {
	switch {
	case child(d.root, "correlation") != nil:
		c, err := parseCorrelation(d, r, l.opt)
		if err != nil {
			return classed("correlation", err)
		}
		l.e.correlations, l.e.rules = append(l.e.correlations, c), append(l.e.rules, r)
		return nil
	case child(d.root, "filter") != nil:
		f, err := parseFilter(d, r, l.opt)
		if err != nil {
			return err
		}
		l.e.filters = append(l.e.filters, f)
		return nil
	}
	if err := parseRule(d, r, l.opt); err != nil {
		return err
	}
	l.e.rules = append(l.e.rules, r)
	return nil
}

func (l *loader) refuse(p Problem, err error) {
	p.Reason, p.Class = err.Error(), "detection"
	var c *classError
	var u *unresolved
	switch {
	case errors.As(err, &u):
		p.Class = "placeholder"
		l.rep.Waiting = append(l.rep.Waiting, p)
	default:
		if errors.As(err, &c) {
			p.Class = c.class
		}
		l.rep.Refused = append(l.rep.Refused, p)
	}
	l.rep.ByReason[p.Class]++
}

// assignFilters gives each rule the filters that concern it.
func (l *loader) assignFilters() map[int32][]int32 {
	out := map[int32][]int32{}
	for fi, f := range l.e.filters {
		hit := false
		for ri, r := range l.e.rules {
			if r.Kind == "" && f.concerns(r) {
				out[int32(ri)] = append(out[int32(ri)], int32(fi))
				hit = true
			}
		}
		if !hit {
			f.rule.warnings = append(f.rule.warnings, "no loaded rule is named by it and fits its log source")
		}
	}
	return out
}

func (r *Rule) problem(class, reason string) Problem {
	return Problem{Set: r.Set, File: r.File, Line: r.Line, ID: r.ID, Title: r.Title, Class: class, Reason: reason}
}

func (l *loader) warn(r *Rule) {
	for _, w := range r.warnings {
		l.rep.Warnings = append(l.rep.Warnings, r.problem("", w))
	}
}

// classError adds a short word for counting to an error.
type classError struct {
	class string
	err   error
}

func classed(class string, err error) error { return &classError{class, err} }

func (c *classError) Error() string { return c.err.Error() }
func (c *classError) Unwrap() error { return c.err }

// tieCorrelations resolves what correlations refer to; those that cannot be
// resolved are refused.
func (l *loader) tieCorrelations() {
	bad := resolveCorrelations(l.e.correlations, l.e.rules)
	var good []*correlation
	for _, c := range l.e.correlations {
		if err := bad[c]; err != nil {
			l.refuse(c.rule.problem("", ""), classed("correlation", err))
			continue
		}
		good = append(good, c)
	}
	if len(bad) > 0 { // the indexes of the rules move
		l.e.rules = slices.DeleteFunc(l.e.rules, func(r *Rule) bool {
			return slices.ContainsFunc(l.e.correlations, func(c *correlation) bool { return c.rule == r && bad[c] != nil })
		})
		for _, c := range good {
			c.members = nil
		}
		resolveCorrelations(good, l.e.rules)
	}
	planCorrelations(good)
	l.e.correlations = orderCorrelations(good)
	for _, c := range l.e.correlations {
		c.state = &windowMemory{groups: map[string]*group{}}
		if l.opt.Keep != nil {
			for _, old := range l.opt.Keep.correlations {
				if old.rule.ID == c.rule.ID && old.rule.Hash == c.rule.Hash && len(old.members) == len(c.members) && slices.Equal(old.needs, c.needs) {
					c.state = old.state
				}
			}
		}
		for _, m := range c.members {
			if lvl := l.e.rules[m.rule].Level; c.rule.noLevel && lvl > c.rule.Level {
				c.rule.Level = lvl
			}
			if r := l.e.rules[m.rule]; m.corr == nil && !c.generate && (r.File != c.rule.File || r.Set != c.rule.Set) {
				c.rule.warnings = append(c.rule.warnings, fmt.Sprintf("rule %q gives no findings of its own any more: generate is not set", l.e.rules[m.rule].Title))
			}
		}
	}
}
