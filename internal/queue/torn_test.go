// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"citywall/internal/mishap"
)

// state is a queue's folder as a kill leaves it: 120 packs of 20 records, 40
// of them acknowledged, the others delivered and under work.
func state(t *testing.T) (dir string, waiting map[string]bool) {
	t.Helper()
	q := open(t, t.TempDir(), nil)
	waiting = map[string]bool{}
	for i := range 120 {
		m := message(fmt.Sprint("m", i), 20, 300)
		if err := q.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		for r := range m.Records {
			waiting[fmt.Sprintf("m%d#%d", i, r)] = true
		}
	}
	receive(t, q, 40*20, func(d Delivery) bool {
		for _, m := range d.Messages {
			for r := range m.Records {
				delete(waiting, fmt.Sprintf("%s#%d", m.ID, r))
			}
		}
		return true
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		st, err := q.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.Messages == 80 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d packs wait", st.Messages)
		}
		time.Sleep(5 * time.Millisecond)
	}
	receive(t, q, len(waiting), func(Delivery) bool { return false })
	dir = filepath.Join(t.TempDir(), "as-killed")
	for try := 0; ; try++ { // a file that is being replaced may vanish under the copy
		err := os.CopyFS(dir, os.DirFS(q.dir))
		if err == nil {
			return dir, waiting
		}
		if !errors.Is(err, fs.ErrNotExist) || try == 20 {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// said adds up what the mishaps tell of lost records.
func said(t *testing.T, q *Queue) (n int) {
	t.Helper()
	for _, m := range q.Mishaps() {
		if m.Kind == mishap.QueueLost {
			k, err := strconv.Atoi(m.Args["n"])
			if err != nil {
				t.Fatal(err)
			}
			n += k
		}
	}
	return n
}

// Every file of the queue is cut off and flipped at a random byte: it opens,
// delivers what is whole, and says to the record what is gone.
func TestTorn(t *testing.T) {
	as, waiting := state(t)
	var files []string
	err := filepath.WalkDir(as, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != ledgerName {
			files = append(files, strings.TrimPrefix(p, as))
		}
		return err
	})
	if err != nil || len(files) < 4 {
		t.Fatalf("%v %v", files, err)
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for _, f := range append(files, "") {
		for _, how := range []string{"cut", "flipped", "gone"} {
			t.Run(how+" "+filepath.Base(f), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "q")
				if err := os.CopyFS(dir, os.DirFS(as)); err != nil {
					t.Fatal(err)
				}
				at := 0
				if f != "" {
					b, err := os.ReadFile(dir + f)
					if err != nil {
						t.Fatal(err)
					}
					if len(b) > 0 {
						at = r.IntN(len(b))
					}
					switch how {
					case "cut":
						b = b[:at]
					case "flipped":
						if len(b) > 0 {
							b[at] ^= 1 << r.IntN(8)
						}
					}
					if err := os.WriteFile(dir+f, b, 0o600); err != nil {
						t.Fatal(err)
					}
					if how == "gone" {
						if err := os.Remove(dir + f); err != nil {
							t.Fatal(err)
						}
					}
				}
				q := open(t, dir, nil)
				lost := said(t, q)
				st, err := q.Stats(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got := map[string]int{}
				if st.Messages > 0 {
					got = receive(t, q, int(st.Messages)*20, func(Delivery) bool { return true })
				}
				there := 0
				for k := range waiting {
					if got[k] > 0 {
						there++
					}
				}
				if there+lost != len(waiting) {
					t.Errorf("at byte %d: %d of %d records came, %d are said to be lost; %+v", at, there, len(waiting), lost, q.Mishaps())
				}
				if f == "" && lost != 0 {
					t.Errorf("nothing was touched, and %d are said to be lost", lost)
				}
				if err := q.Publish(t.Context(), message("after", 3, 10)); err != nil {
					t.Errorf("publish afterwards: %v", err)
				}
				if err := q.Close(); err != nil {
					t.Fatal(err)
				}
				if q = open(t, dir, nil); said(t, q) != 0 {
					t.Errorf("said again: %+v", q.Mishaps())
				}
			})
		}
	}
}

// After the machine went down the journal may be behind, and claims nothing.
func TestLedgerOfAnotherBoot(t *testing.T) {
	dir, _ := state(t)
	b, err := os.ReadFile(filepath.Join(dir, ledgerName))
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte(bootID()), []byte("another"), 1)
	b = append(b, "p 9999 1 5\nnonsense\np x y z\na\n"...)
	if err := os.WriteFile(filepath.Join(dir, ledgerName), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if q := open(t, dir, nil); said(t, q) != 0 {
		t.Errorf("%+v", q.Mishaps())
	}
}

// Publishers and the receiver race; at the end the ledger holds nothing.
func TestLedgerSettles(t *testing.T) {
	q := open(t, t.TempDir(), nil)
	done := make(chan error, 4)
	for p := range 4 {
		go func() {
			for i := range 50 {
				if err := q.Publish(context.WithoutCancel(t.Context()), message(fmt.Sprint(p, "/", i), 2, 10)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	receive(t, q, 4*50*2, func(Delivery) bool { return true })
	for range 4 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	open, trusted, err := readLedger(q.ledger.path)
	if err != nil || !trusted || len(open) != 0 {
		t.Errorf("left in the ledger: %v %v %v", open, trusted, err)
	}
}

// What was exported is delivered by the queue that takes it in, once.
func TestExport(t *testing.T) {
	from, waiting := state(t)
	q := open(t, from, nil)
	var b bytes.Buffer
	if n, err := q.Export(t.Context(), &b); err != nil || n != 80 {
		t.Fatalf("%d packs, %v", n, err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, RestoreName), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir, nil)
	if _, err := os.Stat(filepath.Join(dir, RestoreName)); err == nil {
		t.Error("the export is still there after it was taken in")
	}
	got := receive(t, r, len(waiting), func(Delivery) bool { return true })
	for k := range waiting {
		if got[k] != 1 {
			t.Fatalf("%s came %d times", k, got[k])
		}
	}
	// A torn export is refused and kept.
	bad := t.TempDir()
	name := filepath.Join(bad, RestoreName)
	if err := os.WriteFile(name, b.Bytes()[:b.Len()-7], 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Defaults()
	cfg.MinFree = 0
	if q, err := Open(t.Context(), bad, cfg, slog.New(slog.DiscardHandler)); err == nil {
		q.Close()
		t.Error("a torn export was taken in")
	}
	if _, err := os.Stat(name); err != nil {
		t.Error(err)
	}
}

func FuzzEachPack(f *testing.F) {
	f.Add([]byte(exportMagic + "\x02ab\x03xyz"))
	f.Add([]byte(exportMagic))
	f.Add([]byte(exportMagic + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		total := 0
		_ = eachPack(bytes.NewReader(b), func(id string, data []byte) error {
			total += len(id) + len(data)
			return nil
		})
		if total > len(b) {
			t.Errorf("%d bytes out of %d", total, len(b))
		}
	})
}
