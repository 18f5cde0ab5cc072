// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"citywall/internal/durable"
	"citywall/internal/mishap"
)

// ledgerName is a journal beside the stream's files: which packs were accepted
// and which were acknowledged. JetStream opens with whatever its files still
// hold, and of a damaged block it keeps the part before the damage without a
// word. The ledger knows what must be there.
//
//	boot ID                       of the machine when the journal was begun
//	p SEQ UNIX-SECONDS RECORDS    a pack is on disk
//	a SEQ                         it may be forgotten; written before JetStream is told
//
// It is not synced. A killed process leaves it right; after the machine went
// down it may be behind, and then nothing is claimed from it.
const ledgerName = "ledger"

// ledgerMax is how long it grows before it is written anew.
const ledgerMax = 8 << 20

type ledger struct {
	path string

	mu   sync.Mutex
	f    *os.File
	size int64
	open map[uint64]pack // accepted and not acknowledged
	// A pack may be delivered and acknowledged before its publisher has come to
	// write it down. Such an acknowledgement waits here; neither is written.
	early map[uint64]bool
	last  uint64 // highest position written down
}

// apart is further than two positions on their way to disk can lie apart.
const apart = 64

// pack is what the ledger knows of one.
type pack struct {
	at      int64 // Unix seconds
	records int
}

// readLedger returns what must be in the stream, and whether the journal was
// begun since the machine started.
func readLedger(path string) (open map[uint64]pack, trusted bool, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	open = map[uint64]pack{}
	sc := bufio.NewScanner(bytes.NewReader(b))
	for sc.Scan() {
		f := strings.Fields(sc.Text())
		switch {
		case len(f) == 2 && f[0] == "boot":
			trusted = f[1] == bootID()
		case len(f) == 2 && f[0] == "a":
			if seq, err := strconv.ParseUint(f[1], 10, 64); err == nil {
				delete(open, seq)
			}
		case len(f) == 4 && f[0] == "p":
			seq, err1 := strconv.ParseUint(f[1], 10, 64)
			at, err2 := strconv.ParseInt(f[2], 10, 64)
			n, err3 := strconv.Atoi(f[3])
			if err1 == nil && err2 == nil && err3 == nil {
				open[seq] = pack{at, n}
			}
		}
	}
	return open, trusted, sc.Err()
}

// begin writes the journal anew and opens it.
func (l *ledger) begin(open map[uint64]pack) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "boot %s\n", bootID())
	seqs := make([]uint64, 0, len(open))
	for s := range open {
		seqs = append(seqs, s)
	}
	slices.Sort(seqs)
	for _, s := range seqs {
		fmt.Fprintf(&b, "p %d %d %d\n", s, open[s].at, open[s].records)
	}
	if err := durable.Replace(l.path, 0o600, b.Bytes()); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if l.f != nil {
		err = l.f.Close()
	}
	l.f, l.size, l.open = f, int64(b.Len()), open
	if l.early == nil {
		l.early = map[uint64]bool{}
	}
	return err
}

func (l *ledger) accepted(seq uint64, at time.Time, records int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = max(l.last, seq)
	for s := range l.early {
		if s+apart < l.last {
			delete(l.early, s)
		}
	}
	if l.early[seq] {
		delete(l.early, seq)
		return nil
	}
	l.open[seq] = pack{at.Unix(), records}
	return l.line(fmt.Sprintf("p %d %d %d\n", seq, at.Unix(), records))
}

func (l *ledger) acknowledged(seq uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.open[seq]; !known {
		if seq+apart > l.last {
			l.early[seq] = true
		}
		return nil
	}
	delete(l.open, seq)
	return l.line(fmt.Sprintf("a %d\n", seq))
}

// line adds a line. mu is held.
func (l *ledger) line(s string) error {
	if l.size > ledgerMax && len(l.open) < ledgerMax/64 {
		if err := l.begin(l.open); err != nil {
			return err
		}
		return nil // what s says is in it
	}
	n, err := l.f.WriteString(s)
	l.size += int64(n)
	return err
}

func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}

// bootID changes with every start of the machine; "" where nobody says.
func bootID() string {
	if runtime.GOOS != "linux" {
		return "-"
	}
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "-"
	}
	return strings.TrimSpace(string(b))
}

// account compares the stream with the ledger and begins the ledger anew.
func (q *Queue) account(ctx context.Context) error {
	must, trusted, err := readLedger(q.ledger.path)
	if err != nil {
		return fmt.Errorf("read the queue's ledger: %w", err)
	}
	info, err := q.str.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return err
	}
	gone := make(map[uint64]bool, len(info.State.Deleted))
	for _, s := range info.State.Deleted {
		gone[s] = true
	}
	have := map[uint64]pack{}
	for s := info.State.FirstSeq; info.State.Msgs > 0 && s <= info.State.LastSeq; s++ {
		if !gone[s] {
			have[s] = must[s]
		}
	}
	packs, records := 0, 0
	var from, to int64
	for s, p := range must {
		if _, ok := have[s]; ok {
			continue
		}
		packs, records = packs+1, records+p.records
		if from == 0 || p.at < from {
			from = p.at
		}
		to = max(to, p.at)
	}
	if packs > 0 && trusted {
		q.tell(mishap.New(
			mishap.QueueLost, q.dir, time.Now(), "packs", strconv.Itoa(packs), "n", strconv.Itoa(records),
			"from", mishap.Time(time.Unix(from, 0)), "to", mishap.Time(time.Unix(to, 0)),
		))
	}
	return q.ledger.begin(have)
}

func (q *Queue) tell(m mishap.Mishap) { q.mishaps = append(q.mishaps, m) }

// Mishaps lists what Open found amiss.
func (q *Queue) Mishaps() []mishap.Mishap { return slices.Clone(q.mishaps) }

// setAside moves a folder of the server out of its way.
func (q *Queue) setAside(dir string) (string, error) {
	aside := filepath.Join(q.dir, "aside")
	if err := durable.Mkdir(aside); err != nil {
		return "", err
	}
	to, err := os.MkdirTemp(aside, time.Now().UTC().Format("20060102T150405Z-"))
	if err != nil {
		return "", err
	}
	to = filepath.Join(to, filepath.Base(dir))
	if err := os.Rename(dir, to); err != nil {
		return "", err
	}
	return to, durable.SyncDir(aside)
}
