// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"citywall/ingest"
)

// reconcile finds for every file that is there the one it is known as: the same
// under a new name, or a truncated one. It returns those it does not know. A
// listing that is not whole says nothing about files that are missing in it.
func (w *Watcher) reconcile(list []candidate, whole bool) (strange []candidate, err error) {
	now := w.parts.Now()
	for _, f := range w.files {
		f.seen = false
	}
	for _, c := range list {
		f := w.match(c)
		if f == nil {
			strange = append(strange, c)
			continue
		}
		if f.Path != c.path {
			f.Path, w.dirty = c.path, true
		}
		f.seen, f.detached = true, false
		f.look(c.fi, now)
	}
	for _, f := range slices.Clone(w.files) {
		if !f.seen && whole && w.lost(f) {
			err = errors.Join(err, w.save())
		}
	}
	return strange, err
}

// look takes over what the system says of the file now.
func (f *file) look(fi fs.FileInfo, now time.Time) {
	if !f.unchanged(fi) {
		f.size, f.mod, f.changed, f.tail = fi.Size(), fi.ModTime(), now, f.tail && fi.Size() >= f.size
	}
}

// welcome begins new files, after the known ones have been read as far as they
// go: a copy is recognised by what was read of the other. So of two new ones
// that begin alike, one waits.
func (w *Watcher) welcome(strange []candidate) (fresh []*file, err error) {
	for _, c := range strange {
		r, err := os.Open(c.path)
		if err != nil {
			w.noteOnce(err)
			continue
		}
		f := w.begin(c, r)
		r.Close()
		if f != nil && !slices.ContainsFunc(fresh, func(o *file) bool { return alike(f.start, o.start) }) {
			f.look(c.fi, w.parts.Now())
			fresh = append(fresh, f)
			w.files, w.dirty = append(w.files, f), true
		}
	}
	if len(fresh) == 0 {
		return nil, nil
	}
	for _, f := range fresh {
		f.start = nil
	}
	return fresh, w.save()
}

// alike reports whether one of two beginnings is that of the other.
func alike(a, b []byte) bool {
	n := min(len(a), len(b))
	return n >= minCopy && bytes.Equal(a[:n], b[:n])
}

// match returns what c is known as. A file that was truncated, or whose inode
// was given to another, is not known any more.
func (w *Watcher) match(c candidate) *file {
	for _, f := range w.files {
		if f.seen || f.Dev != c.dev || f.Ino != c.ino || c.ino == 0 && f.Path != c.path {
			continue
		}
		if f.size == c.fi.Size() && f.mod.Equal(c.fi.ModTime()) {
			return f
		}
		if f.Whole && (f.Mod.IsZero() || f.Size == c.fi.Size() && f.Mod.Equal(c.fi.ModTime())) {
			return f // still being written, or done
		}
		same := !f.Whole && c.fi.Size() >= f.Offset
		if same && f.Printed > 0 {
			r := f.f
			if r == nil {
				var err error
				if r, err = os.Open(c.path); err != nil {
					w.fail(f, err)
					return f
				}
				defer r.Close()
			}
			same = f.samePrint(r)
		}
		if same {
			return f
		}
		w.retire(f)
		return nil
	}
	return nil
}

// lost is for a file whose path is gone. It may have been renamed to where we
// do not look, and its writer may not have noticed yet. fresh reports that its
// content was replaced before it went: that is another stream, to be saved.
func (w *Watcher) lost(f *file) (fresh bool) {
	now := w.parts.Now()
	if f.Whole {
		w.retire(f)
		return false
	}
	if !f.detached {
		f.detached, f.changed = true, now
		if f.f == nil {
			f.f = w.renamed(f)
		}
	}
	if f.f == nil {
		w.retire(f)
		return false
	}
	fi, err := f.f.Stat()
	if err != nil {
		w.fail(f, err)
		w.retire(f)
		return false
	}
	if !f.unchanged(fi) && (fi.Size() < f.Offset || !f.samePrint(f.f)) {
		r := f.f
		f.f = nil
		w.retire(f)
		g := w.begin(candidate{f.Path, fi, f.Dev, f.Ino}, r)
		if g == nil || g.Whole {
			r.Close()
			return false
		}
		g.f, g.detached, g.start = r, true, nil
		g.look(fi, now)
		w.files, w.dirty = append(w.files, g), true
		return true
	}
	f.look(fi, now)
	if f.size == f.Offset && now.Sub(f.changed) >= readRotated {
		w.retire(f)
	}
	return false
}

