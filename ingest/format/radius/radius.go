// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package radius reads FreeRADIUS: its detail files (accounting and
// authentication, one attribute a line) and the lines of radius.log.
//
// It promises attributes under their own names, and two sums that RADIUS splits:
// input_bytes and output_bytes. It never tells a VPN from other access by itself:
// NAS-Port-Type does.
package radius

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/ingest/format"
)

const name = "radius-detail"

// Format returns the decoder of detail files.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Decode: decode}
}

// headLayout is the first line of a record in a detail file.
const headLayout = "Mon Jan _2 15:04:05 2006"

func isHead(line string) (time.Time, bool) {
	if len(line) != 24 {
		return time.Time{}, false
	}
	t, err := time.Parse(headLayout, line)
	return t, err == nil
}

func sniff(head []byte) int {
	lines := strings.SplitN(string(head), "\n", 3)
	if len(lines) < 2 {
		return 0
	}
	if _, ok := isHead(strings.TrimRight(lines[0], "\r")); !ok || !strings.HasPrefix(lines[1], "\t") || !strings.Contains(lines[1], " = ") {
		return 0
	}
	return 90
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	d := decoder{src: src, emit: emit}
	err := format.EachLine(ctx, r, func(l format.Line) error {
		line := string(l.Text)
		if _, ok := isHead(line); ok {
			if err := d.flush(); err != nil {
				return err
			}
			d.pos, d.open = l.Pos, true
		}
		switch {
		case !d.open:
			d.st.Damaged++
			d.st.Note("line %d at byte %d: no record begins before it", l.Pos.Line, l.Pos.Offset)
			return nil
		case l.Long || len(d.text)+len(line) > format.MaxRecord || len(d.lines) > format.MaxFields:
			d.bad = errors.New("longer than the limits allow")
			return nil
		}
		d.text = append(append(d.text, line...), '\n')
		d.lines = append(d.lines, line)
		return nil
	})
	if err == nil {
		err = d.flush()
	}
	return d.st, err
}

type decoder struct {
	src   format.Source
	emit  format.Emit
	st    format.Stats
	open  bool
	pos   format.Pos
	lines []string
	text  []byte
	bad   error
}

func (d *decoder) flush() error {
	if !d.open {
		return nil
	}
	e, err := d.record()
	if d.bad != nil {
		err = d.bad
	}
	d.open, d.lines, d.text, d.bad = false, nil, nil, nil
	if err != nil {
		d.st.Damaged++
		d.st.Note("record at line %d, byte %d: %v", d.pos.Line, d.pos.Offset, err)
		return nil
	}
	d.st.Saw(e)
	return d.emit(e)
}

func (d *decoder) record() (*event.Event, error) {
	if len(d.lines) < 2 {
		return nil, errors.New("a time without attributes")
	}
	e := d.src.Event(name, d.pos)
	e.Raw = bytes.TrimRight(d.text, "\n")
	b := format.NewBody(&e.Fields, len(d.lines)+2)
	for _, l := range d.lines[1:] {
		k, v, err := attribute(l)
		if err != nil {
			return nil, err
		}
		b.Add(k, v)
	}
	Label(e, b)
	t, _ := time.ParseInLocation(headLayout, d.lines[0], d.src.Location())
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), d.lines[0], true, time.Second/2
	if s := e.Fields.Str("Timestamp"); s != "" {
		if t, err := format.Epoch(s); err == nil {
			e.Time, e.TimeRaw, e.ZoneAssumed = t, s, false
		}
	}
	// RFC 2866 §5.2: how long the NAS has tried to send this record.
	if n, err := strconv.Atoi(e.Fields.Str("Acct-Delay-Time")); err == nil && n > 0 && n < 7*86400 {
		e.Time = e.Time.Add(-time.Duration(n) * time.Second)
	}
	return e, nil
}

