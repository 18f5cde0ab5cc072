// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exhibit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"citywall/asset"
	"citywall/casework"
	"citywall/detect"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

var (
	zero = time.Date(2026, 10, 20, 1, 2, 3, 456700, time.UTC)
	same = gocmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreUnexported(event.Event{})}
)

func ev(i int) *event.Event {
	return &event.Event{
		ID: event.NewID("file", "abc", uint64(i)), Realm: asset.City, Agency: "H01", Time: zero.Add(time.Duration(i*7%50) * time.Minute), TimeRaw: "raw", Source: "fw-h01",
		Product: "windows", Service: "security", Uncertainty: time.Millisecond, ZoneAssumed: i%2 == 0,
		Fields: event.Fields{{Name: "EventID", Value: event.T(fmt.Sprint(4624 + i%3))}, {Name: "IpAddress", Value: event.T(fmt.Sprintf("10.0.0.%d", i))},
			{Name: "List", Value: event.L("a", "b")}, {Name: "Nothing"}, {Name: "Odd <&>", Value: event.T("字 \u2028 \"")}},
		Raw: []byte(fmt.Sprintf(`{"EventID":%d}`, 4624+i%3)), Origin: event.Origin{Format: "evtx", File: "Security.evtx", SHA256: "abc", Offset: int64(i) * 512, Record: uint64(i)},
	}
}

func seq[T any](xs ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range xs {
			if !yield(x, nil) {
				return
			}
		}
	}
}

func events(n int) []*event.Event {
	out := make([]*event.Event, n)
	for i := range out {
		out[i] = ev(i)
	}
	return out
}

func open(t testing.TB) (*Vault, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cases")
	v, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return v, dir
}

func newCase(t testing.TB, v *Vault, n int) (string, []casework.Exhibit) {
	t.Helper()
	id := uuid.Must(uuid.NewV7()).String()
	d, err := v.Begin(id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Add(t.Context(), What{Kind: casework.ExhibitReport, Name: "report.html", By: "wu"}, strings.NewReader("<p>report")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddEvents(t.Context(), What{Name: "events.jsonl", By: "wu"}, seq(events(n)...)); err != nil {
		t.Fatal(err)
	}
	f := detect.Finding{ID: "f1", Realm: asset.City, Time: zero, Events: []event.ID{ev(0).ID}, Origins: []event.Origin{ev(0).Origin}}
	if _, err := d.AddFindings(t.Context(), What{Name: "findings.jsonl", By: "wu"}, seq(f)); err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	return id, d.Exhibits()
}

func scope(id string) identity.Scope { return identity.Scope{Realm: asset.Police, Case: id} }

func TestRecordsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := ev(rapid.IntRange(0, 1000).Draw(t, "i"))
		e.Raw = rapid.SliceOf(rapid.Byte()).Draw(t, "raw")
		e.TimeRaw = rapid.String().Draw(t, "time")
		e.Fields = append(e.Fields, event.Field{Name: rapid.String().Draw(t, "name"), Value: event.L(rapid.SliceOf(rapid.String()).Draw(t, "list")...)})
		if rapid.Bool().Draw(t, "no time") {
			e.Time = time.Time{}
		}
		line, err := EncodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
			t.Fatalf("not one line: %q", line)
		}
		back, err := DecodeEvent(line[:len(line)-1])
		if err != nil {
			t.Fatal(err)
		}
		if d := gocmp.Diff(e, back, same); d != "" {
			t.Fatalf("came back changed:\n%s", d)
		}
	})
}

