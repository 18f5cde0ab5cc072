// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"citywall/asset"
	"citywall/internal/canon"
	"citywall/internal/fault"
)

// Limits of one entry. An act beyond them is refused; an outcome is cut, since
// it happened.
const (
	maxLine   = 64 << 10 // bytes of a line with its newline
	maxReason = 4 << 10
	maxError  = 2 << 10
)

// Phase tells an intent from its outcome.
type Phase string

// Phases of an entry.
const (
	Intent  Phase = "intent"
	Outcome Phase = "outcome"
)

// Results of an outcome.
const (
	Done    = "done"
	Failed  = "failed"
	Panic   = "panic"   // the act panicked
	Unknown = "unknown" // the process ended before the outcome was written
)

// Entry is one line of the log. On disk it is canonical JSON (RFC 8785).
type Entry struct {
	Seq    uint64            `json:"seq"` // from 0, without gaps
	Time   time.Time         `json:"time"`
	Realm  asset.Realm       `json:"realm"`
	Actor  string            `json:"actor"`
	Action string            `json:"action"`
	Object string            `json:"object,omitempty"`
	Reason string            `json:"reason,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
	Phase  Phase             `json:"phase"`
	Ref    *uint64           `json:"ref,omitempty"`    // outcome: Seq of its intent
	Result string            `json:"result,omitempty"` // outcome: done, failed, panic, unknown
	Error  string            `json:"error,omitempty"`  // outcome: why it failed
}

// line returns the entry as it stands in the file, newline included.
func (e Entry) line() ([]byte, error) {
	b, err := canon.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("audit entry: %w", err)
	}
	if len(b) >= maxLine {
		return nil, fault.New(fault.Invalid, "audit entry: %d bytes are more than %d: shorten the reason or the details", len(b), maxLine)
	}
	return append(b, '\n'), nil
}

// parse reads a line without its newline. What is not exactly what line would
// write is refused: two spellings of one entry would be two entries.
func parse(b []byte) (Entry, error) {
	var e Entry
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return e, fmt.Errorf("is not an entry: %w", err)
	}
	again, err := e.line()
	if err != nil {
		return e, err
	}
	if !bytes.Equal(again[:len(again)-1], b) {
		return e, fmt.Errorf("is not in canonical form")
	}
	switch {
	case !e.Realm.Valid() || e.Actor == "" || e.Action == "":
		return e, fmt.Errorf("lacks realm, actor or action")
	case e.Phase == Intent && e.Ref == nil && e.Result == "":
	case e.Phase == Outcome && e.Ref != nil && *e.Ref < e.Seq && e.Result != "":
	default:
		return e, fmt.Errorf("is neither an intent nor an outcome")
	}
	return e, nil
}

// cut shortens s to at most n bytes at a character's edge, and says so.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return fmt.Sprintf("%s … (%d bytes in all)", s[:n], len(s))
}
