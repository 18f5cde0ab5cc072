// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"citywall/detect"
	"citywall/detect/behaviour"
	"citywall/detect/detectdb"
	"citywall/detect/rulebook"
	"citywall/detect/sigma"
	"citywall/event"
	ownrules "citywall/rules"
)

// community is a set of somebody else's, with a rule for every state.
const community = "sigma-2026-10-06.zip"

// Rules of the community's set.
const (
	RuleNoisy    = "5a3d1c00-0000-4000-8000-000000000001" // meets many records
	RuleCounting = "5a3d1c00-0000-4000-8000-000000000003" // counts hits of another
	RuleOff      = "5a3d1c00-0000-4000-8000-000000000004" // is switched off
)

var communityRules = fstest.MapFS{
	"rules/windows/builtin/logon_network.yml": {Data: []byte(`title: Network Logon With A Domain Account
id: 5a3d1c00-0000-4000-8000-000000000001
status: test
description: A logon over the network. Alone it says little; it is meant as a base for correlations.
author: A Contributor
date: 2026-03-02
license: DRL 1.1
references: [https://attack.mitre.org/techniques/T1078/]
falsepositives: [Almost every logon to a file server]
level: low
tags: [attack.initial-access, attack.t1078]
logsource: {product: windows, service: security}
detection:
  sel: {EventID: 4624, LogonType: 3}
  local: {TargetDomainName|endswith: '$'}
  condition: sel and not local
`)},
	"rules/windows/builtin/logon_failed.yml": {Data: []byte(`title: Failed Network Logon
name: failed_network_logon
id: 5a3d1c00-0000-4000-8000-000000000002
status: stable
author: A Contributor
level: low
tags: [attack.credential-access, attack.t1110]
logsource: {product: windows, service: security}
detection:
  sel:
    EventID: 4625
    LogonType: [3, 10]
    IpAddress|cidr: 10.0.0.0/8
  condition: sel
---
title: Many Failed Network Logons Of One Account
id: 5a3d1c00-0000-4000-8000-000000000003
status: stable
author: A Contributor
level: medium
tags: [attack.credential-access, attack.t1110.003]
correlation:
  type: event_count
  rules: [failed_network_logon]
  group-by: [TargetUserName]
  timespan: 6h
  condition: {gte: 4}
`)},
	"rules/windows/process_creation/svchost_child.yml": {Data: []byte(`title: Program In ProgramData Started By A Service
id: 5a3d1c00-0000-4000-8000-000000000004
status: experimental
author: Another Contributor
level: high
tags: [attack.execution, attack.t1569.002]
logsource: {product: windows, category: process_creation}
detection:
  sel: {ParentImage|endswith: '\svchost.exe', Image|contains: '\ProgramData\'}
  condition: sel
`)},
	"rules/cloud/root.yml": {Data: []byte(`title: Root Account Used In A Cloud
id: 5a3d1c00-0000-4000-8000-000000000005
author: A Contributor
level: medium
logsource: {product: somecloud, service: trail}
detection: {sel: {user: root}, condition: sel}
`)},
	"rules/windows/builtin/admin_logon.yml": {Data: []byte(`title: Administrator Away From The Jump Servers
id: 5a3d1c00-0000-4000-8000-000000000006
author: A Contributor
level: high
logsource: {product: windows, service: security}
detection:
  sel: {EventID: 4624, TargetUserName|expand: '%Administrators%'}
  condition: sel
`)},
	"rules/windows/builtin/old_count.yml": {Data: []byte(`title: Many Failed Logons From One Source
id: 5a3d1c00-0000-4000-8000-000000000007
author: A Contributor
level: medium
logsource: {product: windows, service: security}
detection: {sel: {EventID: 4625}, condition: sel | count(TargetUserName) by IpAddress > 10}
`)},
	"rules/windows/broken.yml": {Data: []byte("title: A Rule That Was Cut Off\nid: 5a3d1c00-0000-4000-8000-000000000008\nlogsource: {product: windows\n")},
}

// rules opens Citywall's own set and the community's, holds them against the
// seeded records, and keeps what the rule that counts has found.
func (s *Site) rules(t testing.TB, ctx context.Context, findings *detectdb.Store, seeded []*event.Event) *rulebook.Book {
	t.Helper()
	var detectors []rulebook.Detector
	for _, k := range behaviour.Kinds() {
		detectors = append(detectors, rulebook.Detector{Rule: k.Rule(), Meaning: k.Meaning, Tags: k.Tags, Formula: k.Formula})
	}
	at := Now.Add(-6 * time.Hour)
	b, err := rulebook.Open(ctx, rulebook.Config{
		Sets: func() ([]sigma.Set, func(), error) {
			theirs := maps.Clone(communityRules)
			delete(theirs, s.Missing)
			return []sigma.Set{{Name: "citywall", FS: ownrules.FS}, {Name: community, FS: theirs}}, func() {}, nil
		},
		Detectors: detectors, Store: findings,
		Licences: map[string]string{"citywall": "Apache-2.0", rulebook.Behaviour: "Apache-2.0"},
		Now:      func() time.Time { return at.Add(time.Duration(s.ahead.Load())) },
	})
	must(t, err)
	ordered := slices.SortedFunc(slices.Values(seeded), func(a, b *event.Event) int { return a.Time.Compare(b.Time) })
	m := b.Engine().NewMatcher()
	for _, e := range ordered {
		for _, f := range m.Match(e) {
			if f.Rule.ID == RuleCounting && s.Counted == "" {
				s.Counted = f.ID
				_, err := findings.Save(ctx, []detect.Finding{f})
				must(t, err)
			}
		}
	}
	if s.Counted == "" {
		t.Fatal("no record of the seed completes what the rule counts")
	}
	must(t, b.SwitchOff(ctx, RuleOff, "chen.yj", "醫院資產管理代理程式每日清查時觸發，已與資訊室確認；待排除條件加入後再啟用。"))
	at = Now
	return b
}
