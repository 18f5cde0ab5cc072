// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"errors"
	"math/bits"
	"slices"
	"sync"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/syslog"
)

// prioritised reports whether a record begins with a syslog priority, <0> to
// <999>.
func prioritised(b []byte) bool {
	i := bytes.IndexByte(b[:min(len(b), 5)], '>')
	if i < 2 || b[0] != '<' {
		return false
	}
	for _, c := range b[1:i] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

var syslogRecord = sync.OnceValue(func() func([]byte, format.Pos, format.Source) (*event.Event, error) { return syslog.Format().Record })

// errUnknown is what a live record of no known form gets.
var errUnknown = errors.New("not a record of a known format (syslog, JSON, Zeek JSON, EVE)")

// Record decodes one live record that stands alone, recognised by its content.
func Record(line []byte, p format.Pos, s format.Source) (*event.Event, error) {
	line = bytes.TrimRight(line, "\r\n\x00")
	if prioritised(line) { // most of what arrives: only syslog begins so, and nobody else need look
		return syslogRecord()(line, p, s)
	}
	c := candidates()
	best, score := -1, minimum-1
	for left := c.of(line); left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left)
		if n := c.list[i].Sniff(line); n > score {
			best, score = i, n
		}
	}
	if best < 0 {
		return nil, errUnknown
	}
	return c.list[best].Record(line, p, s)
}

// choice knows which formats a live record may be of. A set of formats is a
// number whose bit i is list[i].
type choice struct {
	list  []format.Format   // that have records, in the order of Formats
	any   uint64            // all of them
	plain uint64            // those that are asked about every object
	keys  map[string]uint64 // those that are asked about an object with this word
	first [][256]bool       // by the length of a word: what one of keys begins with
}

// candidates is the choice, made once.
var candidates = sync.OnceValue(func() *choice {
	c := &choice{keys: map[string]uint64{}}
	c.list = slices.DeleteFunc(slices.Clone(formats()), func(f format.Format) bool { return f.Record == nil })
	if len(c.list) > 64 {
		panic("ingest: more formats than a choice has room for")
	}
	for i, f := range c.list {
		bit := uint64(1) << i
		c.any |= bit
		if f.Keys == nil {
			c.plain |= bit
		}
		for _, k := range f.Keys {
			c.keys[k] |= bit
			for len(c.first) <= len(k) {
				c.first = append(c.first, [256]bool{})
			}
			c.first[len(k)][k[0]] = true
		}
	}
	return c
})

// of returns the formats that line may be of. An object is looked through once,
// from quote to quote, for the words of all formats: two dozen of them would
// otherwise search it for their own.
func (c *choice) of(line []byte) uint64 {
	if len(line) == 0 || line[0] != '{' {
		return c.any
	}
	found := c.plain
	for i := bytes.IndexByte(line, '"'); i >= 0; {
		rest := line[i+1:]
		n := bytes.IndexByte(rest, '"')
		if n < 0 {
			break
		}
		if n > 0 && n < len(c.first) && c.first[n][rest[0]] {
			found |= c.keys[string(rest[:n])]
		}
		i += n + 1
	}
	return found
}
