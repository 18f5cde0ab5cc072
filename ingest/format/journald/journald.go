// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package journald decodes what journalctl and systemd-journal-upload write of
// the journal: the export format, in which a field may hold any bytes, and JSON
// (journalctl -o json), one entry a line.
//
// Fields keep the journal's names. MESSAGE is read by the same dialects that
// read syslog, so that a logon, a proxy's line or an audit record means the same
// wherever it lay. See README.md.
//
// The binary journal files themselves are not read: journalctl does that.
package journald

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
	"citywall/ingest/format/syslog"
)

const name = "journald"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"__REALTIME_TIMESTAMP", "__CURSOR"}, Decode: decode, Record: record}
}

func sniff(head []byte) int {
	switch {
	case bytes.HasPrefix(head, []byte("__CURSOR=")):
		return 95
	case len(head) > 0 && head[0] == '{':
		if line, _, _ := bytes.Cut(head, []byte("\n")); bytes.Contains(line, []byte(`"__REALTIME_TIMESTAMP"`)) || bytes.Contains(line, []byte(`"__CURSOR"`)) {
			return 95
		}
	}
	return 0
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	br := bufio.NewReaderSize(r, 256<<10)
	if b, _ := br.Peek(1); len(b) == 1 && b[0] == '{' {
		return format.Lines(record)(ctx, br, src, emit)
	}
	x := export{r: br}
	var st format.Stats
	for ctx.Err() == nil {
		at := format.Pos{Offset: x.off, Line: 0, Seq: uint64(x.off)}
		f, raw, err := x.entry()
		if errors.Is(err, io.EOF) {
			return st, nil
		}
		var bad *damage
		if err != nil && !errors.As(err, &bad) {
			return st, err
		}
		if err == nil {
			e := src.Event(name, at)
			e.Raw = raw
			if err = fill(e, f, at, src); err == nil {
				st.Saw(e)
				if err := emit(e); err != nil {
					return st, err
				}
				continue
			}
		}
		st.Damaged++
		st.Note("entry at byte %d: %v", at.Offset, err)
	}
	return st, ctx.Err()
}

// record decodes one entry in JSON. A value that is no UTF-8 is an array of its
// bytes there, and one that repeats an array of texts.
func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	f, err := flatjson.Parse(rec)
	if err != nil {
		return nil, err
	}
	for i := range f {
		if s, ok := fromBytes(f[i].Value.List); ok {
			f[i].Value = event.T(s)
		}
	}
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	return e, fill(e, f, p, src)
}

// fromBytes puts the numbers of a byte array together.
func fromBytes(list []string) (string, bool) {
	if len(list) < 2 {
		return "", false
	}
	b := make([]byte, len(list))
	for i, s := range list {
		n, err := strconv.ParseUint(s, 10, 8)
		if err != nil {
			return "", false
		}
		b[i] = byte(n)
	}
	return strings.ToValidUTF8(string(b), "\ufffd"), true
}

// fill sets time and labels, and lets a dialect read the message.
func fill(e *event.Event, f event.Fields, p format.Pos, src format.Source) error {
	raw := f.Str("__REALTIME_TIMESTAMP")
	us, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		return fmt.Errorf("__REALTIME_TIMESTAMP: %w", err)
	}
	if e.Time, err = format.Epoch(fmt.Sprintf("%d.%06d", us/1e6, us%1e6)); err != nil {
		return err
	}
	e.TimeRaw = raw
	e.Product = "linux"
	app := f.First("SYSLOG_IDENTIFIER", "_COMM")
	e.Service = strings.ToLower(app[strings.LastIndexByte(app, '/')+1:])
	e.Fields = f
	msg := strings.TrimSpace(f.Str("MESSAGE"))
	d := syslog.DialectOf(app, msg)
	if d == nil {
		return nil
	}
	// Dialects find the writer under the names that a syslog header has. What
	// they read for the time is the program's own stamp: the journal's is better.
	at, tr := e.Time, e.TimeRaw
	e.Fields = append(e.Fields, event.Field{Name: "hostname", Value: event.T(f.Str("_HOSTNAME"))}, event.Field{Name: "appname", Value: event.T(app)})
	if err := d.Read(msg, e, p, src); err != nil {
		e.Product, e.Service = "linux", strings.ToLower(app) // then it is a message
		e.Category, e.Fields = "", f
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = at, tr, false, 0
	return nil
}

