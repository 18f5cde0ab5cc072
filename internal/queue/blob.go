// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"citywall/internal/durable"
	"citywall/internal/fault"
)

const (
	blobDir = "blobs"
	deadDir = "dead"
)

// Blob is a file that is too large or too binary to travel as records: it lies
// beside the stream, and a message names it.
type Blob struct {
	Name   string `json:"name"`   // in the queue's folder; one message each
	SHA256 string `json:"sha256"` // of the content, hex
	Size   int64  `json:"size"`
}

// PutBlob copies r to disk and syncs it. It belongs to the message that names
// it and is deleted when that message is acknowledged; one that was never
// published is swept away later.
func (q *Queue) PutBlob(ctx context.Context, r io.Reader) (Blob, error) {
	if err := q.free.Check(); err != nil {
		return Blob{}, err
	}
	name := uuid.Must(uuid.NewV7()).String()
	h := sha256.New()
	n, err := durable.Create(filepath.Join(q.dir, blobDir, name), 0o600, io.TeeReader(readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := q.free.Check(); err != nil {
			return 0, err
		}
		return r.Read(p)
	}), h))
	if err != nil {
		return Blob{}, fmt.Errorf("copy a file into the queue: %w", err)
	}
	return Blob{Name: name, SHA256: hex.EncodeToString(h.Sum(nil)), Size: n}, nil
}

// BlobPath returns where the file lies.
func (q *Queue) BlobPath(b Blob) (string, error) {
	if _, err := uuid.Parse(b.Name); err != nil || len(b.Name) != 36 {
		return "", fault.New(fault.Invalid, "blob name %q is not one of the queue's", b.Name)
	}
	return filepath.Join(q.dir, blobDir, b.Name), nil
}

// DropBlob deletes a file whose message was not published.
func (q *Queue) DropBlob(b Blob) error { return q.dropBlob(b) }

func (q *Queue) dropBlob(b Blob) error {
	path, err := q.BlobPath(b)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop a file of the queue: %w", err)
	}
	return nil
}

// sweep deletes what a kill left behind: half-written files always, and all
// blobs when no message is waiting that could name one.
func (q *Queue) sweep(ctx context.Context) error {
	info, err := q.str.Info(ctx)
	if err != nil {
		return err
	}
	dir := filepath.Join(q.dir, blobDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info.State.Msgs == 0 || strings.HasSuffix(e.Name(), ".tmp") {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Bury puts bytes that cannot be processed aside, with the reason, so that the
// queue can go on and nothing that was acknowledged is gone.
func (q *Queue) Bury(name string, data []byte, reason error) error {
	dir := filepath.Join(q.dir, deadDir)
	err := durable.Replace(filepath.Join(dir, name+".bin"), 0o600, data)
	if err == nil {
		err = durable.Replace(filepath.Join(dir, name+".reason"), 0o600, []byte(reason.Error()+"\n"))
	}
	if err != nil {
		return fmt.Errorf("put %s aside: %w", name, err)
	}
	q.st.buried.Add(1)
	q.log.Error("queue: put aside what cannot be processed", "name", name, "folder", dir, "reason", reason)
	return nil
}

// BuryBlob puts a file that cannot be processed aside, with the reason. It is
// not found when it has been put aside or acknowledged before.
func (q *Queue) BuryBlob(b Blob, reason error) error {
	path, err := q.BlobPath(b)
	if err != nil {
		return err
	}
	dead := filepath.Join(q.dir, deadDir)
	err = os.Rename(path, filepath.Join(dead, b.Name+".bin"))
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "file %s of the queue is not there", b.Name)
	}
	if err == nil {
		err = durable.Replace(filepath.Join(dead, b.Name+".reason"), 0o600, []byte(reason.Error()+"\n"))
	}
	if err != nil {
		return fmt.Errorf("put %s aside: %w", b.Name, err)
	}
	q.st.buried.Add(1)
	q.log.Error("queue: put aside a file that cannot be processed", "name", b.Name, "folder", dead, "reason", reason)
	return nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
