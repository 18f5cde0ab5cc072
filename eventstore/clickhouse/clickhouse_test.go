// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package clickhouse

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

var (
	city = identity.Scope{Realm: asset.City}
	noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	week = eventstore.Query{From: noon.AddDate(0, 0, -3), To: noon.AddDate(0, 0, 4)}
)

// numbered makes events n of [from, to), a second apart.
func numbered(from, to int) []*event.Event {
	var out []*event.Event
	for i := from; i < to; i++ {
		out = append(out, &event.Event{
			ID: event.NewID("numbered", "", uint64(i)), Realm: asset.City, Time: noon.Add(time.Duration(i) * time.Second), Source: fmt.Sprint("src", i%3),
			Fields: event.Fields{{Name: "i", Value: event.T(fmt.Sprint(i))}},
		})
	}
	return out
}

func put(t *testing.T, s *Store, msgID string, es []*event.Event) {
	t.Helper()
	if err := s.Append(t.Context(), eventstore.Batch{MsgID: msgID, Events: es}); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, s *Store) int64 {
	t.Helper()
	n, err := s.Count(t.Context(), city, week)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func begin(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// What an owner that died between rows and record left behind stays hidden, and
// a record that reached one shard alone is finished. The oracle is the promise
// in log.go.
func TestLeftovers(t *testing.T) {
	need(t)
	o := options(t.TempDir())
	s := begin(t, o)
	put(t, s, "1", numbered(0, 10))
	place := func(es []*event.Event) (out []placed) {
		for _, e := range es {
			out = append(out, placed{e, e.Time})
		}
		return out
	}
	// Rows on the shards, no record.
	if err := s.insert(t.Context(), place(numbered(10, 20)), "", s.next); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s); n != 10 {
		t.Errorf("%d events: rows without a record are shown", n)
	}
	second := begin(t, o)
	if n := count(t, second); n != 10 {
		t.Errorf("%d events after another opening", n)
	}
	put(t, second, "2", numbered(5, 20)) // the same events come again
	if n := count(t, second); n != 20 {
		t.Errorf("%d events, want 20", n)
	}
	// Rows on the shards, a record on one.
	if err := second.insert(t.Context(), place(numbered(20, 30)), "", second.next); err != nil {
		t.Fatal(err)
	}
	if err := second.writeRecord(t.Context(), second.cl.byShard()[1], record{part: dayNumber(noon), kind: recBatch, seq: second.next, name: "b3"}); err != nil {
		t.Fatal(err)
	}
	third := begin(t, o)
	if n := count(t, third); n != 30 {
		t.Errorf("%d events: a batch that was recorded is lost", n)
	}
	put(t, third, "3", numbered(100, 110))
	if n := count(t, third); n != 30 {
		t.Errorf("%d events: its message is not known", n)
	}
	for _, n := range third.cl.nodes {
		st, err := third.readState(t.Context(), n)
		if err != nil || st.last.name != "b3" {
			t.Errorf("%s: the last record is %+v, %v", n.addr, st.last, err)
		}
	}
}

// Who opened the store last owns it; the one before is told, and neither loses
// what it was told is there.
func TestTwoOwners(t *testing.T) {
	need(t)
	o := options(t.TempDir())
	a := begin(t, o)
	put(t, a, "1", numbered(0, 10))
	b := begin(t, o)
	put(t, b, "2", numbered(10, 20))
	err := a.Append(t.Context(), eventstore.Batch{MsgID: "3", Events: numbered(20, 30)})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("the earlier owner: %v", err)
	}
	// Its late rows and record are behind the new owner's gap.
	if err := a.insert(t.Context(), []placed{{numbered(50, 51)[0], noon}}, "", a.next); err != nil {
		t.Fatal(err)
	}
	for _, n := range a.cl.nodes {
		if err := a.writeRecord(t.Context(), n, record{part: dayNumber(noon), kind: recBatch, seq: a.next, name: "blate"}); err != nil {
			t.Fatal(err)
		}
	}
	put(t, b, "3", numbered(20, 30))
	if n := count(t, b); n != 30 {
		t.Errorf("%d events, want 30", n)
	}
	if n := count(t, begin(t, o)); n != 30 {
		t.Errorf("%d events after another opening, want 30", n)
	}
}

// Messages are forgotten after their time, events never.
func TestForgets(t *testing.T) {
	need(t)
	o := options(t.TempDir())
	now := noon
	o.Now, o.Remember = func() time.Time { return now }, 48*time.Hour
	s := begin(t, o)
	put(t, s, "old", numbered(0, 10))
	now = now.Add(24 * time.Hour)
	put(t, s, "new", numbered(10, 20))
	put(t, s, "old", numbered(20, 30))
	if n := count(t, s); n != 20 {
		t.Errorf("%d events: the message was forgotten too early", n)
	}
	now = now.Add(96 * time.Hour)
	put(t, s, "newest", numbered(20, 25))
	put(t, s, "old", numbered(5, 30))
	if n := count(t, s); n != 30 {
		t.Errorf("%d events, want 30", n)
	}
}

