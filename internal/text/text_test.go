// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"regexp"
	"sort"
	"strings"
	"testing"
)

var place = regexp.MustCompile(`\{[a-z_]+\}`)

// TestBothLanguagesComplete fails when a key or a {place} is missing in one
// language.
func TestBothLanguagesComplete(t *testing.T) {
	all, err := load()
	if err != nil {
		t.Fatal(err)
	}
	places := func(s string) string {
		p := place.FindAllString(s, -1)
		sort.Strings(p)
		return strings.Join(p, " ")
	}
	for _, pair := range [][2]Lang{{ZhTW, En}, {En, ZhTW}} {
		for k, v := range all[pair[0]] {
			w, ok := all[pair[1]][k]
			if !ok {
				t.Errorf("%s: in %s but not in %s", k, pair[0], pair[1])
			} else if strings.TrimSpace(v) == "" {
				t.Errorf("%s: empty in %s", k, pair[0])
			} else if pair[0] == En && uniq(places(v)) != uniq(places(w)) {
				t.Errorf("%s: places differ: %s %q, %s %q", k, pair[0], places(v), pair[1], places(w))
			}
		}
	}
}

func uniq(s string) string {
	var out []string
	for _, f := range strings.Fields(s) {
		if len(out) == 0 || out[len(out)-1] != f {
			out = append(out, f)
		}
	}
	return strings.Join(out, " ")
}
