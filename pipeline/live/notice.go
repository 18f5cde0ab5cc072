// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"sync"
	"time"

	"citywall/detect"
)

// NoticeKind says what a notice is about.
type NoticeKind string

// Kinds of notice.
const (
	NoticeFinding  NoticeKind = "finding"  // a rule fired
	NoticeIncident NoticeKind = "incident" // an incident is new or changed
	NoticeSource   NoticeKind = "source"   // a source fell silent, is late, or is well again
)

// Notice is something that people who watch want to see at once. It is a hint
// to look: what it speaks of is in its record already.
type Notice struct {
	Kind     NoticeKind      `json:"kind"`
	Time     time.Time       `json:"time"`
	Finding  *detect.Finding `json:"finding,omitempty"`  // not to be changed
	Incident string          `json:"incident,omitempty"` // record id
	Source   *Source         `json:"source,omitempty"`
	Missed   int             `json:"missed,omitempty"` // notices lost before this one, because the reader was slow
}

// noticeBuffer is how far a reader may fall behind.
const noticeBuffer = 256

// hub passes notices on to whoever subscribed. It never waits for a reader.
type hub struct {
	mu   sync.Mutex
	subs map[*subscriber]bool
}

type subscriber struct {
	c      chan Notice
	missed int
}

func (h *hub) subscribe() (<-chan Notice, func()) {
	s := &subscriber{c: make(chan Notice, noticeBuffer)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = map[*subscriber]bool{}
	}
	h.subs[s] = true
	return s.c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.subs[s] {
			delete(h.subs, s)
			close(s.c)
		}
	}
}

func (h *hub) send(n Notice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		n.Missed = s.missed
		select {
		case s.c <- n:
			s.missed = 0
		default:
			s.missed++
		}
	}
}
