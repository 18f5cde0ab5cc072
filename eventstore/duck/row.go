// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/duckdb/duckdb-go/v2"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
)

// encoder turns the events of a batch into rows, which lie in its memory until
// the next batch. It belongs to the one writer.
type encoder struct {
	values     []driver.Value // row after row; the Appender copies
	text       []byte         // what the rows have as fields
	origin     event.Origin   // of originJSON
	originJSON driver.Value
	day        time.Time // of dayValue
	dayValue   driver.Value
	common     [128]driver.Value // texts that were met lately, see often
}

// keptText is how much memory for texts an encoder keeps between batches.
const keptText = 16 << 20 // bytes

// rows are the events of a batch on their way into rows.
type rows struct {
	c      *encoder
	values []driver.Value // the memory of all rows
	ready  chan int       // how many are there
	n      int            // that are known to be there
	err    error          // of the row n, once ready is closed
}

// stride is after how many rows their number is told.
const stride = 256

// start encodes events on another processor. The encoder may not be used again
// before free returns.
func (c *encoder) start(events []*event.Event, caseID string) *rows {
	n := len(events) * len(columns)
	c.values = slices.Grow(c.values[:0], n) // it does not move from here on
	c.text = c.text[:0]
	r := &rows{c: c, values: c.values[:n], ready: make(chan int, len(events)/stride+1)}
	go func() {
		defer close(r.ready)
		for i, e := range events {
			if r.err = c.encode(e, caseID); r.err != nil {
				r.ready <- i
				return
			}
			if (i+1)%stride == 0 || i+1 == len(events) {
				r.ready <- i + 1
			}
		}
	}()
	return r
}

// row returns the row of the i-th event in the order of columns, as soon as it is
// there. It is valid until free.
func (r *rows) row(i int) ([]driver.Value, error) {
	for i >= r.n {
		n, more := <-r.ready
		if !more {
			return nil, r.err
		}
		r.n = n
	}
	return r.values[i*len(columns) : (i+1)*len(columns)], nil
}

// free lets go of the events.
func (r *rows) free() {
	for range r.ready {
	}
	clear(r.values)
	if cap(r.c.text) > keptText {
		r.c.text = nil
	}
}

// encode appends the row of e to values.
func (c *encoder) encode(e *event.Event, caseID string) error {
	v, when := e.View(), eventstore.When(e)
	if c.origin != constant(e.Origin) || c.originJSON == nil {
		c.origin = constant(e.Origin)
		b, err := json.Marshal(c.origin)
		if err != nil {
			return fmt.Errorf("origin of event %s: %w", e.ID, err)
		}
		c.originJSON = string(b)
	}
	if day := dayOf(when); day != c.day || c.dayValue == nil {
		c.day, c.dayValue = day, day
	}
	begin, utf8Only := len(c.text), false
	c.text, utf8Only = eventstore.AppendFieldsExact(c.text, e.Fields)
	fields := c.text[begin:len(c.text):len(c.text)]
	var received, receivedNS driver.Value
	if eventstore.Timed(e.Received) {
		received, receivedNS = e.Received, int16(e.Received.Nanosecond()%1000)
	}
	c.values = append(
		c.values,
		c.dayValue, when, int16(when.Nanosecond()%1000), eventstore.Timed(e.Time),
		duckdb.UUID(e.ID), c.often(string(e.Realm)), eventstore.Valid(caseID), c.often(e.Agency),
		received, receivedNS,
		c.often(e.Source), c.often(e.Product), c.often(e.Category), c.often(e.Service),
		text(v.Host), address(v.HostAddr), text(v.User.String()), text(v.Target.String()),
		address(v.Src), text(v.SrcHost), number32(int32(v.SrcPort)),
		address(v.Dst), text(v.DstHost), number32(int32(v.DstPort)),
		c.often(v.Proto), c.often(v.Service), c.often(v.EventID), c.often(v.Channel),
		c.often(string(v.Action)), c.often(string(v.Outcome)), number64(int64(v.Logon)),
		text(v.Process), text(v.Parent), text(v.Command), text(v.File), text(v.Hash),
		text(v.Message), text(v.Session), number64(v.BytesOut), number64(v.BytesIn), c.often(v.Observer),
		c.often(e.Origin.Format), text(e.TimeRaw), number64(int64(e.Uncertainty)), e.ZoneAssumed,
		c.originJSON, e.Origin.Offset, e.Origin.Line, e.Origin.Record, e.Origin.Chunk,
		int32(min(len(fields)+len(e.Raw), 1<<31-1)), fields, blob(e.Raw), blob(exact(e, utf8Only)),
	)
	return nil
}

// often is text for values that few texts make up: one that was met lately is
// not made anew.
func (c *encoder) often(s string) driver.Value {
	if s == "" {
		return nil
	}
	n := len(s)
	slot := &c.common[(n*31+int(s[0])*7+int(s[n/2])*3+int(s[n-1]))%len(c.common)]
	if kept, ok := (*slot).(string); !ok || kept != s {
		*slot = eventstore.Valid(strings.Clone(s))
	}
	return *slot
}

