// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"citywall/internal/durable"
)

// printBytes of a file's beginning tell it from another in the same place. A
// copy is known by everything that was read, which must be minCopy at least:
// the first line of many logs is the same at every start.
const (
	printBytes = 1024
	minCopy    = 256
)

// kept is what is remembered of a file, over restarts. Stream and Offset give
// the ids of its lines. So Stream and Print are on disk before a line is sent:
// after a kill, other content in the same place must not get the ids of what
// was sent. Offset is saved only after the queue has acknowledged it.
type kept struct {
	Path    string    `json:"path"`
	Dev     uint64    `json:"dev,omitempty"`
	Ino     uint64    `json:"ino,omitempty"`
	Stream  string    `json:"stream,omitempty"`
	Offset  int64     `json:"offset"`           // bytes that are on the queue
	Line    int64     `json:"line"`             // lines before Offset
	Print   string    `json:"print,omitempty"`  // SHA-256 of the first Printed bytes, hex
	Printed int64     `json:"printed"`          // at most printBytes, at least as many of those as were ever sent
	Hash    []byte    `json:"hash,omitempty"`   // state of a SHA-256 over the first Offset bytes
	Format  string    `json:"format,omitempty"` // of lines that need Head
	Head    []byte    `json:"head,omitempty"`   // header lines in force at Offset
	Whole   bool      `json:"whole,omitempty"`  // read at once; then:
	Size    int64     `json:"size,omitempty"`   //   of the file that was read
	Mod     time.Time `json:"mod,omitzero"`     //   its time
	Note    string    `json:"note,omitempty"`   //   why it was passed over
	Gone    time.Time `json:"gone,omitzero"`    // the file is no longer there, or was truncated; kept to know its copies
}

// forgetAfter is how long a file that is gone is remembered: a copy that turns
// up later is new.
const forgetAfter = 30 * 24 * time.Hour

type stateFile struct {
	Version int     `json:"version"`
	Path    string  `json:"path"` // as configured; for people
	Files   []*kept `json:"files"`
}

func loadState(path string) ([]*kept, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read saved offsets: %w", err)
	}
	var s stateFile
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("read saved offsets %s: %w", path, err)
	}
	if s.Version != 1 {
		return nil, fmt.Errorf("read saved offsets %s: version %d was written by a newer Citywall", path, s.Version)
	}
	return s.Files, nil
}

func saveState(path, configured string, files []*kept) error {
	slices.SortFunc(files, func(a, b *kept) int { return bytes.Compare([]byte(a.Path+a.Stream), []byte(b.Path+b.Stream)) })
	b, err := json.Marshal(stateFile{1, configured, files})
	if err == nil {
		err = durable.Replace(path, 0o600, b)
	}
	if err != nil {
		return fmt.Errorf("save offsets: %w", err)
	}
	return nil
}

// sum returns the running hash over the first Offset bytes.
func (k *kept) sum() (hash.Hash, error) {
	h := sha256.New()
	if len(k.Hash) > 0 {
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(k.Hash); err != nil {
			return nil, fmt.Errorf("saved hash of %s: %w", k.Path, err)
		}
	}
	return h, nil
}

// samePrint reports whether r begins as k did.
func (k *kept) samePrint(r io.ReaderAt) bool {
	b := make([]byte, k.Printed)
	if m, _ := r.ReadAt(b, 0); m < len(b) {
		return false
	}
	return k.Printed == 0 || printOf(b) == k.Print
}

// begins reports whether the first Offset bytes of r are, byte for byte, what
// was read of k; short, that r ends before.
func (k *kept) begins(r io.Reader) (same, short bool, err error) {
	want, err := k.sum()
	if err != nil {
		return false, false, err
	}
	h := sha256.New()
	n, err := io.CopyN(h, r, k.Offset)
	if errors.Is(err, io.EOF) && n < k.Offset {
		return false, true, nil
	}
	if err != nil {
		return false, false, err
	}
	return bytes.Equal(h.Sum(nil), want.Sum(nil)), false, nil
}

func printOf(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:16])
}
