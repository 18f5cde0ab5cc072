// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package auditd decodes the records of the Linux audit system: audit.log as
// auditd writes it, raw or enriched, and the same records inside syslog
// (audispd, the kernel, journald).
//
// The records of one event, which share a time and a serial number, become one
// event in the order of the file; a name that several of them have is a list.
// Values that audit writes in hexadecimal because they hold spaces or control
// characters are decoded; numbers stay text. A line that came alone, by syslog
// or live, is an event of its own. See README.md.
//
// It never resolves an id to a name that the record does not give.
package auditd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const name = "auditd"

// Limits of one event. A record beyond them begins another event of the same
// serial.
const (
	maxRecords = 256 // records joined
	maxOpen    = 64  // events that wait for more records
	maxApart   = 128 // lines after which an event waits no longer
)

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: format.NoObject, Decode: decode, Record: record, Joined: true}
}

// Dialect returns the reading of audit records inside syslog.
func Dialect() format.Dialect {
	return format.Dialect{Name: name, Match: match, Read: read}
}

func sniff(head []byte) int {
	if format.SniffLines(head, func(l []byte) bool {
		return bytes.Contains(l, []byte(" msg=audit(")) && isRaw(string(l)) || separator(l)
	}) {
		return 95
	}
	return 0
}

// isRaw reports whether s is a line of audit.log.
func isRaw(s string) bool {
	if strings.HasPrefix(s, "node=") {
		_, s, _ = strings.Cut(s, " ")
	}
	if !strings.HasPrefix(s, "type=") {
		return false
	}
	_, rest, ok := strings.Cut(s[:min(len(s), 64)], " ")
	return ok && strings.HasPrefix(rest, "msg=audit(")
}

// separator reports the lines that ausearch puts between events.
func separator(l []byte) bool {
	return bytes.Equal(l, []byte("----")) || bytes.HasPrefix(l, []byte("time->"))
}

// match: auditd's dispatcher, and the kernel when no auditd runs, write whole
// records; journald hands them on without their stamp.
func match(app, msg string) bool {
	switch app {
	case "audispd", "audisp-syslog", "auditd":
		return isRaw(msg)
	case "kernel", "audit":
		if i := strings.Index(msg[:min(len(msg), 64)], "type="); i >= 0 && strings.Contains(msg[i:min(len(msg), i+64)], " audit(") {
			return true
		}
		return app == "audit" && (isRaw(msg) || bareType(msg) != "")
	}
	return false
}

// bareType returns the type of a record in journald's form: "USER_LOGIN pid=1 …".
func bareType(msg string) string {
	t, rest, ok := strings.Cut(msg, " ")
	if !ok || len(t) < 3 || len(t) > 32 || strings.Trim(t, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789<>") != "" || t[0] < 'A' || !strings.Contains(rest, "=") {
		return ""
	}
	return t
}

// read is the dialect.
func read(msg string, e *event.Event, _ format.Pos, _ format.Source) error {
	r, err := parseAny(msg)
	if err != nil {
		return err
	}
	g := group{e: e}
	g.add(r)
	g.finish()
	return nil
}

func parseAny(msg string) (rec, error) {
	if t := bareType(msg); t != "" && !isRaw(msg) {
		return rec{typ: t, rest: msg[len(t)+1:]}, nil
	}
	if i := strings.Index(msg[:min(len(msg), 64)], "type="); i > 0 {
		if n := strings.LastIndex(msg[:i], "node="); n >= 0 {
			i = n
		}
		msg = msg[i:] // "audit: type=1400 audit(…)", "[ 12.3] audit: type=…"
	}
	return parse(msg)
}

// record decodes a line that stands alone.
func record(line []byte, p format.Pos, src format.Source) (*event.Event, error) {
	if separator(line) {
		return nil, format.ErrSkip
	}
	r, err := parse(string(line))
	if err != nil {
		return nil, err
	}
	g := group{e: src.Event(name, p)}
	g.e.Raw = bytes.Clone(line)
	g.add(r)
	g.finish()
	return g.e, nil
}

