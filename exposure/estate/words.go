// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package estate

import (
	"cmp"
	"strconv"
	"strings"

	"citywall/asset"
	"citywall/exposure/inventory"
	"citywall/internal/text"
)

// Explain says why something is a difference, and whom to ask.
func Explain(l text.Lang, d inventory.Difference) string {
	pairs := []string{"n", strconv.Itoa(d.Count), "to", d.To, "roles", Roles(l, d.Roles), "drawn", cmp.Or(d.Drawn, text.T(l, "estate.diff.nowhere"))}
	if d.Kind == inventory.OtherRole {
		var drawn []string
		for _, r := range strings.Split(d.Drawn, ", ") {
			drawn = append(drawn, Roles(l, []asset.Role{asset.Role(r)}))
		}
		pairs[len(pairs)-1] = strings.Join(drawn, ", ")
	}
	if t := d.Talk; t != nil {
		port := text.T(l, "estate.port.any")
		if t.Port != 0 {
			port = strconv.Itoa(int(t.Port))
		}
		pairs = append(pairs, "src", t.Src.String(), "dst", t.Dst.String(), "port", port)
	}
	said := text.T(l, "estate.diff."+string(d.Kind), pairs...)
	if d.Contact != "" {
		said = text.T(l, "estate.diff.ask", "said", said, "contact", d.Contact)
	}
	return said
}

// Roles names roles for people.
func Roles(l text.Lang, rs []asset.Role) string {
	words := make([]string, len(rs))
	for i, r := range rs {
		words[i] = string(r)
		if k := "estate.role." + string(r); text.Has(l, k) {
			words[i] = text.T(l, k)
		}
	}
	return strings.Join(words, ", ")
}
