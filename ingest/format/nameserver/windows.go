// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package nameserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

var packet = []byte(" PACKET ")

func sniffWindows(head []byte) int {
	if bytes.HasPrefix(head, []byte("DNS Server log file creation at ")) {
		return 95
	}
	if bytes.Contains(head, packet) && format.SniffLines(head, func(l []byte) bool { _, _, ok := splitWindows(l); return ok }) {
		return 85
	}
	return 0
}

// splitWindows cuts "DATE TIME THREAD PACKET  …" before the thread, which is
// hexadecimal, and after PACKET.
func splitWindows(l []byte) (stamp, rest []byte, ok bool) {
	i := bytes.Index(l, packet)
	if i < 14 {
		return nil, nil, false
	}
	j := bytes.LastIndexByte(l[:i], ' ')
	if j < 10 || len(bytes.Trim(l[j+1:i], "0123456789ABCDEFabcdef")) > 0 || i-j-1 > 8 {
		return nil, nil, false
	}
	rest = l[i+len(packet):]
	if !bytes.Contains(rest, []byte(" Rcv ")) && !bytes.Contains(rest, []byte(" Snd ")) {
		return nil, nil, false
	}
	return l[:j], rest, true
}

// decodeWindows reads the packets. The log also has a preamble, other kinds of
// lines and, with details, dumps of packets over many lines: those are passed
// over and counted.
func decodeWindows(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	var st format.Stats
	err := format.EachLine(ctx, r, func(l format.Line) error {
		if _, _, ok := splitWindows(l.Text); !ok {
			if st.Decoded > 0 {
				st.Skipped++
			}
			return nil
		}
		e, err := recordWindows(l.Text, l.Pos, src)
		if err != nil {
			st.Damaged++
			st.Note("line %d at byte %d: %v", l.Pos.Line, l.Pos.Offset, err)
			return nil
		}
		st.Saw(e)
		return emit(e)
	})
	return st, err
}

func recordWindows(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	stamp, rest, ok := splitWindows(rec)
	if !ok {
		return nil, errors.New("want DATE TIME THREAD PACKET … of the debug log")
	}
	e := src.Event(windowsName, p)
	e.Raw = bytes.Clone(rec)
	e.Product, e.Category, e.Service = "windows", "dns", "dns-server"
	t, raw, err := stampWindows(stamp, src.Location())
	if err != nil {
		return nil, err
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t, raw, true, time.Second/2
	f := format.NewBody(&e.Fields, 13)
	thread := bytes.TrimSpace(rec[len(stamp):bytes.Index(rec, packet)])
	f.Add("thread_id", string(thread))
	return e, packetWindows(string(bytes.ToValidUTF8(rest, []byte("\ufffd"))), f)
}

// layouts of the time, by the system's locale. With slashes and 24 hours the
// day stands first (en-GB); en-US always writes AM or PM.
var layouts = [...]string{
	"1/2/2006 3:04:05 PM", "2006/1/2 15:04:05", "2006/1/2 PM 3:04:05", "20060102 15:04:05", "2006-01-02 15:04:05", "2.1.2006 15:04:05", "2/1/2006 15:04:05", "2-1-2006 15:04:05",
}

// noon are the words for AM and PM of zh-TW, in UTF-8 and in code page 950.
var noon = strings.NewReplacer("上午", "AM", "下午", "PM", "\xa4\x57\xa4\xc8", "AM", "\xa4\x55\xa4\xc8", "PM", "a.m.", "AM", "p.m.", "PM", "\u202f", " ")

func stampWindows(b []byte, loc *time.Location) (time.Time, string, error) {
	s := noon.Replace(string(b))
	for _, l := range layouts {
		if t, err := time.ParseInLocation(l, s, loc); err == nil {
			return t.UTC(), s, nil
		}
	}
	return time.Time{}, "", fmt.Errorf("time %q is of no known locale", s)
}

// packetWindows reads "ID UDP Rcv 10.1.9.4 4a5b R Q [8081 DR NOERROR] A
// (3)www(7)example(3)com(0)". The "Context" before the id is one word.
func packetWindows(s string, f *format.Body) error {
	head, rest, ok := strings.Cut(s, "[")
	flags, question, ok2 := strings.Cut(rest, "]")
	w := strings.Fields(head)
	if !ok || !ok2 || len(w) < 6 {
		return errors.New("want the packet's fields up to [flags]")
	}
	for i, n := range [...]string{"packet_id", "protocol", "direction", "remote_ip", "xid"} {
		f.Add(n, w[i])
	}
	w = w[5:]
	if w[0] == "R" && len(w) > 1 {
		f.Add("query_response", "R")
		w = w[1:]
	}
	f.Add("opcode", w[0])
	fl := strings.Fields(flags)
	if len(fl) > 0 {
		f.Add("flags_hex", fl[0])
		f.Add("rcode", fl[len(fl)-1])
		if len(fl) > 2 {
			f.Add("flags", strings.Join(fl[1:len(fl)-1], ""))
		}
	}
	kind, name, _ := strings.Cut(strings.TrimSpace(question), " ")
	f.Add("record_type", kind)
	f.Add("query", labels(strings.TrimSpace(name)))
	return nil
}

// labels reads "(3)www(7)example(3)com(0)".
func labels(s string) string {
	var b strings.Builder
	for strings.HasPrefix(s, "(") {
		_, rest, ok := strings.Cut(s, ")")
		if !ok {
			break
		}
		label, _, _ := strings.Cut(rest, "(")
		if label == "" {
			break
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(label)
		s = rest[len(label):]
	}
	if b.Len() == 0 {
		return "."
	}
	return b.String()
}
