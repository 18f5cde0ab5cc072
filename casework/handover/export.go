// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"slices"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"

	"citywall/casework/exhibit"
	"citywall/internal/canon"
	"citywall/internal/fault"
)

// Export writes a package to w, signed with key and sealed to the recipients.
// Without recipients it is signed only.
func Export(ctx context.Context, w io.Writer, env Envelope, c Content, key ed25519.PrivateKey, to ...age.Recipient) (_ Manifest, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{Format: Format, ID: id.String(), Time: env.Time.UTC().Truncate(time.Microsecond), From: env.From, To: env.To,
		Sender: env.Sender, Reason: env.Reason, Incident: c.Record}
	if env.Time.IsZero() {
		m.Time = time.Now().UTC().Truncate(time.Microsecond)
	}
	if m.Incident == "" {
		m.Incident = c.Incident.ID
	}
	var parts []part
	defer func() {
		for _, p := range parts {
			err = errors.Join(err, p.close())
		}
	}()
	doc, err := json.Marshal(c.Incident)
	if err != nil {
		return m, fmt.Errorf("hand over: %w", err)
	}
	parts = append(parts, inMemory(incidentName, doc))
	var n int64
	p, n, err := spool(ctx, findingsName, encoded(c.Findings, exhibit.EncodeFinding))
	if err != nil {
		return m, fmt.Errorf("hand over findings: %w", err)
	}
	parts, m.Findings = append(parts, p), n
	if p, n, err = spool(ctx, eventsName, encoded(c.Events, exhibit.EncodeEvent)); err != nil {
		return m, fmt.Errorf("hand over records: %w", err)
	}
	parts, m.Events = append(parts, p), n
	for _, name := range slices.Sorted(maps.Keys(c.Reports)) {
		parts = append(parts, inMemory(name, c.Reports[name]))
	}
	for _, p := range parts {
		m.Members = append(m.Members, p.Member)
	}
	if err := m.check(); err != nil {
		return m, fault.New(fault.Invalid, "hand over: %w", err)
	}
	manifest, err := canon.Marshal(m)
	if err != nil {
		return m, fmt.Errorf("hand over: %w", err)
	}
	if len(manifest) > maxManifest {
		return m, fault.New(fault.Invalid, "hand over: the reason is too long")
	}
	out := io.WriteCloser(nopCloser{w})
	if len(to) > 0 {
		if out, err = age.Encrypt(w, to...); err != nil {
			return m, fmt.Errorf("seal package: %w", err)
		}
	}
	cw := writer{out}
	head := []part{inMemory(manifestName, manifest), inMemory(sigName, sign(manifest, key))}
	for _, p := range append(head, parts...) {
		r, err := p.open()
		if err != nil {
			return m, fmt.Errorf("write package: %w", err)
		}
		if err := cw.add(p.Name, p.Size, r); err != nil {
			return m, fmt.Errorf("write package: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return m, err
		}
	}
	if err := cw.end(); err != nil {
		return m, fmt.Errorf("write package: %w", err)
	}
	if err := out.Close(); err != nil { // the end of the seal
		return m, fmt.Errorf("seal package: %w", err)
	}
	return m, nil
}

// part is a member whose hash is known.
type part struct {
	Member
	open  func() (io.Reader, error)
	close func() error
}

func inMemory(name string, b []byte) part {
	sum := sha256.Sum256(b)
	return part{Member{name, int64(len(b)), hex.EncodeToString(sum[:])},
		func() (io.Reader, error) { return bytes.NewReader(b), nil }, func() error { return nil }}
}

func encoded[T any](xs iter.Seq2[T, error], encode func(T) ([]byte, error)) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if xs == nil {
			return
		}
		for x, err := range xs {
			var line []byte
			if err == nil {
				line, err = encode(x)
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// spool writes lines to a temporary file, because the manifest, with their
// hash, stands before them. The file is sealed with a key that is only in
// memory: the records of a victim do not lie about on a disk after a kill.
func spool(ctx context.Context, name string, lines iter.Seq2[[]byte, error]) (_ part, n int64, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return part{}, 0, err
	}
	f, err := os.CreateTemp("", "citywall-handover-*")
	if err != nil {
		return part{}, 0, err
	}
	closeFile := func() error { return errors.Join(f.Close(), os.Remove(f.Name())) }
	defer func() {
		if err != nil {
			err = errors.Join(err, closeFile())
		}
	}()
	w, err := age.Encrypt(f, id.Recipient())
	if err != nil {
		return part{}, 0, err
	}
	sum, size := sha256.New(), int64(0)
	for line, err := range lines {
		if err != nil {
			return part{}, 0, err
		}
		if n%1000 == 0 && ctx.Err() != nil {
			return part{}, 0, ctx.Err()
		}
		n++
		if size += int64(len(line)); size > maxRecords {
			return part{}, 0, fault.New(fault.Invalid, "%s would have more than %d bytes: split the incident", name, int64(maxRecords))
		}
		sum.Write(line)
		if _, err := w.Write(line); err != nil {
			return part{}, 0, err
		}
	}
	if err := w.Close(); err != nil {
		return part{}, 0, err
	}
	open := func() (io.Reader, error) {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		return age.Decrypt(f, id)
	}
	return part{Member{name, size, hex.EncodeToString(sum.Sum(nil))}, open, closeFile}, n, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
