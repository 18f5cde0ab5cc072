// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/walk"
)

// What an element of field is. A list takes an element for each of its texts.
const (
	isNull uint8 = iota
	isText
	isFirst // of a list
	isNext  // of the same list
	isEmpty // a list without elements
)

// encoder turns events into rows. It belongs to the one writer.
type encoder struct {
	row []any // reused, as all of these; the driver copies

	keys, names, values, folds, oddNames, oddFolds []string
	kinds                                          []uint8
}

// encode returns the row of e in the order of columns. It is valid until the
// next call.
func (c *encoder) encode(e *event.Event, when time.Time, part uint32, seq uint64, caseID string) []any {
	v := e.View()
	size := c.fields(e.Fields) + len(e.Raw)
	c.oddNames, c.oddFolds = c.oddNames[:0], c.oddFolds[:0]
	t := func(column, s string) string {
		if f := odd(s); f != "" {
			c.oddNames, c.oddFolds = append(c.oddNames, column), append(c.oddFolds, f)
		}
		return s
	}
	var received int64
	var receivedNS uint16
	known := eventstore.Timed(e.Received)
	if known {
		received, receivedNS = e.Received.UnixMicro(), uint16(e.Received.Nanosecond()%1000)
	}
	c.row = append(
		c.row[:0],
		part, when.UnixMicro(), uint16(when.Nanosecond()%1000), bit(eventstore.Timed(e.Time)),
		string(e.ID[:]), seq, string(e.Realm), caseID, t("agency", e.Agency),
		received, receivedNS, bit(known),
		t("source", e.Source), t("product", e.Product), t("category", e.Category), t("service", e.Service),
		t("host", v.Host), address(v.HostAddr), t("user", v.User.String()), t("target_user", v.Target.String()),
		address(v.Src), t("src_host", v.SrcHost), v.SrcPort,
		address(v.Dst), t("dst_host", v.DstHost), v.DstPort,
		t("proto", v.Proto), t("app", v.Service), t("event_id", v.EventID), t("channel", v.Channel),
		t("action", string(v.Action)), t("outcome", string(v.Outcome)), int64(v.Logon),
		t("process", v.Process), t("parent", v.Parent), t("command", v.Command), t("file", v.File), t("hash", v.Hash),
		t("message", v.Message), t("session", v.Session), v.BytesOut, v.BytesIn, t("observer", v.Observer),
		t("format", e.Origin.Format), e.TimeRaw, int64(e.Uncertainty), bit(e.ZoneAssumed),
		e.Origin.File, e.Origin.Inner, e.Origin.SHA256, e.Origin.Stream, e.Origin.Exhibit, bit(e.Origin.Carved),
		e.Origin.Offset, e.Origin.Line, e.Origin.Record, e.Origin.Chunk,
		uint32(min(size, 1<<31-1)), string(e.Raw), bit(e.Raw != nil),
		c.keys, c.names, c.kinds, c.values, c.folds, c.oddNames, c.oddFolds,
	)
	return c.row
}

// fields lays out the native fields and returns their bytes.
func (c *encoder) fields(f event.Fields) (size int) {
	c.keys, c.names, c.kinds, c.values, c.folds = c.keys[:0], c.names[:0], c.kinds[:0], c.values[:0], c.folds[:0]
	add := func(name string, kind uint8, value string) {
		size += len(name) + len(value)
		c.keys, c.names, c.kinds = append(c.keys, strings.ToLower(name)), append(c.names, name), append(c.kinds, kind)
		c.values, c.folds = append(c.values, value), append(c.folds, odd(value))
	}
	for i := range f {
		switch v := &f[i].Value; {
		case v.Kind == event.Text:
			add(f[i].Name, isText, v.Text)
		case v.Kind == event.List && len(v.List) == 0:
			add(f[i].Name, isEmpty, "")
		case v.Kind == event.List:
			for j, s := range v.List {
				kind := isNext
				if j == 0 {
					kind = isFirst
				}
				add(f[i].Name, kind, s)
			}
		default:
			add(f[i].Name, isNull, "")
		}
	}
	return size
}

