// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behave

import (
	"fmt"
	"io"
	"strings"
)

// Text writes both halves of the table.
func (r *Result) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d honest plays, %d events; %d attacks, %d events; %d lines not understood\n\n", r.BenignPlays, r.BenignEvents, r.AttackPlays, r.AttackEvents, r.Undecoded)
	fmt.Fprintf(&b, "%-14s %6s %6s %6s  %-9s %s\n", "step", "steps", "found", "share", "attacks", "found by")
	for _, s := range r.Steps {
		var by []string
		for _, d := range r.Detectors {
			if n := s.By[d.Name]; n > 0 {
				by = append(by, fmt.Sprintf("%s %d", d.Name, n))
			}
		}
		if !aimed(s.Name) && s.Found == 0 && r.AttackPlays > 0 {
			fmt.Fprintf(&b, "%-14s %6d %6s %6s  %-9s none: single records and rules show it\n", s.Name, s.Items, "", "", fmt.Sprintf("%d", s.Plays))
			continue
		}
		fmt.Fprintf(&b, "%-14s %6d %6d %5.0f%%  %-9s %s\n", s.Name, s.Items, s.Found, 100*float64(s.Found)/float64(max(s.Items, 1)), fmt.Sprintf("%d of %d", s.In, s.Plays), strings.Join(by, ", "))
	}
	fmt.Fprintf(&b, "\n%-14s %-8s %8s %11s %10s %6s\n", "detector", "level", "benign", "per 10,000", "in attacks", "true")
	for _, d := range r.Detectors {
		fmt.Fprintf(&b, "%-14s %-8s %8d %11.3f %10d %6d\n", d.Name, d.Level, d.Benign, r.Per10k(d.Benign), d.Attack, d.True)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
