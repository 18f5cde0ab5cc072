// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/storetest"
	"citywall/identity"
	"citywall/internal/fault"
	"citywall/internal/mishap"
)

// answers asks a store what people ask and writes the answers down. Nothing in
// them may depend on whether a day is sealed.
func answers(t *testing.T, s *Store) []string {
	t.Helper()
	var out []string
	note := func(what string, v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		out = append(out, fmt.Sprintf("%s: %v", what, v))
	}
	cond := func(field string, op eventstore.Op, v string) eventstore.Filter {
		return eventstore.Cond{Field: field, Op: op, Value: v}
	}
	for i, f := range []eventstore.Filter{
		nil, cond("host", eventstore.Eq, "pc0001"), cond("command", eventstore.Contains, "svchost"), cond("src_ip", eventstore.CIDR, "10.1.0.0/28"),
		cond("targetusername", eventstore.Eq, "user3"), eventstore.Word("powershell"), eventstore.Not{F: cond("product", eventstore.Eq, "windows")},
	} {
		q := week
		q.Filter, q.Limit = f, 50
		n, err := s.Count(t.Context(), city, q)
		note(fmt.Sprint("count ", i), n, err)
		h, err := s.Histogram(t.Context(), city, q, 24*time.Hour)
		note(fmt.Sprint("histogram ", i), h, err)
		top, err := s.Top(t.Context(), city, q, "host", 5)
		note(fmt.Sprint("top ", i), top, err)
		for _, sort := range []eventstore.Sort{eventstore.Newest, eventstore.Oldest} {
			q.Sort, q.After = sort, ""
			for page := range 3 {
				p, err := s.Search(t.Context(), city, q)
				note(fmt.Sprint("page ", i, sort, page, len(p.Events), p.Incomplete), ids(p.Events), err)
				if q.After = p.Next; q.After == "" {
					break
				}
			}
		}
	}
	n := 0
	var whole []event.Event
	err := s.Each(t.Context(), city, week, func(e *event.Event) error {
		if n++; n%97 == 0 {
			whole = append(whole, *e)
		}
		return nil
	})
	note("each", n, err)
	note("whole", fmt.Sprintf("%+v", whole), nil)
	return out
}

func ids(es []*event.Event) (out []string) {
	for _, e := range es {
		out = append(out, e.ID.String())
	}
	return out
}

// days appends n days of traffic that begin on the day of noon.
func days(t *testing.T, s *Store, n, perDay int) {
	t.Helper()
	for d := range n {
		tr := storetest.NewTraffic(uint64(d), noon.Truncate(24*time.Hour).AddDate(0, 0, d).Add(time.Minute), 23*time.Hour/time.Duration(perDay))
		put(t, s, fmt.Sprint("day ", d), tr.Batch("", perDay).Events)
	}
}