// odd returns strings.ToLower of s where that is not what lower() of ClickHouse
// makes of it, which knows ASCII alone; else "".
func odd(s string) string {
	ascii := true
	for i := 0; i < len(s) && ascii; i++ {
		ascii = s[i] < utf8.RuneSelf
	}
	if ascii {
		return ""
	}
	f := strings.ToLower(s)
	if len(f) != len(s) {
		return f
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != f[i] {
			return f
		}
	}
	return ""
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// eventColumns are what scan needs, in its order.
const eventColumns = "us, ns, timed, id, realm, agency, received, received_ns, has_received, source, product, category, service, " +
	"time_raw, uncertainty, zone_assumed, format, origin_file, origin_inner, origin_sha256, origin_stream, origin_exhibit, origin_carved, origin_offset, origin_line, origin_record, origin_chunk, raw, has_raw, " +
	"`field.name`, `field.kind`, `field.value`"

// scan reads one event back as it was written, and where it stands.
func scan(rows driver.Rows) (walk.Key, *event.Event, error) {
	var (
		e                                           event.Event
		k                                           walk.Key
		us, received, uncertainty                   int64
		ns, receivedNS                              uint16
		timed, hasReceived, assumed, carved, hasRaw uint8
		id, realm, raw                              string
		names, values                               []string
		kinds                                       []uint8
	)
	if err := rows.Scan(
		&us, &ns, &timed, &id, &realm, &e.Agency, &received, &receivedNS, &hasReceived, &e.Source, &e.Product, &e.Category, &e.Service,
		&e.TimeRaw, &uncertainty, &assumed, &e.Origin.Format, &e.Origin.File, &e.Origin.Inner, &e.Origin.SHA256, &e.Origin.Stream, &e.Origin.Exhibit, &carved,
		&e.Origin.Offset, &e.Origin.Line, &e.Origin.Record, &e.Origin.Chunk, &raw, &hasRaw,
		&names, &kinds, &values,
	); err != nil {
		return k, nil, fmt.Errorf("read event: %w", err)
	}
	if len(id) != len(e.ID) || len(kinds) != len(names) || len(values) != len(names) {
		return k, nil, fmt.Errorf("read event: its columns do not belong together")
	}
	copy(e.ID[:], id)
	e.Origin.Carved = carved == 1
	e.Realm, e.Uncertainty, e.ZoneAssumed = asset.Realm(realm), time.Duration(uncertainty), assumed == 1
	if timed == 1 {
		e.Time = time.UnixMicro(us).UTC().Add(time.Duration(ns))
	}
	if hasReceived == 1 {
		e.Received = time.UnixMicro(received).UTC().Add(time.Duration(receivedNS))
	}
	if hasRaw == 1 {
		e.Raw = []byte(raw)
	}
	var err error
	e.Fields, err = fieldsOf(names, kinds, values)
	if err != nil {
		return k, nil, fmt.Errorf("read event %s: %w", e.ID, err)
	}
	return walk.Key{US: us, NS: int16(ns), ID: e.ID}, &e, nil
}

func fieldsOf(names []string, kinds []uint8, values []string) (event.Fields, error) {
	var f event.Fields
	for i, n := range names {
		switch kinds[i] {
		case isNull:
			f = append(f, event.Field{Name: n})
		case isText:
			f = append(f, event.Field{Name: n, Value: event.T(values[i])})
		case isEmpty:
			f = append(f, event.Field{Name: n, Value: event.Value{Kind: event.List, List: []string{}}})
		case isFirst:
			f = append(f, event.Field{Name: n, Value: event.L(values[i])})
		case isNext:
			if len(f) == 0 || f[len(f)-1].Value.Kind != event.List {
				return nil, fmt.Errorf("a list without a beginning")
			}
			l := &f[len(f)-1].Value
			l.List = append(l.List, values[i])
		default:
			return nil, fmt.Errorf("an element of kind %d", kinds[i])
		}
	}
	return f, nil
}
