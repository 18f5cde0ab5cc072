// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"citywall/asset"
	"citywall/internal/fault"
	"citywall/internal/merkle"
)

// small makes a closed log of a few acts and returns its folder and last head.
func small(t *testing.T) (string, Head) {
	t.Helper()
	dir := t.TempDir()
	l := begin(t, dir)
	for i := range 3 {
		do(t, l, "陳警員", "case.edit", fmt.Sprintf("case/%d", i))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, l.Head()
}

func broken(t *testing.T, dir string, known ...string) bool {
	t.Helper()
	r, err := Verify(t.Context(), dir, asset.Police, pub(), known...)
	return err != nil || !r.OK()
}

// TestEveryByte: no byte of any file can be changed without Verify seeing it.
func TestEveryByte(t *testing.T) {
	dir, _ := small(t)
	whole(t, dir)
	for _, name := range []string{entriesFile, headsFile, hashesFile, offsetsFile} {
		good := read(t, dir, name)
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			write(t, dir, name, bad)
			if !broken(t, dir) {
				t.Errorf("%s: byte %d (%q) changed to %q: not seen", name, i, good[i], bad[i])
			}
		}
		write(t, dir, name, good)
	}
	whole(t, dir)
}

// TestLinesMoved: entries taken out, doubled, swapped, slipped in, rewritten
// with all that follows from them, or cut off.
func TestLinesMoved(t *testing.T) {
	src, last := small(t)
	lines := bytes.SplitAfter(read(t, src, entriesFile), []byte("\n"))
	lines = lines[:len(lines)-1]
	notes := bytes.SplitAfterN(read(t, src, headsFile), []byte("\n"), -1)
	join := func(ls ...[][]byte) []byte { return bytes.Join(append([][]byte(nil), concat(ls)...), nil) }
	for _, c := range []struct {
		name    string
		entries []byte
		heads   []byte
		known   []string
	}{
		{"one taken out", join(lines[:3], lines[4:]), nil, nil},
		{"one doubled", join(lines[:4], lines[3:]), nil, nil},
		{"two swapped", join(lines[:3], lines[4:5], lines[3:4], lines[5:]), nil, nil},
		{"the last cut off", join(lines[:len(lines)-1]), nil, nil},
		{"the last torn", join(lines)[:len(join(lines))-5], nil, nil},
		{"one added", join(lines, lines[len(lines)-1:]), nil, nil},
		{"other spelling", bytes.Replace(join(lines), []byte(`"phase":"intent"`), []byte(`"phase": "intent"`), 1), nil, nil},
		{"heads cut off", nil, join(notes[:3*noteLines]), nil},
		{"no heads", nil, []byte{}, nil},
		{"entries and heads cut off together, with the head from outside", join(lines[:4]), join(notes[:4*noteLines]), []string{last.Note}},
	} {
		dir := copyDir(t, src)
		if c.entries != nil {
			write(t, dir, entriesFile, c.entries)
		}
		if c.heads != nil {
			write(t, dir, headsFile, c.heads)
		}
		for _, f := range []string{hashesFile, offsetsFile} { // a careful forger removes what would give him away
			if err := os.Remove(filepath.Join(dir, f)); err != nil {
				t.Fatal(err)
			}
		}
		if !broken(t, dir, c.known...) {
			t.Errorf("%s: not seen", c.name)
		}
	}
}

func concat(ls [][][]byte) (out [][]byte) {
	for _, l := range ls {
		out = append(out, l...)
	}
	return out
}

// TestKnownHead: a head of another history is told from one of this log.
func TestKnownHead(t *testing.T) {
	dir, last := small(t)
	whole(t, dir, last.Note)
	other := sign(asset.Police, 3, merkle.Leaf([]byte("another history")), last.Time, key)
	if !broken(t, dir, other.Note) {
		t.Error("a head of another history fits")
	}
	longer := sign(asset.Police, 99, last.Root, last.Time, key)
	if !broken(t, dir, longer.Note) {
		t.Error("a head of a longer log fits")
	}
	if _, err := Verify(t.Context(), dir, asset.Police, pub(), "nonsense"); !fault.Is(err, fault.Invalid) {
		t.Errorf("no head: %v", err)
	}
}

