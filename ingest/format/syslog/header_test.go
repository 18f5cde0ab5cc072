// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"pgregory.net/rapid"

	"citywall/event"
	"citywall/ingest/format"
)

// TestModernAgainstLibrary holds our reading of RFC 5424 against go-syslog, the
// oracle: same fields, same message.
func TestModernAgainstLibrary(t *testing.T) {
	word := rapid.StringMatching(`[!-<>-Z^-~]{1,12}`)
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)
	rapid.Check(t, func(r *rapid.T) {
		line := "<34>1 2026-03-13T10:50:00.123456+08:00"
		for _, f := range []string{"host", "app", "pid", "id"} {
			line += " " + rapid.OneOf(rapid.Just("-"), word).Draw(r, f)
		}
		sd := ""
		for i := range rapid.IntRange(0, 3).Draw(r, "elements") {
			sd += fmt.Sprintf("[e%d@1", i)
			for j := range rapid.IntRange(0, 3).Draw(r, "params") {
				sd += fmt.Sprintf(` p%d="%s"`, j, escape.Replace(rapid.StringMatching(`[ -~]{0,10}`).Draw(r, "value")))
			}
			sd += "]"
		}
		if sd == "" {
			sd = "-"
		}
		line += " " + sd
		if rapid.Bool().Draw(r, "has message") {
			line += " " + rapid.StringMatching(`[!-~][ -~]{0,30}`).Draw(r, "msg")
		}
		m, err := rfc5424.NewParser().Parse([]byte(line))
		if err != nil {
			r.Skip(err.Error()) // the library's printable set of a field is narrower
		}
		want := m.(*rfc5424.SyslogMessage)
		e := &event.Event{}
		msg, err := modern(line[len("<34>"):], e, format.Source{})
		if err != nil {
			r.Fatalf("%s: %v", line, err)
		}
		for _, f := range []struct {
			name string
			want *string
		}{{"hostname", want.Hostname}, {"appname", want.Appname}, {"procid", want.ProcID}, {"msgid", want.MsgID}} {
			got, ok := e.Fields.Get(f.name)
			if ok != (f.want != nil) || ok && got.Text != *f.want {
				r.Fatalf("%s: %s is %q", line, f.name, got.Text)
			}
		}
		n := 0
		if want.StructuredData != nil {
			for id, params := range *want.StructuredData {
				for k, v := range params {
					n++
					if got, ok := e.Fields.Get(id + "." + k); !ok || got.Text != v {
						r.Fatalf("%s: %s.%s is %q, want %q", line, id, k, got.Text, v)
					}
				}
			}
		}
		for _, f := range e.Fields {
			if strings.HasPrefix(f.Name, "e") && strings.Contains(f.Name, "@1.") {
				n--
			}
		}
		text := ""
		if want.Message != nil {
			text = *want.Message
		}
		if n != 0 || msg != text || !e.Time.Equal(*want.Timestamp) {
			r.Fatalf("%s: message %q, want %q; %d structured fields too few; time %s", line, msg, text, n, e.Time)
		}
	})
}

// TestHeaders: what devices write where RFC 3164 wants a header, and brackets
// that are not structured data.
func TestHeaders(t *testing.T) {
	for _, c := range []struct{ in, host, app, pid, msg, at string }{
		{"Mar 13 18:50:00 h app[12]: x: y", "h", "app", "12", "x: y", "2025-03-13T10:50:00Z"},
		{"Mar 13 18:50:00 h su(pam_unix)[1]: x", "h", "su(pam_unix)", "1", "x", "2025-03-13T10:50:00Z"},
		{"Mar 13 18:50:00 app[12]: x", "", "app", "12", "x", "2025-03-13T10:50:00Z"},
		{"Mar 13 18:50:00 h: app: x", "h", "app", "", "x", "2025-03-13T10:50:00Z"},
		{"Mar 13 18:50:00 h last message repeated 2 times", "h", "", "", "last message repeated 2 times", "2025-03-13T10:50:00Z"},
		{`Mar 13 18:50:00 h src="10.0.0.1:5" x: y`, "h", "", "", `src="10.0.0.1:5" x: y`, "2025-03-13T10:50:00Z"},
		{"Mar 13 2025 18:50:00 fw : %ASA-6-1: x", "fw", "", "", ": %ASA-6-1: x", "2025-03-13T10:50:00Z"},
		{"Mar 13 2025 18:50:00: %ASA-6-1: x", "", "", "", "%ASA-6-1: x", "2025-03-13T10:50:00Z"},
		{"Mar 13 18:50:00 fw %ASA-6-1: x", "fw", "", "", "%ASA-6-1: x", "2025-03-13T10:50:00Z"},
		{"Mar 13 18:50:00 2025 usg src=x", "usg", "", "", "src=x", "2025-03-13T10:50:00Z"},
		{"2025-03-13T10:50:00.5Z: x y", "", "", "", "x y", "2025-03-13T10:50:00.5Z"},
	} {
		e := &event.Event{}
		msg, err := classic(c.in, e, format.Source{NotAfter: bound})
		if err != nil || msg != c.msg || e.Fields.Str("hostname") != c.host || e.Fields.Str("appname") != c.app || e.Fields.Str("procid") != c.pid || e.Time.Format(time.RFC3339Nano) != c.at {
			t.Errorf("%s: message %q, %v, %s, %v", c.in, msg, e.Fields, e.Time, err)
		}
	}
	for in, want := range map[string]string{
		`1 2025-03-13T10:50:00Z h CheckPoint 1 - [action:"Accept"; src:"10.0.0.5"; ]`: `[action:"Accept"; src:"10.0.0.5"; ]`,
		`1 2025-03-13T10:50:00Z h a 1 - [x@1 a="b"`:                                   `[x@1 a="b"`,
		`1 2025-03-13T10:50:00Z h a 1 - [x@1]`:                                        ``,
		`1 2025-03-13T10:50:00Z h a 1 - -`:                                            ``,
	} {
		e := &event.Event{}
		if msg, err := modern(in, e, format.Source{}); err != nil || msg != want || len(e.Fields) != 3 {
			t.Errorf("%s: %q, %v, %v", in, msg, e.Fields, err)
		}
	}
	for _, bad := range []string{"1 ", "1 2025-03-13T10:50:00Z", "1 yesterday h a - - - x", "1 - h a"} {
		if _, err := modern(bad, &event.Event{}, format.Source{}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	for name, line := range map[string]string{
		"3164": `<38>Mar 13 18:50:00 web01 sshd[123]: Failed password for invalid user bob from 203.0.113.5 port 4242 ssh2`,
		"5424": `<14>1 2026-03-13T18:50:00.123+08:00 srx1 app - ID [x@1 source-address="10.0.0.5" source-port="51000"] session created`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := record([]byte(line), format.Pos{}, format.Source{NotAfter: bound}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
