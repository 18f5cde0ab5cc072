// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"citywall/asset"
	"citywall/internal/fault"
	"citywall/internal/text"
)

var update = flag.Bool("update", false, "write the golden files")

func policy(t testing.TB) *Policy {
	t.Helper()
	p, err := NewPolicy()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// everybody is one principal of every role in every realm it exists in; the
// agency administrator is of agency A.
func everybody() []Principal {
	var out []Principal
	for _, realm := range []asset.Realm{asset.City, asset.Police} {
		for _, r := range Roles(realm) {
			p := Principal{User: string(realm) + "." + string(r), Realm: realm, Role: r}
			if r == AgencyAdmin {
				p.Agencies = []string{"A"}
			}
			out = append(out, p)
		}
	}
	return out
}

// A variant is a kind of resource relative to who asks.
type variant struct {
	name string
	make func(own asset.Realm, k Kind) Resource
}

func other(r asset.Realm) asset.Realm {
	if r == asset.City {
		return asset.Police
	}
	return asset.City
}

var variants = []variant{
	{"own realm, all of them", func(r asset.Realm, k Kind) Resource { return Resource{Kind: k, Realm: r} }},
	{"own realm, one of no agency", func(r asset.Realm, k Kind) Resource { return Resource{Kind: k, Realm: r, ID: "1"} }},
	{"own realm, one of agency A", func(r asset.Realm, k Kind) Resource {
		return Resource{Kind: k, Realm: r, ID: "1", Agencies: []string{"A"}}
	}},
	{"own realm, one of agency B", func(r asset.Realm, k Kind) Resource {
		return Resource{Kind: k, Realm: r, ID: "1", Agencies: []string{"B"}}
	}},
	{"own realm, one of A and B", func(r asset.Realm, k Kind) Resource {
		return Resource{Kind: k, Realm: r, ID: "1", Agencies: []string{"A", "B"}}
	}},
	{"own realm, all of agency B", func(r asset.Realm, k Kind) Resource { return Resource{Kind: k, Realm: r, Agencies: []string{"B"}} }},
	{"own realm, all of a case", func(r asset.Realm, k Kind) Resource { return Resource{Kind: k, Realm: r, Case: "c"} }},
	{"own realm, one of a case", func(r asset.Realm, k Kind) Resource { return Resource{Kind: k, Realm: r, ID: "1", Case: "c"} }},
	{"other realm, all of them", func(r asset.Realm, k Kind) Resource { return Resource{Kind: k, Realm: other(r)} }},
	{"other realm, one of agency A", func(r asset.Realm, k Kind) Resource {
		return Resource{Kind: k, Realm: other(r), ID: "1", Agencies: []string{"A"}}
	}},
	{"other realm, one of agency B", func(r asset.Realm, k Kind) Resource {
		return Resource{Kind: k, Realm: other(r), ID: "1", Agencies: []string{"B"}}
	}},
	{"other realm, one of a case", func(r asset.Realm, k Kind) Resource { return Resource{Kind: k, Realm: other(r), ID: "1", Case: "c"} }},
}

// TestDecisions asks every role for every action on every kind of resource and
// compares with the table that people have read.
func TestDecisions(t *testing.T) {
	p := policy(t)
	who := everybody()
	var b strings.Builder
	b.WriteString("# Every role, every action, every kind of resource. Written by go test ./identity -update; read by a person.\n" +
		"# The agency administrator is of agency A. \"yes\" is permitted; a word is the policy that forbids; \"-\" is permitted by none.\n")
	for _, a := range Actions() {
		fmt.Fprintf(&b, "\n%s\n%-30s", a, "")
		for _, w := range who {
			fmt.Fprintf(&b, " %-24s", w.User)
		}
		b.WriteString("\n")
		for _, v := range variants {
			fmt.Fprintf(&b, "%-30s", v.name)
			for _, w := range who {
				err := p.Allow(w, a, v.make(w.Realm, a.Kind()))
				word := "yes"
				if err != nil {
					if word = code(t, err); word == "default" {
						word = "-"
					}
				}
				fmt.Fprintf(&b, " %-24s", word)
			}
			b.WriteString("\n")
		}
	}
	got := trimLines(b.String())
	const file = "testdata/decisions.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range g {
			if i >= len(w) || g[i] != w[i] {
				t.Fatalf("decisions differ from %s in line %d:\n%s\n(run with -update and read the difference)", file, i+1, g[i])
			}
		}
		t.Fatalf("%s has more lines than there are decisions", file)
	}
}

func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func code(t *testing.T, err error) string {
	t.Helper()
	var r *Refusal
	if !fault.Is(err, fault.Forbidden) || !errors.As(err, &r) {
		t.Fatalf("refused with %v", err)
	}
	return r.Code
}

