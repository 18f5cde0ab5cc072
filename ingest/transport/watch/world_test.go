// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"citywall/event"
	"citywall/internal/fault"
	"citywall/internal/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fail is what *testing.T and *rapid.T have in common.
type fail interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// world is a folder, a queue that stores once, and a clock that is set by hand.
type world struct {
	t     fail
	dir   string // watched
	data  string // offsets
	now   time.Time
	mu    sync.Mutex
	full  bool
	ids   map[event.ID]string // id -> line, as a store would keep it
	order []string            // lines new to the store, in order
	ms    []queue.Message
	blobs map[string]string // name -> content
	w     *Watcher
	cfg   Config
}

func newWorld(t fail, dir string, change func(*Config)) *world {
	w := &world{t: t, dir: filepath.Join(dir, "logs"), data: filepath.Join(dir, "data"), now: time.Date(2026, 10, 20, 8, 0, 0, 0, time.UTC), ids: map[event.ID]string{}, blobs: map[string]string{}}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.cfg = Defaults()
	w.cfg.Path, w.cfg.Source = w.dir, "web-1"
	if change != nil {
		change(&w.cfg)
	}
	w.start()
	return w
}

func (w *world) start() {
	w.t.Helper()
	var err error
	w.w, err = New(w.cfg, w.data, Parts{Publish: w.publish, PutBlob: w.putBlob, DropBlob: w.dropBlob, Now: func() time.Time { return w.now }}, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) publish(_ context.Context, ms ...queue.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full {
		return fault.New(fault.Busy, "full")
	}
	for _, m := range ms {
		source, stream, records := m.Source, m.Stream, m.Records
		if m.Blob != nil {
			source, stream, records = "file", m.Blob.SHA256, unpacked(w.blobs[m.Blob.Name])
		}
		for _, r := range records {
			id := event.NewID(source, stream, r.Seq)
			if before, ok := w.ids[id]; ok {
				if before != string(r.Data) {
					w.t.Errorf("one id for %.60q and %.60q: the store would drop the second", before, r.Data)
				}
				continue
			}
			w.ids[id] = string(r.Data)
			w.order = append(w.order, string(r.Data))
		}
	}
	w.ms = append(w.ms, ms...)
	return nil
}

// unpacked are the lines of a compressed file that was taken whole.
func unpacked(content string) (out []queue.Record) {
	z, err := gzip.NewReader(strings.NewReader(content))
	if err != nil {
		return nil
	}
	b, _ := io.ReadAll(z)
	off := 0
	for l := range bytes.Lines(b) {
		out = append(out, queue.Record{Seq: uint64(off), Data: bytes.TrimRight(l, "\n")})
		off += len(l)
	}
	return out
}

func (w *world) putBlob(_ context.Context, r io.Reader) (queue.Blob, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return queue.Blob{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full {
		return queue.Blob{}, fault.New(fault.Busy, "full")
	}
	sum := sha256.Sum256(b)
	name := fmt.Sprint("blob", len(w.blobs))
	w.blobs[name] = string(b)
	return queue.Blob{Name: name, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(b))}, nil
}

func (w *world) dropBlob(b queue.Blob) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.blobs, b.Name)
	return nil
}

// look makes passes until there is nothing more to read.
func (w *world) look() {
	w.t.Helper()
	for {
		more, err := w.w.pass(context.Background())
		if err != nil && !fault.Is(err, fault.Busy) {
			w.t.Fatal(err)
		}
		if !more {
			return
		}
	}
}

// later lets time pass and looks again.
func (w *world) later(d time.Duration) { w.t.Helper(); w.now = w.now.Add(d); w.look() }

// kill starts anew from what is on disk; stop saves first.
func (w *world) kill() { w.t.Helper(); w.w.closeAll(); w.start() }

func (w *world) stop() {
	w.t.Helper()
	if err := w.w.save(); err != nil {
		w.t.Fatal(err)
	}
	w.kill()
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	f, err := os.OpenFile(w.path(name), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err == nil {
		_, err = io.WriteString(f, text)
	}
	if err == nil {
		err = f.Close()
	}
	w.ok(err)
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(lines ...string) {
	w.t.Helper()
	if d := cmp.Diff(lines, w.order); d != "" {
		w.t.Fatalf("lines stored: %s", d)
	}
}

// line is long enough that a file of one is told from another.
func line(i int) string { return fmt.Sprintf("<13>line %d %s", i, strings.Repeat("x", 300)) }
