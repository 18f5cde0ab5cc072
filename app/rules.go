// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"citywall/asset"
	"citywall/detect/behaviour"
	"citywall/detect/rulebook"
	"citywall/detect/sigma"
	"citywall/rules"
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

// openBook reads the rules and the switches. What the city's drawings give to
// placeholders is asked for again whenever the rules are read anew.
func (a *App) openBook(ctx context.Context) (*rulebook.Book, error) {
	var detectors []rulebook.Detector
	if a.cfg.Pipeline.Behaviour {
		for _, k := range behaviour.Kinds() {
			detectors = append(detectors, rulebook.Detector{Rule: k.Rule(), Meaning: k.Meaning, Tags: k.Tags, Formula: k.Formula})
		}
	}
	return rulebook.Open(ctx, rulebook.Config{
		Sets: func() ([]sigma.Set, func(), error) { return openRules(a.cfg.Rules, a.data) },
		Placeholders: func() map[string][]string {
			top, _ := a.estate.Known()
			values := placeholders(top)
			for name, more := range a.cfg.Rules.Placeholders {
				values[name] = append(values[name], more...)
			}
			return values
		},
		Detectors: detectors, Store: a.findings,
		Licences: map[string]string{ownRules: "Apache-2.0", rulebook.Behaviour: "Apache-2.0"}, Now: a.now,
	})
}
