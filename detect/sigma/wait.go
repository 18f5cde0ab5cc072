// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"encoding/gob"
	"io"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/internal/extsort"
)

// A batch engine keeps the hits of a correlation until Flush, because input need
// not be in order of time. What is more than waitBytes lies sorted on disk.
const waitBytes = 32 << 20

// wait keeps a hit of a batch until Flush. The caller holds mu.
func (c *correlation) wait(h *hit) {
	m := c.state
	if m.waiting == nil {
		m.waiting = extsort.New(waitBytes, (*hit).weight, compareHits, extsort.Codec[hit]{Encode: encodeHits, Decode: decodeHits})
	}
	if m.broken != nil {
		return // Flush says why
	}
	m.broken = m.waiting.Add(*h)
}

// weight is about what a waiting hit takes in memory: its event's texts go on
// living with it.
func (h *hit) weight() int {
	n := 900
	for _, v := range h.values {
		n += 16 + len(v)
	}
	return n
}

// storedHit is a hit on its way over the disk.
type storedHit struct {
	At     time.Time
	Member int
	Values []string
	IDs    []event.ID
	Origin []event.Origin
	View   *event.View
	Realm  asset.Realm
	Agency string
}

func encodeHits(w io.Writer) func(*hit) error {
	e := gob.NewEncoder(w)
	return func(h *hit) error {
		return e.Encode(storedHit{h.at, h.member, h.values, h.ids, h.origin, h.view, h.realm, h.agency})
	}
}

func decodeHits(r io.Reader) func(*hit) error {
	d := gob.NewDecoder(r)
	return func(h *hit) error {
		var s storedHit
		if err := d.Decode(&s); err != nil {
			return err
		}
		*h = hit{s.At, s.Member, s.Values, s.IDs, s.Origin, s.View, s.Realm, s.Agency}
		return nil
	}
}