func seal(t *testing.T, s *Store, due time.Time) []eventstore.Sealed {
	t.Helper()
	x, err := s.Seal(t.Context(), due)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func noMishap(t *testing.T, s *Store) {
	t.Helper()
	for _, m := range s.Mishaps() {
		t.Errorf("mishap: %+v", m)
	}
}

func mishaps(s *Store) (out []mishap.Kind) {
	for _, m := range s.Mishaps() {
		out = append(out, m.Kind)
	}
	return out
}

// clock is a fake clock that starts on the day of noon.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

// Nobody who asks notices that a day was sealed, that late events came, that
// the store was opened again.
func TestSealKeepsAnswers(t *testing.T) {
	c := &clock{noon}
	dir := t.TempDir()
	o := Options{Dir: dir, SealRows: 150, Now: c.now}
	s := openWith(t, o)
	days(t, s, 3, 400)
	before := answers(t, s)
	same := func(what string) {
		t.Helper()
		if d := cmp.Diff(before, answers(t, s)); d != "" {
			t.Fatalf("%s: the answers changed (-before +after):\n%.2000s", what, d)
		}
	}

	if x := seal(t, s, noon); len(x) != 0 {
		t.Fatalf("sealed a day that has not ended: %+v", x)
	}
	c.t = noon.AddDate(0, 0, 2)
	due := c.t.Add(-6 * time.Hour)
	x := seal(t, s, due)
	if len(x) != 2 || x[0].Events != 400 || len(x[0].Files) < 3 || x[0].Files[0] != "day=2026-11-01/p0.parquet" {
		t.Fatalf("sealed %+v", x)
	}
	same("two days sealed")
	if x := seal(t, s, due); len(x) != 0 {
		t.Fatalf("sealed twice: %+v", x)
	}

	// Everything comes again, and nothing is stored twice. Then two late ones.
	tr := storetest.NewTraffic(0, noon.Truncate(24*time.Hour).Add(time.Minute), 23*time.Hour/400)
	put(t, s, "again", tr.Batch("", 400).Events)
	same("the first day came again")
	late := numbered(0, 2, time.Second)
	put(t, s, "late", late)
	before = answers(t, s)
	if x := seal(t, s, due); len(x) != 0 {
		t.Fatalf("late events were sealed before their time: %+v", x)
	}
	c.t = c.t.Add(7 * time.Hour)
	if x := seal(t, s, c.t.Add(-6*time.Hour)); len(x) != 1 || x[0].Events != 2 || x[0].Files[0] != "day=2026-11-01/p3.parquet" {
		t.Fatalf("late events sealed as %+v", x)
	}
	same("late events sealed")
	put(t, s, "late again", late)
	same("late events came again")
	noMishap(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, o)
	same("opened again")
	noMishap(t, s)

	ds, err := s.Days(t.Context())
	if err != nil || len(ds) != 3 {
		t.Fatalf("%+v %v", ds, err)
	}
	if d := ds[0]; d.ID != "2026-11-01" || d.Sealed != 402 || d.Files != 4 || d.Hot != 0 || d.Bytes == 0 || d.LastSealed.IsZero() {
		t.Errorf("first day: %+v", d)
	}
	if d := ds[2]; d.Sealed != 0 || d.Hot != 400 || d.HotBytes == 0 {
		t.Errorf("last day: %+v", d)
	}
}

// Records without a time, events of a case and of another realm, and events of
// scattered days keep their rules when they are sealed.
func TestSealOddities(t *testing.T) {
	c := &clock{noon.AddDate(1, 0, 0)}
	s := openWith(t, Options{Dir: t.TempDir(), MaxDays: 2, Now: c.now})
	untimed := func(at time.Time) []*event.Event {
		return []*event.Event{{ID: event.NewID("untimed", "", 1), Realm: asset.City, Received: at}}
	}
	put(t, s, "", numbered(0, 5, 24*time.Hour)) // two days of their own, three together
	put(t, s, "", untimed(noon))
	if err := s.Append(t.Context(), eventstore.Batch{Case: "c1", Events: numbered(0, 1, time.Second)}); err != nil {
		t.Fatal(err)
	}
	seal(t, s, farFuture)
	put(t, s, "", numbered(0, 5, 24*time.Hour))
	put(t, s, "", untimed(noon.AddDate(0, 2, 0)))
	if err := s.Append(t.Context(), eventstore.Batch{Case: "c1", Events: numbered(0, 1, time.Second)}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, nil); n != 6 {
		t.Errorf("%d events, want 6", n)
	}
	if n, err := s.Count(t.Context(), identity.Scope{Realm: asset.City, Case: "c1"}, week); err != nil || n != 1 {
		t.Errorf("%d events of the case, %v", n, err)
	}
	ds, err := s.Days(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range ds {
		got = append(got, fmt.Sprintf("%s %s..%s %d+%d cased %d", d.ID, d.First.Format(time.DateOnly), d.Last.Format(time.DateOnly), d.Sealed, d.Hot, d.Cased))
	}
	want := []string{
		"2026-11-01 2026-11-01..2026-11-01 3+0 cased 1", "2026-11-02 2026-11-02..2026-11-02 1+0 cased 0", "other/p0 2026-11-03..2026-11-05 3+0 cased 0",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("days:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := s.LetGo(t.Context(), "2026-11-01"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a day with events of a case: %v", err)
	}
	if err := s.LetGo(t.Context(), "other/p0"); err != nil {
		t.Error(err)
	}
	if n := count(t, s, nil); n != 3 {
		t.Errorf("%d events after scattered days went, want 3", n)
	}
}

var errStop = errors.New("stopped here")

// An error at any step leaves the store as it was, and the next sealing ends
// what this one began.
func TestSealStops(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), SealRows: 150})
	days(t, s, 2, 200)
	want := count(t, s, nil)
	for _, at := range []string{"frozen", "copied", "checked", "placed", "committing", "committed", "done"} {
		s.step = func(what string) error {
			if what == at {
				return errStop
			}
			return nil
		}
		if _, err := s.Seal(t.Context(), farFuture); !errors.Is(err, errStop) {
			t.Fatalf("%s: %v", at, err)
		}
		if n := count(t, s, nil); n != want {
			t.Fatalf("stopped at %s: %d events, want %d", at, n, want)
		}
		put(t, s, "", numbered(int(want)*1000, int(want)*1000+1, 0))
		want++
	}
	s.step = func(string) error { return nil }
	seal(t, s, farFuture)
	if n := count(t, s, nil); n != want {
		t.Fatalf("%d events, want %d", n, want)
	}
	if len(s.tables) != 1 {
		t.Errorf("tables are left: %v", s.tables)
	}
}