// damage is an entry that could not be read; the next one may be good.
type damage struct{ error }

// export reads entries: lines NAME=VALUE, or NAME, a length of eight bytes and
// so many bytes; a blank line ends an entry (systemd.io, "Journal Export
// Formats").
type export struct {
	r   *bufio.Reader
	off int64
}

// line reads up to a line feed, which it takes off; what is longer than a
// record may be is read over and reported.
func (x *export) line() (b []byte, long bool, err error) {
	for {
		part, err := x.r.ReadSlice('\n')
		x.off += int64(len(part))
		if len(b)+len(part) <= format.MaxRecord {
			b = append(b, part...)
		} else {
			long = true
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && len(b) == 0 && !long {
			return nil, false, err
		}
		return bytes.TrimSuffix(b, []byte("\n")), long, nil
	}
}

func (x *export) entry() (event.Fields, []byte, error) {
	var f event.Fields
	var raw []byte
	var bad error
	for {
		l, long, err := x.line()
		if errors.Is(err, io.EOF) && (len(raw) > 0 || bad != nil) {
			err = nil // the last entry needs no blank line
			l = nil
		}
		if err != nil {
			return nil, nil, err
		}
		if len(l) == 0 && !long {
			if len(raw) == 0 && bad == nil {
				continue
			}
			if bad != nil {
				return nil, nil, &damage{bad}
			}
			return f, bytes.TrimSuffix(raw, []byte("\n")), nil
		}
		n, v, plain := bytes.Cut(l, []byte("="))
		keep := bad == nil
		switch {
		case long:
			bad = fmt.Errorf("a field longer than %d bytes", format.MaxRecord)
		case !isName(n):
			bad = errors.New("a line that is no field")
		case !plain: // also in an entry that is damaged: what is inside is no entry
			whole, err := x.binary()
			if err != nil {
				bad = err
				break
			}
			v = whole[8 : len(whole)-1]
			l = append(append(l, '\n'), whole[:len(whole)-1]...)
		}
		if bad != nil || !keep {
			continue // to the blank line that ends the entry
		}
		if len(raw)+len(l) > format.MaxRecord || len(f) >= format.MaxFields {
			bad = errors.New("an entry of too many bytes or fields")
			continue
		}
		raw = append(append(raw, l...), '\n')
		f.Add(string(n), strings.ToValidUTF8(string(v), "\ufffd"))
	}
}

// binary reads the length of a field's value, the value and its line feed, and
// returns all three.
func (x *export) binary() ([]byte, error) {
	var n [8]byte
	if _, err := io.ReadFull(x.r, n[:]); err != nil {
		return nil, errors.New("a binary field is cut off")
	}
	x.off += 8
	size := binary.LittleEndian.Uint64(n[:])
	if size > format.MaxRecord {
		if size > 1<<30 {
			return nil, fmt.Errorf("a binary field says it has %d bytes", size)
		}
		k, err := io.CopyN(io.Discard, x.r, int64(size)+1)
		x.off += k
		if err != nil {
			return nil, errors.New("a binary field is cut off")
		}
		return nil, fmt.Errorf("a field longer than %d bytes", format.MaxRecord)
	}
	b := append(n[:], make([]byte, size+1)...)
	k, err := io.ReadFull(x.r, b[8:])
	x.off += int64(k)
	if err != nil || b[len(b)-1] != '\n' {
		return nil, errors.New("a binary field is cut off")
	}
	return b, nil
}

// isName: upper case, digits and underscores (systemd.journal-fields(7)).
func isName(b []byte) bool {
	if len(b) == 0 || len(b) > 64 {
		return false
	}
	for _, c := range b {
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return true
}
