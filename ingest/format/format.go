// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package format is the contract of a decoder: bytes in, events out, and an
// honest count of what could not be read.
//
// A decoder lives in a folder below this one and is a Format value in the list
// of package ingest; nothing registers itself. It promises limits, no panic on
// any input, and that a bad record never hides a good one. It never looks at
// the network or the clock: what it must know arrives in Source.
package format

import (
	"context"
	"fmt"
	"io"
	"time"

	"citywall/asset"
	"citywall/event"
)

// Limits every decoder keeps. A record beyond them is counted as damaged.
const (
	MaxRecord = 1 << 20 // bytes of one text record
	MaxDepth  = 32      // nesting of JSON, XML, BinXML
	MaxFields = 2048    // fields of one record
)

// Source tells a decoder what it cannot read off the bytes.
type Source struct {
	Realm    asset.Realm
	Agency   string
	Name     string         // registered sender; for files the display path
	File     string         // Origin.File
	Inner    string         // Origin.Inner
	SHA256   string         // Origin.SHA256, of the file or member
	Stream   string         // Origin.Stream, live input
	Exhibit  string         // Origin.Exhibit
	Zone     *time.Location // for times without a zone; nil means Asia/Taipei
	Received time.Time      // live: arrival; files: zero
	NotAfter time.Time      // latest plausible time, for records that write no year: arrival, or the file's own time
	Carve    bool           // also look for deleted records (EVTX)
	CSV      *CSVMapping    // for CSV without a known header
}

// CSVMapping says what the columns of a CSV mean.
type CSVMapping struct {
	Time     string            `json:"time" yaml:"time"`         // column of the time
	Layout   string            `json:"layout" yaml:"layout"`     // Go layout, "epoch", "epoch_ms", or "" to guess ISO 8601
	Product  string            `json:"product" yaml:"product"`   // Event.Product
	Category string            `json:"category" yaml:"category"` // Event.Category
	Service  string            `json:"service" yaml:"service"`   // Event.Service
	Rename   map[string]string `json:"rename" yaml:"rename"`     // column -> native field name
}

// Taipei is the default zone of a record without one. It has no daylight
// saving since 1980, so a fixed offset is exact for every log we will meet.
var Taipei = time.FixedZone("Asia/Taipei", 8*3600)

// Location returns the zone for times without one.
func (s Source) Location() *time.Location {
	if s.Zone == nil {
		return Taipei
	}
	return s.Zone
}

// Pos is where a record lies in its file or stream.
type Pos struct {
	Offset int64  // bytes
	Line   int64  // 1-based, 0 when not a text format
	Seq    uint64 // what the event id is derived from; files use the offset
}

// Origin returns the way back to the bytes of the record at p.
func (s Source) Origin(format string, p Pos) event.Origin {
	return event.Origin{
		Format: format, File: s.File, Inner: s.Inner, SHA256: s.SHA256, Stream: s.Stream,
		Offset: p.Offset, Line: p.Line, Exhibit: s.Exhibit,
	}
}

// Event returns an event with everything set that follows from source and
// position: id, realm, agency, received, source, origin.
//
// The id of a record in a file depends on the file's content only, so that a
// copy under another name gives the same ids; that of a live record depends on
// its sender and stream.
func (s Source) Event(format string, p Pos) *event.Event {
	return &event.Event{
		ID: s.ID(p.Seq), Realm: s.Realm, Agency: s.Agency,
		Received: s.Received, Source: s.Name, Origin: s.Origin(format, p),
	}
}

// ID returns the id that Event gives the record at Pos.Seq.
func (s *Source) ID(seq uint64) event.ID {
	src, stream := s.Name, s.Stream
	if s.SHA256 != "" {
		src, stream = "file", s.SHA256
	}
	return event.NewID(src, stream, seq)
}

// Emit receives events in the order of the file. An error stops the decoder,
// which returns it. The event belongs to the receiver.
type Emit func(*event.Event) error

// Stats counts what happened to the records of one source.
type Stats struct {
	Decoded int64     // events emitted
	Skipped int64     // understood but not an event: comments, headers, blank lines do not count; rotated markers do
	Damaged int64     // could not be read
	Carved  int64     // of Decoded: recovered from slack
	Chunks  int       // EVTX: found in the file, whatever its header says
	First   time.Time // smallest and largest event time
	Last    time.Time
	Notes   []string // up to MaxNotes sentences: what, where
	Gaps    []Gap    // jumps of record ids
}

// MaxNotes bounds Stats.Notes; the counts go on.
const MaxNotes = 20

// Gap is a jump in the record ids of one channel: records are missing.
type Gap struct {
	Channel  string    `json:"channel"`
	After    uint64    `json:"after"`  // last id before
	Before   uint64    `json:"before"` // first id after
	FromTime time.Time `json:"from"`
	ToTime   time.Time `json:"to"`
}

// Note adds a sentence about a damaged or odd record.
func (s *Stats) Note(f string, args ...any) {
	if len(s.Notes) < MaxNotes {
		s.Notes = append(s.Notes, fmt.Sprintf(f, args...))
	}
}

// Saw counts an emitted event.
func (s *Stats) Saw(e *event.Event) {
	s.Decoded++
	if e.Time.IsZero() {
		return
	}
	if s.First.IsZero() || e.Time.Before(s.First) {
		s.First = e.Time
	}
	if e.Time.After(s.Last) {
		s.Last = e.Time
	}
}

// Merge adds o to s.
func (s *Stats) Merge(o Stats) {
	s.Decoded += o.Decoded
	s.Skipped += o.Skipped
	s.Damaged += o.Damaged
	s.Carved += o.Carved
	if s.First.IsZero() || !o.First.IsZero() && o.First.Before(s.First) {
		s.First = o.First
	}
	if o.Last.After(s.Last) {
		s.Last = o.Last
	}
	for _, n := range o.Notes {
		s.Note("%s", n)
	}
	s.Gaps = append(s.Gaps, o.Gaps...)
}

// NoObject is Format.Keys of a format whose records are never JSON objects.
var NoObject = []string{}

// Format is one decoder.
type Format struct {
	Name string

	// Sniff looks at up to 4 KiB from the start and says how sure it is that
	// this is its format: 0 no, 100 certain.
	Sniff func(head []byte) int

	// Decode reads all of r. Errors are for reading and for emit; damaged
	// records are counted, noted and passed over.
	Decode func(ctx context.Context, r io.Reader, src Source, emit Emit) (Stats, error)

	// Record decodes one record that stands alone (a line of JSON, a syslog
	// message). Nil when a record needs what came before it.
	Record func(rec []byte, p Pos, src Source) (*event.Event, error)

	// Keys spare Sniff the live records that are a JSON object and cannot be
	// its: it answers 0 unless the record has one of these words, whole and in
	// quotes. nil: it must be asked; NoObject: none is its.
	Keys []string

	// Joined says that Decode makes one event of several lines which Record can
	// only read one by one: live lines of one file are then decoded together.
	Joined bool
}
