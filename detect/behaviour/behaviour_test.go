// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
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
		{"one dead host again and again", func() []seen {
			l := contacts(ip(10, 1, 1, 9), 1, 0, all)
			for i := range 50 {
				l = append(l, seen{time.Duration(i) * time.Second, l[0].v})
			}
			return l
		}(), nil},

		{"eight hosts over SMB at once", contacts(ip(10, 1, 1, 9), 8, time.Second, none), []string{fanKind.Title}},
		{"seven hosts", contacts(ip(10, 1, 1, 9), 7, time.Second, none), nil},
		{"a jump host that always does so", busyAndThen(200, 12, 12), []string{fanKind.Title}}, /* when it is new */
		{"and then far more", busyAndThen(200, 12, 40), []string{fanKind.Title, fanKind.Title}},

		{"by the clock", calls(30, 5*time.Minute, 10*time.Second, 1), []string{beaconKind.Title}},
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
		{"eight accounts over a day", logons(8, 2*time.Hour, func(i int) string { return fmt.Sprint("u", i) }, ""), nil},
		{"one of them works", logons(10, time.Second, func(i int) string { return fmt.Sprint("u", i%9) }, event.Logon), []string{sprayKind.Title, sprayWonKind.Title}},
		{"a colleague logs on from there", logons(10, time.Second, func(i int) string { return fmt.Sprint("u", i) }, event.Logon), []string{sprayKind.Title}},
		{"brute force", logons(20, time.Second, func(int) string { return "admin" }, ""), []string{bruteKind.Title}},
		{"an old password is saved", logons(500, 5*time.Minute, func(int) string { return "lin" }, ""), nil},
		{"an old password is saved, and mended", logons(31, 20*time.Second, func(int) string { return "lin" }, event.Logon), []string{bruteKind.Title}},
		{"brute force that succeeds", logons(101, time.Second, func(int) string { return "admin" }, event.Logon), []string{bruteKind.Title, sprayWonKind.Title}},
		{"mistyped and right", logons(4, 3*time.Second, func(int) string { return "lin" }, event.Logon), nil},

		{"data in names", queries(40, time.Second, func(i int) string { return code(i, 40) + ".t.example.com" }), []string{tunnelKind.Title}},
		{"39 names", queries(39, time.Second, func(i int) string { return code(i, 40) + ".t.example.com" }), nil},
		{"over a day", queries(200, 10*time.Minute, func(i int) string { return code(i, 40) + ".t.example.com" }), nil},
		{"many short names of one cloud", queries(400, time.Second, func(i int) string { return fmt.Sprintf("edge-%d.cdn.example.com", i) }), nil},
		{"the same long name", queries(400, time.Second, func(int) string { return code(1, 60) + ".example.com" }), nil},
		{"long names of many domains", queries(400, time.Second, func(i int) string { return code(i, 40) + ".d" + fmt.Sprint(i) + ".com.tw" }), nil},
		{"reverse look-ups", queries(400, time.Second, func(i int) string { return fmt.Sprintf("%d.1.168.192.in-addr.arpa", i) }), nil},

		{"encryption", files(40, 100*time.Millisecond, func(i int) string { return fmt.Sprintf(`D:\share\%d\report%d.docx.locked`, i%5, i) }), []string{massFileKind.Title}},
		{"encryption, records late by two minutes between", mixed(files(40, 100*time.Millisecond, func(i int) string { return fmt.Sprintf(`D:\share\%d\report%d.docx.locked`, i%5, i) }), 2*time.Minute), []string{massFileKind.Title}},
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
	var list []seen
	list = append(list, contacts(ip(10, 1, 1, 9), 12, time.Second, func(i int) bool { return i != 3 })...)
	list = append(list, logons(30, time.Second, func(i int) string { return fmt.Sprint("u", i%12) }, event.Logon)...)
	list = append(list, queries(60, time.Second, func(i int) string { return code(i, 40) + ".t.example.com" })...)
	list = append(list, files(60, 100*time.Millisecond, func(i int) string { return fmt.Sprintf(`D:\share\%d\r%d.docx.locked`, i%5, i) })...)
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.Permutation(list).Draw(t, "order")
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

// What is not a snapshot of this version is refused, and the Set works as new.
func TestRestoreRefuses(t *testing.T) {
	for _, doc := range []string{"", "{", `{"version":99}`, `{"version":1,"detectors":{"scan":[]}}`} {
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
		x := newTable[int](limit)
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

func TestKinds(t *testing.T) {
	ids := map[string]bool{}
	for _, k := range Kinds() {
		if ids[k.ID] || k.Title == "" || k.Formula == "" || k.Meaning.Step == "" || k.Meaning.Technique == "" || len(k.Tags) == 0 || k.Meaning.Compromise {
			t.Errorf("%+v", k)
		}
		ids[k.ID] = true
	}
}
