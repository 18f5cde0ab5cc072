// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"citywall/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, dir string, change func(*Config)) *Queue {
	t.Helper()
	cfg := Defaults()
	cfg.MinFree = 0
	if change != nil {
		change(&cfg)
	}
	q, err := Open(t.Context(), dir, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func message(id string, n, size int) Message {
	m := Message{ID: id, Source: "fw-1", Listener: "test", Realm: "city", Stream: id, Received: time.Unix(1_700_000_000, 0)}
	for i := range n {
		d := []byte(fmt.Sprintf("%s/%d ", id, i))
		m.Records = append(m.Records, Record{Seq: uint64(i), Line: int64(i) + 1, Data: append(d, bytes.Repeat([]byte{'x'}, max(0, size-len(d)))...)})
	}
	return m
}

var errEnough = errors.New("enough")

// receive collects until n records have come or the deadline passes.
func receive(t testing.TB, q *Queue, n int, ack func(Delivery) bool) map[string]int {
	t.Helper()
	seen := map[string]int{}
	total := 0
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := q.Receive(ctx, func(d Delivery) error {
		for _, m := range d.Messages {
			for _, r := range m.Records {
				seen[fmt.Sprintf("%s#%d", m.ID, r.Seq)]++
				total++
			}
		}
		if ack(d) {
			if err := d.Ack(ctx); err != nil {
				return err
			}
		}
		if total >= n {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		t.Fatalf("received %d of %d records: %v", total, n, err)
	}
	return seen
}

// The trap of stack.md §5: a consumer that is handed fewer messages than there
// are, with nothing pending and no error. So: count.
func TestEveryRecordArrives(t *testing.T) {
	q := open(t, t.TempDir(), nil)
	const publishers, each, records = 20, 25, 40
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				size := 1600
				if i%7 == 0 {
					size = 64
				}
				if err := q.Publish(t.Context(), message(fmt.Sprintf("p%d-%d", p, i), records, size)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := receive(t, q, publishers*each*records, func(Delivery) bool { return true })
	if len(seen) != publishers*each*records {
		t.Errorf("%d different records, want %d", len(seen), publishers*each*records)
	}
	waitEmpty(t, q)
	st, _ := q.Stats(t.Context())
	if st.Published != publishers*each || st.Packs > st.Published {
		t.Errorf("stats %+v: want %d messages in at most as many packs", st, publishers*each)
	}
}

func waitEmpty(t testing.TB, q *Queue) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		st, err := q.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.Messages == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("queue still holds %d packs", st.Messages)
		}
	}
}

// What was not acknowledged comes again after a restart, at once and not only
// after AckWait; what was acknowledged does not.
func TestRestartDeliversTheRest(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, nil)
	for i := range 100 {
		if err := q.Publish(t.Context(), message(fmt.Sprint("m", i), 3, 100)); err != nil {
			t.Fatal(err)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	acked := map[string]bool{}
	receive(t, q, 300, func(d Delivery) bool {
		if rnd.IntN(2) == 0 {
			return false
		}
		for _, m := range d.Messages {
			acked[m.ID] = true
		}
		return true
	})
	q.Close()
	if len(acked) == 0 || len(acked) == 100 {
		t.Fatalf("%d acknowledged: the test needs some of both", len(acked))
	}

	q = open(t, dir, nil)
	seen := receive(t, q, 3*(100-len(acked)), func(Delivery) bool { return true })
	for i := range 100 {
		id := fmt.Sprint("m", i)
		if got := seen[id+"#2"] > 0; got == acked[id] {
			t.Errorf("%s: acknowledged %v, delivered again %v", id, acked[id], got)
		}
	}
	waitEmpty(t, q)
}

func TestRepeatedIDIsStoredOnce(t *testing.T) {
	q := open(t, t.TempDir(), nil)
	for range 3 {
		if err := q.Publish(t.Context(), message("same", 1, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if st, _ := q.Stats(t.Context()); st.Messages != 1 {
		t.Errorf("%d packs, want 1", st.Messages)
	}
}

// Full means busy, loses nothing that was accepted, and ends when there is room.
func TestFullPushesBack(t *testing.T) {
	q := open(t, t.TempDir(), func(c *Config) { c.MaxBytes = 16 << 20 })
	rnd := rand.NewChaCha8([32]byte{1})
	next := func(i int) Message { // random bytes: zstd cannot shrink them
		m := message(fmt.Sprint("m", i), 1, 0)
		m.Records[0].Data = make([]byte, 200<<10)
		rnd.Read(m.Records[0].Data)
		return m
	}
	accepted := 0
	var err error
	for ; accepted < 1000; accepted++ {
		if err = q.Publish(t.Context(), next(accepted)); err != nil {
			break
		}
	}
	if !fault.Is(err, fault.Busy) {
		t.Fatalf("after %d messages: %v, want busy", accepted, err)
	}
	if st, _ := q.Stats(t.Context()); st.Refused != 1 || st.Fill() < 0.9 {
		t.Errorf("stats %+v, fill %.2f", st, st.Fill())
	}
	seen := receive(t, q, accepted, func(Delivery) bool { return true })
	if len(seen) != accepted {
		t.Errorf("%d delivered of %d accepted", len(seen), accepted)
	}
	waitEmpty(t, q)
	if err := q.Publish(t.Context(), next(accepted)); err != nil {
		t.Errorf("after it was emptied: %v", err)
	}
}

func TestDiskNearlyFullPushesBack(t *testing.T) {
	q := open(t, t.TempDir(), func(c *Config) { c.MinFree = 1 << 60 })
	if r, err := q.free.Look(); err == nil && r.Total == 0 {
		t.Skip("need the free space of a disk: this system does not tell it")
	}
	if err := q.Publish(t.Context(), message("m", 1, 10)); !fault.Is(err, fault.Busy) {
		t.Errorf("%v, want busy", err)
	}
	if _, err := q.PutBlob(t.Context(), bytes.NewReader([]byte("x"))); !fault.Is(err, fault.Busy) {
		t.Errorf("%v, want busy", err)
	}
}

func TestTooLargeIsInvalid(t *testing.T) {
	q := open(t, t.TempDir(), nil)
	if err := q.Publish(t.Context(), message("m", 1, MaxMessage)); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v, want invalid", err)
	}
	// The largest that may be, of bytes that do not shrink.
	m := message("m", 1, 0)
	m.Records[0].Data = make([]byte, MaxMessage-1024)
	rand.NewChaCha8([32]byte{2}).Read(m.Records[0].Data)
	if err := q.Publish(t.Context(), m); err != nil {
		t.Error(err)
	}
	receive(t, q, 1, func(Delivery) bool { return true })
}

func TestClosedIsUnavailable(t *testing.T) {
	q := open(t, t.TempDir(), nil)
	q.Close()
	if err := q.Publish(t.Context(), message("m", 1, 10)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v, want unavailable", err)
	}
}

// A pack that cannot be read is put aside, and the next one is delivered.
func TestUnreadablePackIsPutAside(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, nil)
	if _, err := q.js.Publish(t.Context(), subject, []byte{packVersion, 1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := q.Publish(t.Context(), message("good", 1, 10)); err != nil {
		t.Fatal(err)
	}
	seen := receive(t, q, 1, func(Delivery) bool { return true })
	if seen["good#0"] != 1 {
		t.Errorf("seen %v", seen)
	}
	b, err := os.ReadFile(filepath.Join(dir, deadDir, "pack-1.bin"))
	if err != nil || !bytes.Equal(b, []byte{packVersion, 1, 2, 3}) {
		t.Errorf("dead letter %x, %v", b, err)
	}
	waitEmpty(t, q)
}

func TestBlobLivesAsLongAsItsMessage(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, nil)
	b, err := q.PutBlob(t.Context(), bytes.NewReader([]byte("ElfFile\x00")))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("ElfFile\x00"))
	if b.Size != 8 || b.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("blob %+v", b)
	}
	m := message("file", 0, 0)
	m.Blob = &b
	if err := q.Publish(t.Context(), m, message("r", 1, 10)); err != nil {
		t.Fatal(err)
	}
	q.Close()
	q = open(t, dir, nil) // a restart keeps it: a message names it
	path, err := q.BlobPath(b)
	if err != nil {
		t.Fatal(err)
	}
	receive(t, q, 1, func(d Delivery) bool {
		if c, err := os.ReadFile(path); err != nil || string(c) != "ElfFile\x00" {
			t.Errorf("blob reads %q, %v", c, err)
		}
		return true
	})
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the acknowledgement: %v", err)
	}
	// One that no message names is swept when the queue is empty.
	if b, err = q.PutBlob(t.Context(), bytes.NewReader([]byte("orphan"))); err != nil {
		t.Fatal(err)
	}
	waitEmpty(t, q)
	q.Close()
	q = open(t, dir, nil)
	path, _ = q.BlobPath(b)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("orphan: %v", err)
	}
	if _, err := q.BlobPath(Blob{Name: "../../etc/passwd"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("path outside: %v", err)
	}
}

func TestConfig(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Config){
		"max_bytes":  func(c *Config) { c.MaxBytes = 1 },
		"min_free":   func(c *Config) { c.MinFree = -1 },
		"duplicates": func(c *Config) { c.Duplicates = 0 },
		"ack_wait":   func(c *Config) { c.AckWait = 0 },
	} {
		c := Defaults()
		change(&c)
		if err := c.Validate(); !fault.Is(err, fault.Invalid) || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
