// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"fmt"
	"testing"
)

// While acknowledgements are held back events are stored and the queue keeps
// every pack; released, it forgets them.
func TestHoldAcks(t *testing.T) {
	h := newHouse(t)
	h.start()
	first, second := h.l.HoldAcks(), h.l.HoldAcks()
	for i := range 5 {
		h.publish(message(fmt.Sprint(i), winlog(4624, i+1)))
	}
	h.until("all are stored", func() bool { return h.l.Health().Events == 5 && h.l.Health().InFlight == 0 })
	var b bytes.Buffer
	if n, err := h.q.Export(t.Context(), &b); err != nil || n != 5 {
		t.Errorf("%d packs in the queue, %v", n, err)
	}
	first(t.Context())
	first(t.Context()) // no effect
	if n, err := h.q.Export(t.Context(), &b); err != nil || n != 5 {
		t.Errorf("%d packs in the queue while one still holds, %v", n, err)
	}
	second(t.Context())
	h.settle()
	if len(h.mem.raws()) != 5 {
		t.Errorf("%d events", len(h.mem.raws()))
	}
}
