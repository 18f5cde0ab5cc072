// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exhibit

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/internal/fault"
)

func TestSearchPages(t *testing.T) {
	v, _ := open(t)
	id, _ := newCase(t, v, 80)
	all := events(80)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		q := eventstore.Query{Sort: rapid.SampledFrom([]eventstore.Sort{"", eventstore.Newest, eventstore.Oldest}).Draw(t, "sort"), Limit: rapid.IntRange(15, 50).Draw(t, "limit")}
		if rapid.Bool().Draw(t, "bounded") {
			q.From = zero.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "from")) * time.Minute)
			q.To = q.From.Add(20 * time.Minute)
		}
		want := slices.DeleteFunc(slices.Clone(all), func(e *event.Event) bool {
			return !q.From.IsZero() && (e.Time.Before(q.From) || !e.Time.Before(q.To))
		})
		slices.SortFunc(want, func(a, b *event.Event) int {
			c := a.Time.Compare(b.Time)
			if c == 0 {
				c = bytes.Compare(a.ID[:], b.ID[:])
			}
			if q.Sort != eventstore.Oldest {
				c = -c
			}
			return c
		})
		var got []event.ID
		for {
			p, err := v.Search(ctx, scope(id), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range p.Events {
				got = append(got, e.ID)
			}
			if p.Next == "" {
				break
			}
			if len(p.Events) != q.Limit {
				t.Fatalf("a page of %d with a next one", len(p.Events))
			}
			q.After = p.Next
		}
		if len(got) != len(want) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i].ID {
				t.Fatalf("record %d is another", i)
			}
		}
	})
}

