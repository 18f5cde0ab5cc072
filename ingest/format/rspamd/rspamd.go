// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package rspamd reads the log of the Rspamd mail filter: its own file, the same
// lines in syslog, as JSON (log_json), and rows of its history.
//
// A verdict (rspamd_task_write_log) is read into fields; README.md names them.
// Message-Id and sender are the letter's own text and may look like the fields
// after them, so those are sought from the right.
//
// It never weighs symbols: what Rspamd decided is what it says.
package rspamd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "rspamd"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"worker_type", "required_score"}, Decode: decode, Record: record}
}

// Dialect returns Rspamd's lines in syslog.
func Dialect() format.Dialect {
	return format.Dialect{Name: name, Match: func(app, _ string) bool { return app == "rspamd" || app == "rspamd_proxy" }, Read: func(msg string, e *event.Event, _ format.Pos, src format.Source) error {
		e.Product, e.Category = "rspamd", "mail"
		if h, ok := cutHead(msg, src); ok { // a whole line of the file in syslog
			msg = h.text
		}
		read(e, msg)
		return nil
	}}
}

func sniff(head []byte) int {
	if format.SniffLines(head, func(l []byte) bool {
		if l[0] == '{' {
			return isJSON(l)
		}
		_, ok := cutHead(string(l), format.Source{})
		return ok
	}) {
		return 91
	}
	if isHistory(head) {
		return 91
	}
	return 0
}

func isJSON(l []byte) bool {
	has := func(s string) bool { return bytes.Contains(l, []byte(s)) }
	return has(`"worker_type"`) && has(`"severity"`) && has(`"ts"`) || has(`"unix_time"`) && has(`"required_score"`) && has(`"symbols"`)
}

// isHistory knows the answer of the controller's /history.
func isHistory(head []byte) bool {
	h := bytes.TrimLeft(head, " \r\n\t")
	return len(h) > 0 && h[0] == '{' && bytes.Contains(h, []byte(`"rows"`)) && bytes.Contains(h, []byte(`"required_score"`))
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	head := make([]byte, 4096)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return format.Stats{}, err
	}
	all := io.MultiReader(bytes.NewReader(head[:n]), r)
	if !isHistory(head[:n]) {
		return format.Lines(record)(ctx, all, src, emit)
	}
	return format.Elements(ctx, all, "rows", func(text []byte, p format.Pos) (*event.Event, error) { return record(text, p, src) }, emit)
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	e := src.Event(name, p)
	e.Product, e.Category, e.Raw = "rspamd", "mail", bytes.Clone(rec)
	if len(rec) > 0 && rec[0] == '{' {
		return fromJSON(e, rec)
	}
	h, ok := cutHead(string(rec), src)
	if !ok {
		return nil, errors.New("want \"2026-03-13 18:50:00 #pid(worker) <id>; module; function: text\"")
	}
	e.Time, e.TimeRaw, e.ZoneAssumed = h.at.UTC(), h.raw, true
	if !strings.Contains(h.raw, ".") {
		e.Uncertainty = time.Second / 2
	}
	e.Fields = append(e.Fields, event.Field{Name: "pid", Value: event.T(h.pid)}, event.Field{Name: "worker_type", Value: event.T(h.worker)})
	read(e, h.text)
	return e, nil
}

type head struct {
	at               time.Time
	raw, pid, worker string
	text             string
}

// cutHead reads "2026-03-13 18:50:00.123 #1234(normal) ".
func cutHead(s string, src format.Source) (h head, ok bool) {
	if len(s) < 24 || s[4] != '-' || s[10] != ' ' {
		return h, false
	}
	i := strings.Index(s[:min(len(s), 40)], " #")
	if i < 19 {
		return h, false
	}
	t, err := time.ParseInLocation("2006-01-02 15:04:05.999999999", s[:i], src.Location())
	pid, rest, ok1 := strings.Cut(s[i+2:], "(")
	worker, text, ok2 := strings.Cut(rest, ") ")
	if err != nil || !ok1 || !ok2 || len(pid) > 10 || strings.Trim(pid, "0123456789") != "" || len(worker) > 40 {
		return h, false
	}
	return head{t, s[:i], pid, worker, text}, true
}

// read reads "<id>; module; function: text".
func read(e *event.Event, s string) {
	b := format.NewBody(&e.Fields, 24)
	module, text := "", s
	if id, rest, ok := strings.Cut(s, ">; "); ok && strings.HasPrefix(id, "<") && len(id) < 80 {
		b.Add("log_id", id[1:])
		text = rest
	}
	if m, rest, ok := strings.Cut(text, "; "); ok && len(m) < 40 && !strings.ContainsAny(m, " :") {
		module, text = m, rest
		b.Add("module", m)
	}
	function, rest, ok := strings.Cut(text, ": ")
	if ok && len(function) < 80 && !strings.ContainsAny(function, " <") {
		b.Add("function", function)
		text = rest
	}
	e.Service = strings.ToLower(module)
	b.Add("message", text)
	if function == "rspamd_task_write_log" {
		e.Service = "task"
		verdict(b, text)
	}
}

func fromJSON(e *event.Event, rec []byte) (*event.Event, error) {
	f, err := flatjson.Parse(rec)
	if err != nil {
		return nil, err
	}
	e.Service = "history"
	e.TimeRaw = f.First("ts", "unix_time")
	if e.Time, err = format.Epoch(e.TimeRaw); err != nil {
		return nil, err
	}
	if f.Str("unix_time") != "" {
		e.Fields = f
		return e, nil
	}
	msg := f.Str("message")
	e.Fields = f
	e.Service = strings.ToLower(f.Str("module"))
	if strings.HasSuffix(f.Str("function"), "rspamd_task_write_log") {
		e.Service = "task"
		verdict(format.NewBody(&e.Fields, 16), msg)
	}
	return e, nil
}
