// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"cmp"
	"strconv"

	"citywall/event"
)

// Logons counts who logged on where, from where and how, and who failed to.
// Windows, Linux, VPN and the other sources whose records the normalised view
// calls a logon are counted alike.
type Logons struct{ count counter }

// Add counts a record that tells of a logon.
func (l *Logons) Add(e *event.Event) {
	v := e.View()
	result := ""
	switch v.Action {
	case event.Logon:
		result = "success"
		if v.Outcome == event.Failure {
			result = "failure"
		}
	case event.LogonFailed:
		result = "failure"
	default:
		return
	}
	who := v.User
	if v.Target.Name != "" {
		who = v.Target
	}
	kind := ""
	if v.Logon != 0 {
		kind = strconv.Itoa(v.Logon)
		if n, ok := logonTypes[v.Logon]; ok {
			kind += " " + n
		}
	}
	src := ""
	if v.Src.IsValid() {
		src = v.Src.String()
	}
	l.count.add(e.Time, result, Computer(e, &v), who.String(), cmp.Or(kind, v.Service, e.Service), v.SrcHost, src)
}

// logonTypes are Windows' own words (MS-LSAD, SECURITY_LOGON_TYPE).
var logonTypes = map[int]string{
	2: "interactive", 3: "network", 4: "batch", 5: "service", 7: "unlock", 8: "network cleartext", 9: "new credentials", 10: "remote interactive", 11: "cached interactive",
	12: "cached remote interactive", 13: "cached unlock",
}

// Table returns the logons, the most frequent first.
func (l *Logons) Table() Table {
	t := Table{Header: []string{"result", "computer", "account", "type", "source_host", "source_address", "count", "first", "last"}}
	for _, c := range l.count.sorted() {
		t.Rows = append(t.Rows, append(append([]string(nil), c.keys...), strconv.FormatInt(c.n, 10), Stamp(c.first), Stamp(c.last)))
	}
	return t
}
