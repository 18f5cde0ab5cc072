// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import "citywall/detect/coverage"

// Coverage says which techniques of ATT&CK the rules look for: those that are
// loaded, that a known source feeds and that give findings of their own.
func (r Rules) Coverage() coverage.Coverage {
	var rs []coverage.Rule
	for _, x := range r.Rules {
		if x.State == RuleLoaded && !x.Link {
			rs = append(rs, coverage.Rule{ID: x.ID, Level: x.Level, Tags: x.Tags})
		}
	}
	return coverage.Of(rs)
}
