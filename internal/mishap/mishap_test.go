// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package mishap

import (
	"strings"
	"testing"
	"time"

	"citywall/internal/text"
)

// Every kind has a sentence in both languages, and no place stays unfilled
// when the args that its comment names are given.
func TestTexts(t *testing.T) {
	args := []string{
		"n", "12", "batches", "3", "from", "2026-11-01T00:00:00Z", "to", "2026-11-02T00:00:00Z", "aside", "/x/aside", "of", "40", "day", "2026-11-01",
		"why", "no", "files", "4", "packs", "5", "by", "1h0m0s",
	}
	for _, l := range []text.Lang{text.ZhTW, text.En} {
		seen := map[string]Kind{}
		for _, k := range Kinds() {
			s := New(k, "/data/events", time.Unix(0, 0), args...).Text(l)
			if strings.HasPrefix(s, "mishap.") || strings.Contains(s, "{") {
				t.Errorf("%s %s: %q", l, k, s)
			}
			if o, ok := seen[s]; ok {
				t.Errorf("%s: %s and %s say the same", l, k, o)
			}
			seen[s] = k
		}
	}
}
