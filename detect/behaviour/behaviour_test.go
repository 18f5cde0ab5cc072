// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"crypto/sha1"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
)

var t0 = time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC)

// seen is one record of a made-up course of events.
type seen struct {
	at time.Duration
	v  event.View
}

// play shows a new Set what was seen and returns the titles of what it says.
func play(t testing.TB, list []seen) (said []string) {
	t.Helper()
	s := New()
	for i := range list {
		for _, f := range s.see(made(i, &list[i])) {
			if len(f.Reasons) < 2 || len(f.Events) == 0 || f.Host == "" {
				t.Errorf("%s: reasons %q, %d events, host %q", f.Rule.Title, f.Reasons, len(f.Events), f.Host)
			}
			said = append(said, f.Rule.Title)
		}
	}
	return said
}

func made(i int, x *seen) (*event.Event, *event.View) {
	return &event.Event{ID: event.NewID("made", "", uint64(i)), Realm: asset.City, Time: t0.Add(x.at)}, &x.v
}

func ip(a, b, c, d int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(a), byte(b), byte(c), byte(d)})
}

// contacts turns to n hosts one after the other; fails says which do not answer.
func contacts(src netip.Addr, n int, every time.Duration, fails func(int) bool) (out []seen) {
	for i := range n {
		a := event.Flow
		if fails(i) {
			a = event.FlowRefused
		}
		out = append(out, seen{time.Duration(i) * every, event.View{Action: a, Src: src, Dst: ip(10, 1, i/250, i%250+1), DstPort: 445}})
	}
	return out
}

func logons(n int, every time.Duration, account func(int) string, last event.Action) (out []seen) {
	for i := range n {
		v := event.View{Action: event.LogonFailed, Host: "dc01", Src: ip(10, 1, 1, 9), Target: asset.Account{Name: account(i)}}
		if i == n-1 && last != "" {
			v.Action = last
		}
		out = append(out, seen{time.Duration(i) * every, v})
	}
	return out
}

// gateway is an address outside that tries so many accounts, a minute each, and
// logs on with another after a while.
func gateway(n int, after time.Duration) []seen {
	l := logons(n, time.Minute, func(i int) string { return fmt.Sprint("u", i) }, "")
	l = append(l, seen{l[n-1].at + after, event.View{Action: event.Logon, Service: "vpn", Target: asset.Account{Name: "right"}}})
	for i := range l {
		l[i].v.Host, l[i].v.Src = "", ip(203, 0, 113, 9)
	}
	return l
}

func queries(n int, every time.Duration, name func(int) string) (out []seen) {
	for i := range n {
		out = append(out, seen{time.Duration(i) * every, event.View{Action: event.DNS, Src: ip(10, 1, 1, 9), Message: name(i)}})
	}
	return out
}

func files(n int, every time.Duration, path func(int) string) (out []seen) {
	for i := range n {
		out = append(out, seen{time.Duration(i) * every, event.View{Action: event.File, Host: "fs01", Process: `C:\x\p.exe`, File: path(i)}})
	}
	return out
}

// busyAndThen is a host that turns to usual hosts in every minute, and to last
// in the end.
func busyAndThen(minutes, usual, last int) (out []seen) {
	for m := range minutes {
		n := usual
		if m == minutes-1 {
			n = last
		}
		for i := range n {
			v := event.View{Action: event.Flow, Src: ip(10, 1, 1, 9), Dst: ip(10, 1, 0, i+1), DstPort: 5985}
			out = append(out, seen{time.Duration(m)*time.Minute + time.Duration(i)*time.Second, v})
		}
	}
	return out
}