// Own and shared partitions, bounds at and beside midnight, and batches that come
// again. The oracle is a loop over the events.
func TestPartitions(t *testing.T) {
	need(t)
	o := options(t.TempDir())
	o.OwnDays, o.Now = 2, func() time.Time { return noon } // from the noon of 30 October to that of 3 November
	s := begin(t, o)
	var es []*event.Event
	for i := range 240 {
		e := numbered(i, i+1)[0]
		e.Time = noon.AddDate(0, 0, -4).Truncate(24 * time.Hour).Add(time.Duration(i)*time.Hour - time.Duration(i%3))
		es = append(es, e)
	}
	put(t, s, "1", es)
	put(t, s, "2", es[100:200])
	put(t, s, "", es)
	seen := map[uint32]bool{}
	for _, e := range es {
		seen[o.part(e.Time, noon)] = true
	}
	if len(seen) != 6 || !seen[0] {
		t.Fatalf("the events lie in the partitions %v: the test shows too little", seen)
	}
	rapid.Check(t, func(rt *rapid.T) {
		at := func(what string) time.Time {
			return es[rapid.IntRange(0, len(es)-1).Draw(rt, what)].Time.Add(time.Duration(rapid.IntRange(-2, 2).Draw(rt, "beside")))
		}
		q := eventstore.Query{From: at("from"), To: at("to")}
		if q.To.Before(q.From) {
			q.From, q.To = q.To, q.From
		}
		want := int64(0)
		for _, e := range es {
			if !e.Time.Before(q.From) && e.Time.Before(q.To) {
				want++
			}
		}
		if n, err := s.Count(t.Context(), city, q); err != nil || n != want {
			rt.Fatalf("%s to %s: %d events, want %d, %v", q.From, q.To, n, want, err)
		}
	})
}

// A day goes with its partition on all shards; its neighbours stay, and so does
// a day with exhibits.
func TestLetGo(t *testing.T) {
	need(t)
	o := options(t.TempDir())
	o.OwnDays, o.Now = 30, func() time.Time { return noon.AddDate(0, 0, 3) }
	s := begin(t, o)
	on := func(from, to, days int) []*event.Event {
		es := numbered(from, to)
		for _, e := range es {
			e.Time = e.Time.AddDate(0, 0, days)
		}
		return es
	}
	put(t, s, "1", on(0, 40, 0))
	put(t, s, "2", on(40, 70, 1))
	put(t, s, "3", on(70, 75, -2000))
	if err := s.Append(t.Context(), eventstore.Batch{Case: "115-1", Events: on(80, 90, 2)}); err != nil {
		t.Fatal(err)
	}
	days, err := s.Days(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range days {
		got = append(got, fmt.Sprintf("%s %d %d %t", d.ID, d.Sealed, d.Cased, d.First.Equal(d.Last) && d.Bytes > 0))
	}
	want := "[scattered 5 0 true 2026-11-01 40 0 true 2026-11-02 30 0 true 2026-11-03 10 10 true]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v, want %v", got, want)
	}
	for id, kind := range map[string]fault.Kind{"2026-11-03": fault.Conflict, "yesterday": fault.Invalid} {
		if err := s.LetGo(t.Context(), id); !fault.Is(err, kind) {
			t.Errorf("%s: %v", id, err)
		}
	}
	for range 2 {
		if err := s.LetGo(t.Context(), "2026-11-01"); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, s); n != 30 {
		t.Errorf("%d events, want 30", n)
	}
	put(t, s, "4", on(0, 3, 0)) // such a day may begin again
	if n := count(t, s); n != 33 {
		t.Errorf("%d events, want 33", n)
	}
}

func TestRefused(t *testing.T) {
	need(t)
	for name, change := range map[string]func(o *Options){
		"no server":     func(o *Options) { o.Addrs = nil },
		"no database":   func(o *Options) { o.Database = "" },
		"odd database":  func(o *Options) { o.Database = "x; DROP TABLE y" },
		"odd cluster":   func(o *Options) { o.Cluster = "a b" },
		"other cluster": func(o *Options) { o.Cluster = "village" },
		"one server":    func(o *Options) { o.Addrs = o.Addrs[:1] },
		"twice one":     func(o *Options) { o.Addrs = []string{o.Addrs[0], o.Addrs[0]} },
	} {
		o := options(t.TempDir())
		change(&o)
		if s, err := Open(t.Context(), o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				s.Close()
			}
		}
	}
	o := options(t.TempDir())
	o.User, o.Password = "nobody", "hush-hush"
	if _, err := Open(t.Context(), o); !fault.Is(err, fault.Unavailable) || strings.Contains(err.Error(), "hush-hush") {
		t.Errorf("a wrong user: %v", err)
	}
}