// attribute reads `	User-Name = "lin"`; \" \\ and \n are escapes.
func attribute(l string) (name, value string, err error) {
	l = strings.TrimSpace(l)
	for _, op := range [...]string{" = ", " := ", " += "} {
		if k, v, ok := strings.Cut(l, op); ok && k != "" && !strings.ContainsAny(k, " \"") {
			if strings.HasPrefix(v, `"`) {
				if len(v) < 2 || !strings.HasSuffix(v, `"`) {
					return "", "", fmt.Errorf("the value of %s has no closing quote", k)
				}
				v = strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(v[1 : len(v)-1])
			}
			return k, v, nil
		}
	}
	return "", "", fmt.Errorf("want attribute = value at %q", l[:min(len(l), 40)])
}

// Label sets product, category and service of an event whose fields are
// attributes, and adds input_bytes and output_bytes, which 32-bit counters split
// into octets and gigawords.
func Label(e *event.Event, b *format.Body) {
	f := e.Fields
	e.Product, e.Category, e.Service = "radius", "vpn", "auth"
	if f.Str("Acct-Status-Type") != "" {
		e.Service = "accounting"
	}
	for _, x := range [...][3]string{{"Acct-Input-Octets", "Acct-Input-Gigawords", "input_bytes"}, {"Acct-Output-Octets", "Acct-Output-Gigawords", "output_bytes"}} {
		low, err := strconv.ParseUint(f.Str(x[0]), 10, 32)
		if err != nil {
			continue
		}
		high, _ := strconv.ParseUint(f.Str(x[1]), 10, 16)
		b.Add(x[2], strconv.FormatUint(high<<32|low, 10))
	}
}

// Dialect returns the dialect of radius.log: by syslog, and as the file has it
// ("Fri Mar 13 18:50:00 2026 : Auth: …").
func Dialect() format.Dialect {
	return format.Dialect{Name: "radius", Match: match, Headless: true, Read: read}
}

func match(app, msg string) bool {
	if app == "radiusd" || app == "freeradius" {
		return strings.Contains(msg, "Login OK: [") || strings.Contains(msg, "Login incorrect")
	}
	return app == "" && len(msg) > 34 && msg[24:27] == " : " && strings.HasPrefix(msg[27:], "Auth: ")
}

func read(msg string, e *event.Event, _ format.Pos, src format.Source) error {
	b := format.NewBody(&e.Fields, 8)
	if raw, rest, ok := strings.Cut(msg, " : "); ok && len(raw) == 24 {
		if t, err := time.ParseInLocation(headLayout, raw, src.Location()); err == nil {
			e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), raw, true, time.Second/2
			msg = rest
		}
	}
	e.Product, e.Category, e.Service = "radius", "vpn", "auth"
	_, rest, ok := strings.Cut(msg, "Login OK: [")
	result := "ok"
	if !ok {
		why, after, found := "", "", false
		if _, rest, ok = strings.Cut(msg, "Login incorrect"); ok {
			why, after, found = strings.Cut(rest, ": [")
		}
		if !found {
			b.Add("message", msg)
			return nil
		}
		if why = strings.Trim(why, " ():"); why != "" {
			b.Add("reason", why)
		}
		result, rest = "incorrect", after
	}
	who, rest, _ := strings.Cut(rest, "]")
	if name, password, ok := strings.Cut(who, "/"); ok && name != "host" { // host/pc-0042 is a machine's name
		msg = strings.Replace(msg, "/"+password+"]", "/…]", 1) // logged where that is switched on: no field repeats it
		who = name
	}
	b.Add("message", msg)
	b.Add("login", result)
	b.Add("User-Name", who)
	if _, from, ok := strings.Cut(rest, "(from client "); ok {
		t := strings.Fields(strings.TrimSuffix(from, ")"))
		for i, w := range t {
			switch {
			case i == 0:
				b.Add("client", w)
			case t[i-1] == "port":
				b.Add("NAS-Port", w)
			case t[i-1] == "cli":
				w = strings.TrimSuffix(w, ")")
				b.Add("Calling-Station-Id", w)
				if a, ok := asset.Addr(w); ok {
					b.Add("src_ip", a.String())
				}
			}
		}
	}
	return nil
}