// ways is an account that goes one way on each day but the last, and another on
// that one, to a machine that others use too. Of a single day there is only the
// other way.
func ways(days int, privileged bool, others int) (out []seen) {
	who := asset.Account{Domain: "CITY", Name: "adm"}
	logon := func(d int, account asset.Account, src, dst string) {
		out = append(out, seen{time.Duration(d) * 24 * time.Hour, event.View{Action: event.Logon, Logon: 3, Target: account, SrcHost: src, Host: dst}})
	}
	if privileged {
		out = append(out, seen{0, event.View{Action: event.Privilege, User: who, Host: "dc01"}})
	}
	for i := range others {
		logon(0, asset.Account{Name: fmt.Sprint("u", i)}, fmt.Sprint("pc", i), "bak01")
	}
	for d := range days - 1 {
		logon(d, who, "jump01", "dc01")
	}
	logon(days-1, who, "pc0012", "bak01")
	return out
}

func shifted(list []seen, by time.Duration) []seen {
	for i := range list {
		list[i].at += by
	}
	return list
}

// mixed puts between records of now others of a while ago, of the same entity.
func mixed(list []seen, ago time.Duration) (out []seen) {
	for _, x := range list {
		old := x
		old.at -= ago
		old.v.File += "x"
		out = append(out, x, old)
	}
	return out
}

// calls are contacts with one address outside, each late or early by up to
// jitter, by so many sources in turn.
func calls(n int, every, jitter time.Duration, sources int) (out []seen) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		late := time.Duration(r.Int64N(int64(jitter)))
		v := event.View{Action: event.Flow, Src: ip(10, 1, 1, 9+i%sources), Dst: ip(203, 0, 113, 7), DstPort: 443}
		out = append(out, seen{time.Duration(i)*every + late, v})
	}
	return out
}

// digest is what a fingerprint of a file looks like, the same for the same i.
func digest(i int) string {
	return fmt.Sprintf("%x", sha1.Sum([]byte{byte(i), byte(i >> 8)})) //nolint:gosec // looks like one
}

// code is text as an encoder of bytes writes it, the same for the same i.
func code(i, n int) string {
	const set = "abcdefghijklmnopqrstuvwxyz234567"
	x, b := uint64(i)*0x9e3779b97f4a7c15+1, make([]byte, n)
	for k := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[k] = set[x%32]
	}
	return string(b)
}

