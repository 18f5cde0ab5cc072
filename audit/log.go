// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"citywall/asset"
	"citywall/internal/durable"
	"citywall/internal/fault"
	"citywall/internal/merkle"
)

// Names of the files in a log's folder.
const (
	entriesFile = "entries"
	headsFile   = "heads"
	hashesFile  = "hashes"
	offsetsFile = "offsets"
)

// Log is the open log of one realm. It is safe for concurrent use; one process
// may have it open.
type Log struct {
	dir   string
	realm asset.Realm
	key   ed25519.PrivateKey
	now   func() time.Time

	size atomic.Uint64 // entries that are durable and under a head; readers go so far

	mu      sync.Mutex // guards all below, for writing
	entries *durable.Appender
	heads   *durable.Appender
	hashes  *hashFile
	offsets *offsetFile
	head    Head
	broken  error // why nothing can be appended any more
	closed  bool
}

// write adds the line to all files. mu is held.
func (l *Log) write(line []byte) error {
	n := l.size.Load()
	if err := l.entries.Append(line); err != nil {
		return err
	}
	if err := l.derive(n, line[:len(line)-1], l.entries.Size()); err != nil {
		return err
	}
	root, err := merkle.Root(n+1, l.hashes)
	if err != nil {
		return err
	}
	h := sign(l.realm, n+1, root, l.now(), l.key)
	if err := l.heads.Append([]byte(h.Note)); err != nil {
		return err
	}
	l.head = h
	l.size.Store(n + 1)
	return nil
}

// derive adds what follows from line n, which ends (newline included) at end.
func (l *Log) derive(n uint64, line []byte, end int64) error {
	hs, err := merkle.Append(n, merkle.Leaf(line), l.hashes)
	if err != nil {
		return err
	}
	if err := l.hashes.put(merkle.Count(n), hs); err != nil {
		return err
	}
	return l.offsets.put(n, end)
}

// Head returns the newest signed head.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Close writes that the log is closed and releases the files. Acts still under
// way cannot write their outcome.
func (l *Log) Close() error {
	l.mu.Lock()
	well := l.broken == nil
	l.mu.Unlock()
	var err error
	if well {
		err = l.sayClosed()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return err
	}
	l.closed = true
	if l.broken == nil {
		l.broken = fault.New(fault.Unavailable, "the audit log of realm %s is closed", l.realm)
	}
	return errors.Join(err, l.syncDerived(), l.closeFiles())
}

// sayClosed writes the last act. The next start trusts hashes and offsets only
// when its outcome is the last entry.
func (l *Log) sayClosed() error {
	e := Entry{Actor: self, Action: closeAction, Object: origin(l.realm), Phase: Intent}
	ref, err := l.append(e)
	if err != nil {
		return err
	}
	if err := l.syncDerived(); err != nil {
		return err
	}
	e.Phase, e.Ref, e.Result = Outcome, &ref, Done
	_, err = l.append(e)
	return err
}

func (l *Log) syncDerived() error { return errors.Join(l.hashes.f.Sync(), l.offsets.f.Sync()) }

func (l *Log) closeFiles() error {
	var errs []error
	if l.entries != nil {
		errs = append(errs, l.entries.Close())
	}
	if l.heads != nil {
		errs = append(errs, l.heads.Close())
	}
	if l.hashes != nil {
		errs = append(errs, l.hashes.f.Close())
	}
	if l.offsets != nil {
		errs = append(errs, l.offsets.f.Close())
	}
	return errors.Join(errs...)
}

// hashFile is merkle.Stored in a file. It is not synced: it follows from the
// entries.
type hashFile struct{ f *os.File }

const hashSize = int64(len(merkle.Hash{}))

func (h *hashFile) At(i uint64) (merkle.Hash, error) {
	var x merkle.Hash
	if _, err := h.f.ReadAt(x[:], int64(i)*hashSize); err != nil {
		return x, fmt.Errorf("tree hash %d: %w", i, err)
	}
	return x, nil
}

func (h *hashFile) put(at uint64, hs []merkle.Hash) error {
	b := make([]byte, 0, len(hs)*int(hashSize))
	for i := range hs {
		b = append(b, hs[i][:]...)
	}
	if _, err := h.f.WriteAt(b, int64(at)*hashSize); err != nil {
		return fmt.Errorf("write tree hashes: %w", err)
	}
	return nil
}

// offsetFile says where lines end.
type offsetFile struct{ f *os.File }

// ends returns where lines [from, to) begin and end: to-from+1 positions.
func (o *offsetFile) ends(from, to uint64) ([]int64, error) {
	b := make([]byte, (to-from+1)*8)
	var err error
	if from == 0 { // line 0 begins at 0, which is not written down
		_, err = o.f.ReadAt(b[8:], 0)
	} else {
		_, err = o.f.ReadAt(b, int64(from-1)*8)
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of entries %d to %d: %w", from, to, err)
	}
	out := make([]int64, to-from+1)
	for i := range out {
		out[i] = int64(binary.BigEndian.Uint64(b[i*8:]))
	}
	return out, nil
}

func (o *offsetFile) put(n uint64, end int64) error {
	if _, err := o.f.WriteAt(binary.BigEndian.AppendUint64(nil, uint64(end)), int64(n)*8); err != nil {
		return fmt.Errorf("write offset: %w", err)
	}
	return nil
}

func openDerived(dir, name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return f, nil
}
