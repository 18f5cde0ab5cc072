// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package rulebook

import (
	"bytes"
	"cmp"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/internal/fault"
	"citywall/internal/text"
)

// Bounds of what is tried, in bytes and rules.
const (
	MaxRule   = 256 << 10
	MaxRecord = 512 << 10
	maxTried  = 20
)

// Mistake is what is wrong with a rule or a record that somebody wants to try. It
// is the cause of an invalid error.
type Mistake struct {
	What  string   // key of the sentence
	Pairs []string // of its places
}

// Text says what is wrong, where, and what to do.
func (m *Mistake) Text(l text.Lang) string { return text.T(l, "rulebook.wrong."+m.What, m.Pairs...) }

// Error implements error.
func (m *Mistake) Error() string { return m.Text(text.En) }

func wrong(what string, pairs ...string) error {
	return fault.New(fault.Invalid, "%w", &Mistake{what, pairs})
}

// Trial is why rules do or do not match a record.
type Trial struct {
	Rules  []sigma.Explanation `json:"rules"`
	Record Record              `json:"record"`
}

// Matched reports whether any of the rules matches.
func (t Trial) Matched() bool {
	return slices.ContainsFunc(t.Rules, func(x sigma.Explanation) bool { return x.Matched })
}

// Record is a record as it was read.
type Record struct {
	Time     *time.Time   `json:"time"` // null: it has none that was understood
	Format   string       `json:"format,omitempty"`
	Product  string       `json:"product,omitempty"`
	Category string       `json:"category,omitempty"`
	Service  string       `json:"service,omitempty"`
	Fields   event.Fields `json:"fields"`
}

func recordOf(e *event.Event) Record {
	r := Record{Format: e.Origin.Format, Product: e.Product, Category: e.Category, Service: e.Service, Fields: e.Fields}
	if !e.Time.IsZero() {
		t := e.Time.UTC()
		r.Time = &t
	}
	return r
}

// Try holds rules against a record, comparison by comparison: those of a text as
// they stand in a file of rules, or the one with id among those in force when the
// text is empty. Nothing is counted, and no correlation hears of it.
func (b *Book) Try(id string, rules []byte, e *event.Event) (Trial, error) {
	t := Trial{Rules: []sigma.Explanation{}, Record: recordOf(e)}
	if len(bytes.TrimSpace(rules)) == 0 {
		r, err := b.tried(id)
		if err != nil {
			return t, err
		}
		t.Rules = append(t.Rules, b.Engine().NewMatcher().Explain(r, e))
		return t, nil
	}
	if len(rules) > MaxRule {
		return t, wrong("rule_long", "max", strconv.Itoa(MaxRule>>10))
	}
	var opt sigma.Options
	if b.cfg.Placeholders != nil {
		opt.Placeholders = b.cfg.Placeholders()
	}
	engine, rep, err := sigma.Load([]sigma.Set{{FS: oneFile(rules)}}, opt)
	if err != nil {
		return t, err
	}
	if bad := slices.Concat(rep.Refused, rep.Waiting); len(bad) > 0 {
		p := bad[0]
		what := "rule_" + p.Class
		if !text.Has(text.En, "rulebook.wrong."+what) {
			what = "rule_detection"
		}
		return t, wrong(what, "line", strconv.Itoa(max(1, p.Line)), "title", p.Title, "why", p.Reason)
	}
	switch n := rep.Loaded; {
	case n == 0 && rep.Filters > 0:
		return t, wrong("rule_filter")
	case n == 0:
		return t, wrong("rule_none")
	case n > maxTried:
		return t, wrong("rule_many", "n", strconv.Itoa(n), "max", strconv.Itoa(maxTried))
	}
	m := engine.NewMatcher()
	for _, r := range engine.Rules() {
		t.Rules = append(t.Rules, m.Explain(r, e))
	}
	return t, nil
}

// tried finds a rule in force, or says why there is none.
func (b *Book) tried(id string) (*sigma.Rule, error) {
	if id == "" {
		return nil, wrong("no_rule")
	}
	p := b.page.Load()
	if r := p.engine.Rule(id); r != nil {
		return r, nil
	}
	for _, d := range b.cfg.Detectors {
		if d.ID == id {
			return nil, wrong("detector", "title", d.Title)
		}
	}
	for _, x := range slices.Concat(p.report.Refused, p.report.Waiting) {
		if x.ID == id {
			return nil, wrong("not_run", "title", cmp.Or(x.Title, id), "why", x.Reason)
		}
	}
	return nil, fault.New(fault.NotFound, "no rule has the id %q", id)
}

// Met is a rule that a record met, and by which fields.
type Met struct {
	Named
	Fields []detect.Matched `json:"fields"`
}

// Why says which fields of a record met a rule of a finding, or a rule whose hits
// it counts. known is false when the rule is no longer in force in that form, and
// for detectors: then only the finding itself says.
func (b *Book) Why(rule detect.Rule, e *event.Event) (met []Met, known bool) {
	engine := b.Engine()
	r := engine.Rule(rule.ID)
	if r == nil || r.Hash != rule.Hash {
		return nil, false
	}
	m := engine.NewMatcher()
	seen := map[*sigma.Rule]bool{}
	var look func(r *sigma.Rule)
	look = func(r *sigma.Rule) {
		if seen[r] {
			return
		}
		seen[r] = true
		if r.Kind == "" {
			if fields, ok := m.Matched(r, e); ok {
				met = append(met, Met{Named{r.ID, r.Title}, append([]detect.Matched{}, fields...)})
			}
			return
		}
		for _, x := range engine.Members(r) {
			look(x)
		}
	}
	look(r)
	return met, true
}

// oneFile is a folder with one file of rules in it.
type oneFile []byte

const fileName = "rule.yml"

// Open implements fs.FS.
func (f oneFile) Open(name string) (fs.File, error) {
	switch name {
	case ".":
		return &handle{f: f, dir: true}, nil
	case fileName:
		return &handle{f: f, Reader: bytes.NewReader(f)}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadDir implements fs.ReadDirFS.
func (f oneFile) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(&handle{f: f})}, nil
}

// handle is the file or the folder, and what is known of it.
type handle struct {
	io.Reader
	f   oneFile
	dir bool
}

func (h *handle) Stat() (fs.FileInfo, error) { return h, nil }
func (h *handle) Close() error               { return nil }
func (h *handle) IsDir() bool                { return h.dir }
func (h *handle) ModTime() time.Time         { return time.Time{} }
func (h *handle) Size() int64                { return int64(len(h.f)) }
func (h *handle) Sys() any                   { return nil }

func (h *handle) Name() string {
	if h.dir {
		return "."
	}
	return fileName
}

func (h *handle) Mode() fs.FileMode {
	if h.dir {
		return fs.ModeDir | 0o500
	}
	return 0o400
}