func TestDetectors(t *testing.T) {
	all := func(int) bool { return true }
	none := func(int) bool { return false }
	for _, c := range []struct {
		name string
		list []seen
		want []string
	}{
		// After 4 failures Λ = 256 ≥ 0.99/0.01, after 9 Λ = 262144 ≥ 0.99/0.00001.
		{"three hosts do not answer", contacts(ip(10, 1, 1, 9), 3, time.Second, all), nil},
		{"four hosts do not answer", contacts(ip(10, 1, 1, 9), 4, time.Second, all), []string{scanKind.Title}},
		{"nine hosts do not answer", contacts(ip(10, 1, 1, 9), 9, time.Minute, all), []string{scanKind.Title, scanSureKind.Title}},
		{"a long scan is said once an hour", contacts(ip(10, 1, 1, 9), 340, 10*time.Second, all), []string{scanKind.Title, scanSureKind.Title}},
		{"somebody outside", contacts(ip(203, 0, 113, 9), 30, time.Second, all), []string{scanOutsideKind.Title}},
		{"monitoring reaches all", contacts(ip(10, 1, 1, 9), 400, 10*time.Second, none), nil},
		{"every fourth host is off", contacts(ip(10, 1, 1, 9), 400, 10*time.Second, func(i int) bool { return i%4 == 3 }), nil},
		{"now and then four of twenty do not answer", contacts(ip(10, 1, 1, 9), 400, 10*time.Second, func(i int) bool { return i%20 < 4 }), []string{scanKind.Title}},
		{"one dead host again and again", func() []seen {
			l := contacts(ip(10, 1, 1, 9), 1, 0, all)
			for i := range 50 {
				l = append(l, seen{time.Duration(i) * time.Second, l[0].v})
			}
			return l
		}(), nil},

		{"eight hosts over SMB at once", contacts(ip(10, 1, 1, 9), 8, time.Second, none), []string{fanKind.Title}},
		{"seven hosts", contacts(ip(10, 1, 1, 9), 7, time.Second, none), nil},
		{"told of by one whose clock is ten minutes ahead, too", func() (l []seen) {
			for i, x := range contacts(ip(10, 1, 1, 9), 8, time.Second, none) {
				y := x
				y.at, y.v.Dst = y.at+10*time.Minute, ip(10, 1, 9, i%2)
				l = append(l, y, x)
			}
			return l
		}(), []string{fanKind.Title}},
		{"a jump host that always does so", busyAndThen(200, 12, 12), []string{fanKind.Title}}, /* when it is new */
		{"and then far more", busyAndThen(200, 12, 40), []string{fanKind.Title, fanKind.Title}},

		{"by the clock", calls(30, 5*time.Minute, 10*time.Second, 1), []string{beaconKind.Title}},
		{"by the clock, told by two sensors", twice(calls(30, 5*time.Minute, 10*time.Second, 1), "core", 700*time.Millisecond), []string{beaconKind.Title}},
		{"every minute", calls(60, time.Minute, 5*time.Second, 1), []string{beaconKind.Title}},
		{"a person", calls(200, 5*time.Minute, 10*time.Minute, 1), nil},
		{"a conversation", calls(400, 5*time.Second, time.Second, 1), nil},
		{"too short", calls(20, 5*time.Minute, time.Second, 1), nil},
		{"where all turn to", calls(300, 30*time.Second, time.Second, 8), nil},

		{"a new way after three days", ways(4, true, 0), []string{edgeKind.Title}},
		{"after two days", ways(3, true, 0), nil},
		{"without privileges", ways(4, false, 0), nil},
		{"to a machine that all use", ways(4, true, 8), nil},
		{"the old way after forty days", append(ways(3, true, 0), shifted(ways(1, true, 0), 43*24*time.Hour)...), []string{edgeKind.Title}},
		{"a way gone twice", append(ways(4, true, 0), shifted(ways(1, true, 0), 4*24*time.Hour)...), []string{edgeKind.Title}},

		{"eight accounts", logons(8, time.Second, func(i int) string { return fmt.Sprint("u", i) }, ""), []string{sprayKind.Title}},
		{"seven accounts", logons(7, time.Second, func(i int) string { return fmt.Sprint("u", i) }, ""), nil},
		{"eight accounts across the edge of a window", append(logons(1, 0, func(int) string { return "x" }, ""), shifted(logons(8, time.Minute, func(i int) string { return fmt.Sprint("u", i) }, ""), 6*time.Minute)...), []string{sprayKind.Title}},
		{"the right one, after the window of the spray has slid", func() []seen {
			l := append(logons(9, time.Second, func(i int) string { return fmt.Sprint("u", i) }, ""), shifted(logons(9, time.Minute, func(i int) string { return fmt.Sprint("u", i) }, ""), 2*time.Minute)...)
			return append(l, seen{11*time.Minute + 30*time.Second, event.View{Action: event.Logon, Host: "dc01", Src: ip(10, 1, 1, 9), Target: asset.Account{Name: "u8"}}})
		}(), []string{sprayKind.Title, sprayWonKind.Title}},
		{"eight accounts over a day", logons(8, 2*time.Hour, func(i int) string { return fmt.Sprint("u", i) }, ""), nil},
		{"one of them works", logons(10, time.Second, func(i int) string { return fmt.Sprint("u", i%9) }, event.Logon), []string{sprayKind.Title, sprayWonKind.Title}},
		{"a colleague logs on from there", logons(10, time.Second, func(i int) string { return fmt.Sprint("u", i) }, event.Logon), []string{sprayKind.Title}},
		{"brute force", logons(20, time.Second, func(int) string { return "admin" }, ""), []string{bruteKind.Title}},
		{"an old password is saved", logons(500, 5*time.Minute, func(int) string { return "lin" }, ""), nil},
		{"an old password is saved, and mended", logons(31, 20*time.Second, func(int) string { return "lin" }, event.Logon), []string{bruteKind.Title}},
		{"brute force that succeeds", logons(101, time.Second, func(int) string { return "admin" }, event.Logon), []string{bruteKind.Title, sprayWonKind.Title}},
		{"mistyped and right", logons(4, 3*time.Second, func(int) string { return "lin" }, event.Logon), nil},

		{"four accounts from outside, and then one that is right", gateway(4, 10*time.Minute), []string{outsideWonKind.Title}},
		{"three", gateway(3, 10*time.Minute), nil},
		{"an hour later", gateway(4, time.Hour), nil},
		{"from inside", func() []seen {
			l := gateway(4, 10*time.Minute)
			for i := range l {
				l[i].v.Src = ip(10, 1, 1, 9)
			}
			return l
		}(), nil},

		{"data in names", queries(40, time.Second, func(i int) string { return code(i, 40) + ".t.example.com" }), []string{tunnelKind.Title}},
		{"across the edge of a window", append(queries(25, 10*time.Second, func(i int) string { return code(i, 40) + ".t.example.com" }), shifted(queries(25, 10*time.Second, func(i int) string { return code(i+100, 40) + ".t.example.com" }), 5*time.Minute)...), []string{tunnelKind.Title}},
		{"an antivirus program asks for fingerprints", queries(400, time.Second, func(i int) string { return digest(i) + ".avqs.example.com" }), []string{tunnelHashKind.Title}},
		{"and so does every host", func() (l []seen) {
			for h := range 20 {
				q := queries(60, time.Second, func(i int) string { return "0." + digest(100*h+i) + ".avqs.example.com" })
				for i := range q {
					q[i].v.Src, q[i].at = ip(10, 1, 1, 20+h), q[i].at+time.Duration(h)*time.Hour
				}
				l = append(l, q...)
			}
			return l
		}(), slices.Repeat([]string{tunnelHashKind.Title}, tunnelCommon-1)},
		{"data beside a fingerprint", queries(60, time.Second, func(i int) string { return digest(i) + "." + code(i, 40) + ".example.com" }), []string{tunnelKind.Title}},
		{"39 names", queries(39, time.Second, func(i int) string { return code(i, 40) + ".t.example.com" }), nil},
		{"over a day", queries(200, 10*time.Minute, func(i int) string { return code(i, 40) + ".t.example.com" }), nil},
		{"many short names of one cloud", queries(400, time.Second, func(i int) string { return fmt.Sprintf("edge-%d.cdn.example.com", i) }), nil},
		{"the same long name", queries(400, time.Second, func(int) string { return code(1, 60) + ".example.com" }), nil},
		{"long names of many domains", queries(400, time.Second, func(i int) string { return code(i, 40) + ".d" + fmt.Sprint(i) + ".com.tw" }), nil},
		{"reverse look-ups", queries(400, time.Second, func(i int) string { return fmt.Sprintf("%d.1.168.192.in-addr.arpa", i) }), nil},

		{"encryption", files(40, 100*time.Millisecond, func(i int) string { return fmt.Sprintf(`D:\share\%d\report%d.docx.locked`, i%5, i) }), []string{massFileKind.Title}},
		{"encryption, records late by two minutes between", mixed(files(40, 100*time.Millisecond, func(i int) string { return fmt.Sprintf(`D:\share\%d\report%d.docx.locked`, i%5, i) }), 2*time.Minute), []string{massFileKind.Title}},
		{"across the edge of a minute", append(files(25, time.Second, func(i int) string { return fmt.Sprintf(`D:\share\%d\a%d.docx.locked`, i%5, i) }), shifted(files(25, time.Second, func(i int) string { return fmt.Sprintf(`D:\share\%d\b%d.docx.locked`, i%5, i) }), 45*time.Second)...), []string{massFileKind.Title}},
		{"in one folder", files(400, 10*time.Millisecond, func(i int) string { return fmt.Sprintf(`D:\share\report%d.docx.locked`, i) }), nil},
		{"slowly", files(400, 10*time.Second, func(i int) string { return fmt.Sprintf(`D:\share\%d\report%d.docx.locked`, i%5, i) }), nil},
		{"backup", files(400, 10*time.Millisecond, func(i int) string { return fmt.Sprintf(`D:\backup\%d\report%d.docx.bak`, i%5, i) }), nil},
		{"archive", files(400, 10*time.Millisecond, func(i int) string { return fmt.Sprintf(`D:\backup\%d\report%d.xlsx.gz`, i%5, i) }), nil},
		{"sync", files(400, 10*time.Millisecond, func(i int) string { return fmt.Sprintf(`D:\sync\%d\report%d.docx`, i%5, i) }), nil},
		{"compiler", files(400, 10*time.Millisecond, func(i int) string { return fmt.Sprintf(`D:\src\%d\unit%d.cpp.obj`, i%5, i) }), nil},
		{"installer", files(400, 10*time.Millisecond, func(i int) string { return fmt.Sprintf(`C:\Program Files\x\%d\lib.v2.%d.dll`, i%5, i) }), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, play(t, c.list), cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
}

// A Set that was written down and taken up again anywhere goes on as one that
// was not. Oracle: the Set without an interruption.
func TestSnapshot(t *testing.T) {
	groups := [][]seen{
		contacts(ip(10, 1, 1, 9), 12, time.Second, func(i int) bool { return i != 3 }),
		logons(30, time.Second, func(i int) string { return fmt.Sprint("u", i%12) }, event.Logon),
		queries(60, time.Second, func(i int) string { return code(i, 40) + ".t.example.com" }),
		files(60, 100*time.Millisecond, func(i int) string { return fmt.Sprintf(`D:\share\%d\r%d.docx.locked`, i%5, i) }),
		busyAndThen(40, 2, 40), calls(30, 5*time.Minute, 10*time.Second, 1), ways(4, true, 2), creeps(3, 14, time.Hour),
		append(officeHours(5, "adm"), administers(4*aDay+toNight, "adm", "srv1")), uploads(0, 0, 0, 400*mb), spread(3, rounds(0, 0, 3)),
	}
	kinds := map[string]bool{}
	for _, g := range groups {
		for _, k := range play(t, g) {
			kinds[k] = true
		}
	}
	if len(kinds) < 12 {
		t.Fatalf("only %d kinds are said: the test tests little", len(kinds))
	}
	var list []seen
	for _, g := range groups {
		list = append(list, g...)
	}
	slices.SortStableFunc(list, func(a, b seen) int { return int(a.at - b.at) })
	rapid.Check(t, func(t *rapid.T) {
		// In order of time but for some that come early or late: what was shuffled wholly says little.
		order := slices.Clone(list)
		for range rapid.IntRange(0, 20).Draw(t, "swaps") {
			i := rapid.IntRange(0, len(order)-1).Draw(t, "i")
			j := min(i+rapid.IntRange(0, 50).Draw(t, "by"), len(order)-1)
			order[i], order[j] = order[j], order[i]
		}
		cut := rapid.IntRange(0, len(order)).Draw(t, "cut")
		one, two := New(), New()
		var want, got []detect.Finding
		for i := range order {
			want = append(want, one.see(made(i, &order[i]))...)
			if i == cut {
				b, err := two.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				two = New()
				if err := two.Restore(b); err != nil {
					t.Fatal(err)
				}
			}
			got = append(got, two.see(made(i, &order[i]))...)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

// A time of before 1970, or none, is passed over and counted; one of far ahead
// breaks nothing.
func TestOddTimes(t *testing.T) {
	s := New()
	var views []event.View
	for _, g := range [][]seen{contacts(ip(10, 1, 1, 9), 2, 0, func(int) bool { return true }), logons(2, 0, func(int) string { return "u" }, ""), queries(2, 0, func(i int) string { return code(i, 40) + ".example.com" }), files(2, 0, func(i int) string { return fmt.Sprint(`D:\a.docx.locked`, i) }), calls(2, time.Minute, 1, 1), uploads(mb)} {
		for _, x := range g {
			views = append(views, x.v)
		}
	}
	odd := []time.Time{{}, time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), t0, time.Date(1970, 1, 1, 0, 0, 2, 0, time.UTC)}
	for i, at := range odd {
		for k := range views {
			s.ObserveView(&event.Event{ID: event.NewID("odd", "", uint64(i*100+k)), Time: at}, &views[k])
		}
	}
	if st := s.Stats(); st.NoTime != int64(3*len(views)) || st.Events != int64(len(odd)*len(views)) {
		t.Errorf("%+v", st)
	}
}

// What is not a snapshot of this version is refused, and the Set works as new.
func TestRestoreRefuses(t *testing.T) {
	for _, doc := range []string{"", "{", `{"version":99}`, `{"version":2,"detectors":{"scan":[]}}`} {
		s := New()
		if err := s.Restore([]byte(doc)); err == nil {
			t.Errorf("%q was taken up", doc)
		}
		l := contacts(ip(10, 1, 1, 9), 4, time.Second, func(int) bool { return true })
		n := 0
		for i := range l {
			n += len(s.see(made(i, &l[i])))
		}
		if n != 1 {
			t.Errorf("%q: %d findings afterwards, want 1", doc, n)
		}
	}
}

// A table holds no more than its limit, keeps what is touched, and counts what
// it lets go. Oracle: its own counts.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(2, 40).Draw(t, "limit")
		x := newTable[string, int](limit)
		made := 0
		for range rapid.IntRange(0, 500).Draw(t, "n") {
			k := fmt.Sprint(rapid.IntRange(0, 100).Draw(t, "key"))
			if x.get(k) == nil {
				made++
			}
			*x.make(k)++
			if x.get(k) == nil || x.len() > limit {
				t.Fatalf("%d entries, limit %d", x.len(), limit)
			}
		}
		if int64(made) != int64(x.len())+x.Gone {
			t.Fatalf("%d made, %d there, %d gone", made, x.len(), x.Gone)
		}
	})
}

// What all entries hold together is bounded too, however they grow and shrink, but
// for one entry that is over it.
// Oracle: the sum over the entries.
func TestHeavyTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		heavy := rapid.IntRange(20, 200).Draw(t, "heavy")
		x := newHeavy[int](1000, heavy, func(v *[]int) int { return len(*v) })
		for range rapid.IntRange(0, 300).Draw(t, "n") {
			v, had := x.load(rapid.IntRange(0, 30).Draw(t, "key"))
			if rapid.IntRange(0, 5).Draw(t, "shrink") == 0 {
				*v = (*v)[:len(*v)/2]
			} else {
				*v = append(*v, 1)
			}
			x.settle(v, had)
			sum, now, most := 0, 0, len(*v)+1
			for _, v := range x.New {
				now, most = now+len(*v), max(most, len(*v))
			}
			for _, v := range x.Old {
				sum, most = sum+len(*v), max(most, len(*v))
			}
			if now != x.Load || sum+now > heavy+most {
				t.Fatalf("%d parts in New, %d counted, %d in all, at most %d", now, x.Load, sum+now, heavy)
			}
		}
	})
}

