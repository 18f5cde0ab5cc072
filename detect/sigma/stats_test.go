// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citywall/detect/sigma"
)

// Matches are counted for each rule over all matchers, also of rules that only
// feed correlations, and of the correlations.
func TestCounts(t *testing.T) {
	before := time.Now()
	e, _ := load(t, sigma.Options{}, corr(count3))
	if c := e.Counts(); c.Events != 0 || len(c.Rules) != 0 || c.Since.Before(before) || c.Since.After(time.Now()) {
		t.Errorf("at the beginning %+v", c)
	}
	var wg sync.WaitGroup
	for range 4 {
		evs := script(t, "0 fail a\n1 fail a\n2 good a\n3 other a")
		wg.Go(func() {
			m := e.NewMatcher()
			for _, x := range evs {
				m.Match(x)
			}
		})
	}
	wg.Wait()
	c := e.Counts()
	matches := map[string]int64{}
	for _, r := range c.Rules {
		matches[r.ID[len(r.ID)-1:]] = r.Matches
		if r.Events != 16 || !r.Since.Equal(c.Since) {
			t.Errorf("%+v, want 16 events since %s", r, c.Since)
		}
	}
	if matches["c"] == 0 {
		t.Error("the correlation's findings are not counted")
	}
	delete(matches, "c") // how many depends on who was first
	if d := cmp.Diff(map[string]int64{"a": 8, "b": 4}, matches); d != "" || c.Events != 16 {
		t.Errorf("%d events, %s", c.Events, d)
	}
	if got := c.Rules[0].Per10000(); got != 5000 {
		t.Errorf("%v of 10,000, want 5000", got)
	}
	if (sigma.RuleCount{}).Per10000() != 0 {
		t.Error("no events are not none")
	}
}

// What a filter takes away is no match.
func TestCountsAfterFilters(t *testing.T) {
	e, _ := load(t, sigma.Options{}, "title: t\nid: 6d1f2c1e-0000-4000-8000-000000000001\nlogsource: {product: test}\ndetection: {s: {A: 1}, condition: s}\nlevel: low\n",
		"title: F\nid: 6d1f2c1e-0000-4000-8000-0000000000f1\nlogsource: {product: test}\nfilter:\n    rules: any\n    s: {User: adm}\n    condition: not s\n")
	m := e.NewMatcher()
	m.Match(ev(t, `{"A":1,"User":"adm"}`))
	m.Match(ev(t, `{"A":1,"User":"chen"}`))
	if c := e.Counts(); c.Events != 2 || len(c.Rules) != 1 || c.Rules[0].Matches != 1 {
		t.Errorf("%+v", c)
	}
}

// Over a reload a rule that is the same goes on counting; one that changed
// begins anew, and says since when and of how many events.
func TestCountsAfterReload(t *testing.T) {
	old, _ := load(t, sigma.Options{}, corr(count3))
	play(t, old, script(t, "0 fail a\n10 good a"))
	e, _ := load(t, sigma.Options{Keep: old}, strings.Replace(corr(count3), "E: good", "E: [good, fine]", 1))
	play(t, e, script(t, "20 fail a\n30 fine a\n31 other a"))
	c := e.Counts()
	if c.Events != 5 || !c.Since.Equal(old.Counts().Since) || len(c.Rules) != 2 { // two failures: the correlation waits for a third
		t.Fatalf("%+v", c)
	}
	if r := c.Rules[0]; r.Matches != 2 || r.Events != 5 || !r.Since.Equal(c.Since) {
		t.Errorf("unchanged: %+v", r)
	}
	if r := c.Rules[1]; r.Matches != 1 || r.Events != 3 || !r.Since.After(c.Since) {
		t.Errorf("changed: %+v", r)
	}
}
