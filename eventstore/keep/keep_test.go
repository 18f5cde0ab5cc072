// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package keep_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citywall/eventstore"
	"citywall/eventstore/keep"
	"citywall/eventstore/keep/keepdb"
	"citywall/internal/db/dbtest"
	"citywall/internal/disk"
	"citywall/internal/fault"
	"citywall/internal/mishap"
)

var today = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

func day(n int) time.Time { return today.AddDate(0, 0, -n) }

// store is an event store of which only the days matter.
type store struct {
	eventstore.Store
	days    []eventstore.Day
	gone    []string
	due     []time.Time
	mishaps []mishap.Mishap
	err     error
	files   int // that a round of checks has
	checked int
}

func (s *store) Check(context.Context) (bool, error) {
	s.checked++
	return s.checked%s.files != 0, s.err
}

func (s *store) Days(context.Context) ([]eventstore.Day, error) {
	return slices.Clone(s.days), s.err
}

func (s *store) Seal(_ context.Context, due time.Time) ([]eventstore.Sealed, error) {
	s.due = append(s.due, due)
	return nil, s.err
}

func (s *store) LetGo(_ context.Context, id string) error {
	s.gone = append(s.gone, id)
	s.days = slices.DeleteFunc(s.days, func(d eventstore.Day) bool { return d.ID == id })
	return nil
}

func (s *store) Mishaps() []mishap.Mishap { return s.mishaps }

// house is a keeper with clocks that the test moves.
type house struct {
	*keep.Keeper
	store   *store
	records *keepdb.Store
	now     time.Time
	elapsed time.Duration
	acts    []string
	refuse  error // of the audit log
}

func begin(t *testing.T, cfg keep.Config, stamp string, days ...eventstore.Day) *house {
	t.Helper()
	h := &house{store: &store{days: days, files: 1}, now: today.Add(12 * time.Hour)}
	var err error
	if h.records, err = keepdb.Open(t.Context(), dbtest.Open(t), func() time.Time { return h.now }); err != nil {
		t.Fatal(err)
	}
	return h.again(t, cfg, stamp, h.records)
}