// Whatever is put into a statement comes back as it was. The oracle is the text
// itself.
func TestLiterals(t *testing.T) {
	need(t)
	s := begin(t, options(t.TempDir()))
	rapid.Check(t, func(rt *rapid.T) {
		var args []any
		var cols []string
		texts := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.StringMatching(`[\\'"$1-9?@{}a\x00\n\r\t-]{0,12}`)), 1, 8).Draw(rt, "texts")
		for i, x := range texts {
			args = append(args, x)
			cols = append(cols, fmt.Sprint("$", i+1))
		}
		id := event.NewID("x", "", rapid.Uint64().Draw(rt, "id"))
		args = append(args, id, idSet{id})
		sql := fmt.Sprintf("SELECT [%s], $%d = toFixedString(unhex('%s'), 16) AND $%d IN $%d", strings.Join(cols, ", "), len(texts)+1, id, len(texts)+1, len(texts)+2)
		err := s.each(t.Context(), false, sql, args, func(scan func(...any) error) error {
			var back []string
			var ok uint8
			if err := scan(&back, &ok); err != nil {
				return err
			}
			if ok != 1 || fmt.Sprintf("%q", back) != fmt.Sprintf("%q", texts) {
				rt.Errorf("%q came back as %q, ids %d", texts, back, ok)
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// addresses are what netip.ParseAddr takes, nearly takes, and neither.
func addresses(t *rapid.T) string {
	octet := rapid.OneOf(rapid.SampledFrom([]string{"0", "1", "9", "10", "99", "100", "199", "200", "249", "250", "255", "256", "01", "00", "", "a"}), rapid.StringMatching(`[0-9]{1,3}`))
	group := rapid.OneOf(rapid.StringMatching(`[0-9a-fA-F]{1,4}`), rapid.SampledFrom([]string{"", "0", "ffff", "FFFF", "12345", "g"}))
	v4 := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(octet, 3, 5).Draw(t, "octets"), ".") })
	v6 := rapid.Custom(func(t *rapid.T) string {
		gs := rapid.SliceOfN(group, 0, 9).Draw(t, "groups")
		if rapid.Bool().Draw(t, "tail") {
			gs = append(gs, v4.Draw(t, "v4"))
		}
		s := strings.Join(gs, ":")
		if n := len(gs); n > 0 && rapid.Bool().Draw(t, "ellipsis") {
			i := rapid.IntRange(0, n).Draw(t, "at")
			s = strings.Join(gs[:i], ":") + "::" + strings.Join(gs[i:], ":")
		}
		return s + rapid.SampledFrom([]string{"", "", "", "%eth0", "%", "%a%b"}).Draw(t, "zone")
	})
	return rapid.OneOf(v4, v6, rapid.SampledFrom([]string{"::", "::1", "::ffff:10.0.0.5", "fe80::1%eth0", "1:2:3:4:5:6:7:8", "1::8", "2001:db8::", "", "ten"}), rapid.String()).Draw(t, "address")
}

// The oracle is netip.ParseAddr.
func TestAddressText(t *testing.T) {
	re := regexp.MustCompile(addressExpr())
	rapid.Check(t, func(t *rapid.T) {
		s := addresses(t)
		_, err := netip.ParseAddr(s)
		if re.MatchString(s) != (err == nil) {
			t.Fatalf("%q: the expression says %v, netip %v", s, re.MatchString(s), err)
		}
	})
}

// The oracle is netip.Prefix.Contains, as the contract has it.
func TestInPrefix(t *testing.T) {
	need(t)
	s := begin(t, options(t.TempDir()))
	rapid.Check(t, func(rt *rapid.T) {
		texts := rapid.SliceOfN(rapid.Custom(addresses), 50, 50).Draw(rt, "texts")
		var p netip.Prefix
		for !p.IsValid() {
			a, err := netip.ParseAddr(rapid.OneOf(rapid.Custom(addresses), rapid.SampledFrom([]string{"10.0.0.5", "2001:db8::1", "::"})).Draw(rt, "prefix"))
			if err != nil || a.Is4In6() || a.Zone() != "" {
				continue
			}
			p = netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(rt, "bits")).Masked()
		}
		b := newBuilder()
		list := make([]string, len(texts))
		for i, x := range texts {
			list[i] = b.Arg(x)
		}
		sql := "SELECT arrayMap(v -> " + b.Dialect.InPrefix("v", b.Arg(p.String())) + ", [" + strings.Join(list, ", ") + "])"
		err := s.each(t.Context(), false, sql, b.Args, func(scan func(...any) error) error {
			var got []uint8
			if err := scan(&got); err != nil {
				return err
			}
			for i, x := range texts {
				a, err := netip.ParseAddr(eventstore.Valid(x))
				if want := err == nil && p.Contains(a.Unmap().WithZone("")); (got[i] == 1) != want {
					rt.Errorf("%q in %s: %v, want %v", x, p, got[i], want)
				}
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// The oracle is strings.ToLower, and lower() of ASCII as ClickHouse has it.
func TestOdd(t *testing.T) {
	ascii := func(s string) string {
		b := []byte(s)
		for i, c := range b {
			if c >= 'A' && c <= 'Z' {
				b[i] = c + 'a' - 'A'
			}
		}
		return string(b)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[A-Za-z加密ÉİΩK]*`), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		got := odd(s)
		if got == "" {
			got = ascii(s)
		}
		if got != strings.ToLower(s) {
			t.Fatalf("%q is %q in lower case, want %q", s, got, strings.ToLower(s))
		}
	})
}