// renamed looks for f in its own folder, under any name.
func (w *Watcher) renamed(f *file) *os.File {
	if f.Ino == 0 {
		return nil
	}
	entries, err := os.ReadDir(filepath.Dir(f.Path))
	if err != nil {
		return nil // the folder is gone with it
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil || !fi.Mode().IsRegular() {
			continue
		}
		if dev, ino := ident(fi); dev != f.Dev || ino != f.Ino || fi.Size() < f.Offset {
			continue
		}
		r, err := os.Open(filepath.Join(filepath.Dir(f.Path), e.Name()))
		if err != nil {
			w.fail(f, err)
			return nil
		}
		if f.samePrint(r) {
			return r
		}
		r.Close()
	}
	return nil
}

// retire puts a file among those that are gone.
func (w *Watcher) retire(f *file) {
	f.close()
	w.files = slices.DeleteFunc(w.files, func(x *file) bool { return x == f })
	w.dirty = true
	if f.Whole && f.Stream == "" || f.Printed < minCopy {
		return // its copies would not be recognised
	}
	k := f.kept
	k.Gone, k.Dev, k.Ino = w.parts.Now(), 0, 0
	w.gone = append(w.gone, &k)
}

// begin decides how a new file is read. nil: not yet, or it cannot be read.
func (w *Watcher) begin(c candidate, r io.ReaderAt) *file {
	if c.fi.Size() == 0 {
		return nil
	}
	head := make([]byte, 4096)
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		w.noteOnce(err)
		return nil
	}
	head = head[:n]
	f := &file{kept: kept{Path: c.path, Dev: c.dev, Ino: c.ino}}
	packed := bytes.HasPrefix(head, []byte{0x1f, 0x8b})
	f.Whole = w.cfg.Mode == Whole || w.cfg.Mode == Auto && (packed || binary(head))
	if f.Whole && (w.cfg.Mode == Whole || !packed) {
		return f
	}
	open := func() (io.Reader, error) { return io.NewSectionReader(r, 0, c.fi.Size()), nil }
	if packed && f.Whole {
		open = func() (io.Reader, error) { return gzip.NewReader(io.NewSectionReader(r, 0, c.fi.Size())) }
	} else if bytes.IndexByte(head, '\n') < 0 && n < cap(head) && w.parts.Now().Sub(c.fi.ModTime()) < w.cfg.Stable {
		return nil // half a line tells no format
	}
	switch w.copyOf(f, open) {
	case copyFound:
		return f
	case copyLater:
		return nil
	}
	if f.Whole {
		return f
	}
	f.Printed = int64(min(n, printBytes))
	f.Print = printOf(head[:f.Printed])
	f.Stream = newStream()
	if g, ok := ingest.Recognise(head); ok {
		switch {
		case g.Name == "csv", g.Joined:
			f.Format = g.Name
		case (g.Name == "zeek" || g.Name == "iis") && bytes.HasPrefix(bytes.TrimPrefix(head, mark), []byte("#")):
			f.Format = g.Name
		}
	} else if w.cfg.CSV != nil {
		f.Format = "csv"
	}
	return f
}

type copied int

const (
	noCopy    copied = iota
	copyFound        // f goes on where the other was left
	copyLater        // look again when more of the other was read
)

