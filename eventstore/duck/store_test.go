// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

var (
	city = identity.Scope{Realm: asset.City}
	noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	week = eventstore.Query{From: noon.AddDate(-10, 0, 0), To: noon.AddDate(10, 0, 0)}
)

func openWith(t *testing.T, o Options) *Store {
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

// numbered makes events n of [from, to), step apart.
func numbered(from, to int, step time.Duration) []*event.Event {
	var out []*event.Event
	for i := from; i < to; i++ {
		out = append(out, &event.Event{
			ID: event.NewID("numbered", "", uint64(i)), Realm: asset.City, Time: noon.Add(time.Duration(i) * step),
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

func count(t *testing.T, s *Store, f eventstore.Filter) int64 {
	t.Helper()
	q := week
	q.Filter = f
	n, err := s.Count(t.Context(), city, q)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Nothing that could get into a statement may reach a file outside the folder.
func TestLockedDown(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir})
	outside := filepath.Join(t.TempDir(), "x")
	for _, q := range []string{
		"SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "SELECT * FROM glob('/etc/*')",
		"ATTACH '" + outside + ".db'", "COPY hot TO '" + outside + ".csv'", "COPY hot TO '" + dir + "/../y.csv'", "EXPORT DATABASE '" + outside + "'", "INSTALL httpfs", "LOAD httpfs",
		"SET enable_external_access=true", "SET allowed_directories=['/']", "SET lock_configuration=false", "SET threads=1", "RESET memory_limit",
	} {
		if _, err := s.db.ExecContext(t.Context(), q); err == nil {
			t.Errorf("%s: done", q)
		}
	}
	// The sealing of days works in the folder itself.
	if _, err := s.db.ExecContext(t.Context(), "COPY (SELECT * FROM hot_other) TO '"+dir+"/seal.tmp' (FORMAT parquet, COMPRESSION zstd)"); err != nil {
		t.Error(err)
	}
	if _, err := s.db.ExecContext(t.Context(), "SELECT count(*) FROM read_parquet('"+dir+"/seal.tmp')"); err != nil {
		t.Error(err)
	}
}

func TestOneHolder(t *testing.T) {
	const env = "CITYWALL_DUCK_SECOND"
	if dir := os.Getenv(env); dir != "" {
		_, err := Open(t.Context(), Options{Dir: dir})
		fmt.Printf("kind=%s\n", fault.Of(err))
		return
	}
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir})
	put(t, s, "1", numbered(0, 10, time.Second))
	if _, err := Open(t.Context(), Options{Dir: dir}); !fault.Is(err, fault.Conflict) {
		t.Errorf("opened twice in one process: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOneHolder$")
	cmd.Env = append(os.Environ(), env+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "kind=conflict") {
		t.Errorf("another process: %v\n%s", err, out)
	}
	if n := count(t, s, nil); n != 10 {
		t.Errorf("%d events after the attempts", n)
	}
}

func TestRefusesToOpen(t *testing.T) {
	for name, o := range map[string]Options{
		"no folder": {}, "question mark": {Dir: filepath.Join(t.TempDir(), "a?b")}, "quote": {Dir: filepath.Join(t.TempDir(), "a'b")},
	} {
		if _, err := Open(t.Context(), o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Dir: file}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a file as folder: %v", err)
	}
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.w.ExecContext(t.Context(), `UPDATE meta SET "value" = '99' WHERE "key" = 'layout'`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Dir: dir}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "layout is 99") {
		t.Errorf("a newer layout: %v", err)
	}
}

// A sender that writes any date it likes must not grow the catalogue.
func TestManyDays(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		s := openWith(t, Options{Dir: dir, MaxDays: 3, Now: func() time.Time { return noon.AddDate(1, 0, 0) }})
		put(t, s, "", numbered(0, 20, 24*time.Hour))
		put(t, s, "", numbered(0, 30, 24*time.Hour))
		if n := len(s.tables); n != 4 {
			t.Errorf("%d tables, want 3 and the common one", n)
		}
		if n := count(t, s, nil); n != 30 {
			t.Errorf("%d events, want 30", n)
		}
		q := eventstore.Query{From: noon.AddDate(0, 0, 7), To: noon.AddDate(0, 0, 9)}
		if n, err := s.Count(t.Context(), city, q); err != nil || n != 2 {
			t.Errorf("%d events of two late days, %v", n, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Field names are learned up to a bound; beyond it a field is still found as
// it is spelt.
func TestManyNames(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir()})
	es := numbered(0, 30, time.Second)
	for i, e := range es {
		for j := range 1000 {
			e.Fields = append(e.Fields, event.Field{Name: fmt.Sprintf("Name%d", i*1000+j), Value: event.T("x")})
		}
	}
	put(t, s, "", es)
	if n := len(s.names.known); n != maxNames {
		t.Errorf("%d names are known, want %d", n, maxNames)
	}
	for name, want := range map[string]int64{"Name5": 1, "NAME5": 1, "Name29999": 1, "NAME29999": 0} {
		if n := count(t, s, eventstore.Cond{Field: name, Op: eventstore.Eq, Value: "x"}); n != want {
			t.Errorf("%s: %d events, want %d", name, n, want)
		}
	}
}

// A MsgID is forgotten after its time, an event never.
func TestForgetsMessages(t *testing.T) {
	now := noon
	s := openWith(t, Options{Dir: t.TempDir(), Remember: 48 * time.Hour, Now: func() time.Time { return now }})
	put(t, s, "old", numbered(0, 10, time.Second))
	now = now.Add(47 * time.Hour)
	put(t, s, "old", numbered(10, 20, time.Second))
	if n := count(t, s, nil); n != 10 {
		t.Errorf("%d events: the message was forgotten too early", n)
	}
	now = now.Add(25 * time.Hour)
	put(t, s, "old", numbered(5, 20, time.Second))
	if n := count(t, s, nil); n != 20 {
		t.Errorf("%d events, want 20", n)
	}
}

// Batches and questions that are given up at any moment leave the store whole.
func TestGivenUp(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	const size = 2000
	kept, given := 0, 0
	for i := range 40 {
		es := numbered(i*size, (i+1)*size, time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(60_000))*time.Microsecond)
		if err := s.Append(ctx, eventstore.Batch{MsgID: fmt.Sprint(i), Events: es}); err == nil {
			kept++
		} else {
			given++
		}
		_, _ = s.Search(ctx, city, week) // whatever comes
		_ = s.Each(ctx, city, week, func(*event.Event) error { return nil })
		cancel()
		if n := count(t, s, nil); n != int64(kept*size) {
			t.Fatalf("%d events after %d batches of %d", n, kept, size)
		}
	}
	t.Logf("%d batches kept, %d given up", kept, given)
	for i := range 40 {
		put(t, s, fmt.Sprint(i), numbered(i*size, (i+1)*size, time.Minute))
	}
	if n := count(t, s, nil); n != 40*size {
		t.Errorf("%d events, want %d", n, 40*size)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// With one place for questions, the function of Each may still ask.
func TestEachAsks(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Readers: 1})
	put(t, s, "", numbered(0, 50, time.Second))
	n := 0
	err := s.Each(t.Context(), city, week, func(e *event.Event) error {
		n++
		_, err := s.Get(t.Context(), city, e.ID)
		return err
	})
	if err != nil || n != 50 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestPieces(t *testing.T) {
	at := func(minutes ...int) (out []time.Time) {
		for _, m := range minutes {
			out = append(out, noon.Add(time.Duration(m)*time.Minute))
		}
		return out
	}
	if ps := pieces(at(0, 1, 2, 60, 61, 600)); len(ps) != 3 || !ps[1].to.Equal(noon.Add(61*time.Minute)) {
		t.Errorf("%v", ps)
	}
	var many []time.Time
	for i := range 1000 {
		many = append(many, noon.AddDate(i%100*3, 0, i))
	}
	ps := pieces(many)
	if len(ps) > maxPieces {
		t.Errorf("%d pieces", len(ps))
	}
	for _, m := range many {
		in := false
		for _, p := range ps {
			in = in || !m.Before(p.from) && !m.After(p.to)
		}
		if !in {
			t.Fatalf("%v is in no piece", m)
		}
	}
}
