// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"cmp"
	"slices"
	"strconv"

	"citywall/detect"
	"citywall/event"
)

// pivots are the fields whose values lead on to other records, by kind.
var pivots = []struct {
	kind   string
	fields []string
}{
	{"account", []string{"SubjectUserName", "TargetUserName", "User", "SourceUser", "AccountName", "user", "srcuser"}},
	{"logon_id", []string{"SubjectLogonId", "TargetLogonId", "LogonId", "TargetUserLogonId"}},
	{"workstation", []string{"WorkstationName", "Workstation", "ClientName", "SourceHostname", "DestinationHostname"}},
	{"address", []string{"IpAddress", "SourceIp", "DestinationIp", "SourceAddress", "DestAddress", "ClientAddress", "Address", "srcip", "dstip", "id.orig_h", "id.resp_h", "src_ip", "dest_ip"}},
	{"process", []string{"Image", "NewProcessName", "ProcessName", "ParentImage", "ParentProcessName", "SourceImage", "TargetImage", "exe"}},
	{"service_or_task", []string{"ServiceName", "TaskName"}},
	{"file", []string{"TargetFilename", "ObjectName", "ImagePath", "ServiceFileName"}},
	{"hash", []string{"Hashes", "Hash", "sha256", "md5"}},
	{"name", []string{"QueryName", "query", "cs-host"}},
}

// nothing are values that say "none".
var nothing = map[string]bool{"": true, "-": true, "0x0": true, "127.0.0.1": true, "::1": true, "0.0.0.0": true, "::": true}

// Pivot collects the values that findings leave to look for: accounts, logon
// ids, addresses and so on of the records that a rule met.
type Pivot struct {
	Min   detect.Level
	count counter
	worst map[string]detect.Level // by kind and value
}

// Add takes a record and what rules found in it.
func (p *Pivot) Add(e *event.Event, fs []detect.Finding) {
	level, met := detect.Informational, false
	for i := range fs {
		if l := fs[i].Rule.Level; l >= p.Min {
			level, met = max(level, l), true
		}
	}
	if !met {
		return
	}
	if p.worst == nil {
		p.worst = map[string]detect.Level{}
	}
	for _, k := range pivots {
		var seen []string
		for _, f := range k.fields {
			v, ok := e.Fields.Get(f)
			if !ok {
				continue
			}
			all := v.List
			if v.Kind != event.List {
				all = []string{v.String()}
			}
			for _, s := range all {
				if nothing[s] || slices.Contains(seen, s) {
					continue
				}
				seen = append(seen, s)
				p.count.add(e.Time, k.kind, s)
				key := k.kind + "\x00" + s
				p.worst[key] = max(p.worst[key], level)
			}
		}
	}
}

// Table returns the values by kind, the severest and most frequent first.
func (p *Pivot) Table() Table {
	t := Table{Header: []string{"kind", "value", "level", "records", "first", "last"}}
	order := map[string]int{}
	for i, k := range pivots {
		order[k.kind] = i
	}
	all := p.count.sorted()
	worst := func(c *count) detect.Level { return p.worst[c.keys[0]+"\x00"+c.keys[1]] }
	slices.SortStableFunc(all, func(a, b *count) int {
		return cmp.Or(cmp.Compare(order[a.keys[0]], order[b.keys[0]]), cmp.Compare(worst(b), worst(a)))
	})
	for _, c := range all {
		t.Rows = append(t.Rows, []string{c.keys[0], c.keys[1], worst(c).String(), strconv.FormatInt(c.n, 10), Stamp(c.first), Stamp(c.last)})
	}
	return t
}
