// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package rulebook

import (
	"strings"
	"testing"
	"unicode"

	"citywall/detect/behaviour"
	"citywall/detect/sigma"
	"citywall/internal/text"
	"citywall/rules"
)

// TestTitles: every rule of Citywall's own, and everything that its detectors
// say, has a title in both languages, and none is of a rule that is not there. A
// title that was changed must be translated anew.
func TestTitles(t *testing.T) {
	e, rep, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{})
	if err != nil || len(rep.Refused)+len(rep.Waiting) > 0 {
		t.Fatal(err, rep.Refused, rep.Waiting)
	}
	want := map[string]string{}
	for _, r := range e.Rules() {
		want[r.ID] = r.Title
	}
	for _, k := range behaviour.Kinds() {
		want[k.ID] = k.Title
	}
	for id, title := range want {
		switch {
		case !text.Has(text.ZhTW, "rules."+id):
			t.Errorf("%s %q has no title in internal/text/{zh-TW,en}/rules.yaml: add one in each", id, title)
		case text.T(text.En, "rules."+id) != title:
			t.Errorf("%s is called %q now and was %q when it was translated: mend internal/text/{zh-TW,en}/rules.yaml", id, title, text.T(text.En, "rules."+id))
		case !strings.ContainsFunc(text.T(text.ZhTW, "rules."+id), func(r rune) bool { return unicode.Is(unicode.Han, r) }):
			t.Errorf("%s: %q is no Chinese", id, text.T(text.ZhTW, "rules."+id))
		}
	}
	n := 0
	for _, k := range text.Keys(text.ZhTW) {
		id, ok := strings.CutPrefix(k, "rules.")
		if !ok {
			continue
		}
		if n++; want[id] == "" {
			t.Errorf("%s has a title in rules.yaml and is no rule", id)
		}
	}
	if n < 120 {
		t.Errorf("%d titles", n)
	}
}
