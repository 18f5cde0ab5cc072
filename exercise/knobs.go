// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import "strings"

// Knob is one thing about an exercise that can be turned.
type Knob struct {
	Name   string // of the flag
	About  string // key of internal/text
	Values string // what it takes
}

// Knobs lists them, for help and for whoever lays out a grid.
func Knobs() []Knob {
	var out []Knob
	for _, k := range [][2]string{
		{"seed", "0 …"}, {"devices", "20 … 18000"}, {"days", "0 … 60"}, {"begin", "YYYY-MM-DD"}, {"dwell", "5m … 336h"}, {"rate", "0.01 … 20"},
		{"stealth", joined(Stealths())}, {"loss", joined(Losses())}, {"clock-error", "0 … 10m"}, {"sample", "2 … 10000"}, {"cgnat", "true, false"}, {"no-attack", "true, false"},
	} {
		out = append(out, Knob{Name: k[0], About: "exercise.knob." + strings.ReplaceAll(k[0], "-", "_"), Values: k[1]})
	}
	return out
}

func joined[T ~string](list []T) string {
	var s []string
	for _, x := range list {
		s = append(s, string(x))
	}
	return strings.Join(s, ", ")
}