func FuzzDecodeEvent(f *testing.F) {
	line, err := EncodeEvent(ev(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"id":"00"}`))
	f.Add([]byte(`{"fields":{"a":[1]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEvent(b)
		if err != nil {
			return
		}
		again, err := EncodeEvent(e)
		if err != nil {
			return // a time that JSON cannot write
		}
		if _, err := DecodeEvent(again); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
	})
}

func TestVault(t *testing.T) {
	v, dir := open(t)
	id, xs := newCase(t, v, 30)
	if len(xs) != 3 || xs[1].Records != 30 || !xs[1].First.Equal(zero) || !xs[1].Last.Equal(zero.Add(49*time.Minute)) || xs[0].N != 1 || xs[2].N != 3 {
		t.Errorf("%+v", xs)
	}
	if ps, err := v.Verify(t.Context(), id, xs); err != nil || len(ps) != 0 {
		t.Errorf("%v %v", ps, err)
	}
	r, err := v.File(t.Context(), id, xs[0])
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "<p>report" {
		t.Errorf("%s %v", b, err)
	}
	r.Close()
	fi, err := os.Stat(filepath.Join(dir, id, xs[0].File))
	if err != nil || fi.Mode().Perm() != 0o400 {
		t.Errorf("mode %v %v", fi.Mode(), err)
	}
	e, err := v.Event(t.Context(), scope(id), ev(7).ID)
	want := ev(7)
	want.Realm, want.Origin.Exhibit = asset.Police, xs[1].ID
	if d := gocmp.Diff(want, e, same); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	fs, err := v.Findings(t.Context(), scope(id))
	if err != nil || len(fs) != 1 || fs[0].Realm != asset.Police || fs[0].Origins[0].Exhibit != xs[2].ID {
		t.Errorf("%+v %v", fs, err)
	}
	if _, err := v.Event(t.Context(), scope(id), ev(700).ID); !fault.Is(err, fault.NotFound) {
		t.Errorf("no such record: %v", err)
	}
}

// TestOnlyWithTheCase: no scope of an estate reads records of a case.
func TestOnlyWithTheCase(t *testing.T) {
	v, _ := open(t)
	id, _ := newCase(t, v, 3)
	other, _ := newCase(t, v, 0)
	for _, sc := range []identity.Scope{{}, {Realm: asset.City}, {Realm: asset.Police}, {Realm: asset.City, Case: id}} {
		if _, err := v.Event(t.Context(), sc, ev(1).ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("%+v: event %v", sc, err)
		}
		if _, err := v.Search(t.Context(), sc, eventstore.Query{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("%+v: search %v", sc, err)
		}
		if _, err := v.Findings(t.Context(), sc); !fault.Is(err, fault.NotFound) {
			t.Errorf("%+v: findings %v", sc, err)
		}
	}
	if p, err := v.Search(t.Context(), scope(other), eventstore.Query{}); err != nil || len(p.Events) != 0 {
		t.Errorf("another case: %v %v", p, err)
	}
	for _, bad := range []string{"../" + id, "..", strings.ToUpper(id), "{" + id + "}", id + "/"} {
		if _, err := v.Event(t.Context(), scope(bad), ev(1).ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", bad, err)
		}
		if _, err := v.Begin(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("begin %s: %v", bad, err)
		}
	}
}

// TestVerifyFindsEveryChange flips every byte of every file, takes files away
// and adds one.
func TestVerifyFindsEveryChange(t *testing.T) {
	v, dir := open(t)
	id, xs := newCase(t, v, 1)
	folder := filepath.Join(dir, id)
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	seen := func(what string) {
		t.Helper()
		ps, err := v.Verify(t.Context(), id, xs)
		if err != nil || len(ps) == 0 {
			t.Errorf("%s: not seen (%v)", what, err)
		}
	}
	for _, f := range files {
		path := filepath.Join(folder, f.Name())
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			seen(fmt.Sprintf("%s byte %d", f.Name(), i))
		}
		if err := os.WriteFile(path, good[:len(good)-1], 0o600); err != nil {
			t.Fatal(err)
		}
		seen(f.Name() + " cut")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		seen(f.Name() + " gone")
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if ps, err := v.Verify(t.Context(), id, xs); err != nil || len(ps) != 0 {
		t.Errorf("all is back: %v %v", ps, err)
	}
	seenRecord := func(what string, es []casework.Exhibit) {
		t.Helper()
		if ps, err := v.Verify(t.Context(), id, es); err != nil || len(ps) == 0 {
			t.Errorf("%s: not seen (%v)", what, err)
		}
	}
	seenRecord("the record lacks an exhibit", xs[:2])
	more := append(slices.Clone(xs), casework.Exhibit{ID: "x", N: 4, File: "004-x"})
	seenRecord("the record has one more", more)
	more[3].File = "../../secret"
	seenRecord("the record has a path", more)
	if err := os.WriteFile(filepath.Join(folder, "extra"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	seen("a file that is no exhibit")
}

func TestDraftLeavesNothing(t *testing.T) {
	v, dir := open(t)
	id := uuid.Must(uuid.NewV7()).String()
	for name, f := range map[string]func(*Draft) error{
		"a source that breaks": func(d *Draft) error {
			_, err := d.Add(t.Context(), What{Name: "x"}, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("unplugged"))))
			return err
		},
		"records that break": func(d *Draft) error {
			_, err := d.AddEvents(t.Context(), What{Name: "x"}, func(yield func(*event.Event, error) bool) {
				if yield(ev(1), nil) {
					yield(nil, errors.New("store is down"))
				}
			})
			return err
		},
		"a record too long": func(d *Draft) error {
			e := ev(1)
			e.Raw = bytes.Repeat([]byte{'"'}, MaxLine)
			_, err := d.AddEvents(t.Context(), What{Name: "x"}, seq(e))
			return err
		},
		"cancelled": func(d *Draft) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := d.Add(ctx, What{Name: "x"}, strings.NewReader("x"))
			return err
		},
	} {
		d, err := v.Begin(id)
		if err != nil {
			t.Fatal(err)
		}
		if err := f(d); err == nil {
			t.Errorf("%s: no error", name)
		}
		if err := d.Discard(); err != nil {
			t.Fatal(err)
		}
		des, err := os.ReadDir(dir)
		if err != nil || len(des) != 0 {
			t.Errorf("%s: %v is left", name, des)
		}
	}
	d, err := v.Begin(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(); err != nil { // a case without files has no folder
		t.Fatal(err)
	}
	if s, err := v.Strays(func(string) (bool, error) { return true, nil }); err != nil || len(s) != 0 {
		t.Errorf("%v %v", s, err)
	}
	if ps, err := v.Verify(t.Context(), id, nil); err != nil || len(ps) != 0 {
		t.Errorf("%v %v", ps, err)
	}
}

func TestAddLater(t *testing.T) {
	v, dir := open(t)
	id, xs := newCase(t, v, 1)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			_, err := v.Add(t.Context(), id, What{Kind: casework.ExhibitFile, Name: fmt.Sprintf("log %d.txt", i)}, strings.NewReader(fmt.Sprint("content ", i)), func(x casework.Exhibit) error {
				mu.Lock()
				defer mu.Unlock()
				xs = append(xs, x)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if ps, err := v.Verify(t.Context(), id, xs); err != nil || len(ps) != 0 || len(xs) != 9 {
		t.Errorf("%d exhibits, %v %v", len(xs), ps, err)
	}
	for i, x := range xs {
		if x.N != i+1 {
			t.Errorf("exhibit %d has the number %d", i+1, x.N)
		}
	}
	if _, err := v.Add(t.Context(), id, What{Name: "y"}, strings.NewReader("y"), func(casework.Exhibit) error { return errors.New("closed meanwhile") }); err == nil {
		t.Error("not recorded, and added")
	}
	if ps, err := v.Verify(t.Context(), id, xs); err != nil || len(ps) != 0 {
		t.Errorf("after one that was not recorded: %v %v", ps, err)
	}
	bare := uuid.Must(uuid.NewV7()).String() // opened by hand, without files
	if _, err := v.Add(t.Context(), bare, What{Kind: casework.ExhibitFile, Name: "first"}, strings.NewReader("x"), func(casework.Exhibit) error { return nil }); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".new-left-by-a-kill"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := v.Strays(func(x string) (bool, error) { return x == id, nil })
	if err != nil || !slices.Equal(s, []string{".new-left-by-a-kill", bare}) {
		t.Errorf("strays %v %v", s, err)
	}
}

func TestSafeName(t *testing.T) {
	for in, want := range map[string]string{
		"report.html": "report.html", "../../etc/passwd": "passwd", `C:\x\Security.evtx`: "Security.evtx", "": "file", "...": "file", "a b\n;rm": "a_b__rm",
		"證物 一.zip": "證物_一.zip", ".hidden": "hidden", "a\xffb": "a_b", strings.Repeat("字", 100) + ".evtx": strings.Repeat("字", 38) + ".evtx",
	} {
		if got := safeName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := safeName(string(rapid.SliceOf(rapid.Byte()).Draw(t, "s")))
		if s == "" || len(s) > 120 || s != filepath.Base(s) || strings.HasPrefix(s, ".") || strings.ContainsAny(s, "/\\\x00") {
			t.Fatalf("%q", s)
		}
	})
}
