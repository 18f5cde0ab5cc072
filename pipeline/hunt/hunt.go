// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package hunt holds rules against files and writes what they find, line by
// line: what analysts use a Sigma scanner for.
//
// It promises one line for every rule and record, nothing suppressed and nothing
// put together (what detectors of many records say is added only on demand, and
// marked), in an order of its own (time, place, rule), with the same bytes
// on every run whatever the number of workers. Rows beyond what fits in memory
// are sorted on disk, so that memory does not grow with the evidence. A line
// leads back to bytes and names the rule's author.
//
// It opens no store, no queue and no network, and it judges nothing: incidents
// are made by pipeline/batch.
package hunt

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/incident"
	"citywall/internal/extsort"
	"citywall/pipeline/batch"
)

// Filter says which rows are wanted. Its zero value wants all.
type Filter struct {
	Min       detect.Level
	Levels    []detect.Level // none: all from Min on
	Tags      []string       // a row has one of them; "attack.t1059" also stands for its parts
	NoTags    []string       // a row has none of them
	Statuses  []string
	Computers []string // case does not matter; * stands for any run
	Channels  []string
	EventIDs  []string
	Rules     []string // ids
	NoRules   []string
	From, To  time.Time // From is included, To is not; zero: open
}

func (f *Filter) wants(r *Row) bool {
	switch {
	case r.Level < f.Min,
		len(f.Levels) > 0 && !slices.Contains(f.Levels, r.Level),
		len(f.Tags) > 0 && !tagged(r.more.Tags, f.Tags),
		tagged(r.more.Tags, f.NoTags),
		len(f.Statuses) > 0 && !slices.Contains(f.Statuses, r.more.Status),
		len(f.Computers) > 0 && !like(r.Computer, f.Computers),
		len(f.Channels) > 0 && !like(r.Channel, f.Channels) && !like(theTable().channel(r.Channel), f.Channels),
		len(f.EventIDs) > 0 && !slices.Contains(f.EventIDs, r.EventID),
		len(f.Rules) > 0 && !slices.Contains(f.Rules, r.RuleID),
		slices.Contains(f.NoRules, r.RuleID),
		!f.From.IsZero() && r.Time.Before(f.From),
		!f.To.IsZero() && !r.Time.Before(f.To):
		return false
	}
	return true
}

func tagged(have, want []string) bool {
	for _, h := range have {
		for _, w := range want {
			if strings.EqualFold(h, w) || len(h) > len(w) && strings.EqualFold(h[:len(w)+1], w+".") {
				return true
			}
		}
	}
	return false
}

// like compares with patterns in which * stands for any run.
func like(s string, patterns []string) bool {
	s = strings.ToLower(s)
	return slices.ContainsFunc(patterns, func(p string) bool {
		parts := strings.Split(strings.ToLower(p), "*")
		rest, ok := strings.CutPrefix(s, parts[0])
		if !ok {
			return false
		}
		for i, x := range parts[1:] {
			if i == len(parts)-2 {
				return strings.HasSuffix(rest, x)
			}
			_, after, found := strings.Cut(rest, x)
			if !found {
				return false
			}
			rest = after
		}
		return len(parts) > 1 || rest == ""
	})
}

// Options of one hunt.
type Options struct {
	Read    batch.Read
	Engine  *sigma.Engine // loaded with sigma.Options.Batch
	Workers int           // that match rules; 0: one for each processor
	Filter  Filter
	All     bool // details are all fields
	Memory  int  // bytes of rows kept in memory; 0: 64 MiB

	Behaviour bool           // add what detectors of many records say, marked as such
	Ours      []netip.Prefix // public networks of the house, for these
}

// Result is what was found. Close it.
type Result struct {
	Summary Summary
	Sources []incident.SourceStat

	rows *extsort.Sorter[Row]
}

// Hunt reads, matches and sorts.
func Hunt(ctx context.Context, o Options) (*Result, error) {
	rules := map[string]*sigma.Rule{}
	for _, r := range o.Engine.Rules() {
		rules[r.Hash] = r
	}
	res := &Result{rows: newSorter(o.Memory), Summary: newSummary()}
	add := func(e *event.Event, fs []detect.Finding) (int, error) {
		n := 0
		for i := range fs {
			r := rowOf(e, &fs[i], rules[fs[i].Rule.Hash], o.All)
			if !o.Filter.wants(&r) {
				continue
			}
			n++
			res.Summary.row(&r)
			if err := res.rows.Add(r); err != nil {
				return n, err
			}
		}
		return n, nil
	}
	var looked *extsort.Sorter[watched]
	if o.Behaviour {
		looked = newWatched(o.Memory)
	}
	var err error
	res.Sources, err = batch.Detect(ctx, o.Read, o.Engine, o.Workers, func(e *event.Event, fs []detect.Finding) error {
		n, err := add(e, fs)
		if e != nil {
			res.Summary.event(e, n > 0)
		}
		if err == nil && looked != nil && e != nil {
			err = watch(looked, e)
		}
		return err
	})
	if looked != nil {
		if err == nil {
			err = res.behave(&o, looked)
		}
		err = errors.Join(err, looked.Close())
	}
	if err != nil {
		return nil, errors.Join(err, res.Close())
	}
	return res, nil
}

// Each calls f for every row, in order. The row is f's only during the call.
func (r *Result) Each(f func(*Row) error) error { return r.rows.Each(f) }

// Close deletes what lies on disk.
func (r *Result) Close() error { return r.rows.Close() }
