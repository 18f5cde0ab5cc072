// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The container is the one way to write a tar (POSIX ustar) of plain files
// that we accept. Each member is
//
//	512 B   header: name 100 B, mode "0000600\0", uid and gid "0000000\0",
//	        size 11 octal digits and NUL, mtime "00000000000\0", checksum 6
//	        octal digits NUL space, type "0", 100 B NUL, "ustar\0" "00", NULs
//	size B  content
//	        NULs up to a multiple of 512
//
// and after the last one 1,024 NULs, and nothing more.
const block = 512

// maxSize is what eleven octal digits hold.
const maxSize = 1<<33 - 1

func header(name string, size int64) [block]byte {
	var h [block]byte
	copy(h[0:100], name)
	copy(h[100:], "0000600\x00")
	copy(h[108:], "0000000\x00")
	copy(h[116:], "0000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x00", size))
	copy(h[136:], "00000000000\x00")
	copy(h[148:], "        ") // counts as blanks in its own sum
	h[156] = '0'
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// writer writes a container.
type writer struct{ w io.Writer }

func (w writer) add(name string, size int64, r io.Reader) error {
	if !safeName(name) || size < 0 || size > maxSize {
		return fmt.Errorf("member %q of %d bytes", name, size)
	}
	h := header(name, size)
	if _, err := w.w.Write(h[:]); err != nil {
		return err
	}
	n, err := io.Copy(w.w, r)
	if err != nil {
		return err
	}
	if n != size {
		return fmt.Errorf("member %s has %d bytes, %d were announced", name, n, size)
	}
	_, err = w.w.Write(make([]byte, padding(size)))
	return err
}

func (w writer) end() error {
	_, err := w.w.Write(make([]byte, 2*block))
	return err
}

func padding(size int64) int64 { return (block - size%block) % block }

// read calls f for each member in turn; what f leaves of a member is passed
// over.
func read(r io.Reader, f func(name string, size int64, r io.Reader) error) error {
	var h, zero [block]byte
	for {
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return torn(err)
		}
		if h == zero {
			break
		}
		name, size, err := parseHeader(h)
		if err != nil {
			return err
		}
		lr := &io.LimitedReader{R: r, N: size}
		if err := f(name, size, lr); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, lr); err != nil {
			return torn(err)
		}
		if lr.N > 0 {
			return torn(io.ErrUnexpectedEOF)
		}
		if err := zeros(r, padding(size)); err != nil {
			return err
		}
	}
	if err := zeros(r, block); err != nil {
		return err
	}
	if n, err := io.ReadFull(r, h[:1]); err != io.EOF {
		if n > 0 {
			return changed("something follows its end")
		}
		return torn(err)
	}
	return nil
}

func parseHeader(h [block]byte) (name string, size int64, err error) {
	name, _, _ = strings.Cut(string(h[:100]), "\x00")
	if _, err := fmt.Sscanf(string(h[124:135]), "%o", &size); err != nil || !safeName(name) || size < 0 || size > maxSize {
		return "", 0, changed("a member has no proper header")
	}
	if header(name, size) != h {
		return "", 0, changed("the header of %s is not as Citywall writes it", name)
	}
	return name, size, nil
}

func zeros(r io.Reader, n int64) error {
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return torn(err)
	}
	if len(bytes.Trim(b, "\x00")) > 0 {
		return changed("there is something between its members")
	}
	return nil
}

// torn makes an error of reading one of the package: of a seal that is broken,
// or of a file that ends too early.
func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return changed("it ends too early")
	}
	return changed("%v", err)
}
