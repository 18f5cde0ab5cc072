// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package rulebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"citywall/asset"
	"citywall/detect/sigma/ruletest"
	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format"
)

// About says what a record is about, where it does not say so itself.
type About struct{ Product, Category, Service string }

// ReadRecord reads one record that a person pasted: as Citywall shows and exports
// it (an object with "fields"), as it stands beside a rule in its test (with
// "_product"), or as any source sends it, of which JSON may be spread over lines.
// What about names counts before what the record says.
func ReadRecord(b []byte, about About) (*event.Event, error) {
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))
	switch {
	case len(b) == 0:
		return nil, wrong("no_record")
	case len(b) > MaxRecord:
		return nil, wrong("record_long", "max", strconv.Itoa(MaxRecord>>10))
	}
	e, err := readRecord(b)
	if err != nil {
		return nil, err
	}
	for _, x := range []struct {
		to  *string
		say string
	}{{&e.Product, about.Product}, {&e.Category, about.Category}, {&e.Service, about.Service}} {
		if x.say != "" {
			*x.to = x.say
		}
	}
	if (e.Product == "" || e.Product == "json") && e.Fields.Str("Channel") != "" && e.Fields.Str("EventID") != "" {
		e.Product = "windows" // only its event log has both
	}
	return e, nil
}

func readRecord(b []byte) (*event.Event, error) {
	src := format.Source{Realm: asset.City, Name: "tried", Stream: "tried", Received: time.Unix(0, 0).UTC()}
	if b[0] != '{' {
		if b[0] == '[' {
			return nil, wrong("record_list")
		}
		if bytes.IndexByte(b, '\n') >= 0 {
			return nil, wrong("record_lines")
		}
		e, err := ingest.Record(b, format.Pos{}, src)
		if err != nil {
			return nil, wrong("record_unknown", "why", err.Error())
		}
		return e, nil
	}
	var form struct {
		Test    *json.RawMessage `json:"_product"`
		Origin  *json.RawMessage `json:"origin"`
		File    *json.RawMessage `json:"file"`
		Fields  json.RawMessage  `json:"fields"`
		Product any              `json:"product"`
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&form); err != nil {
		return nil, notJSON(b, dec, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, wrong("record_lines")
	}
	switch {
	case form.Test != nil:
		e, err := ruletest.Event(b)
		if err != nil {
			return nil, wrong("record_unknown", "why", err.Error())
		}
		return e, nil
	case form.Fields != nil && (form.Origin != nil || form.File != nil):
		return shown(b)
	}
	var flat bytes.Buffer
	if err := json.Compact(&flat, b); err != nil {
		return nil, wrong("record_json", "line", "1", "column", "1", "why", err.Error())
	}
	e, err := ingest.Record(flat.Bytes(), format.Pos{}, src)
	if err != nil {
		return nil, wrong("record_unknown", "why", err.Error())
	}
	return e, nil
}

// shown reads a record as the API and citywall logs decode write it.
func shown(b []byte) (*event.Event, error) {
	var x struct {
		ID       event.ID     `json:"id"`
		Time     *time.Time   `json:"time"`
		Product  string       `json:"product"`
		Category string       `json:"category"`
		Service  string       `json:"service"`
		Source   string       `json:"source"`
		Fields   event.Fields `json:"fields"`
		Raw      string       `json:"raw"`
		Origin   event.Origin `json:"origin"`
	}
	if err := json.Unmarshal(b, &x); err != nil {
		return nil, wrong("record_unknown", "why", err.Error())
	}
	e := &event.Event{ID: x.ID, Realm: asset.City, Source: x.Source, Product: x.Product, Category: x.Category, Service: x.Service, Fields: x.Fields, Raw: []byte(x.Raw), Origin: x.Origin}
	if x.Time != nil {
		e.Time = x.Time.UTC()
	}
	return e, nil
}

// notJSON says where a text stops being JSON.
func notJSON(b []byte, dec *json.Decoder, err error) error {
	at := dec.InputOffset()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = syntax.Offset
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		at = int64(len(b))
	}
	head := b[:min(max(at, 0), int64(len(b)))]
	line := bytes.Count(head, []byte("\n")) + 1
	column := len([]rune(string(head[bytes.LastIndexByte(head, '\n')+1:])))
	return wrong("record_json", "line", strconv.Itoa(line), "column", strconv.Itoa(max(1, column)), "why", err.Error())
}
