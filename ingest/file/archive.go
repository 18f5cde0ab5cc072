// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"
)

type opener func(r *reader, ctx context.Context, s *source, depth int) error

// archiveOf recognises an archive by its first bytes, nil when it is none.
func archiveOf(head []byte) opener {
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return (*reader).zip
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return (*reader).gzip
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return (*reader).tar
	}
	return nil
}

// problem records why a source or member was passed over.
func (r *reader) problem(s *source, member, f string, args ...any) {
	r.stats = append(r.stats, Stat{File: s.file, Inner: inner(s, member), Problem: fmt.Sprintf(f, args...)})
}

func inner(s *source, member string) string {
	switch {
	case s.inner == "":
		return member
	case member == "":
		return s.inner
	}
	return s.inner + "!" + member
}

func (r *reader) zip(ctx context.Context, s *source, depth int) error {
	z, err := zip.NewReader(s.at, s.size)
	if err != nil {
		r.problem(s, "", "open the zip: %v", err)
		return nil
	}
	if len(z.File) > maxMembers {
		r.problem(s, "", "the zip has %d members, more than %d: unpack it by hand", len(z.File), maxMembers)
		return nil
	}
	for _, f := range z.File {
		if err := ctx.Err(); err != nil {
			return err
		}
		if f.FileInfo().IsDir() {
			continue
		}
		if f.Flags&1 != 0 {
			r.problem(s, f.Name, "encrypted: unpack it with its password first")
			continue
		}
		m, err := f.Open()
		if err != nil {
			r.problem(s, f.Name, "open the member: %v", err)
			continue
		}
		err = r.member(ctx, s, f.Name, f.Modified, m, int64(f.CompressedSize64), depth)
		m.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) tar(ctx context.Context, s *source, depth int) error {
	t := tar.NewReader(s.reader())
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil || n >= maxMembers {
			r.problem(s, "", "read the tar after %d members: %v", n, err)
			return nil
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := r.member(ctx, s, h.Name, h.ModTime, t, h.Size, depth); err != nil {
			return err
		}
	}
}

func (r *reader) gzip(ctx context.Context, s *source, depth int) error {
	g, err := gzip.NewReader(s.reader())
	if err != nil {
		r.problem(s, "", "open the gzip: %v", err)
		return nil
	}
	defer g.Close()
	name := strings.TrimSuffix(path.Base(strings.ReplaceAll(display(s), "\\", "/")), ".gz")
	mod := g.ModTime
	if mod.IsZero() || mod.Unix() == 0 {
		mod = s.mod
	}
	return r.member(ctx, s, name, mod, g, s.size, depth)
}

// member spools one member of an archive, with its hash, and reads it.
func (r *reader) member(ctx context.Context, s *source, name string, mod time.Time, in io.Reader, packed int64, depth int) error {
	sp, err := newSpool(in, packed)
	if err != nil {
		r.problem(s, name, "unpack: %v", err)
		return nil
	}
	defer sp.Close()
	return r.source(ctx, &source{file: s.file, inner: inner(s, name), size: sp.size, mod: mod, at: sp.at, sha: sp.sha}, depth+1)
}

// spool holds unpacked bytes in memory while small, in a temporary file beyond.
type spool struct {
	at   io.ReaderAt
	size int64
	sha  string
	tmp  *os.File
}

var errBomb = errors.New("it expands beyond reason (an archive made to exhaust disks?): unpack it by hand")

// newSpool reads in to its end. packed is its compressed size, -1 unknown.
func newSpool(in io.Reader, packed int64) (*spool, error) {
	h := sha256.New()
	var mem bytes.Buffer
	n, err := io.CopyN(io.MultiWriter(&mem, h), in, memorySpool)
	s := &spool{size: n}
	if err == nil {
		if s.tmp, err = os.CreateTemp("", "citywall-*"); err != nil {
			return nil, err
		}
		os.Remove(s.tmp.Name()) // Unix: gone with the process; elsewhere Close removes it
		if _, err = s.tmp.Write(mem.Bytes()); err == nil {
			limit := int64(1) << 50
			if packed >= 0 {
				limit = max(ratioFrom, packed*maxRatio)
			}
			var m int64
			m, err = io.CopyN(io.MultiWriter(s.tmp, h), in, limit-n)
			if err == nil {
				err = errBomb
			}
			s.size += m
		}
		s.at = s.tmp
	} else {
		s.at = bytes.NewReader(mem.Bytes())
	}
	if !errors.Is(err, io.EOF) {
		s.Close()
		return nil, err
	}
	s.sha = hex.EncodeToString(h.Sum(nil))
	return s, nil
}

func (s *spool) Close() {
	if s.tmp != nil {
		s.tmp.Close()
		os.Remove(s.tmp.Name())
	}
}
