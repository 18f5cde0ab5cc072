// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"citywall/asset"
	"citywall/internal/fault"
)

var key = ed25519.NewKeyFromSeed([]byte("a seed for tests, 32 bytes long."))

func pub() ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// clock ticks a second at every look.
func clock() func() time.Time {
	var mu sync.Mutex
	t := time.Date(2026, 10, 20, 1, 2, 3, 4000, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		t = t.Add(time.Second)
		return t
	}
}

func begin(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := OpenAt(dir, asset.Police, key, clock())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func whole(t *testing.T, dir string, known ...string) Report {
	t.Helper()
	r, err := Verify(t.Context(), dir, asset.Police, pub(), known...)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range r.Broken {
		t.Errorf("broken: %s", b)
	}
	return r
}

func do(t *testing.T, l *Log, actor, action, object string) {
	t.Helper()
	if err := l.Do(t.Context(), Act{Actor: actor, Action: action, Object: object}, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

// TestBeforeAndAfter: when the act runs, its intent is on disk under a signed
// head; when it ended, so is the outcome.
func TestBeforeAndAfter(t *testing.T) {
	dir := t.TempDir()
	l := begin(t, dir)
	boom := errors.New("the printer is on fire")
	err := l.Do(t.Context(), Act{Actor: "chen", Action: "case.report", Object: "case/1", Reason: "檢察官要求", Detail: map[string]string{"format": "odt"}},
		func(context.Context) error {
			r := whole(t, dir)
			if len(r.Unfinished) != 1 || r.Head.Size != r.Entries {
				t.Errorf("while acting: unfinished %v, head %d of %d entries", r.Unfinished, r.Head.Size, r.Entries)
			}
			return boom
		})
	if !errors.Is(err, boom) {
		t.Fatalf("error %v", err)
	}
	p, err := l.List(t.Context(), Query{Actor: "chen"})
	if err != nil || len(p.Entries) != 2 {
		t.Fatalf("entries %+v, %v", p.Entries, err)
	}
	out, in := p.Entries[0], p.Entries[1]
	if in.Phase != Intent || in.Reason != "檢察官要求" || in.Detail["format"] != "odt" || in.Realm != asset.Police {
		t.Errorf("intent %+v", in)
	}
	if out.Phase != Outcome || *out.Ref != in.Seq || out.Result != Failed || out.Error != boom.Error() || !out.Time.After(in.Time) {
		t.Errorf("outcome %+v", out)
	}
	if r := whole(t, dir); len(r.Unfinished) != 0 {
		t.Errorf("unfinished %v", r.Unfinished)
	}
}

func TestOutcomeDetail(t *testing.T) {
	l := begin(t, t.TempDir())
	err := l.DoDetail(t.Context(), Act{Actor: "lin", Action: "event.export"}, func(context.Context) (map[string]string, error) {
		return map[string]string{"rows": "1200"}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Too long to write: the outcome itself must not be lost.
	err = l.DoDetail(t.Context(), Act{Actor: "lin", Action: "event.export"}, func(context.Context) (map[string]string, error) {
		return map[string]string{"rows": strings.Repeat("x", maxLine)}, errors.New(strings.Repeat("壞", maxError))
	})
	if err == nil {
		t.Fatal("the act's error was lost")
	}
	p, err := l.List(t.Context(), Query{Actor: "lin", Phase: Outcome})
	if err != nil || len(p.Entries) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	if e := p.Entries[1]; e.Result != Done || e.Detail["rows"] != "1200" {
		t.Errorf("%+v", e)
	}
	if e := p.Entries[0]; e.Result != Failed || e.Detail["detail"] == "" || len(e.Error) > maxError+40 || !strings.HasPrefix(e.Error, "壞壞") {
		t.Errorf("%+v", e)
	}
}

func TestPanicIsAnOutcome(t *testing.T) {
	l := begin(t, t.TempDir())
	func() {
		defer func() {
			if r := recover(); r != "at once" {
				t.Errorf("recovered %v: the panic must go on", r)
			}
		}()
		_ = l.Do(t.Context(), Act{Actor: "lin", Action: "x.y"}, func(context.Context) error { panic("at once") })
	}()
	p, err := l.List(t.Context(), Query{Action: "x.y", Phase: Outcome})
	if err != nil || len(p.Entries) != 1 || p.Entries[0].Result != Panic {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestNotWrittenNotDone: an act whose intent cannot be written does not happen.
func TestNotWrittenNotDone(t *testing.T) {
	l := begin(t, t.TempDir())
	did := false
	f := func(context.Context) error { did = true; return nil }
	for name, a := range map[string]Act{
		"no actor":    {Action: "x"},
		"no action":   {Actor: "x"},
		"long reason": {Actor: "x", Action: "y", Reason: strings.Repeat("r", maxReason+1)},
		"long detail": {Actor: "x", Action: "y", Detail: map[string]string{"d": strings.Repeat("r", maxLine)}},
	} {
		if err := l.Do(t.Context(), a, f); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Do(ctx, Act{Actor: "x", Action: "y"}, f); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	before := l.Head().Size
	l.entries.Close() // the disk is gone
	if err := l.Do(t.Context(), Act{Actor: "x", Action: "y"}, f); !fault.Is(err, fault.Unavailable) {
		t.Errorf("disk gone: %v", err)
	}
	if did || l.Head().Size != before {
		t.Error("done without an entry")
	}
}

// TestOutcomeNotWritten: who succeeded is told that the log did not get it.
func TestOutcomeNotWritten(t *testing.T) {
	l := begin(t, t.TempDir())
	err := l.Do(t.Context(), Act{Actor: "x", Action: "y"}, func(context.Context) error { return l.heads.Close() })
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "it was done") {
		t.Errorf("error %v", err)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	l := begin(t, dir)
	for i := range 20 {
		do(t, l, "chen", "case.edit", fmt.Sprintf("case/%d", i))
	}
	first := l.Head()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if err := l.Do(t.Context(), Act{Actor: "x", Action: "y"}, nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("closed: %v", err)
	}
	l = begin(t, dir)
	do(t, l, "chen", "case.close", "case/1")
	r := whole(t, dir, first.Note)
	if r.Entries != 2+40+2+2+2 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "clock was set back") { // the test's clock begins anew
		t.Errorf("%d entries, warnings %q", r.Entries, r.Warnings)
	}
	e, err := l.Get(t.Context(), r.Entries-1-2-1) // intent of the second opening
	if err != nil || e.Action != openAction || len(e.Detail) != 0 {
		t.Errorf("%+v, %v: after a good close nothing had to be mended", e, err)
	}
}

// TestNoteTool: the head is a note that the signed-note tools of others read.
func TestNoteTool(t *testing.T) {
	l := begin(t, t.TempDir())
	v, err := note.NewVerifier(Verifier(asset.Police, pub()))
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open([]byte(l.Head().Note), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	if want := "citywall/audit/police\n2\n"; !strings.HasPrefix(n.Text, want) {
		t.Errorf("text %q", n.Text)
	}
}

func TestProve(t *testing.T) {
	dir := t.TempDir()
	l := begin(t, dir)
	for i := range 13 {
		do(t, l, "chen", "case.edit", fmt.Sprintf("case/%d", i))
	}
	for seq := range l.Head().Size {
		p, err := l.Prove(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		e, h, err := CheckProof(p, asset.Police, pub())
		if err != nil || e.Seq != seq || h.Size != l.Head().Size {
			t.Fatalf("entry %d: %+v %v", seq, e, err)
		}
		for name, change := range map[string]func(*Proof){
			"other line":  func(p *Proof) { p.Line = strings.Replace(p.Line, "case", "cake", 1) },
			"other place": func(p *Proof) { p.Seq ^= 1 },
			"other path":  func(p *Proof) { p.Path[0] = p.Path[len(p.Path)-1]; p.Path = p.Path[:len(p.Path)-1] },
			"other head":  func(p *Proof) { p.Head = strings.Replace(p.Head, "time 2026", "time 2025", 1) },
			"no base64":   func(p *Proof) { p.Path[0] = "?" },
		} {
			q := p
			q.Path = append([]string(nil), p.Path...)
			change(&q)
			if q.Line == p.Line && name == "other line" {
				continue
			}
			if _, _, err := CheckProof(q, asset.Police, pub()); !fault.Is(err, fault.Invalid) {
				t.Errorf("entry %d, %s: %v", seq, name, err)
			}
		}
		if _, _, err := CheckProof(p, asset.City, pub()); err == nil {
			t.Error("a proof of the other realm's log")
		}
		_, other, _ := ed25519.GenerateKey(nil)
		if _, _, err := CheckProof(p, asset.Police, other.Public().(ed25519.PublicKey)); err == nil {
			t.Error("a proof under another key")
		}
	}
	if _, err := l.Prove(t.Context(), l.Head().Size); !fault.Is(err, fault.NotFound) {
		t.Errorf("proof of nothing: %v", err)
	}
}

func TestList(t *testing.T) {
	l := begin(t, t.TempDir())
	for i := range 700 { // more than is read at once
		do(t, l, []string{"chen", "lin", "wu"}[i%3], []string{"case.edit", "case.close", "event.search"}[i%3], fmt.Sprintf("case/%d", i%10))
	}
	do(t, l, `a"b\c`, "user.login", `"actor":"lin"`)
	all := func(q Query) []Entry {
		t.Helper()
		var out []Entry
		for {
			p, err := l.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, p.Entries...)
			if p.Next == "" {
				break
			}
			if q.Limit > 0 && len(p.Entries) != q.Limit {
				t.Fatalf("a page of %d with a next one", len(p.Entries))
			}
			q.Before = p.Next
		}
		for i := 1; i < len(out); i++ {
			if out[i].Seq >= out[i-1].Seq {
				t.Fatal("not newest first")
			}
		}
		return out
	}
	at := func(seq uint64) time.Time {
		e, err := l.Get(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		return e.Time
	}
	for _, c := range []struct {
		name string
		q    Query
		want int
	}{
		{"all", Query{Limit: 77}, 1404},
		{"actor", Query{Actor: "lin"}, 466},
		{"actor is exact", Query{Actor: "li"}, 0},
		{"action", Query{Action: "case.close", Limit: 1000}, 466},
		{"actions", Query{Action: "case."}, 934},
		{"action is exact", Query{Action: "case"}, 0},
		{"object", Query{Object: "case/3", Phase: Intent}, 70},
		{"objects", Query{Object: "case/"}, 1400},
		{"text", Query{Text: "EVENT.SEARCH", Phase: Outcome}, 233},
		{"result", Query{Result: Done}, 702},
		{"escaped", Query{Actor: "a\"b\\c"}, 2},
		{"a value of another field", Query{Actor: `x","actor":"lin`}, 0},
		{"from and to", Query{From: at(100), To: at(120)}, 20},
	} {
		if got := len(all(c.q)); got != c.want {
			t.Errorf("%s: %d entries, want %d", c.name, got, c.want)
		}
	}
	for _, q := range []Query{{Limit: -1}, {Limit: 1001}, {Before: "x"}} {
		if _, err := l.List(t.Context(), q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := l.Get(t.Context(), 99999); !fault.Is(err, fault.NotFound) {
		t.Errorf("no such entry: %v", err)
	}
}

// TestManyAtOnce: actors, readers and a verifier at the same time.
func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	l := begin(t, dir)
	var wg sync.WaitGroup
	const actors, each = 6, 25
	for a := range actors {
		wg.Go(func() {
			for i := range each {
				err := l.Do(t.Context(), Act{Actor: fmt.Sprint("user", a), Action: "x.y", Object: fmt.Sprint(i)}, func(context.Context) error { return nil })
				if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range each {
				if _, err := l.List(t.Context(), Query{Limit: 10}); err != nil {
					t.Error(err)
				}
				h := l.Head()
				if _, err := l.Prove(t.Context(), h.Size-1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range each {
			r, err := l.Verify(t.Context())
			if err != nil || !r.OK() {
				t.Errorf("while it grows: %v %v", r.Broken, err)
			}
		}
	})
	wg.Wait()
	if r := whole(t, dir); r.Entries != 2+2*actors*each || len(r.Unfinished) != 0 || len(r.Warnings) != 0 {
		t.Errorf("%d entries, unfinished %v, warnings %v", r.Entries, r.Unfinished, r.Warnings)
	}
}

func TestWrongKeyOrRealm(t *testing.T) {
	dir := t.TempDir()
	if err := begin(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	other := ed25519.NewKeyFromSeed([]byte("another seed, also 32 bytes long"))
	if _, err := Open(dir, asset.Police, other); !fault.Is(err, fault.Unavailable) {
		t.Errorf("another key: %v", err)
	}
	if _, err := Open(dir, asset.City, key); !fault.Is(err, fault.Unavailable) {
		t.Errorf("another realm: %v", err)
	}
	if _, err := Open(dir, "moon", key); !fault.Is(err, fault.Invalid) {
		t.Errorf("no realm: %v", err)
	}
	whole(t, dir) // none of them changed it
	if _, err := Verify(t.Context(), t.TempDir(), asset.Police, pub()); !fault.Is(err, fault.NotFound) {
		t.Errorf("empty folder: %v", err)
	}
}

func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func read(t testing.TB, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}