// TestKilledWhileActing: the act that was under way when the process died has
// the outcome "unknown" afterwards, and Verify names it.
func TestKilledWhileActing(t *testing.T) {
	dir := t.TempDir()
	l := begin(t, dir)
	do(t, l, "chen", "case.edit", "case/1")
	var after string
	if err := l.Do(t.Context(), Act{Actor: "lin", Action: "incident.handover", Object: "incident/7"}, func(context.Context) error {
		after = copyDir(t, dir) // what a kill at this instant leaves
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if r := whole(t, after); len(r.Unfinished) != 1 {
		t.Fatalf("before opening: unfinished %v", r.Unfinished)
	}
	l = begin(t, after)
	p, err := l.List(t.Context(), Query{Action: "incident.handover"})
	if err != nil || len(p.Entries) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	if out := p.Entries[0]; out.Result != Unknown || *out.Ref != p.Entries[1].Seq || out.Actor != self || out.Object != "incident/7" {
		t.Errorf("outcome %+v", out)
	}
	if r := whole(t, after); len(r.Unfinished) != 1 || r.Unfinished[0] != p.Entries[1].Seq {
		t.Errorf("unfinished %v", r.Unfinished)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = begin(t, after) // told once, not at every start
	if p, err := l.List(t.Context(), Query{Result: Unknown}); err != nil || len(p.Entries) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestTorn: a kill or a loss of power at any byte of the last write. The torn
// bytes are kept and reported, and every earlier entry is still there.
func TestTorn(t *testing.T) {
	src := t.TempDir()
	l := begin(t, src)
	do(t, l, "chen", "case.edit", "case/1")
	lines := read(t, src, entriesFile)
	heads := read(t, src, headsFile)
	n := int(l.Head().Size)
	start := bytes.LastIndexByte(lines[:len(lines)-1], '\n') + 1
	headStart := bytes.LastIndex(heads, []byte(origin(asset.Police)+"\n"))

	reopened := func(name, dir string, entries int, torn string) {
		t.Helper()
		l, err := OpenAt(dir, asset.Police, key, clock())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer l.Close()
		r := whole(t, dir)
		p, err := l.List(t.Context(), Query{Action: openAction, Phase: Intent, Limit: 1})
		if err != nil || len(p.Entries) != 1 {
			t.Fatalf("%s: %+v %v", name, p, err)
		}
		e := p.Entries[0]
		if e.Seq != uint64(entries) {
			t.Errorf("%s: the opening is entry %d, want %d; %+v", name, e.Seq, entries, r)
		}
		if got := e.Detail["torn_entries"] + e.Detail["torn_heads"]; (torn == "") != (got == "") {
			t.Errorf("%s: moved aside %q", name, got)
		} else if torn != "" && string(read(t, dir, got)) != torn {
			t.Errorf("%s: kept %q, want %q", name, read(t, dir, got), torn)
		}
	}
	for cut := start; cut <= len(lines); cut++ { // the head of the last entry was not yet written
		dir := copyDir(t, src)
		write(t, dir, entriesFile, lines[:cut])
		write(t, dir, headsFile, heads[:headStart])
		want, torn := n-1, string(lines[start:cut])
		if cut == len(lines) {
			want, torn = n, ""
		}
		reopened(fmt.Sprintf("entries cut at %d of %d", cut, len(lines)), dir, want, torn)
	}
	for cut := headStart; cut <= len(heads); cut++ {
		dir := copyDir(t, src)
		write(t, dir, headsFile, heads[:cut])
		torn := string(heads[headStart:cut])
		if cut == len(heads) {
			torn = ""
		}
		reopened(fmt.Sprintf("heads cut at %d of %d", cut, len(heads)), dir, n, torn)
	}
	// All of the length is there, but the blocks are not.
	dir := copyDir(t, src)
	blank := append(bytes.Clone(lines[:start]), make([]byte, len(lines)-start)...)
	blank[len(blank)-1] = '\n'
	write(t, dir, entriesFile, blank)
	write(t, dir, headsFile, heads[:headStart])
	reopened("blank last line", dir, n-1, string(blank[start:]))

	// Torn bytes that were kept may not be changed either.
	kept, err := filepath.Glob(filepath.Join(dir, "torn-*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%v %v", kept, err)
	}
	if err := os.Chmod(kept[0], 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, dir, filepath.Base(kept[0]), []byte("something else"))
	if !broken(t, dir) {
		t.Error("changed torn bytes: not seen")
	}
}

// TestRefusesToOpen a log that is not what was signed, and leaves its entries
// as they are.
func TestRefusesToOpen(t *testing.T) {
	src, _ := small(t)
	lines, heads := read(t, src, entriesFile), read(t, src, headsFile)
	for name, change := range map[string]func(dir string){
		"an entry changed":       func(d string) { write(t, d, entriesFile, bytes.Replace(lines, []byte("case/1"), []byte("case/9"), 1)) },
		"the last entry missing": func(d string) { write(t, d, entriesFile, lines[:bytes.LastIndexByte(lines[:len(lines)-1], '\n')+1]) },
		"the last entry cut":     func(d string) { write(t, d, entriesFile, lines[:len(lines)-3]) },
		"no entries":             func(d string) { write(t, d, entriesFile, nil) },
		"no heads":               func(d string) { write(t, d, headsFile, nil) },
		"heads of nothing":       func(d string) { write(t, d, headsFile, bytes.Repeat([]byte("x\n"), 5000)) },
		"the last head changed":  func(d string) { write(t, d, headsFile, append(bytes.Clone(heads[:len(heads)-4]), "AA=\n"...)) },
	} {
		for _, derived := range []bool{true, false} {
			dir := copyDir(t, src)
			change(dir)
			if !derived {
				write(t, dir, hashesFile, nil)
				write(t, dir, offsetsFile, nil)
			}
			before := string(read(t, dir, entriesFile))
			_, err := Open(dir, asset.Police, key)
			// With hashes that fit, a change in the middle is Verify's to
			// find: the head and the hashes agree.
			if derived && name == "an entry changed" {
				if !broken(t, dir) {
					t.Error("an entry changed: not seen")
				}
				continue
			}
			if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "changed or damaged") {
				t.Errorf("%s (derived files there: %v): %v", name, derived, err)
			}
			if string(read(t, dir, entriesFile)) != before {
				t.Errorf("%s: the entries were touched", name)
			}
		}
	}
}

// TestDerivedRebuilt: hashes and offsets that are lost or wrong come back.
func TestDerivedRebuilt(t *testing.T) {
	src, _ := small(t)
	for name, change := range map[string]func(dir string){
		"gone": func(d string) {
			if err := os.Remove(filepath.Join(d, hashesFile)); err != nil {
				t.Fatal(err)
			}
		},
		"short": func(d string) { b := read(t, d, offsetsFile); write(t, d, offsetsFile, b[:len(b)-3]) },
		"wrong": func(d string) { b := read(t, d, hashesFile); b[100] ^= 1; write(t, d, hashesFile, b) },
		"zeros": func(d string) { b := read(t, d, hashesFile); write(t, d, hashesFile, make([]byte, len(b))) },
		"long": func(d string) {
			b := read(t, d, offsetsFile)
			write(t, d, offsetsFile, binary.BigEndian.AppendUint64(b, uint64(len(b))))
		},
	} {
		dir := copyDir(t, src)
		change(dir)
		l := begin(t, dir)
		if name == "wrong" { // in the middle, after a good close: not looked at, but never believed
			for seq := range l.Head().Size {
				if p, err := l.Prove(t.Context(), seq); err == nil {
					if _, _, err := CheckProof(p, asset.Police, pub()); err != nil {
						t.Errorf("a proof that does not hold was handed out: %v", err)
					}
				}
			}
			if !broken(t, dir) {
				t.Errorf("%s: Verify does not see it", name)
			}
			continue
		}
		if r := whole(t, dir); len(r.Warnings) > 1 { // the test's clock begins anew: one
			t.Errorf("%s: %q", name, r.Warnings)
		}
		for seq := range l.Head().Size {
			if _, err := l.Prove(t.Context(), seq); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestKill sends SIGKILL to a process that acts as fast as it can. What it
// reported as done is in the log, and the log is whole.
func TestKill(t *testing.T) {
	if dir := os.Getenv("CITYWALL_TEST_AUDIT"); dir != "" {
		l, err := Open(dir, asset.Police, key)
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		for i := 0; ; i++ {
			err := l.Do(t.Context(), Act{Actor: "victim", Action: "x.y", Object: strconv.Itoa(i)}, func(context.Context) error { return nil })
			if err != nil {
				os.Exit(1)
			}
			fmt.Printf("did %d\n", i)
		}
	}
	dir := t.TempDir()
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "CITYWALL_TEST_AUDIT="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		last := -1
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			if n, ok := strings.CutPrefix(sc.Text(), "did "); ok {
				if last, err = strconv.Atoi(n); err != nil {
					t.Fatal(err)
				}
			} else if strings.HasPrefix(sc.Text(), "error") {
				t.Fatal(sc.Text())
			}
			if last == 20+13*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := io.Copy(io.Discard, out); err != nil {
			t.Log(err) // the pipe ends with the process
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it was not killed")
		}
		l, err := Open(dir, asset.Police, key)
		if err != nil {
			t.Fatal(err)
		}
		p, err := l.List(t.Context(), Query{Actor: "victim", Object: strconv.Itoa(last), Result: Done, Limit: 1})
		if err != nil || len(p.Entries) != 1 {
			t.Errorf("round %d: act %d was reported as done and is not in the log (%v)", round, last, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		whole(t, dir)
	}
}

func BenchmarkDo(b *testing.B) {
	l, err := Open(b.TempDir(), asset.City, key)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Do(b.Context(), Act{Actor: "chen", Action: "event.search", Detail: map[string]string{"query": "event_id:4625 last:24h"}},
			func(context.Context) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// fill makes a log of n entries without syncing each of them, as the files
// would be after as many acts.
func fill(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	var entries, heads bytes.Buffer
	var tree merkle.Frontier
	now := clock()
	for i := range n {
		e := Entry{Seq: uint64(i), Time: now(), Realm: asset.City, Actor: "chen", Action: "event.search", Object: "events",
			Detail: map[string]string{"query": "src_ip:10.0.0.5 AND event_id:4625 last:24h"}, Phase: Intent}
		if i%2 == 1 {
			ref := uint64(i - 1)
			e.Phase, e.Ref, e.Result, e.Detail = Outcome, &ref, Done, nil
		}
		line, err := e.line()
		if err != nil {
			b.Fatal(err)
		}
		entries.Write(line)
		tree.Append(merkle.Leaf(line[:len(line)-1]))
		heads.WriteString(sign(asset.City, tree.Size(), tree.Root(), e.Time, key).Note)
	}
	write(b, dir, entriesFile, entries.Bytes())
	write(b, dir, headsFile, heads.Bytes())
	b.ReportMetric(float64(entries.Len()+heads.Len())/float64(n), "B/entry")
	return dir
}

func BenchmarkVerify(b *testing.B) {
	const n = 20_000
	dir := fill(b, n)
	b.ResetTimer()
	for b.Loop() {
		r, err := Verify(b.Context(), dir, asset.City, pub())
		if err != nil || !r.OK() || r.Entries != n {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
}

func BenchmarkListOneActorOf(b *testing.B) {
	const n = 100_000
	l, err := Open(fill(b, n), asset.City, key)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	b.ResetTimer()
	for b.Loop() {
		if p, err := l.List(b.Context(), Query{Actor: "nobody"}); err != nil || len(p.Entries) != 0 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
}
