// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package exchange decodes the comma-separated logs of Microsoft Exchange Server
// whose header says #Log-type: message tracking above all, and the protocol,
// connectivity and agent logs of its transport, which have the same form.
//
// Fields keep the names of #Fields. Times are UTC. It promises that a line which
// does not fit its header is counted as damaged, never shifted into the wrong
// columns.
//
// It never joins the lines of one letter: message-id and
// internal-message-id do that in a search.
package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const name = "exchange"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: format.NoObject, Decode: decode, Record: record}
}

// tracking are the columns of message tracking since Exchange 2016 (Microsoft
// Learn, "Fields in the message tracking log files"). A line that stands alone,
// as in a file that is followed, is read by them.
var tracking = strings.Split("date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,connector-id,source,event-id,internal-message-id,"+
	"message-id,network-message-id,recipient-address,recipient-status,total-bytes,recipient-count,related-recipient-address,reference,message-subject,"+
	"sender-address,return-path,message-info,directionality,tenant-id,original-client-ip,original-server-ip,custom-data,transport-traffic-type,log-id,schema-version", ",")

// sources are where an entry of message tracking comes from.
var sources = []string{
	"ADMIN", "AGENT", "APPROVAL", "BOOTLOADER", "DNS", "DSN", "GATEWAY", "MAILBOXRULE", "MEETINGMESSAGEPROCESSOR", "ORAR", "PICKUP", "POISONMESSAGE",
	"PUBLICFOLDER", "QUEUE", "REDUNDANCY", "RESOLVER", "ROUTING", "SAFETYNET", "SMTP", "STOREDRIVER",
}

func sniff(head []byte) int {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	if len(head) > 0 && head[0] == '#' {
		if bytes.Contains(head, []byte("#Software: Microsoft Exchange")) && bytes.Contains(head, []byte("#Log-type: ")) {
			return 95
		}
		return 0
	}
	if format.SniffLines(head, func(l []byte) bool { return alone(l) != nil }) {
		return 90
	}
	return 0
}

// alone returns the values of a line of message tracking without a header, nil
// when it is none.
func alone(line []byte) []string {
	if len(line) < 40 || line[10] != 'T' || line[4] != '-' || bytes.Count(line, []byte(",")) < len(tracking)-1 {
		return nil
	}
	v, err := format.SplitCSV(line, ',')
	if err != nil || len(v) != len(tracking) || !slices.Contains(sources, v[7]) {
		return nil
	}
	return v
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	if len(rec) > 0 && rec[0] == '#' {
		return nil, format.ErrSkip
	}
	v := alone(rec)
	if v == nil {
		return nil, errors.New("no header came before it, and it is no line of message tracking as Exchange 2016 and later write it")
	}
	return entry(rec, p, src, tracking, v, "message_tracking")
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	var st format.Stats
	cols, service := []string(nil), ""
	err := format.EachLine(ctx, r, func(l format.Line) error {
		if l.Text[0] == '#' {
			switch key, v, _ := strings.Cut(string(l.Text), ": "); key {
			case "#Fields":
				cols = strings.Split(strings.TrimSpace(v), ",")
			case "#Log-type":
				service = strings.ReplaceAll(strings.ToLower(strings.TrimSuffix(strings.TrimSpace(v), " Log")), " ", "_")
			}
			return nil
		}
		var e *event.Event
		err := fmt.Errorf("longer than %d bytes", format.MaxRecord)
		if !l.Long {
			e, err = line(l, src, cols, service)
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

func line(l format.Line, src format.Source, cols []string, service string) (*event.Event, error) {
	if cols == nil {
		return record(l.Text, l.Pos, src)
	}
	v, err := format.SplitCSV(l.Text, ',')
	if err != nil {
		return nil, err
	}
	if len(v) != len(cols) {
		return nil, fmt.Errorf("%d values for %d fields", len(v), len(cols))
	}
	return entry(l.Text, l.Pos, src, cols, v, service)
}

func entry(rec []byte, p format.Pos, src format.Source, cols, vals []string, service string) (*event.Event, error) {
	e := src.Event(name, p)
	e.Product, e.Category, e.Service, e.Raw = "exchange", "mail", service, bytes.Clone(rec)
	e.Fields = make(event.Fields, len(vals))
	for i, v := range vals {
		e.Fields[i] = event.Field{Name: cols[i], Value: event.T(v)}
	}
	e.TimeRaw = e.Fields.First("date-time", "Timestamp")
	t, err := time.Parse(time.RFC3339Nano, e.TimeRaw)
	if err != nil {
		return nil, fmt.Errorf("date-time %q: %w", e.TimeRaw[:min(len(e.TimeRaw), 40)], err)
	}
	e.Time = t.UTC()
	return e, nil
}