// TestSameRecordTwice: a record that two exhibits have is shown once.
func TestSameRecordTwice(t *testing.T) {
	v, _ := open(t)
	id := uuid.Must(uuid.NewV7()).String()
	d, err := v.Begin(id)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := d.AddEvents(t.Context(), What{Name: "e"}, seq(events(5)...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	if p, err := v.Search(t.Context(), scope(id), eventstore.Query{Limit: 3}); err != nil || len(p.Events) != 3 || p.Next == "" {
		t.Errorf("%d %q %v", len(p.Events), p.Next, err)
	}
	if p, err := v.Search(t.Context(), scope(id), eventstore.Query{}); err != nil || len(p.Events) != 5 {
		t.Errorf("%d %v", len(p.Events), err)
	}
}

func TestMatch(t *testing.T) {
	e := &event.Event{
		ID: event.NewID("a", "b", 1), Realm: asset.City, Agency: "H01", Time: zero, Source: "HOSP-DC01", Product: "windows", Service: "security",
		Fields: event.Fields{{Name: "EventID", Value: event.T("4624")}, {Name: "IpAddress", Value: event.T("10.0.5.9")}, {Name: "TargetUserName", Value: event.T("Lin.Mei")},
			{Name: "TargetDomainName", Value: event.T("CORP")}, {Name: "LogonType", Value: event.T("3")}, {Name: "Computer", Value: event.T("HOSP-DC01.corp.example")},
			{Name: "Channel", Value: event.T("Security")}, {Name: "Groups", Value: event.L("Users", "Domain Admins")}, {Name: "Nothing"}, {Name: "Size", Value: event.T("1048576.5")}, {Name: "host", Value: event.T("native one")}},
	}
	c := func(f string, op eventstore.Op, v string) eventstore.Cond {
		return eventstore.Cond{Field: f, Op: op, Value: v}
	}
	for _, x := range []struct {
		f    eventstore.Filter
		want bool
	}{
		{nil, true},
		{eventstore.And{}, true},
		{eventstore.Or{}, false},
		{eventstore.Not{F: eventstore.Word("lin")}, false},
		{eventstore.Word("domain ADMINS"), true},
		{eventstore.Word("ipaddr"), true}, // the name of a field
		{eventstore.Word("elsewhere"), false},
		{eventstore.Word(""), true},
		{c("eventid", eventstore.Eq, "4624"), true}, // a native field, case ignored
		{c("event_id", eventstore.Eq, "4624"), true},
		{c("Groups", eventstore.Eq, "domain admins"), true},
		{c("Groups", eventstore.Prefix, "dom"), true},
		{c("Groups", eventstore.Suffix, "min"), false},
		{c("Nothing", eventstore.Exists, ""), false},
		{c("Groups", eventstore.Exists, ""), true},
		{c("Absent", eventstore.Exists, ""), false},
		{c("host", eventstore.Eq, "hosp-dc01.other.example"), true},
		{c("host", eventstore.Exists, ""), true},
		{c("native.host", eventstore.Eq, "native one"), true},
		{c("host", eventstore.Eq, "native one"), false},
		{c("src_ip", eventstore.CIDR, "10.0.0.0/16"), true},
		{c("src_ip", eventstore.CIDR, "10.1.0.0/16"), false},
		{c("src_ip", eventstore.Eq, "::ffff:10.0.5.9"), true},
		{c("IpAddress", eventstore.Glob, "10.*.5.?"), true},
		{c("IpAddress", eventstore.Glob, "10.*.6.?"), false},
		{c("Size", eventstore.Gt, "1048576"), true},
		{c("Size", eventstore.Lt, "9"), false}, // as numbers
		{c("Groups", eventstore.Gt, "9"), false},
		{c("Channel", eventstore.Gte, "sec"), true}, // as text
		{c("logon_type", eventstore.Eq, "03"), true},
		{c("time", eventstore.Gte, zero.Format(time.RFC3339Nano)), true},
		{c("time", eventstore.Lt, zero.Format(time.RFC3339Nano)), false},
		{c("agency", eventstore.Eq, "h01"), true},
		{eventstore.And{c("agency", eventstore.Eq, "h01"), eventstore.Or{c("agency", eventstore.Eq, "x"), eventstore.Word("lin")}}, true},
	} {
		if err := check(x.f); err != nil {
			t.Errorf("%#v: %v", x.f, err)
		}
		m := matcher{e: e}
		if got := m.match(x.f); got != x.want {
			t.Errorf("%#v: %v", x.f, got)
		}
	}
}

func TestBadSearches(t *testing.T) {
	v, dir := open(t)
	id, xs := newCase(t, v, 5)
	c := func(f string, op eventstore.Op, v string) eventstore.Filter {
		return eventstore.Cond{Field: f, Op: op, Value: v}
	}
	for _, q := range []eventstore.Query{
		{Limit: -1}, {Limit: 1001}, {Sort: "x"}, {After: "x"}, {After: "MS4yLjM"}, {Filter: c("src_ip", eventstore.CIDR, "x")}, {Filter: c("time", eventstore.Gt, "yesterday")},
		{Filter: c("time", eventstore.Contains, "2026-10-20T01:02:03Z")}, {Filter: c("host", "like", "x")}, {Filter: eventstore.Not{}},
		{Filter: eventstore.And{eventstore.Or{c("src_ip", eventstore.CIDR, "10.0.0.0/99")}}},
	} {
		if _, err := v.Search(t.Context(), scope(id), q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	path := filepath.Join(dir, id, xs[1].File)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("no record\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Search(t.Context(), scope(id), eventstore.Query{}); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "exhibit 2 is damaged") {
		t.Errorf("damaged: %v", err)
	}
}

// TestGlob compares with the plain recursive reading of a pattern.
func TestGlob(t *testing.T) {
	var plain func(p, s []rune) bool
	plain = func(p, s []rune) bool {
		switch {
		case len(p) == 0:
			return len(s) == 0
		case p[0] == eventstore.AnyRun:
			return plain(p[1:], s) || len(s) > 0 && plain(p, s[1:])
		case len(s) == 0:
			return false
		}
		return (p[0] == eventstore.AnyOne || p[0] == s[0]) && plain(p[1:], s[1:])
	}
	rapid.Check(t, func(t *rapid.T) {
		p := eventstore.ParseGlob(rapid.StringMatching(`[ab*?]{0,7}`).Draw(t, "pattern"))
		s := []rune(rapid.StringMatching(`[ab]{0,9}`).Draw(t, "text"))
		if got := glob(p, s); got != plain(p, s) {
			t.Fatalf("%v", got)
		}
	})
}

func BenchmarkSearch20k(b *testing.B) {
	v, _ := open(b)
	id, _ := newCase(b, v, 20_000)
	b.ReportAllocs()
	for b.Loop() {
		if p, err := v.Search(b.Context(), scope(id), eventstore.Query{Filter: eventstore.Cond{Field: "IpAddress", Op: eventstore.Eq, Value: "10.0.0.77"}}); err != nil || len(p.Events) != 1 {
			b.Fatal(len(p.Events), err)
		}
	}
}

func BenchmarkEventOf20k(b *testing.B) {
	v, _ := open(b)
	id, _ := newCase(b, v, 20_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Event(b.Context(), scope(id), ev(19_999).ID); err != nil {
			b.Fatal(err)
		}
	}
}
