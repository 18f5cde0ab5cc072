// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"citywall/detect"
	"citywall/event"
)

// feed says that hits of a rule go into a correlation, and where the fields that
// it needs lie in the events of one target.
type feed struct {
	corr   *correlation
	member int
	fields []int32 // bindings, in the order of the correlation's needs; -1 none
}

// feeds binds every correlation that rule r is a member of.
func (e *Engine) feeds(rule int32, t *target) []feed {
	var out []feed
	for _, c := range e.correlations {
		for i, m := range c.members {
			if m.rule != rule || m.corr != nil {
				continue
			}
			f := feed{corr: c, member: i}
			for _, n := range c.needs {
				name, ok := c.fieldOf(n, e.rules[rule])
				if !ok {
					f.fields = append(f.fields, -1)
					continue
				}
				f.fields = append(f.fields, e.prog.field(name, t))
			}
			out = append(out, f)
		}
	}
	return out
}

// silent reports whether a rule's hits only feed correlations.
func silent(feeds []feed) bool {
	return len(feeds) > 0 && !slices.ContainsFunc(feeds, func(f feed) bool { return f.corr.generate })
}

// correlate passes a hit of the current event on. A carved record may be a copy
// of a live one, or its remains: it counts for nothing.
func (m *Matcher) correlate(v *variant, view *event.View) []detect.Finding {
	if m.ev.Origin.Carved {
		return nil
	}
	var out []detect.Finding
	for i := range v.feeds {
		f := &v.feeds[i]
		h := &hit{at: m.ev.Time, member: f.member, ids: []event.ID{m.ev.ID}, origin: []event.Origin{m.ev.Origin}, view: view, realm: m.ev.Realm, agency: m.ev.Agency}
		for _, b := range f.fields {
			text := ""
			if b >= 0 {
				if s := m.slot(b); s.state == present && len(s.raw) > 0 {
					text = s.raw[0]
				}
			}
			h.values = append(h.values, text)
		}
		out = append(out, f.corr.observe(h, m.e.batch)...)
	}
	return out
}

// Flush decides the correlations of a batch engine (Options.Batch) over all that
// its matchers have seen, and forgets it. The findings are in order of time and
// the same whatever the order of the events was and however many matchers
// shared them. A live engine has nothing to flush. An error is that of the disk,
// on which hits wait that are more than fit in memory.
func (e *Engine) Flush() ([]detect.Finding, error) {
	if !e.batch {
		return nil, nil
	}
	var out []detect.Finding
	for _, c := range e.correlations { // members come before the correlations over them
		fs, err := c.flush()
		if err != nil {
			return nil, fmt.Errorf("correlation %s: %w", c.rule.ID, err)
		}
		out = append(out, fs...)
	}
	slices.SortStableFunc(out, func(a, b detect.Finding) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Rule.ID, b.Rule.ID), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

func (c *correlation) flush() (out []detect.Finding, err error) {
	m := c.state
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting == nil {
		return nil, nil
	}
	if err = m.broken; err == nil {
		err = m.waiting.Each(func(h *hit) error {
			own := *h
			out = append(out, c.slide(&own, true)...)
			return nil
		})
	}
	err = errors.Join(err, m.waiting.Close())
	m.waiting, m.broken, m.held = nil, nil, 0
	clear(m.groups)
	return out, err
}

// Close lets go what waits for Flush, on disk too. An engine that is not of a
// batch, or was flushed, has nothing to close.
func (e *Engine) Close() error {
	var err error
	for _, c := range e.correlations {
		c.state.mu.Lock()
		if w := c.state.waiting; w != nil {
			err = errors.Join(err, w.Close())
			c.state.waiting, c.state.broken = nil, nil
		}
		c.state.mu.Unlock()
	}
	return err
}

// CorrelationLoss counts the events that correlations could not take.
func (e *Engine) CorrelationLoss() CorrelationLoss {
	var all CorrelationLoss
	for _, c := range e.correlations {
		c.state.mu.Lock()
		l := c.state.lost
		c.state.mu.Unlock()
		all.NoField += l.NoField
		all.NoTime += l.NoTime
		all.Late += l.Late
		all.Full += l.Full
	}
	return all
}

// orderCorrelations puts members before what is built on them.
func orderCorrelations(all []*correlation) []*correlation {
	var out []*correlation
	done := map[*correlation]bool{}
	var visit func(c *correlation)
	visit = func(c *correlation) {
		if done[c] {
			return
		}
		done[c] = true
		for _, m := range c.members {
			if m.corr != nil {
				visit(m.corr)
			}
		}
		out = append(out, c)
	}
	for _, c := range all {
		visit(c)
	}
	return out
}
