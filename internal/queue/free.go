// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"sync"
	"time"

	"citywall/internal/fault"
)

// freeSpace watches the disk. JetStream on a full disk shuts itself down, and
// only a restart brings it back; so we refuse before.
type freeSpace struct {
	dir string
	min int64

	mu   sync.Mutex
	at   time.Time // of the last look
	last error
}

const freeEvery = time.Second

func (f *freeSpace) check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.at.IsZero() && time.Since(f.at) < freeEvery {
		return f.last
	}
	f.at, f.last = time.Now(), nil
	n, ok := freeBytes(f.dir)
	if ok && n < f.min {
		f.last = fault.New(fault.Busy, "the disk of the queue has %d bytes free and keeps %d; make room, then send again", n, f.min)
	}
	return f.last
}