// TestWalls states what must hold whatever the table says.
func TestWalls(t *testing.T) {
	p := policy(t)
	yes := 0
	for _, w := range everybody() {
		investigates := w.Role == Investigator || w.Role == Supervisor
		for _, a := range Actions() {
			for _, v := range variants {
				r := v.make(w.Realm, a.Kind())
				if p.Allow(w, a, r) != nil {
					continue
				}
				yes++
				say := func(what string) { t.Errorf("%s may %s on %s (%+v)", what, a, v.name, r) }
				switch {
				case r.Realm != w.Realm:
					say(w.User + ", of the other realm,")
				case (r.Kind == KindCase || r.Case != "") && !investigates:
					say(w.User + ", who does not investigate,")
				case investigates && r.Case == "" && (r.Kind == KindEvent || r.Kind == KindIncident || r.Kind == KindFinding):
					say(w.User + ", outside a case,")
				case r.Kind == KindRule: // of the whole realm
				case w.Role == AgencyAdmin && r.ID != "" && strings.Join(r.Agencies, "") == "B":
					say(w.User + ", of another agency,")
				case w.Role == AgencyAdmin && r.ID != "" && len(r.Agencies) == 0:
					say(w.User + ", of no agency,")
				case w.Role == Auditor && !strings.HasSuffix(string(a), ".read") && a != AuditProve:
					say(w.User + ", who only reads,")
				case a == AuditRead && w.Role != Auditor:
					say(w.User + ", who is no auditor,")
				}
			}
		}
	}
	if yes < 100 {
		t.Errorf("only %d decisions are yes: the table tests nothing", yes)
	}
}

func TestAgencyAdmin(t *testing.T) {
	p := policy(t)
	pr := Principal{User: "x", Realm: asset.City, Role: AgencyAdmin}
	if got := code(t, p.Allow(pr, EventSearch, Resource{Kind: KindEvent, Realm: asset.City})); got != "no_agency" {
		t.Errorf("an administrator of no agency: %s", got)
	}
	pr.Agencies = []string{"A", "C"}
	for _, c := range []struct {
		a        Action
		agencies []string
		ok       bool
	}{
		{SourceRead, []string{"A", "C"}, true},
		{SourceRead, []string{"A", "B"}, false},
		{IncidentRead, []string{"A", "B"}, true},
		{IncidentNote, []string{"A", "B"}, false},
		{EventSearch, []string{"C"}, true},
		{IncidentClose, []string{"A"}, false},
	} {
		err := p.Allow(pr, c.a, Resource{Kind: c.a.Kind(), Realm: asset.City, ID: "1", Agencies: c.agencies})
		if (err == nil) != c.ok {
			t.Errorf("%s on %v: %v", c.a, c.agencies, err)
		}
	}
}

// TestNonsense: what is not in order is refused, never permitted.
func TestNonsense(t *testing.T) {
	p := policy(t)
	lead := Principal{User: "x", Realm: asset.City, Role: SOCLead}
	for name, c := range map[string]struct {
		pr Principal
		a  Action
		r  Resource
	}{
		"nobody":                      {Principal{}, EventSearch, Resource{Kind: KindEvent, Realm: asset.City}},
		"nobody in no realm":          {Principal{}, EventSearch, Resource{Kind: KindEvent}},
		"role of the other realm":     {Principal{User: "x", Realm: asset.Police, Role: SOCLead}, RuleManage, Resource{Kind: KindRule, Realm: asset.Police}},
		"unknown role":                {Principal{User: "x", Realm: asset.City, Role: "root"}, EventSearch, Resource{Kind: KindEvent, Realm: asset.City}},
		"unknown action":              {lead, "event.delete", Resource{Kind: KindEvent, Realm: asset.City}},
		"action on another kind":      {lead, EventSearch, Resource{Kind: KindUser, Realm: asset.City}},
		"no realm":                    {lead, EventSearch, Resource{Kind: KindEvent}},
		"user named like a role":      {Principal{User: "soc_lead", Realm: asset.City, Role: Auditor}, IncidentClose, Resource{Kind: KindIncident, Realm: asset.City}},
		"resource named like a user":  {Principal{User: "x", Realm: asset.City, Role: Auditor}, IncidentRead, Resource{Kind: KindIncident, Realm: asset.City, ID: "x"}},
		"case hidden behind an event": {lead, EventSearch, Resource{Kind: KindEvent, Realm: asset.City, Case: "c"}},
	} {
		if err := p.Allow(c.pr, c.a, c.r); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTexts: every role, action and refusal has a sentence in both languages.
func TestTexts(t *testing.T) {
	p := policy(t)
	var keys []string
	for _, realm := range []asset.Realm{asset.City, asset.Police} {
		keys = append(keys, "realm."+string(realm))
		for _, r := range Roles(realm) {
			keys = append(keys, "role."+string(r))
		}
	}
	for _, a := range Actions() {
		keys = append(keys, "action."+string(a))
	}
	keys = append(keys, "refuse.default", "refuse.role")
	for id, x := range p.set.All() {
		if !x.Effect() { // forbid
			keys = append(keys, "refuse."+string(id))
		}
	}
	for _, l := range []text.Lang{text.ZhTW, text.En} {
		for _, k := range keys {
			if !text.Has(l, "identity."+k) {
				t.Errorf("%s: no text %s", l, k)
			}
		}
	}
	err := p.Allow(Principal{User: "x", Realm: asset.City, Role: Auditor}, IncidentClose, Resource{Kind: KindIncident, Realm: asset.City})
	if want := "Your role (auditor) may not close incidents. If you need to, ask an administrator for another role."; err.Error() != want {
		t.Errorf("%q", err)
	}
	var r *Refusal
	if errors.As(err, &r); r.Text(text.ZhTW) != "您的角色（稽核人員）無權結案資安事件。若有需要，請洽系統管理者調整角色。" {
		t.Errorf("%q", r.Text(text.ZhTW))
	}
}

func BenchmarkAllow(b *testing.B) {
	p := policy(b)
	pr := Principal{User: "chen", Realm: asset.City, Role: SOCLead}
	r := Resource{Kind: KindIncident, Realm: asset.City, ID: "1", Agencies: []string{"A"}}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Allow(pr, IncidentClose, r); err != nil {
			b.Fatal(err)
		}
	}
}