func (h *house) again(t *testing.T, cfg keep.Config, stamp string, r keep.Records) *house {
	t.Helper()
	var err error
	h.Keeper, err = keep.New(cfg, keep.Parts{
		Store: h.store, Records: r, Room: &disk.Watch{Dir: t.TempDir(), Config: disk.Defaults()}, Stamp: stamp,
		Act: func(ctx context.Context, action, object, reason string, _ map[string]string, f func(context.Context) error) error {
			if h.refuse != nil {
				return h.refuse
			}
			h.acts = append(h.acts, action+" "+object+": "+reason)
			return f(ctx)
		},
		Now: func() time.Time { return h.now }, Elapsed: func() time.Duration { return h.elapsed }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// pass lets time go by, looking every ten minutes.
func (h *house) pass(t *testing.T, d time.Duration) {
	t.Helper()
	for range int(d / (10 * time.Minute)) {
		h.now, h.elapsed = h.now.Add(10*time.Minute), h.elapsed+10*time.Minute
		h.Tick(t.Context())
	}
}

func sealed(n int) eventstore.Day {
	return eventstore.Day{ID: day(n).Format(time.DateOnly), First: day(n), Last: day(n), Sealed: 10, Files: 1, Bytes: 100, LastSealed: day(n).Add(30 * time.Hour)}
}

func keepFor(days int) keep.Config { c := keep.Defaults(); c.Days = days; return c }

// Which days go after a day of looking, by what is special about one.
func TestWhatGoes(t *testing.T) {
	with := func(n int, f func(*eventstore.Day)) eventstore.Day { d := sealed(n); f(&d); return d }
	for _, c := range []struct {
		name string
		days int
		day  eventstore.Day
		hold *keep.Hold
		goes bool
	}{
		{"older than the retention", 10, sealed(20), nil, true},
		{"nothing is ever deleted without a retention", 0, sealed(2000), nil, false},
		{"younger", 10, sealed(8), nil, false},
		{"ends exactly ten days ago, sealed a little later", 10, sealed(11), nil, true},
		{"not sealed", 10, with(20, func(d *eventstore.Day) { d.Hot = 1 }), nil, false},
		{"never sealed", 10, with(20, func(d *eventstore.Day) { d.Hot, d.Files, d.Sealed = 5, 0, 0 }), nil, false},
		{"events of a case's exhibits", 10, with(20, func(d *eventstore.Day) { d.Cased = 1 }), nil, false},
		{"brought in last week", 10, with(2000, func(d *eventstore.Day) { d.LastSealed = day(7) }), nil, false},
		{"brought in long ago", 10, with(2000, func(d *eventstore.Day) { d.LastSealed = day(15) }), nil, true},
		{"held", 10, sealed(20), &keep.Hold{Case: "115-1", From: day(20), To: day(20), Reason: "r"}, false},
		{"held without end", 10, sealed(20), &keep.Hold{Case: "115-1", From: day(300), Reason: "r"}, false},
		{"the day before is held", 10, sealed(20), &keep.Hold{Case: "115-1", From: day(30), To: day(21), Reason: "r"}, true},
		{"scattered days that touch a hold", 10, with(20, func(d *eventstore.Day) { d.ID, d.First = "other/p0", day(100) }), &keep.Hold{Case: "115-1", From: day(90), To: day(80), Reason: "r"}, false},
		{"from the future", 10, with(-400, func(d *eventstore.Day) {}), nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := begin(t, keepFor(c.days), "", c.day)
			if c.hold != nil {
				if _, err := h.AddHold(t.Context(), *c.hold); err != nil {
					t.Fatal(err)
				}
			}
			h.pass(t, 24*time.Hour)
			if got := len(h.store.gone) == 1; got != c.goes {
				t.Errorf("gone: %v, want %v", h.store.gone, c.goes)
			}
			if c.goes && (len(h.acts) != 1 || !strings.HasPrefix(h.acts[0], "storage.letgo day/"+c.day.ID)) {
				t.Errorf("acts: %v", h.acts)
			}
		})
	}
}

// Days go one at a time, oldest first; none goes without its entry in the audit
// log, and none when the holds cannot be read.
func TestOneAtATime(t *testing.T) {
	h := begin(t, keepFor(10), "", sealed(40), sealed(30), sealed(20))
	h.refuse = errors.New("the audit log is full")
	h.pass(t, time.Hour)
	if len(h.store.gone) > 0 {
		t.Fatalf("gone without an entry: %v", h.store.gone)
	}
	if st, err := h.State(t.Context()); err != nil || !strings.Contains(st.Trouble, "audit log is full") {
		t.Errorf("trouble: %q %v", st.Trouble, err)
	}
	h.refuse = nil
	h.Tick(t.Context())
	h.Tick(t.Context())
	if want := []string{sealed(40).ID}; !slices.Equal(h.store.gone, want) {
		t.Fatalf("gone at once: %v, want %v", h.store.gone, want)
	}
	h.again(t, keepFor(10), "", blind{h.records})
	h.pass(t, time.Hour)
	if len(h.store.gone) != 1 {
		t.Fatalf("gone although holds cannot be read: %v", h.store.gone)
	}
	h.again(t, keepFor(10), "", h.records)
	h.pass(t, time.Hour)
	if want := []string{sealed(40).ID, sealed(30).ID, sealed(20).ID}; !slices.Equal(h.store.gone, want) {
		t.Errorf("gone: %v, want %v", h.store.gone, want)
	}
	if st, err := h.State(t.Context()); err != nil || st.Trouble != "" {
		t.Errorf("trouble: %q %v", st.Trouble, err)
	}
}

// Sealed files are compared one by one, each once a day.
func TestChecks(t *testing.T) {
	h := begin(t, keepFor(10), "")
	h.store.files = 3
	h.pass(t, time.Hour)
	if h.store.checked != 3 {
		t.Errorf("%d files compared in the first hour, want 3", h.store.checked)
	}
	h.now = h.now.Add(-time.Hour) // what the clock says does not matter
	h.pass(t, 23*time.Hour)
	if h.store.checked != 3 {
		t.Errorf("%d files compared within the day, want 3", h.store.checked)
	}
	h.pass(t, 2*time.Hour)
	if h.store.checked != 6 {
		t.Errorf("%d files compared in two days, want 6", h.store.checked)
	}
}

type blind struct{ keep.Records }

func (blind) Holds(context.Context) ([]keep.Hold, error) { return nil, errors.New("no records") }

// The clock goes back an hour, ahead a year, and over a restart.
func TestClock(t *testing.T) {
	stamp := filepath.Join(t.TempDir(), "clock")
	h := begin(t, keepFor(10), stamp, sealed(9))
	kinds := func() (out []mishap.Kind) {
		ns, err := h.records.Notices(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range ns {
			out = append(out, n.Kind)
		}
		return out
	}
	h.pass(t, time.Hour)
	h.now = h.now.Add(-time.Hour)
	h.pass(t, time.Hour)
	if k := kinds(); !slices.Equal(k, []mishap.Kind{mishap.ClockBack}) || len(h.store.gone) > 0 {
		t.Errorf("an hour back: %v, gone %v", k, h.store.gone)
	}
	for _, due := range h.store.due {
		if due.After(h.now.Add(time.Hour - 6*time.Hour)) {
			t.Errorf("sealed what was due at %v", due)
		}
	}
	h.now = h.now.AddDate(1, 0, 0)
	h.pass(t, 23*time.Hour)
	if len(h.store.gone) > 0 || !slices.Contains(kinds(), mishap.ClockAhead) {
		t.Errorf("a year ahead: gone %v, %v", h.store.gone, kinds())
	}
	if st, err := h.State(t.Context()); err != nil || !st.Paused {
		t.Errorf("not paused: %v", err)
	}
	h.now = h.now.AddDate(-1, 0, 0) // mended within the day
	h.pass(t, 2*time.Hour)
	if len(h.store.gone) > 0 {
		t.Errorf("gone although the clock was mended: %v", h.store.gone)
	}
	// Over a restart the stamp remembers.
	before := len(kinds())
	h.now, h.elapsed = h.now.Add(-3*time.Hour), 0
	h.again(t, keepFor(10), stamp, h.records)
	h.Tick(t.Context())
	if len(kinds()) != before+1 {
		t.Errorf("back over a restart: %v", kinds())
	}
	h.now, h.elapsed = h.now.AddDate(0, 1, 0), 0
	h.again(t, keepFor(10), stamp, h.records)
	h.pass(t, 23*time.Hour)
	if len(h.store.gone) > 0 {
		t.Errorf("gone after a month off: %v", h.store.gone)
	}
	h.pass(t, 2*time.Hour)
	if len(h.store.gone) != 1 {
		t.Errorf("not gone a day later: %v", h.store.gone)
	}
}

// What the store found amiss stays until somebody has seen it, once.
func TestNotices(t *testing.T) {
	h := begin(t, keep.Defaults(), "")
	h.store.mishaps = []mishap.Mishap{mishap.New(mishap.FileMissing, "/x", h.now, "n", "5", "day", "2026-11-01")}
	h.Tick(t.Context())
	h.Tick(t.Context())
	h.again(t, keep.Defaults(), "", h.records) // found again at the next start
	h.Tick(t.Context())
	b, err := h.Brief(t.Context())
	if err != nil || b.Unseen != 1 || !b.Loss {
		t.Fatalf("%+v %v", b, err)
	}
	st, err := h.State(t.Context())
	if err != nil || len(st.Notices) != 1 || st.Notices[0].Args["n"] != "5" {
		t.Fatalf("%+v %v", st.Notices, err)
	}
	if err := h.SeeNotice(t.Context(), st.Notices[0].ID, "lin"); err != nil {
		t.Fatal(err)
	}
	if b, err = h.Brief(t.Context()); err != nil || b.Unseen != 0 || b.Loss {
		t.Errorf("%+v %v", b, err)
	}
	if err := h.SeeNotice(t.Context(), "nobody", "lin"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a notice that is not there: %v", err)
	}
}

func TestHolds(t *testing.T) {
	h := begin(t, keepFor(10), "", sealed(20))
	for name, bad := range map[string]keep.Hold{
		"no case": {From: today, Reason: "r"}, "no reason": {Case: "c", From: today}, "no day": {Case: "c", Reason: "r"},
		"an hour": {Case: "c", From: today.Add(time.Hour), Reason: "r"}, "backwards": {Case: "c", From: today, To: day(1), Reason: "r"},
	} {
		if _, err := h.AddHold(t.Context(), bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	x, err := h.AddHold(t.Context(), keep.Hold{Case: "115-7", From: day(25), To: day(15), Reason: "court order", By: "chen"})
	if err != nil || x.ID == "" || x.Created.IsZero() {
		t.Fatalf("%+v %v", x, err)
	}
	h.pass(t, 2*time.Hour)
	st, err := h.State(t.Context())
	if err != nil || len(st.Days) != 1 || !slices.Equal(st.Days[0].Held, []string{"115-7"}) || !st.Days[0].Goes.IsZero() {
		t.Fatalf("%+v %v", st.Days, err)
	}
	if _, err := h.ReleaseHold(t.Context(), x.ID, "chen", " "); !fault.Is(err, fault.Invalid) {
		t.Errorf("released without a reason: %v", err)
	}
	if _, err := h.ReleaseHold(t.Context(), "x", "chen", "over"); !fault.Is(err, fault.NotFound) {
		t.Errorf("no such hold: %v", err)
	}
	if r, err := h.ReleaseHold(t.Context(), x.ID, "lin", "judgment final"); err != nil || r.ReleasedBy != "lin" || r.Released.IsZero() {
		t.Fatalf("%+v %v", r, err)
	}
	if _, err := h.ReleaseHold(t.Context(), x.ID, "lin", "again"); !fault.Is(err, fault.Conflict) {
		t.Errorf("released twice: %v", err)
	}
	h.pass(t, time.Hour)
	if len(h.store.gone) != 1 {
		t.Errorf("gone: %v", h.store.gone)
	}
}

// TestNobodyElseDeletes reads the sources: LetGo is called in one place only.
func TestNobodyElseDeletes(t *testing.T) {
	root := "../.."
	var calls []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && p != root) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil || !strings.Contains(string(src), ".LetGo(") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, src, 0)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if c, ok := n.(*ast.CallExpr); ok {
					if sel, ok := c.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "LetGo" {
						calls = append(calls, fmt.Sprintf("%s: %s", filepath.ToSlash(strings.TrimPrefix(p, root+"/")), fn.Name.Name))
					}
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"eventstore/keep/keeper.go: letGo"}; !slices.Equal(calls, want) {
		t.Errorf("days are let go in %v, want %v only", calls, want)
	}
}

func TestConfig(t *testing.T) {
	if err := keep.Defaults().Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []keep.Config{{}, {SealAfter: time.Second}, {SealAfter: 1000 * time.Hour}, {SealAfter: time.Hour, Days: -1}} {
		if err := c.Validate(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