// The child of TestSealKilled: it dies by its own hand at a step.
func sealUntilKilled(t *testing.T, dir, at string) {
	s, err := Open(t.Context(), Options{Dir: dir, SealRows: 150})
	if err != nil {
		t.Fatal(err)
	}
	s.step = func(what string) error {
		if what == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until it arrives
		}
		return nil
	}
	if strings.HasPrefix(at, "let") {
		err = s.LetGo(t.Context(), "2026-11-01")
	} else {
		_, err = s.Seal(t.Context(), farFuture)
	}
	t.Fatalf("not killed at %s: %v", at, err)
}

// A process that is killed between any two steps loses nothing and shows
// nothing twice; what it left lying is reported and kept.
func TestSealKilled(t *testing.T) {
	const envDir, envAt = "CITYWALL_SEAL_DIR", "CITYWALL_SEAL_AT"
	if dir := os.Getenv(envDir); dir != "" {
		sealUntilKilled(t, dir, os.Getenv(envAt))
	}
	for at, strays := range map[string]int{"frozen": 0, "copied": 0, "checked": 0, "placed": 1, "committing": 2, "committed": 0, "done": 0, "letting go": 0, "let go": 0} {
		t.Run(at, func(t *testing.T) {
			dir := t.TempDir()
			o := Options{Dir: dir, SealRows: 150}
			s := openWith(t, o)
			days(t, s, 2, 200)
			want := int64(400)
			if strings.HasPrefix(at, "let") {
				seal(t, s, farFuture)
				if at == "let go" {
					want = 200
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSealKilled$")
			cmd.Env = append(os.Environ(), envDir+"="+dir, envAt+"="+at)
			if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("the child: %v\n%s", err, out)
			}
			s = openWith(t, o)
			if n := count(t, s, nil); n != want {
				t.Errorf("%d events after the kill, want %d", n, want)
			}
			var moved int
			for _, m := range s.Mishaps() {
				if m.Kind != mishap.FileStray {
					t.Errorf("mishap %+v", m)
				}
				if _, err := os.Stat(m.Args["aside"]); err != nil {
					t.Errorf("what was moved aside: %v", err)
				}
				moved++
			}
			if moved != strays {
				t.Errorf("%d files were moved aside, want %d", moved, strays)
			}
			seal(t, s, farFuture)
			if n := count(t, s, nil); n != want {
				t.Errorf("%d events after sealing, want %d", n, want)
			}
			onDisk, err := filepath.Glob(filepath.Join(dir, "day=*", "p*.parquet"))
			if err != nil || len(onDisk) != len(s.files) {
				t.Errorf("%d files on disk, %d in the list, %v", len(onDisk), len(s.files), err)
			}
		})
	}
}

// A clock that is set back seals nothing early and nothing twice.
func TestClockSetBack(t *testing.T) {
	c := &clock{noon.Truncate(24 * time.Hour).Add(30 * time.Hour)} // 06:00 on the second day
	s := openWith(t, Options{Dir: t.TempDir(), Now: c.now})
	put(t, s, "a", numbered(0, 100, time.Second))
	c.t = c.t.Add(6 * time.Hour)
	if x := seal(t, s, c.t.Add(-6*time.Hour)); len(x) != 1 {
		t.Fatalf("%+v", x)
	}
	c.t = c.t.Add(-time.Hour)
	put(t, s, "b", numbered(50, 150, time.Second))
	if x := seal(t, s, c.t.Add(-6*time.Hour)); len(x) != 0 {
		t.Errorf("sealed with a clock set back: %+v", x)
	}
	c.t = c.t.Add(5*time.Hour + 59*time.Minute) // not six hours after the late events
	if x := seal(t, s, c.t.Add(-6*time.Hour)); len(x) != 0 {
		t.Errorf("sealed early: %+v", x)
	}
	c.t = c.t.Add(2 * time.Minute)
	if x := seal(t, s, c.t.Add(-6*time.Hour)); len(x) != 1 || x[0].Events != 50 {
		t.Errorf("late events: %+v", x)
	}
	if n := count(t, s, nil); n != 150 {
		t.Errorf("%d events, want 150", n)
	}
}

// A day that is let go stays readable for those who read it already.
func TestLetGo(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir})
	days(t, s, 2, 200)
	if err := s.LetGo(t.Context(), "2026-11-01"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a day that is not sealed: %v", err)
	}
	seal(t, s, farFuture)
	put(t, s, "", numbered(0, 1, 0))
	if err := s.LetGo(t.Context(), "2026-11-01"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a day with late events: %v", err)
	}
	seal(t, s, farFuture)
	if err := s.LetGo(t.Context(), "2026-11-03"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a day that is not there: %v", err)
	}
	gone := make(chan error, 1)
	n := 0
	err := s.Each(t.Context(), city, week, func(*event.Event) error {
		if n++; n == 1 {
			go func() { gone <- s.LetGo(context.WithoutCancel(t.Context()), "2026-11-01") }()
			for deadline := time.Now().Add(20 * time.Second); ; {
				if k := count(t, s, nil); k == 200 {
					break // out of every new answer
				} else if time.Now().After(deadline) {
					return fmt.Errorf("%d events are still shown", k)
				}
				time.Sleep(5 * time.Millisecond)
			}
			select {
			case err := <-gone:
				return fmt.Errorf("the files went while they were read: %v", err)
			default:
			}
		}
		return nil
	})
	if err != nil || n != 401 {
		t.Errorf("the reader saw %d events, %v", n, err)
	}
	if err := <-gone; err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "day=2026-11-01*")); err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v %v", left, err)
	}
	if ds, err := s.Days(t.Context()); err != nil || len(ds) != 1 {
		t.Errorf("%+v %v", ds, err)
	}
	noMishap(t, s)
}

// The room of a sealed day is given back.
func TestSealGivesRoomBack(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir})
	var sizes []int64
	for d := range 4 {
		tr := storetest.NewTraffic(uint64(d), noon.Truncate(24*time.Hour).AddDate(0, 0, d), 2*time.Second)
		put(t, s, fmt.Sprint(d), tr.Batch("", 20_000).Events)
		seal(t, s, farFuture)
		n, err := hotSize(dir)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, n)
	}
	if slices.Max(sizes[1:]) > 2*sizes[0] {
		t.Errorf("the hot file grows although every day was sealed: %v", sizes)
	}
}
