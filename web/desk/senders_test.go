// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"testing"

	"citywall/ingest/sender"
)

// TestUnlike: a page says that what arrives is not of the product that was
// registered only when it can tell.
func TestUnlike(t *testing.T) {
	forti, http := &sender.Kind{Product: "fortinet"}, &sender.Kind{}
	source := func(products map[string]int64) *Source { return &Source{Records: 3, Products: products} }
	for name, c := range map[string]struct {
		p    SourcePage
		want bool
	}{
		"its own":               {SourcePage{Kind: forti, Source: source(map[string]int64{"fortinet forward": 2, "linux": 1})}, false},
		"another's":             {SourcePage{Kind: forti, Source: source(map[string]int64{"linux": 2, "": 1})}, true},
		"a name that begins so": {SourcePage{Kind: forti, Source: source(map[string]int64{"fortinetx": 3})}, true},
		"nothing yet":           {SourcePage{Kind: forti, Source: &Source{}}, false},
		"never seen":            {SourcePage{Kind: forti}, false},
		"any product":           {SourcePage{Kind: http, Source: source(map[string]int64{"linux": 2})}, false},
		"not registered":        {SourcePage{Source: source(map[string]int64{"linux": 2})}, false},
	} {
		if got := c.p.Unlike(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