// One spelling of an account counts as another, unless two domains have it.
func TestNames(t *testing.T) {
	n := newNames()
	see := func(a asset.Account) string {
		v := event.View{Action: event.Logon, User: a, Host: "pc1"}
		n.observe(nil, nil, &v)
		return n.of(a)
	}
	see(asset.Account{Domain: "city", Name: "lin"})
	see(asset.Account{Domain: "pc1", Name: "local"})
	for _, c := range []struct {
		a    asset.Account
		want string
	}{
		{asset.Account{Domain: "city", Name: "lin"}, `city\lin`},
		{asset.Account{Name: "lin"}, `city\lin`},
		{asset.Account{Domain: "CITY", Name: "Lin"}, `city\lin`},
		{asset.Account{Name: "wang"}, "wang"},
		{asset.Account{Name: "local"}, "local"}, // of one machine only
		{asset.Account{}, ""},
	} {
		if got := see(c.a); got != c.want {
			t.Errorf("%v is %q, want %q", c.a, got, c.want)
		}
	}
	see(asset.Account{Domain: "hosp", Name: "lin"})
	if got := see(asset.Account{Name: "lin"}); got != "lin" {
		t.Errorf("a name that two domains have is %q", got)
	}
}

// Public addresses of the house are not outside: those it is told of, and those
// that a firewall has on its inner side.
func TestHouse(t *testing.T) {
	scanned := func(s *Set, src netip.Addr, side string) (said []string) {
		l := contacts(src, 9, time.Minute, func(int) bool { return true })
		for i := range l {
			if l[i].v.Src = src; i == 0 {
				l[i].v.SrcSide = side
			}
			for _, f := range s.see(made(i, &l[i])) {
				said = append(said, f.Rule.Title)
			}
		}
		return said
	}
	inside := []string{scanKind.Title, scanSureKind.Title}
	for _, c := range []struct {
		name, side string
		src        netip.Addr
		want       []string
	}{
		{"somebody", "", ip(203, 0, 113, 9), []string{scanOutsideKind.Title}},
		{"somebody at the outer interface", "wan", ip(203, 0, 113, 9), []string{scanOutsideKind.Title}},
		{"a server with a public address", "dmz", ip(203, 0, 113, 9), inside},
		{"a public network of the house", "", ip(198, 51, 100, 9), inside},
		{"between carrier and customer", "", ip(100, 64, 3, 9), inside},
	} {
		if d := cmp.Diff(c.want, scanned(New(netip.MustParsePrefix("198.51.100.0/24")), c.src, c.side)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// A flood from outside makes nobody of the house forgotten.
func TestFloodFromOutside(t *testing.T) {
	s := New()
	n := 0
	see := func(l []seen) (said []string) {
		for i := range l {
			n++
			for _, f := range s.see(made(n, &l[i])) {
				said = append(said, f.Rule.Title)
			}
		}
		return said
	}
	all := func(int) bool { return true }
	see(contacts(ip(10, 1, 1, 9), 3, time.Second, all))
	see(logons(7, time.Second, func(i int) string { return fmt.Sprint("u", i) }, ""))
	for i := range 2 * scanSources {
		src := host4(198, i)
		see([]seen{
			{time.Minute, event.View{Action: event.FlowRefused, Src: src, Dst: ip(10, 1, 1, 1), DstPort: 443}},
			{time.Minute, event.View{Action: event.LogonFailed, Src: src, Host: "vpn", Target: asset.Account{Name: "admin"}}},
		})
	}
	if s.Stats().Forgotten == 0 {
		t.Fatal("nothing was let go: the test tests nothing")
	}
	got := see(shifted(contacts(ip(10, 1, 1, 9), 4, time.Second, all)[3:], time.Minute))
	got = append(got, see([]seen{{2 * time.Minute, event.View{Action: event.LogonFailed, Host: "dc01", Src: ip(10, 1, 1, 9), Target: asset.Account{Name: "u7"}}}})...)
	if d := cmp.Diff([]string{scanKind.Title, sprayKind.Title}, got); d != "" {
		t.Error(d)
	}
}

func TestKinds(t *testing.T) {
	ids, names := map[string]bool{}, map[string]bool{}
	for _, d := range detectors(nil) {
		names[d.name()] = true
	}
	for _, k := range Kinds() {
		if ids[k.ID] || !names[k.Detector] || k.Title == "" || k.Formula == "" || k.Meaning.Step == "" || k.Meaning.Technique == "" || len(k.Tags) == 0 || k.Meaning.Compromise {
			t.Errorf("%+v", k)
		}
		ids[k.ID] = true
	}
}
