// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"fmt"
	"strings"
)

// addressText is the SQL literal of a regular expression for what
// netip.ParseAddr takes: dotted IPv4 without leading zeros; IPv6 with at most
// one ::, which stands for at least one group, with an IPv4 tail and a zone
// where there may be one. A test compares both.
var addressText = "'" + strings.ReplaceAll(addressExpr(), `\`, `\\`) + "'"

func addressExpr() string {
	const (
		octet = `(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])`
		v4    = octet + `([.]` + octet + `){3}`
		group = `[0-9a-fA-F]{1,4}`
	)
	var alts []string
	// tail is what may stand last: a group, or an IPv4 address, worth two.
	add := func(head string, groups int) {
		alts = append(alts, head+fmt.Sprintf(`(%s:){%d}%s`, group, groups-1, group))
		switch {
		case groups > 2:
			alts = append(alts, head+fmt.Sprintf(`(%s:){%d}%s`, group, groups-2, v4))
		case groups == 2:
			alts = append(alts, head+v4)
		}
	}
	add("", 8)
	for before := range 8 {
		head := "::"
		if before > 0 {
			head = fmt.Sprintf(`%s(:%s){%d}::`, group, group, before-1)
		}
		alts = append(alts, head)
		for after := 1; before+after <= 7; after++ {
			add(head, after)
		}
	}
	return `^(` + v4 + `|(` + strings.Join(alts, "|") + `)(%.+)?)$`
}
