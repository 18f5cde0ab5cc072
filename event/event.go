// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package event is the one record that everything is about: something was
// observed, by whom, when, and where its bytes lie.
//
// An Event keeps the native field names and the text of the values as its
// source wrote them (hex stays hex). A normalised View lies over it. Every
// event leads back to bytes through its Origin.
//
// It never judges (that is detect.Finding), never fetches, and knows only
// asset.
package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"citywall/asset"
)

// ID names one record: 128 bits of SHA-256 over where the record lies, so that
// the same record has the same id wherever and however often it is read.
type ID [16]byte

// NewID derives the id of the record at position seq (byte offset, line or
// sequence number) of a stream or file, named by its hash or stream name.
func NewID(source, stream string, seq uint64) ID {
	var buf [256]byte // names of two hundred bytes cost no allocation
	b := buf[:0]
	for _, s := range [...]string{source, stream} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(b, seq))
	return ID(sum[:16])
}

// String returns 32 lower-case hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(b []byte) error {
	x, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = x
	return nil
}

// ParseID reads the form that String writes.
func ParseID(s string) (ID, error) {
	var id ID
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("event id %q: want 32 hex digits", s)
	}
	copy(id[:], b)
	return id, nil
}

// Origin is the way back to bytes.
type Origin struct {
	Format  string `json:"format"`                    // decoder, e.g. "evtx", "zeek"
	File    string `json:"file,omitempty"`            // path as given by the user, or sender of a stream
	Inner   string `json:"path_in_archive,omitempty"` // member path, "outer.zip!inner" style for nesting
	SHA256  string `json:"sha256,omitempty"`          // of the file (the member, when inside an archive)
	Stream  string `json:"stream,omitempty"`          // live: listener and connection
	Offset  int64  `json:"offset"`                    // bytes from the start of the file or stream position
	Line    int64  `json:"line,omitempty"`            // 1-based, text formats only
	Record  uint64 `json:"record,omitempty"`          // native record id (EventRecordID), else 0
	Chunk   int32  `json:"chunk,omitempty"`           // EVTX chunk number
	Carved  bool   `json:"carved,omitempty"`          // found in slack, not a live record
	Exhibit string `json:"exhibit,omitempty"`         // case exhibit the bytes belong to
}

// Event is one observed record.
type Event struct {
	ID          ID
	Realm       asset.Realm
	Agency      string        // code of the agency whose source this is; "" unknown
	Time        time.Time     // UTC; zero when the record has none
	TimeRaw     string        // as written
	Uncertainty time.Duration // half width; sensor resolution plus clock error known at decoding
	ZoneAssumed bool          // the record wrote no zone: the source's configured zone was taken
	Received    time.Time     // when Citywall got it
	Source      string        // registered sender or file the record came through
	Product     string        // Sigma logsource.product: windows, linux, zeek, suricata, ...
	Category    string        // Sigma logsource.category, when the decoder knows it
	Service     string        // Sigma logsource.service, when the decoder knows it
	Fields      Fields        // native names, in the order of the record
	Raw         []byte        // the record as received (text formats) or its canonical JSON (binary formats)
	Origin      Origin

	view *View // see KeepViews
}