// dayOf is the midnight before t: the driver rounds the dates before 1970 up.
func dayOf(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }

// constant returns what the records of one file or stream share of o.
func constant(o event.Origin) event.Origin {
	o.Offset, o.Line, o.Record, o.Chunk = 0, 0, 0, 0
	return o
}

func text(s string) driver.Value {
	if s == "" {
		return nil
	}
	return eventstore.Valid(s)
}

func address(a netip.Addr) driver.Value {
	if !a.IsValid() {
		return nil
	}
	return eventstore.Valid(a.String())
}

func number32(n int32) driver.Value {
	if n == 0 {
		return nil
	}
	return n
}

func number64(n int64) driver.Value {
	if n == 0 {
		return nil
	}
	return n
}

func blob(b []byte) driver.Value {
	if b == nil {
		return nil
	}
	return b
}

// frame returns the texts of e around its fields.
func frame(e *event.Event) [13]*string {
	o := &e.Origin
	return [...]*string{
		(*string)(&e.Realm), &e.Agency, &e.TimeRaw, &e.Source, &e.Product, &e.Category, &e.Service,
		&o.Format, &o.File, &o.Inner, &o.SHA256, &o.Stream, &o.Exhibit,
	}
}

// eachText calls f for every text of e in a fixed order.
func eachText(e *event.Event, f func(*string)) {
	for _, s := range frame(e) {
		f(s)
	}
	for i := range e.Fields {
		f(&e.Fields[i].Name)
		f(&e.Fields[i].Value.Text)
		for j := range e.Fields[i].Value.List {
			f(&e.Fields[i].Value.List[j])
		}
	}
}

// exact returns all texts of e when one of them is not UTF-8 and would come
// back changed, else nil; fields says that those of the fields are.
func exact(e *event.Event, fields bool) []byte {
	good := fields
	for _, s := range frame(e) {
		good = good && utf8.ValidString(*s)
	}
	if good {
		return nil
	}
	var b []byte
	eachText(e, func(s *string) { b = append(binary.AppendUvarint(b, uint64(len(*s))), *s...) })
	return b
}

// restore puts the texts of exact back.
func restore(e *event.Event, b []byte) error {
	var err error
	eachText(e, func(s *string) {
		n, w := binary.Uvarint(b)
		if err != nil || w <= 0 || n > uint64(len(b)-w) {
			err = fmt.Errorf("event %s: the kept texts are damaged", e.ID)
			return
		}
		*s, b = string(b[w:w+int(n)]), b[w+int(n):]
	})
	if err == nil && len(b) > 0 {
		err = fmt.Errorf("event %s: the kept texts are damaged", e.ID)
	}
	return err
}

// eventColumns are what scan needs, in its order.
const eventColumns = `ts, ns, timed, id, realm, agency, received, received_ns, source, product, category, service,
time_raw, uncertainty, zone_assumed, origin, origin_offset, origin_line, origin_record, origin_chunk, fields, raw, exact`

// scan reads one event back as it was written, and where it stands.
func scan(rows *sql.Rows) (key, *event.Event, error) {
	var (
		e                                            event.Event
		ts                                           time.Time
		ns                                           int64
		timed                                        bool
		id                                           duckdb.UUID
		realm, origin, fields                        string
		agency, source, product, category, svc, text sql.NullString
		received                                     sql.NullTime
		receivedNS, uncertainty                      sql.NullInt64
		keep                                         []byte
	)
	if err := rows.Scan(
		&ts, &ns, &timed, &id, &realm, &agency, &received, &receivedNS, &source, &product, &category, &svc,
		&text, &uncertainty, &e.ZoneAssumed, &origin, &e.Origin.Offset, &e.Origin.Line, &e.Origin.Record, &e.Origin.Chunk,
		&fields, &e.Raw, &keep,
	); err != nil {
		return key{}, nil, fmt.Errorf("read event: %w", err)
	}
	o := e.Origin
	if err := json.Unmarshal([]byte(origin), &e.Origin); err != nil {
		return key{}, nil, fmt.Errorf("read origin: %w", err)
	}
	e.Origin.Offset, e.Origin.Line, e.Origin.Record, e.Origin.Chunk = o.Offset, o.Line, o.Record, o.Chunk
	e.ID, e.Realm, e.Agency = event.ID(id), asset.Realm(realm), agency.String
	if timed {
		e.Time = ts.UTC().Add(time.Duration(ns))
	}
	if received.Valid {
		e.Received = received.Time.UTC().Add(time.Duration(receivedNS.Int64))
	}
	e.Source, e.Product, e.Category, e.Service, e.TimeRaw = source.String, product.String, category.String, svc.String, text.String
	e.Uncertainty = time.Duration(uncertainty.Int64)
	var err error
	if e.Fields, err = eventstore.ParseFields(fields); err != nil {
		return key{}, nil, fmt.Errorf("event %s: %w", e.ID, err)
	}
	if keep != nil {
		err = restore(&e, keep)
	}
	return key{ts.UTC(), int16(ns), e.ID}, &e, err
}
