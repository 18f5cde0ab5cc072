// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package zeek decodes the logs of the Zeek network monitor, in its native
// tab-separated form and as JSON lines.
//
// Native names are Zeek's own with dots (id.orig_h); exports that write them
// with underscores are mended. Product is "zeek", Service the log's name
// (conn, dns, kerberos, smb_files, ...). Times keep their microseconds. Source:
// the log framework chapter of the Zeek documentation.
//
// It never joins two logs by uid: that is inference.
package zeek

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "zeek"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"ts"}, Decode: decode, Record: record}
}

func sniff(head []byte) int {
	line, _, _ := bytes.Cut(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), []byte("\n"))
	if bytes.HasPrefix(line, []byte(`#separator `)) {
		return 100
	}
	if bytes.HasPrefix(line, []byte("#fields\tts\t")) || bytes.HasPrefix(line, []byte("#path\t")) {
		return 90
	}
	if len(line) > 0 && line[0] == '{' && bytes.Contains(line, []byte(`"ts":`)) &&
		(bytes.Contains(line, []byte(`"uid":`)) || bytes.Contains(line, []byte(`"_path":`)) || bytes.Contains(line, []byte(`"@stream":`)) ||
			bytes.Contains(line, []byte(`"id.orig_h":`)) || bytes.Contains(line, []byte(`"id_orig_h":`)) || bytes.Contains(line, []byte(`"fuid":`))) {
		return 85
	}
	return 0
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	var st format.Stats
	d := tsv{sep: '\t', set: ",", empty: "(empty)", unset: "-", path: stream(src)}
	err := format.EachLine(ctx, r, func(l format.Line) error {
		var e *event.Event
		var err error
		switch {
		case l.Long:
			err = fmt.Errorf("longer than %d bytes", format.MaxRecord)
		case l.Text[0] == '#':
			d.header(string(l.Text))
			return nil
		case l.Text[0] == '{' && d.fields == nil:
			e, err = record(l.Text, l.Pos, src)
		default:
			e, err = d.record(string(l.Text), l.Pos, src)
		}
		if errors.Is(err, format.ErrSkip) {
			st.Skipped++
			return nil
		}
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

// stream guesses the log's name from the file's: NASHUA_conn.log, conn.00.log.
func stream(src format.Source) string {
	n := src.File
	if src.Inner != "" {
		n = src.Inner
	}
	n, _, _ = strings.Cut(strings.ToLower(path.Base(strings.ReplaceAll(n, "\\", "/"))), ".")
	for _, s := range streams {
		if n == s || strings.HasSuffix(n, "_"+s) || strings.HasSuffix(n, "-"+s) {
			return s
		}
	}
	return ""
}

// streams are the logs whose names are recognised, longer names first.
var streams = []string{
	"smb_mapping", "smb_files", "dce_rpc", "known_hosts", "known_services", "capture_loss",
	"conn", "dns", "http", "ssl", "x509", "files", "kerberos", "ntlm", "rdp", "ssh", "ftp", "smtp", "dhcp", "dpd", "weird", "notice", "pe", "snmp",
	"software", "tunnel", "syslog", "ldap", "radius", "mysql", "modbus", "dnp3", "rfb", "sip", "socks", "irc", "stats",
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	f, err := flatjson.Parse(rec)
	if err != nil {
		return nil, err
	}
	e := src.Event(name, p)
	e.Product = name
	for i := range f {
		switch n := f[i].Name; n {
		case "id_orig_h", "id_orig_p", "id_resp_h", "id_resp_p":
			f[i].Name = "id." + n[3:]
		}
	}
	e.Fields = f
	e.Raw = bytes.Clone(rec)
	e.Service = f.First("_path", "@stream")
	if e.Service == "" {
		if e.Service = stream(src); e.Service == "" {
			e.Service = guess(f)
		}
	}
	return e, setTime(e, src.Location())
}

// guess names the log of a JSON line that does not say, by telling fields.
func guess(f event.Fields) string {
	for _, g := range [...]struct{ field, stream string }{
		{"conn_state", "conn"}, {"qtype_name", "dns"}, {"user_agent", "http"}, {"request_type", "kerberos"}, {"cipher", "ssl"}, {"share_type", "smb_mapping"},
		{"named_pipe", "dce_rpc"}, {"ntlm.username", "ntlm"}, {"fuid", "files"}, {"method", "http"}, {"query", "dns"}, {"note", "notice"},
	} {
		if _, ok := f.Get(g.field); ok {
			return g.stream
		}
	}
	return ""
}

func setTime(e *event.Event, loc *time.Location) error {
	e.TimeRaw = e.Fields.Str("ts")
	if e.TimeRaw == "" {
		return errors.New("no ts field")
	}
	t, assumed, err := format.Time(e.TimeRaw, loc)
	if err != nil {
		return err
	}
	e.Time, e.ZoneAssumed = t, assumed
	return nil
}

// tsv is the state that the header lines of a native log set.
type tsv struct {
	sep               byte
	set, empty, unset string
	path              string
	fields, types     []string
}

func (d *tsv) header(line string) {
	if v, ok := strings.CutPrefix(line, "#separator "); ok {
		if h, ok := strings.CutPrefix(v, `\x`); ok {
			if n, err := strconv.ParseUint(h, 16, 8); err == nil {
				d.sep = byte(n)
			}
		} else if len(v) == 1 {
			d.sep = v[0]
		}
		return
	}
	key, v, _ := strings.Cut(line, string(d.sep))
	switch key {
	case "#set_separator":
		d.set = v
	case "#empty_field":
		d.empty = v
	case "#unset_field":
		d.unset = v
	case "#path":
		d.path = v
	case "#fields":
		if d.fields = strings.Split(v, string(d.sep)); len(d.fields) > format.MaxFields {
			d.fields = nil
		}
	case "#types":
		d.types = strings.Split(v, string(d.sep))
	}
}

func (d *tsv) record(line string, p format.Pos, src format.Source) (*event.Event, error) {
	if d.fields == nil {
		return nil, errors.New("a record before its #fields line")
	}
	vals := strings.Split(line, string(d.sep))
	if len(vals) != len(d.fields) {
		return nil, fmt.Errorf("%d values for %d fields", len(vals), len(d.fields))
	}
	e := src.Event(name, p)
	e.Product, e.Service, e.Raw = name, d.path, []byte(line)
	e.Fields = make(event.Fields, 0, len(vals))
	for i, v := range vals {
		list := i < len(d.types) && (strings.HasPrefix(d.types[i], "set[") || strings.HasPrefix(d.types[i], "vector["))
		switch {
		case v == d.unset: // absent, as JSON exports leave it out
		case v == d.empty && list:
			e.Fields = append(e.Fields, event.Field{Name: d.fields[i], Value: event.Value{Kind: event.List}})
		case v == d.empty:
			e.Fields = append(e.Fields, event.Field{Name: d.fields[i], Value: event.T("")})
		case list && d.set != "":
			parts := strings.Split(v, d.set)
			for k := range parts {
				parts[k] = unescape(parts[k])
			}
			e.Fields = append(e.Fields, event.Field{Name: d.fields[i], Value: event.L(parts...)})
		default:
			v = unescape(v)
			if i < len(d.types) && d.types[i] == "bool" && len(v) == 1 {
				v = map[string]string{"T": "true", "F": "false"}[v]
			}
			e.Fields = append(e.Fields, event.Field{Name: d.fields[i], Value: event.T(v)})
		}
	}
	return e, setTime(e, src.Location())
}

// unescape reads \xHH, which Zeek writes for separators and odd bytes.
func unescape(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x' {
			if n, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
