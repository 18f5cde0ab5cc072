// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package coverage says which techniques of MITRE ATT&CK a set of rules looks
// for: as figures, as a picture, as CSV and as a layer for the ATT&CK
// Navigator.
//
// It promises that a number is a number of rules that can fire, told by their
// tags alone, and that the same rules give the same bytes. Techniques that
// ransomware is known to use and that no rule names are shown as gaps; a
// technique that the package does not know is listed apart. It never says how
// well a technique is found: one rule may be narrow, and twenty may look at the
// same trace.
package coverage

import (
	"slices"
	"strings"

	"citywall/detect"
)

// Rule is what counts of a rule. Rules that no source feeds, and those that
// only feed other rules, are left out by the caller.
type Rule struct {
	ID    string
	Level detect.Level
	Tags  []string // Sigma tags: attack.t1486, attack.impact
}

// Coverage is the table: a column for each tactic that has techniques.
type Coverage struct {
	Columns []Column `json:"columns"`
	Rules   int      `json:"rules"`             // that name at least one known technique
	Untold  int      `json:"untold"`            // that name none
	Unknown []string `json:"unknown,omitempty"` // ids in tags that the table does not know
}

// Column is a tactic.
type Column struct {
	Tactic string `json:"tactic"` // short name
	Cells  []Cell `json:"cells"`
}

// Cell is a technique under a tactic.
type Cell struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Rules int    `json:"rules"` // different rules, those of sub-techniques included
	High  int    `json:"high"`  // of them with level high or critical
	Subs  []Cell `json:"subs,omitempty"`
}

// Of counts. A rule counts under each tactic of a technique that its tags name
// as well; when they name none of the technique's tactics, under the first.
func Of(rules []Rule) Coverage {
	m, order := known()
	var c Coverage
	hits := map[string]map[string]bool{} // tactic + id -> rule ids
	high := map[string]bool{}
	note := func(tactic, id string, r *Rule) {
		k := tactic + " " + id
		if hits[k] == nil {
			hits[k] = map[string]bool{}
		}
		hits[k][r.ID] = true
		high[r.ID] = r.Level >= detect.High
	}
	for i := range rules {
		r := &rules[i]
		ids, named := tagged(r.Tags)
		told := false
		for _, id := range ids {
			t, ok := m[id]
			if !ok {
				if t, ok = m[parent(id)]; !ok || parent(id) == id {
					c.Unknown = append(c.Unknown, id)
					continue
				}
				c.Unknown = append(c.Unknown, id)
				id = t.ID
			}
			told = true
			under := slices.DeleteFunc(slices.Clone(t.Tactics), func(tc string) bool { return !named[tc] })
			if len(under) == 0 {
				under = t.Tactics[:1]
			}
			for _, tc := range under {
				note(tc, id, r)
				note(tc, parent(id), r)
			}
		}
		if told {
			c.Rules++
		} else {
			c.Untold++
		}
	}
	slices.Sort(c.Unknown)
	c.Unknown = slices.Compact(c.Unknown)
	cell := func(tactic string, t Technique) Cell {
		x := Cell{ID: t.ID, Name: t.Name}
		for id := range hits[tactic+" "+t.ID] {
			x.Rules++
			if high[id] {
				x.High++
			}
		}
		return x
	}
	for _, tc := range tactics {
		col := Column{Tactic: tc.name}
		for _, id := range order {
			t := m[id]
			if !slices.Contains(t.Tactics, tc.name) {
				continue
			}
			if x := cell(tc.name, t); parent(id) == id {
				col.Cells = append(col.Cells, x)
			} else if last := &col.Cells[len(col.Cells)-1]; x.Rules > 0 {
				last.Subs = append(last.Subs, x)
			}
		}
		c.Columns = append(c.Columns, col)
	}
	return c
}

// tagged reads technique ids (upper case) and tactics out of Sigma tags.
func tagged(tags []string) (ids []string, named map[string]bool) {
	named = map[string]bool{}
	for _, tag := range tags {
		t, ok := strings.CutPrefix(strings.ToLower(tag), "attack.")
		switch {
		case !ok:
		case len(t) >= 5 && t[0] == 't' && t[1] >= '0' && t[1] <= '9':
			id := strings.ToUpper(t)
			if older, ok := newerIDs[id]; ok {
				id = older
			}
			ids = append(ids, id)
		default:
			tactic := strings.ReplaceAll(t, "_", "-")
			if older, ok := newerTactics[tactic]; ok {
				tactic = older
			}
			named[tactic] = true
		}
	}
	return ids, named
}

// Covered returns how many techniques of the table have a rule, and how many
// there are. A technique under several tactics counts once.
func (c Coverage) Covered() (covered, all int) {
	seen := map[string]bool{}
	for _, col := range c.Columns {
		for _, x := range col.Cells {
			seen[x.ID] = seen[x.ID] || x.Rules > 0
		}
	}
	for _, has := range seen {
		if has {
			covered++
		}
	}
	return covered, len(seen)
}
