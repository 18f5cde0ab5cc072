// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package utmp decodes the binary records of who is and was logged on: utmp,
// wtmp and btmp of Linux, in the layout of x86 (32 and 64 bits alike: 384 bytes)
// and in that of 64-bit machines with 64-bit times (400 bytes), of either byte
// order.
//
// The layout is told by the content. So is a refused logon (btmp) from a granted
// one; which of the three files it is, the records do not say: the file's name
// does, and no more than the label depends on it. A record of a type that does
// not exist is damage. See README.md.
package utmp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const name = "utmp"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Decode: decode}
}

// layout is one form of struct utmp (utmp(5), glibc bits/utmp.h).
type layout struct {
	order binary.ByteOrder
	size  int
}

var layouts = [...]layout{
	{binary.LittleEndian, 384}, {binary.LittleEndian, 400}, {binary.BigEndian, 384}, {binary.BigEndian, 400},
}

// Offsets that all layouts share.
const (
	offPID, offLine, offID, offUser, offHost, offExit, offSession = 4, 8, 40, 44, 76, 332, 336
)

var types = [...]string{
	"EMPTY", "RUN_LVL", "BOOT_TIME", "NEW_TIME", "OLD_TIME", "INIT_PROCESS", "LOGIN_PROCESS", "USER_PROCESS", "DEAD_PROCESS", "ACCOUNTING",
}

func sniff(head []byte) int {
	if _, ok := layoutOf(head); ok {
		return 85
	}
	return 0
}

// layoutOf finds the layout in which most records of head are sound. Zeroes are
// sound in all of them and count for none.
func layoutOf(head []byte) (layout, bool) {
	var best layout
	most := 0
	for _, l := range layouts {
		good, bad := 0, 0
		for b := head; len(b) >= l.size && good+bad < 10; b = b[l.size:] {
			r := b[:l.size]
			if !l.sound(r) {
				bad++
				continue
			}
			if !l.time(r).IsZero() {
				good++
			}
		}
		if good >= bad && good > most {
			best, most = l, good
		}
	}
	return best, most > 0
}

// sound reports whether r can be a record: a type that exists, padding that is
// empty, texts that are padded with NUL, a time that computers had.
func (l layout) sound(r []byte) bool {
	if l.order.Uint16(r) >= uint16(len(types)) || r[2] != 0 || r[3] != 0 {
		return false
	}
	for _, f := range [...][2]int{{offLine, offID}, {offUser, offHost}, {offHost, offExit}} {
		if text, pad, _ := bytes.Cut(r[f[0]:f[1]], []byte{0}); !printable(text) || len(bytes.Trim(pad, "\x00")) > 0 && f[0] != offHost {
			return false
		}
	}
	t := l.time(r)
	return t.IsZero() && l.order.Uint16(r) == 0 || t.Year() >= 1980 && t.Year() <= 2100
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return true
}

// time returns the time of r, zero when it has none.
func (l layout) time(r []byte) time.Time {
	var sec, usec int64
	if l.size == 400 {
		sec, usec = int64(l.order.Uint64(r[344:])), int64(l.order.Uint64(r[352:]))
	} else {
		sec, usec = int64(l.order.Uint32(r[340:])), int64(l.order.Uint32(r[344:])) // unsigned: it ends in 2106, not in 2038
	}
	if sec == 0 && usec == 0 || sec < 0 || sec > 1<<33 || usec < 0 || usec >= 1e6 {
		return time.Time{}
	}
	return time.Unix(sec, usec*1000).UTC()
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	var st format.Stats
	br := bufio.NewReaderSize(r, 8192)
	head, err := br.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return st, err
	}
	l, ok := layoutOf(head)
	if !ok {
		return st, errors.New("no records of utmp, wtmp or btmp")
	}
	service := serviceOf(src)
	buf := make([]byte, l.size)
	for n := int64(0); ctx.Err() == nil; n++ {
		k, err := io.ReadFull(br, buf)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			st.Note("the last %d bytes are no whole record", k)
		}
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return st, nil
			}
			return st, err
		}
		off := n * int64(l.size)
		if t := l.order.Uint16(buf); t >= uint16(len(types)) {
			st.Damaged++
			st.Note("record %d at byte %d: there is no type %d", n+1, off, t)
			continue
		}
		e := src.Event(name, format.Pos{Offset: off, Seq: uint64(off)})
		e.Origin.Record = uint64(n + 1)
		if err := l.fill(e, buf, service); err != nil {
			return st, err
		}
		st.Saw(e)
		if err := emit(e); err != nil {
			return st, err
		}
	}
	return st, ctx.Err()
}

// serviceOf reads the label off the file's name: utmp, wtmp-20260301, btmp.1.
func serviceOf(src format.Source) string {
	n := src.File
	if src.Inner != "" {
		n = src.Inner
	}
	n = strings.ToLower(path.Base(strings.ReplaceAll(n, `\`, "/")))
	for _, s := range [...]string{"utmp", "wtmp", "btmp"} {
		if strings.HasPrefix(n, s) {
			return s
		}
	}
	return ""
}

func (l layout) fill(e *event.Event, r []byte, service string) error {
	kind, user := types[l.order.Uint16(r)], text(r[offUser:offHost])
	if service == "" {
		if service = "wtmp"; kind == "LOGIN_PROCESS" && user != "" && user != "LOGIN" {
			service = "btmp"
		}
	}
	e.Product, e.Service = "linux", service
	if t := l.time(r); !t.IsZero() {
		e.Time, e.TimeRaw = t, strconv.FormatInt(t.Unix(), 10)
	}
	num := func(b []byte) string { return strconv.FormatInt(int64(int32(l.order.Uint32(b))), 10) }
	f := event.Fields{
		{Name: "ut_type", Value: event.T(kind)},
		{Name: "ut_pid", Value: event.T(num(r[offPID:]))},
		{Name: "ut_line", Value: event.T(text(r[offLine:offID]))},
		{Name: "ut_id", Value: event.T(text(r[offID:offUser]))},
		{Name: "ut_user", Value: event.T(user)},
		{Name: "ut_host", Value: event.T(text(r[offHost:offExit]))},
	}
	if a, ok := l.addr(r); ok {
		f.Add("ut_addr", a.String())
	}
	if t, x := l.order.Uint16(r[offExit:]), l.order.Uint16(r[offExit+2:]); t != 0 || x != 0 {
		f.Add("ut_exit_termination", strconv.Itoa(int(t)))
		f.Add("ut_exit_status", strconv.Itoa(int(x)))
	}
	session := num(r[offSession:])
	if l.size == 400 {
		session = strconv.FormatInt(int64(l.order.Uint64(r[offSession:])), 10)
	}
	if session != "0" {
		f.Add("ut_session", session)
	}
	e.Fields = f
	var err error
	e.Raw, err = json.Marshal(f) // the canonical form of a binary record
	return err
}

// text is what stands before the first NUL.
func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return strings.ToValidUTF8(string(b), "\ufffd")
}

// addr reads ut_addr_v6: IPv4 is its first word, the others empty. It is in
// network order whatever the machine's.
func (l layout) addr(r []byte) (netip.Addr, bool) {
	at := 348
	if l.size == 400 {
		at = 360
	}
	b := r[at : at+16]
	if len(bytes.Trim(b, "\x00")) == 0 {
		return netip.Addr{}, false
	}
	if len(bytes.Trim(b[4:], "\x00")) == 0 {
		return netip.AddrFrom4([4]byte(b[:4])), true
	}
	return netip.AddrFrom16([16]byte(b)).Unmap(), true
}
