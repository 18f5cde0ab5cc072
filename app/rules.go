// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/detect/sigma"
	"citywall/rules"
	"citywall/web/desk"
)

// ownRules is the name of Citywall's own set.
const ownRules = "citywall"

// placeholders are the values of Sigma's standard placeholders that the drawing
// of the city gives: names of hosts by role.
func placeholders(top asset.Topology) map[string][]string {
	out := map[string][]string{}
	for _, h := range top.Hosts {
		for role, name := range map[asset.Role]string{asset.RoleDC: "DomainControllers", asset.RoleServer: "Servers", asset.RoleWorkstation: "Workstations", asset.RoleManager: "JumpServers"} {
			if h.Has(role) {
				out[name] = append(out[name], h.Name)
			}
		}
	}
	return out
}

// ruleBook is what was loaded, and from where.
type ruleBook struct {
	engine *sigma.Engine
	report *sigma.Report
	sets   []string
	read   time.Time
}

// openRules opens the configured rule sets. Relative folders lie in the data
// folder. The closer may be called once rules are loaded.
func openRules(c Rules, d *data) ([]sigma.Set, func(), error) {
	var sets []sigma.Set
	var closers []io.Closer
	done := func() {
		for _, x := range closers {
			x.Close()
		}
	}
	if c.Own {
		sets = append(sets, sigma.Set{Name: ownRules, FS: rules.FS})
	}
	for _, name := range c.Dirs {
		if !filepath.IsAbs(name) {
			name = d.path(name)
		}
		s, closer, err := sigma.Open(name)
		if err != nil {
			done()
			return nil, nil, fmt.Errorf("open the rules %s: %w", name, err)
		}
		if closer != nil {
			closers = append(closers, closer)
		}
		sets = append(sets, s)
	}
	return sets, done, nil
}

func loadRules(c Rules, top asset.Topology, d *data, now time.Time) (*ruleBook, error) {
	sets, done, err := openRules(c, d)
	if err != nil {
		return nil, err
	}
	defer done()
	e, rep, err := sigma.Load(sets, sigma.Options{Placeholders: placeholders(top)})
	if err != nil {
		return nil, fmt.Errorf("load rules: %w", err)
	}
	b := &ruleBook{engine: e, report: rep, read: now}
	for _, s := range sets {
		b.sets = append(b.sets, s.Name)
	}
	return b, nil
}

// ruleList says what became of every rule and how often it fired in the last
// 30 days.
func (a *App) ruleList(ctx context.Context) (desk.Rules, error) {
	now := a.now()
	counts, err := a.findings.CountByRule(ctx, cityScope, now.AddDate(0, 0, -30), now.Add(24*time.Hour))
	if err != nil {
		return desk.Rules{}, err
	}
	return a.rules.list(counts), nil
}

// list joins what was loaded with how often it fired.
func (b *ruleBook) list(counts []detectdb.RuleCount) desk.Rules {
	fired := map[string]detectdb.RuleCount{}
	for _, c := range counts {
		fired[c.Rule.Hash] = c
	}
	out := desk.Rules{Sets: make([]desk.RuleSet, 0, len(b.sets))}
	sets := map[string]*desk.RuleSet{}
	for _, s := range b.sets {
		set := desk.RuleSet{Name: s, Read: b.read}
		if s == ownRules {
			set.Licence = "Apache-2.0"
		}
		out.Sets = append(out.Sets, set)
	}
	for i := range out.Sets {
		sets[out.Sets[i].Name] = &out.Sets[i]
	}
	unrouted := map[string]string{}
	for _, p := range b.report.Unrouted {
		unrouted[p.Set+"\x00"+p.ID] = p.Reason
	}
	for _, r := range b.engine.Rules() {
		x := desk.Rule{Rule: r.Rule, Set: r.Set, State: desk.RuleLoaded, Source: source(r.LogSource), Step: string(r.Meaning.Step), Tags: r.Tags, Link: r.Link}
		if why, ok := unrouted[r.Set+"\x00"+r.ID]; ok {
			x.State, x.Why = desk.RuleUnrouted, why
		}
		c := fired[r.Hash]
		x.Fired, x.LastHit = c.Count, c.Last
		if s := sets[r.Set]; s != nil {
			s.Loaded++
			s.Files++
			if s.Licence == "" {
				s.Licence = r.License
			}
		}
		out.Rules = append(out.Rules, x)
	}
	for state, ps := range map[desk.RuleStatus][]sigma.Problem{desk.RuleRefused: b.report.Refused, desk.RuleWaiting: b.report.Waiting} {
		for _, p := range ps {
			out.Rules = append(out.Rules, desk.Rule{Rule: detect.Rule{ID: p.ID, Title: p.Title, File: p.File}, Set: p.Set, State: state, Why: p.Reason})
			if s := sets[p.Set]; s != nil {
				s.Refused++
				s.Files++
			}
		}
	}
	return out
}

func source(l sigma.LogSource) string {
	parts := slices.DeleteFunc([]string{l.Product, l.Category, l.Service}, func(s string) bool { return s == "" })
	return strings.Join(parts, "/")
}