// copyOf finds out whether what open gives is a copy of a file that was read,
// byte for byte as far as that was read, and lets f go on there.
//
// In which stream? If the other is gone, or the copy is compressed and will not
// grow, in the same: what was sent before and is read again gets the ids it
// had. If the other is still there, in a new one: both may grow, differently.
func (w *Watcher) copyOf(f *file, open func() (io.Reader, error)) copied {
	r, err := open()
	if err != nil {
		return noCopy
	}
	start := make([]byte, printBytes)
	n, err := io.ReadFull(r, start)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return noCopy
	}
	f.start = start[:n]
	compare := func(k *kept) (same, short bool) {
		if k.Stream == "" || k.Printed < minCopy || int64(n) < k.Printed || printOf(start[:k.Printed]) != k.Print {
			return false, false
		}
		r, err := open()
		if err == nil {
			same, short, err = k.begins(r)
		}
		return same && err == nil, short && err == nil
	}
	for i, k := range w.gone {
		same, short := compare(k)
		if !same && !short {
			continue
		}
		f.goOn(k)
		if short { // cut off before the other's last lines: read it again, with the ids it had
			f.Offset, f.Line, f.Hash, f.Head = 0, 0, nil, nil
		}
		w.gone = slices.Delete(w.gone, i, i+1)
		w.count(func(s *Stats) { s.Copies++ })
		return copyFound
	}
	for _, o := range w.files {
		same, short := compare(&o.kept)
		switch {
		case !same && !short:
			continue
		case !o.Whole && !o.tail:
			return copyLater
		case same:
			f.goOn(&o.kept)
		case f.Whole:
			f.goOn(&o.kept)
			f.Offset, f.Line, f.Hash, f.Head = 0, 0, nil, nil
		case !w.partOf(f, o, open):
			continue
		}
		if !f.Whole {
			f.Stream = newStream()
		}
		w.count(func(s *Stats) { s.Copies++ })
		return copyFound
	}
	return noCopy
}

// goOn takes over where k was left.
func (f *file) goOn(k *kept) {
	f.Stream, f.Offset, f.Line, f.Print, f.Printed, f.Hash = k.Stream, k.Offset, k.Line, k.Print, k.Printed, k.Hash
	f.Format, f.Head = k.Format, k.Head
}

// partOf reports whether all that open gives stands at the beginning of o, and
// if so takes it as read.
func (w *Watcher) partOf(f, o *file, open func() (io.Reader, error)) bool {
	r, err := open()
	if err != nil {
		return false
	}
	other, err := os.Open(o.Path)
	if err != nil {
		return false
	}
	defer other.Close()
	h := sha256.New()
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	var size, lines int64
	for {
		n, err := io.ReadFull(r, a)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return false
		}
		if m, _ := io.ReadFull(other, b[:n]); m < n || !bytes.Equal(a[:n], b[:n]) {
			return false
		}
		h.Write(a[:n])
		size, lines = size+int64(n), lines+int64(bytes.Count(a[:n], []byte{'\n'}))
		if err != nil {
			break
		}
	}
	f.goOn(&o.kept)
	f.Offset, f.Line = size, lines
	f.Hash, err = h.(encoding.BinaryMarshaler).MarshalBinary()
	return err == nil
}

func newStream() string { return "file:" + uuid.Must(uuid.NewV7()).String() }

// binary reports whether head is no text: an archive, an event log, anything
// with a zero byte.
func binary(head []byte) bool {
	return bytes.IndexByte(head, 0) >= 0 || archive(head)
}

func archive(head []byte) bool {
	return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) || bytes.HasPrefix(head, []byte("PK\x03\x04")) ||
		len(head) > 262 && bytes.Equal(head[257:262], []byte("ustar"))
}

// unchanged reports whether fi is what f was when it was last looked at.
func (f *file) unchanged(fi fs.FileInfo) bool {
	return fi.Size() == f.size && fi.ModTime().Equal(f.mod)
}
