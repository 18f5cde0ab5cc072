// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exhibit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"
	"unicode/utf8"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
	"citywall/eventstore"
	"citywall/internal/fault"
)

// MaxLine bounds one line of a records file, in bytes. A record has at most
// 1 MiB (format.MaxRecord); its fields repeat it, and JSON escapes it.
const MaxLine = 16 << 20

// record is an event as a line of JSON. The bytes as received are in raw, or
// in raw_base64 when they are not UTF-8.
type record struct {
	ID          event.ID      `json:"id"`
	Realm       asset.Realm   `json:"realm"`
	Agency      string        `json:"agency,omitempty"`
	Time        time.Time     `json:"time,omitzero"`
	TimeRaw     string        `json:"time_raw,omitempty"`
	Uncertainty time.Duration `json:"uncertainty_ns,omitempty"`
	ZoneAssumed bool          `json:"zone_assumed,omitempty"`
	Received    time.Time     `json:"received,omitzero"`
	Source      string        `json:"source,omitempty"`
	Product     string        `json:"product,omitempty"`
	Category    string        `json:"category,omitempty"`
	Service     string        `json:"service,omitempty"`
	Fields      fields        `json:"fields"`
	Raw         string        `json:"raw,omitempty"`
	RawBase64   []byte        `json:"raw_base64,omitempty"`
	Origin      event.Origin  `json:"origin"`
}

// fields is event.Fields as the event store writes and reads it, which is the
// same JSON in a tenth of the time.
type fields event.Fields

func (f fields) MarshalJSON() ([]byte, error) {
	return eventstore.AppendFields(nil, event.Fields(f)), nil
}

func (f *fields) UnmarshalJSON(b []byte) error {
	x, err := eventstore.ParseFields(string(b))
	*f = fields(x)
	return err
}

// EncodeEvent returns the event as one line, newline included. Text of fields
// that is not UTF-8 becomes U+FFFD; the raw bytes never change.
func EncodeEvent(e *event.Event) ([]byte, error) {
	r := record{ID: e.ID, Realm: e.Realm, Agency: e.Agency, Time: e.Time, TimeRaw: e.TimeRaw, Uncertainty: e.Uncertainty,
		ZoneAssumed: e.ZoneAssumed, Received: e.Received, Source: e.Source, Product: e.Product, Category: e.Category,
		Service: e.Service, Fields: fields(e.Fields), Origin: e.Origin}
	if utf8.Valid(e.Raw) {
		r.Raw = string(e.Raw)
	} else {
		r.RawBase64 = e.Raw
	}
	return encode(r)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write record: %w", err)
	}
	if b.Len() > MaxLine {
		return nil, fault.New(fault.Invalid, "write record: %d bytes are more than %d", b.Len(), MaxLine)
	}
	return b.Bytes(), nil
}

// DecodeEvent reads a line that EncodeEvent wrote.
func DecodeEvent(line []byte) (*event.Event, error) {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fault.New(fault.Invalid, "read record: %w", err)
	}
	if r.ID == (event.ID{}) {
		return nil, fault.New(fault.Invalid, "read record: it has no id")
	}
	e := &event.Event{ID: r.ID, Realm: r.Realm, Agency: r.Agency, Time: r.Time, TimeRaw: r.TimeRaw, Uncertainty: r.Uncertainty,
		ZoneAssumed: r.ZoneAssumed, Received: r.Received, Source: r.Source, Product: r.Product, Category: r.Category,
		Service: r.Service, Fields: event.Fields(r.Fields), Raw: r.RawBase64, Origin: r.Origin}
	if r.RawBase64 == nil {
		e.Raw = []byte(r.Raw)
	}
	return e, nil
}

// EncodeFinding returns the finding as one line, newline included.
func EncodeFinding(f detect.Finding) ([]byte, error) { return encode(f) }

// DecodeFinding reads a line that EncodeFinding wrote.
func DecodeFinding(line []byte) (detect.Finding, error) {
	var f detect.Finding
	if err := json.Unmarshal(line, &f); err != nil {
		return f, fault.New(fault.Invalid, "read finding: %w", err)
	}
	if f.ID == "" {
		return f, fault.New(fault.Invalid, "read finding: it has no id")
	}
	return f, nil
}

// lines yields the lines of r without their ends. The slice is good until the
// next one.
func lines(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		sc := bufio.NewScanner(r)
		sc.Buffer(make([]byte, 0, 64<<10), MaxLine)
		for sc.Scan() {
			if !yield(sc.Bytes(), nil) {
				return
			}
		}
		if err := sc.Err(); err != nil {
			yield(nil, fmt.Errorf("read records: %w", err))
		}
	}
}

// Events yields the events of r, and an error for the first line that is none;
// nothing follows an error.
func Events(r io.Reader) iter.Seq2[*event.Event, error] { return decoded(r, DecodeEvent) }

// Findings yields the findings of r, as Events does.
func Findings(r io.Reader) iter.Seq2[detect.Finding, error] { return decoded(r, DecodeFinding) }

func decoded[T any](r io.Reader, decode func([]byte) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		n := 0
		var none T
		for line, err := range lines(r) {
			n++
			if err != nil {
				yield(none, err)
				return
			}
			x, err := decode(line)
			if err != nil {
				yield(none, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if !yield(x, nil) {
				return
			}
		}
	}
}
