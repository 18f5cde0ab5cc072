// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"citywall/internal/durable"
	"citywall/internal/fault"
)

// RestoreName is the file in the queue's folder from which Open takes packs in
// that Export wrote; citywall backup restore puts it there.
const RestoreName = "restore.packs"

// exportMagic begins an export. Then come, for each pack, the length of its
// message id, the id, the length of its data, the data; lengths are uvarints.
const exportMagic = "CWQ1\n"

// Export writes every pack that waits, in order, as the stream has it. Packs
// that are acknowledged meanwhile may be missing: whoever needs them holds the
// acknowledgements back.
func (q *Queue) Export(ctx context.Context, w io.Writer) (packs int, err error) {
	b := bufio.NewWriterSize(w, 1<<20)
	if _, err := b.WriteString(exportMagic); err != nil {
		return 0, err
	}
	info, err := q.str.Info(ctx)
	if err != nil {
		return 0, fault.New(fault.Unavailable, "export the queue: %w", err)
	}
	var n []byte
	for seq := info.State.FirstSeq; info.State.Msgs > 0 && seq <= info.State.LastSeq; seq++ {
		m, err := q.str.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // acknowledged
		}
		if err != nil {
			return packs, fmt.Errorf("export the queue: pack %d: %w", seq, err)
		}
		id := m.Header.Get(nats.MsgIdHdr)
		n = binary.AppendUvarint(n[:0], uint64(len(id)))
		n = append(n, id...)
		n = binary.AppendUvarint(n, uint64(len(m.Data)))
		if _, err := b.Write(append(n, m.Data...)); err != nil {
			return packs, err
		}
		packs++
	}
	return packs, b.Flush()
}

// Blobs returns the paths of the files that waiting messages may name.
func (q *Queue) Blobs() ([]string, error) {
	es, err := os.ReadDir(filepath.Join(q.dir, blobDir))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range es {
		if filepath.Ext(e.Name()) == "" {
			out = append(out, filepath.Join(q.dir, blobDir, e.Name()))
		}
	}
	return out, nil
}

// takeIn publishes the packs of a restored export and removes it. A kill in the
// middle makes it begin again: event ids make what came twice invisible.
func (q *Queue) takeIn(ctx context.Context) error {
	name := filepath.Join(q.dir, RestoreName)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	n := 0
	err = eachPack(f, func(id string, data []byte) error {
		ms, err := unpack(q.dec, data)
		if err != nil {
			return q.Bury(fmt.Sprintf("restored-%d", n), data, err)
		}
		ids, records := make([]string, 0, len(ms)), 0
		for i := range ms {
			ids, records = append(ids, ms[i].ID), records+len(ms[i].Records)
		}
		if id == "" {
			id = packID(ids)
		}
		n++
		return q.put(ctx, data, id, len(ms), records)
	})
	if err != nil {
		return fmt.Errorf("take the restored queue in: pack %d: %w", n, err)
	}
	if err := os.Remove(name); err != nil {
		return err
	}
	return durable.SyncDir(q.dir)
}

// eachPack reads an export.
func eachPack(r io.Reader, f func(id string, data []byte) error) error {
	b := bufio.NewReaderSize(r, 1<<20)
	magic := make([]byte, len(exportMagic))
	if _, err := io.ReadFull(b, magic); err != nil || string(magic) != exportMagic {
		return fault.New(fault.Invalid, "this is no export of a queue")
	}
	part := func(max uint64) ([]byte, error) {
		n, err := binary.ReadUvarint(b)
		if err != nil {
			return nil, err
		}
		if n > max {
			return nil, fault.New(fault.Invalid, "an export with a part of %d bytes", n)
		}
		p := make([]byte, n)
		if _, err := io.ReadFull(b, p); err != nil {
			return nil, fmt.Errorf("the export is cut off: %w", io.ErrUnexpectedEOF)
		}
		return p, nil
	}
	for {
		id, err := part(1 << 10)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		data, err := part(maxPayload)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if err := f(string(id), data); err != nil {
			return err
		}
	}
}
