// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package defender decodes what Microsoft Defender writes outside of the Windows
// event log: MPLog of the antivirus on a machine, and alerts of Defender for
// Endpoint and Defender XDR as JSON, one a line or the answer of the interface,
// and the tables of advanced hunting as it streams them.
//
// The Windows channel is read with the event log, exports of advanced hunting as
// CSV. JSON keeps its names; what stands in MPLog's sentences is in README.md.
//
// It never joins the lines of an MPLog that have no time to those before them.
package defender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "defender"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"@odata.context", "detectionSource", "properties"}, Decode: decode, Record: record}
}

func sniff(head []byte) int {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \r\n\t")
	if len(text) == 0 {
		return 0
	}
	if text[0] == '{' {
		line, _, _ := bytes.Cut(text, []byte("\n"))
		if isAnswer(text) || isAlert(line) || isStream(line) {
			return 93
		}
		return 0
	}
	// MPLog: a time of UTC on each line, and a word that only it has.
	if format.SniffLines(text, func(l []byte) bool { _, _, ok := stamp(string(l)); return ok || bytes.IndexByte(l, '-') < 0 }) {
		for _, w := range [...]string{"Microsoft Antimalware", "MpEngine", "DETECTION", "MPSOURCE_", "ProcessImageName: ", "SDN:", "[Mini-filter]", "Engine version", "RTP "} {
			if bytes.Contains(head, []byte(w)) && bytes.Contains(head, []byte("Z ")) {
				return 85
			}
		}
	}
	return 0
}

// isAnswer knows an answer of the interfaces by the context that both write.
func isAnswer(b []byte) bool {
	b = b[:min(len(b), 512)]
	return bytes.Contains(b, []byte(`"@odata.context"`)) && bytes.Contains(b, []byte(`"value"`)) &&
		(bytes.Contains(b, []byte("securitycenter")) || bytes.Contains(b, []byte("security/alerts")) || bytes.Contains(b, []byte("security.microsoft.com")))
}

func isAlert(b []byte) bool {
	has := func(s string) bool { return bytes.Contains(b, []byte(s)) }
	return has(`"detectionSource"`) && has(`"severity"`) && has(`"title"`) && (has(`"alertCreationTime"`) || has(`"serviceSource"`) && has(`"createdDateTime"`))
}

func isStream(b []byte) bool {
	return bytes.Contains(b, []byte(`"category":"AdvancedHunting-`)) && bytes.Contains(b, []byte(`"properties":`))
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	head := make([]byte, 512)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return format.Stats{}, err
	}
	all := io.MultiReader(bytes.NewReader(head[:n]), r)
	if !isAnswer(head[:n]) {
		return format.Lines(record)(ctx, all, src, emit)
	}
	return format.Elements(ctx, all, "value", func(text []byte, p format.Pos) (*event.Event, error) { return alert(text, p, src) }, emit)
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	rec = bytes.TrimPrefix(rec, []byte("\xef\xbb\xbf"))
	if len(rec) > 0 && rec[0] == '{' {
		return alert(rec, p, src)
	}
	at, text, ok := stamp(string(rec))
	if !ok {
		return nil, format.ErrSkip // a line of a block whose first line had the time
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return nil, fmt.Errorf("time %q: %w", at, err)
	}
	e := src.Event(name, p)
	e.Product, e.Category, e.Service, e.Raw = "defender", "antivirus", "mplog", bytes.Clone(rec)
	e.Time, e.TimeRaw = t.UTC(), at
	b := format.NewBody(&e.Fields, 16)
	b.Add("message", text)
	sentence(b, text)
	return e, nil
}

// stamp cuts "2026-03-13T10:50:00.123Z ".
func stamp(s string) (at, text string, ok bool) {
	at, text, ok = strings.Cut(s, " ")
	if !ok || len(at) < 20 || len(at) > 30 || at[10] != 'T' || at[len(at)-1] != 'Z' || at[4] != '-' {
		return "", s, false
	}
	return at, text, true
}

// alert reads an alert of either interface, or a record of the stream.
func alert(b []byte, p format.Pos, src format.Source) (*event.Event, error) {
	f, err := flatjson.Parse(b)
	if err != nil {
		return nil, err
	}
	e := src.Event(name, p)
	e.Product, e.Category, e.Service, e.Raw = "defender", "alert", "alert", bytes.Clone(b)
	if cat, ok := strings.CutPrefix(f.Str("category"), "AdvancedHunting-"); ok {
		return hunting(e, f, cat)
	}
	e.Fields = f
	e.TimeRaw = f.First("alertCreationTime", "createdDateTime")
	if e.TimeRaw == "" || f.Str("title") == "" {
		return nil, errors.New("no alert: want title and alertCreationTime or createdDateTime")
	}
	e.Time, e.ZoneAssumed, err = format.Time(e.TimeRaw, time.UTC)
	return e, err
}

// hunting gives the streamed tables the column names of advanced hunting.
func hunting(e *event.Event, f event.Fields, table string) (*event.Event, error) {
	e.Category, e.Service = "", "hunting"
	switch table {
	case "AlertInfo":
		e.Category, e.Service = "alert", "alert"
	case "AlertEvidence":
		e.Category, e.Service = "alert", "evidence"
	}
	for i := range f {
		f[i].Name = strings.TrimPrefix(f[i].Name, "properties.")
	}
	e.Fields = f
	e.TimeRaw = f.First("Timestamp", "time")
	var err error
	e.Time, e.ZoneAssumed, err = format.Time(e.TimeRaw, time.UTC)
	return e, err
}
