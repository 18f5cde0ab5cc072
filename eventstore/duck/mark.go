// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"time"

	"citywall/internal/mishap"
)

// markName is a small file beside the hot file. DuckDB opens with whatever its
// log holds: when the end of the log is cut off, commits are gone and nothing
// says so. The mark says what the last commit was, so that a store that opens
// with less knows what it lost.
//
// It is written after each commit and not synced: a killed process leaves it
// right, and after loss of power it may be behind, which hides a loss at
// worst and never invents one.
const markName = "mark"

// progress is how far the store has come, as the table of that name and the
// mark have it.
type progress struct {
	seq    int64     // batches ever committed
	events int64     // events ever committed
	at     time.Time // of the last
	hot    int64     // mark only: events in hot tables
	first  time.Time // mark only: first and last day of them
	last   time.Time
}

const (
	markMagic = "CWM1"
	markLen   = len(markMagic) + 6*8 + 4
)

type mark struct{ f *os.File }

func openMark(path string) (*mark, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the store's mark: %w", err)
	}
	return &mark{f}, nil
}

// read returns the newer of the two slots, and false when there is none: a
// write that was interrupted leaves the other.
func (m *mark) read() (progress, bool) {
	var best progress
	found := false
	for slot := range int64(2) {
		b := make([]byte, markLen)
		if _, err := m.f.ReadAt(b, slot*int64(markLen)); err != nil || string(b[:4]) != markMagic ||
			crc32.ChecksumIEEE(b[:markLen-4]) != binary.LittleEndian.Uint32(b[markLen-4:]) {
			continue
		}
		n := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[4+8*i:])) }
		t := func(i int) time.Time {
			if n(i) == 0 {
				return time.Time{}
			}
			return time.UnixMicro(n(i)).UTC()
		}
		if p := (progress{n(0), n(1), t(2), n(3), t(4), t(5)}); !found || p.seq > best.seq {
			best, found = p, true
		}
	}
	return best, found
}

func (m *mark) write(p progress) error {
	b := []byte(markMagic)
	us := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMicro()
	}
	for _, v := range []int64{p.seq, p.events, us(p.at), p.hot, us(p.first), us(p.last)} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	_, err := m.f.WriteAt(b, p.seq%2*int64(markLen))
	return err
}

// clear forgets what was before; the next write begins anew.
func (m *mark) clear() error { return m.f.Truncate(0) }

func (m *mark) close() error { return m.f.Close() }

// lost compares what the mark promises with what the store has, and returns
// nil when nothing is missing.
func lost(where string, m, have progress, now time.Time) *mishap.Mishap {
	if m.seq <= have.seq {
		return nil
	}
	x := mishap.New(
		mishap.CommitsLost, where, now, "n", mishap.Num(max(0, m.events-have.events)), "batches", mishap.Num(m.seq-have.seq),
		"from", mishap.Time(have.at), "to", mishap.Time(m.at),
	)
	return &x
}

// copyFile copies the first n bytes of a file, all of them when n is negative.
func copyFile(from, to string, n int64) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	var r io.Reader = in
	if n >= 0 {
		r = io.LimitReader(in, n)
	}
	if _, err = io.Copy(out, r); err != nil {
		return err
	}
	return out.Sync()
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
