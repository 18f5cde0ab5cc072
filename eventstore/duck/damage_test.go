// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/storetest"
	"citywall/internal/fault"
	"citywall/internal/mishap"
)

func args(t *testing.T, s *Store, k mishap.Kind) map[string]string {
	t.Helper()
	for _, m := range s.Mishaps() {
		if m.Kind == k {
			return m.Args
		}
	}
	t.Fatalf("no %s among %+v", k, s.Mishaps())
	return nil
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// contents is every event of s, each written out whole.
func contents(t *testing.T, s *Store) (map[event.ID]string, error) {
	t.Helper()
	out := map[event.ID]string{}
	err := s.Each(t.Context(), city, week, func(e *event.Event) error {
		if _, twice := out[e.ID]; twice {
			t.Errorf("%v comes twice", e.ID)
		}
		out[e.ID] = fmt.Sprintf("%+v", *e)
		return nil
	})
	return out, err
}

// asBefore wants each event of now to be what it was, and returns how many of
// before are there.
func asBefore(t *testing.T, at int, now, before map[event.ID]string) (n int64) {
	t.Helper()
	for id, e := range now {
		if before[id] == e {
			n++
		} else if id != numbered(0, 1, 0)[0].ID {
			t.Errorf("damaged at %d: an event came back as another:\n%s\nwas\n%s", at, e, before[id])
		}
	}
	return n
}

// The store's files are cut off or overwritten at a random byte: it opens, what
// it shows is what was stored, and what is missing is said to the event.
func TestTorn(t *testing.T) {
	const batches, size = 12, 500
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	tr := storetest.NewTraffic(1, noon.Truncate(24*time.Hour), 10*time.Second)
	for i := range batches {
		put(t, s, fmt.Sprint(i), tr.Batch("", size).Events)
		if i == batches/2-1 {
			if _, err := s.w.ExecContext(t.Context(), "CHECKPOINT"); err != nil {
				t.Fatal(err)
			}
		}
	}
	before, err := contents(t, s)
	if err != nil || len(before) != batches*size {
		t.Fatal(len(before), err)
	}
	// As a kill leaves them: copied while the store is open and quiet.
	files := map[string][]byte{}
	for _, n := range []string{fileName, fileName + ".wal", markName} {
		if files[n], err = os.ReadFile(filepath.Join(dir, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	type tear struct {
		name, file string
		do         func(b []byte) ([]byte, int)
	}
	cut := func(b []byte) ([]byte, int) { n := r.IntN(len(b)); return b[:n], n }
	flip := func(b []byte) ([]byte, int) { n := r.IntN(len(b)); b[n] ^= 1 << r.IntN(8); return b, n }
	zero := func(b []byte) ([]byte, int) {
		n := r.IntN(len(b)/4096) * 4096
		clear(b[n : n+4096])
		return b, n
	}
	for _, c := range []tear{
		{"log cut", fileName + ".wal", cut}, {"log flipped", fileName + ".wal", flip}, {"log zeroed", fileName + ".wal", zero},
		{"file cut", fileName, cut}, {"file flipped", fileName, flip}, {"file zeroed", fileName, zero},
		{"file gone", fileName, nil}, {"log gone", fileName + ".wal", nil}, {"mark cut", markName, cut}, {"mark flipped", markName, flip}, {"mark gone", markName, nil},
		{"untouched", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			at := 0
			for n, b := range files {
				b = slices.Clone(b)
				if n == c.file && c.do == nil {
					continue
				}
				if n == c.file {
					b, at = c.do(b)
				}
				if err := os.WriteFile(filepath.Join(dir, n), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := openWith(t, Options{Dir: dir})
			// Reading all of it finds damage that lies deep; then the writer
			// saves what can be saved.
			_ = s.Each(t.Context(), city, week, func(*event.Event) error { return nil })
			// An append that meets damage fails, and the next one sets the file
			// aside first: senders repeat what was not acknowledged.
			after := func() (err error) {
				for range 3 {
					if err = s.Append(t.Context(), eventstore.Batch{MsgID: "after", Events: numbered(0, 1, 0)}); err == nil {
						return nil
					}
					t.Logf("damaged at %d: %v", at, err)
				}
				return err
			}
			if after() != nil {
				// Damage that only the writer's own commit meets ends the engine: a
				// start sets the file aside, as after a kill.
				if err := s.Close(); err != nil {
					t.Log(err)
				}
				s = openWith(t, Options{Dir: dir})
				_ = s.Each(t.Context(), city, week, func(*event.Event) error { return nil })
				if err := after(); err != nil {
					t.Fatal(err)
				}
			}
			now, err := contents(t, s)
			if err != nil {
				t.Fatalf("damaged at %d: %v; %+v", at, err, s.Mishaps())
			}
			n := asBefore(t, at, now, before)
			said := int64(0)
			for _, m := range s.Mishaps() {
				if m.Kind == mishap.CommitsLost || m.Kind == mishap.HotLost {
					said += number(t, m.Args["n"])
				}
				if a := m.Args["aside"]; a != "" && a != "-" {
					if _, err := os.Stat(a); err != nil {
						t.Errorf("what was kept aside: %v", err)
					}
				}
			}
			t.Logf("damaged at %d: %d of %d events are there, %d are said to be lost: %v", at, n, batches*size, said, mishaps(s))
			if n+said != batches*size {
				t.Errorf("damaged at %d: %d events are there and %d are said to be lost, of %d; %+v", at, n, said, batches*size, s.Mishaps())
			}
			// What was lost may be sent again.
			tr := storetest.NewTraffic(1, noon.Truncate(24*time.Hour), 10*time.Second)
			for i := range batches {
				put(t, s, fmt.Sprint("again ", i), tr.Batch("", size).Events)
			}
			if n := count(t, s, nil); n != batches*size+1 {
				t.Errorf("%d events after sending again, want %d", n, batches*size+1)
			}
		})
	}
}

// A sealed file is cut off, flipped, zeroed or gone at a random byte while the
// store is closed: it opens, what it shows is what was sealed, and what is
// missing is said to the event.
func TestTornSealed(t *testing.T) {
	const perDay = 700
	as := t.TempDir()
	s := openWith(t, Options{Dir: as})
	days(t, s, 3, perDay)
	seal(t, s, farFuture)
	before, err := contents(t, s)
	if err != nil || len(before) != 3*perDay {
		t.Fatal(len(before), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	for how, hurt := range map[string]func(b []byte, at int) []byte{
		"cut":     func(b []byte, at int) []byte { return b[:at] },
		"flipped": func(b []byte, at int) []byte { b[at] ^= 1 << r.IntN(8); return b },
		"zeroed":  func(b []byte, at int) []byte { clear(b[at:min(len(b), at+4096)]); b[at] = 1; return b },
		"gone":    nil,
	} {
		for try := range 2 {
			t.Run(fmt.Sprint(how, try), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "s")
				if err := os.CopyFS(dir, os.DirFS(as)); err != nil {
					t.Fatal(err)
				}
				path, at := filepath.Join(dir, "day=2026-11-02", "p0.parquet"), 0
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if hurt != nil {
					at = r.IntN(len(b))
					if err := os.WriteFile(path, hurt(b, at), 0o400); err != nil {
						t.Fatal(err)
					}
				}
				s := openWith(t, Options{Dir: dir})
				for len(s.Mishaps()) == 0 {
					if more, err := s.Check(t.Context()); err != nil || !more {
						t.Fatalf("damaged at %d: checked, and nothing is said: %v", at, err)
					}
				}
				now, err := contents(t, s)
				if i := incomplete(err); i == nil || !slices.Equal(i.Days, []string{"2026-11-02"}) {
					t.Errorf("damaged at %d: %v", at, err)
				}
				if n := asBefore(t, at, now, before); n != 2*perDay || len(now) != 2*perDay {
					t.Errorf("damaged at %d: %d events of %d are there", at, n, 2*perDay)
				}
				if m := s.Mishaps(); len(m) != 1 || !m[0].Loss() || m[0].Args["n"] != strconv.Itoa(perDay) {
					t.Errorf("%+v", m)
				}
			})
		}
	}
}

// Without its hot file a store shows its sealed days again.
func TestRebuild(t *testing.T) {
	dir := t.TempDir()
	s := openWith(t, Options{Dir: dir, SealRows: 150})
	days(t, s, 2, 300)
	put(t, s, "far", numbered(0, 3, 24*time.Hour))
	seal(t, s, farFuture)
	before := answers(t, s)
	put(t, s, "hot", storetest.NewTraffic(9, noon.AddDate(0, 0, 5), time.Second).Batch("", 70).Events)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "day=2026-11-02", "p99.parquet"), []byte("no parquet"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, Options{Dir: dir})
	if d := cmp.Diff(before, answers(t, s)); d != "" {
		t.Errorf("the answers changed (-before +after):\n%.2000s", d)
	}
	if a := args(t, s, mishap.HotLost); a["n"] != "70" {
		t.Errorf("lost: %v", a)
	}
	if a := args(t, s, mishap.Rebuilt); a["n"] != "603" {
		t.Errorf("rebuilt: %v", a)
	}
	if a := args(t, s, mishap.FileUnread); a["aside"] == "" {
		t.Errorf("unread: %v", a)
	}
	days(t, s, 2, 300)
	if n := count(t, s, nil); n != 603 {
		t.Errorf("%d events after everything came again, want 603", n)
	}
}

// A sealed file that goes or changes under the store makes answers incomplete,
// not wrong and not failures.
func TestSealedFileDamaged(t *testing.T) {
	for name, hurt := range map[string]func(path string) error{
		"gone": os.Remove,
		"cut":  func(p string) error { return os.Truncate(p, 1000) },
		"overwritten": func(p string) error {
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			for i := len(b) / 10; i < len(b)*8/10; i++ {
				b[i] ^= 0x55
			}
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.WriteFile(p, b, 0o400)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openWith(t, Options{Dir: dir})
			days(t, s, 3, 200)
			seal(t, s, farFuture)
			all, err := s.Search(t.Context(), city, week)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "day=2026-11-02", "p0.parquet")
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := hurt(path); err != nil {
				t.Fatal(err)
			}
			check := func() {
				t.Helper()
				n := 0
				err := s.Each(t.Context(), city, week, func(*event.Event) error { n++; return nil })
				if i := incomplete(err); i == nil || !slices.Equal(i.Days, []string{"2026-11-02"}) {
					// The first walk may have begun before it met the file.
					n = 0
					err = s.Each(t.Context(), city, week, func(*event.Event) error { n++; return nil })
				}
				if i := incomplete(err); i == nil || !slices.Equal(i.Days, []string{"2026-11-02"}) || n != 400 {
					t.Errorf("each: %d events, %v", n, err)
				}
				if n, err := s.Count(t.Context(), city, week); incomplete(err) == nil || n != 400 {
					t.Errorf("count: %d, %v", n, err)
				}
				if h, err := s.Histogram(t.Context(), city, week, 24*time.Hour); incomplete(err) == nil || len(h) == 0 {
					t.Errorf("histogram: %v", err)
				}
				if c, err := s.Top(t.Context(), city, week, "product", 5); incomplete(err) == nil || len(c) == 0 {
					t.Errorf("top: %v", err)
				}
				if p, err := s.Search(t.Context(), city, week); err != nil || p.Incomplete == nil || len(p.Events) != 100 {
					t.Errorf("search: %d events, %+v, %v", len(p.Events), p.Incomplete, err)
				}
				q := eventstore.Query{From: noon.AddDate(0, 0, 2), To: noon.AddDate(0, 0, 3)}
				if p, err := s.Search(t.Context(), city, q); err != nil || p.Incomplete != nil {
					t.Errorf("another day: %+v, %v", p.Incomplete, err)
				}
				if _, err := s.Get(t.Context(), city, event.ID{1}); !fault.Is(err, fault.Unavailable) {
					t.Errorf("get what may lie there: %v", err)
				}
				if e, err := s.Get(t.Context(), city, all.Events[0].ID); err != nil || e.ID != all.Events[0].ID {
					t.Errorf("get from a whole day: %v", err)
				}
			}
			check()
			if len(s.Mishaps()) != 1 {
				t.Errorf("%+v", s.Mishaps())
			}
			ds, err := s.Days(t.Context())
			if err != nil || len(ds) != 3 || ds[1].Unavailable != 200 || ds[0].Unavailable != 0 {
				t.Errorf("%+v %v", ds, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openWith(t, Options{Dir: dir})
			check()
		})
	}
}

func incomplete(err error) *eventstore.Incomplete {
	for err != nil {
		if i, ok := err.(*eventstore.Incomplete); ok {
			return i
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return nil
		}
		err = u.Unwrap()
	}
	return nil
}

// folder is an Archive that copies into a folder, as a restore would put it.
type folder struct {
	t   *testing.T
	dir string
}

func (f folder) Fixed(_ context.Context, name, path, sum string, size int64) error {
	got, n, err := hashFile(path)
	if err != nil || got != sum || n != size {
		f.t.Errorf("%s: %s %d, said to be %s %d, %v", name, got, n, sum, size, err)
	}
	return f.copy(name, path)
}

func (f folder) Add(_ context.Context, name, path string) error { return f.copy(name, path) }

func (f folder) copy(name, path string) error {
	to := filepath.Join(f.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return copyFile(path, to, -1)
}

// A backup that is taken while events arrive is one state of the store, and a
// store made from it gives the same answers and goes on.
func TestBackup(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), SealRows: 150})
	days(t, s, 3, 300)
	seal(t, s, noon.AddDate(1, 0, 0))
	days(t, s, 4, 300) // the fourth is hot
	before := answers(t, s)
	q := week
	q.Limit = 10
	p, err := s.Search(t.Context(), city, q)
	if err != nil {
		t.Fatal(err)
	}
	to := folder{t, filepath.Join(t.TempDir(), "events")}
	if err := s.Backup(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	put(t, s, "later", numbered(0, 10, time.Second))
	for range 2 { // the second opening finds nothing to take in
		r := openWith(t, Options{Dir: to.dir})
		if d := cmp.Diff(before, answers(t, r)); d != "" {
			t.Fatalf("the answers changed (-before +after):\n%.2000s", d)
		}
		noMishap(t, r)
		q.After = p.Next // a page mark outlives it too
		if _, err := r.Search(t.Context(), city, q); err != nil {
			t.Error(err)
		}
		days(t, r, 4, 300)
		if n := count(t, r, nil); n != 1200 {
			t.Errorf("%d events after the same batches, want 1200", n)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Into a store that has events it is refused.
	full := t.TempDir()
	f := openWith(t, Options{Dir: full})
	put(t, f, "", numbered(0, 1, 0))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), folder{t, full}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Dir: full}); !fault.Is(err, fault.Conflict) {
		t.Errorf("taken in by a store that is not empty: %v", err)
	}
}