// joiner gathers the records of events. The kernel may write those of several
// events in turn, so an event waits until its last record was seen, or too much
// came after it.
type joiner struct {
	src   format.Source
	emit  format.Emit
	st    *format.Stats
	open  []*group // in the order of their first records
	lines int64
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	var st format.Stats
	j := joiner{src: src, emit: emit, st: &st}
	err := format.EachLine(ctx, r, func(l format.Line) error {
		if separator(l.Text) {
			return nil
		}
		rc, err := parse(string(l.Text))
		if l.Long {
			err = fmt.Errorf("longer than %d bytes", format.MaxRecord)
		}
		if err != nil {
			st.Damaged++
			st.Note("line %d at byte %d: %v", l.Pos.Line, l.Pos.Offset, err)
			return nil
		}
		return j.line(l, rc)
	})
	if err == nil {
		err = j.flush(0)
	}
	return st, err
}

func (j *joiner) line(l format.Line, r rec) error {
	j.lines++
	var g *group
	for _, x := range j.open {
		if x.first.msg == r.msg && x.first.node == r.node && !x.done {
			g = x
		}
	}
	if g != nil && (g.records >= maxRecords || len(g.e.Raw)+len(l.Text) > format.MaxRecord) {
		g.done, g = true, nil
	}
	if g == nil {
		g = &group{e: j.src.Event(name, l.Pos), first: r}
		j.open = append(j.open, g)
	} else {
		g.e.Raw = append(g.e.Raw, '\n')
	}
	g.e.Raw = append(g.e.Raw, l.Text...)
	g.line = j.lines
	g.add(r)
	g.done = g.done || alone(r.typ)
	for len(j.open) > 0 {
		f := j.open[0]
		if !f.done && len(j.open) <= maxOpen && j.lines-f.line <= maxApart {
			return nil
		}
		if err := j.flush(len(j.open) - 1); err != nil {
			return err
		}
	}
	return nil
}

// flush emits the oldest events until only n are left.
func (j *joiner) flush(n int) error {
	for len(j.open) > n {
		g := j.open[0]
		j.open = j.open[1:]
		g.finish()
		j.st.Saw(g.e)
		if err := j.emit(g.e); err != nil {
			return err
		}
	}
	return nil
}

// alone reports types whose events have one record, and those that end an
// event.
func alone(typ string) bool {
	switch typ {
	case "PROCTITLE", "EOE":
		return true
	}
	for _, p := range [...]string{"USER_", "CRED_", "ADD_", "DEL_", "SERVICE_", "SYSTEM_", "CRYPTO_", "ROLE_", "GRP_", "ACCT_", "VIRT_", "CHUSER_", "CHGRP_", "DAEMON_"} {
		if strings.HasPrefix(typ, p) {
			return true
		}
	}
	return false
}

// group is one event and the records it is made of.
type group struct {
	e       *event.Event
	first   rec
	records int
	line    int64 // of the last record, counted from the start
	done    bool

	body    *format.Body
	args    args
	execve  bool
	syscall string
	arch    string
	named   bool // SYSCALL= was there
}

func (g *group) add(r rec) {
	if g.records == 0 {
		g.first = r
		e := g.e
		g.body = format.NewBody(&e.Fields, 40)
		e.Product, e.Service = "linux", name
		if !r.at.IsZero() {
			e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = r.at, r.stamp, false, time.Millisecond/2
		}
		if r.node != "" {
			g.body.Add("node", r.node)
		}
	}
	g.records++
	g.body.Add("type", r.typ)
	if g.records == 1 && r.msg != "" {
		g.body.Add("msg", r.msg)
	}
	g.fields(r)
}

// finish adds what only the whole event tells.
func (g *group) finish() {
	if g.execve {
		g.e.Category = "process_creation"
		g.body.Add("argv", g.args.joined())
	}
	if g.syscall != "" && !g.named {
		if n := syscallName(g.arch, g.syscall); n != "" {
			g.body.Add("SYSCALL", n)
		}
	}
}
