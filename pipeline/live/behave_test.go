// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/internal/queue"
)

// refused are contacts of one host that were refused, as Windows' firewall
// records them. The fourth is one too many (detect/behaviour, scan).
func refused(from, to int) []queue.Message { return refusedOf("10.1.1.9", from, to) }

func refusedOf(src string, from, to int) (ms []queue.Message) {
	for i := from; i < to; i++ {
		line := fmt.Sprintf(`{"@timestamp":%q,"winlog":{"channel":"Security","event_id":5157,"provider_name":"P","computer_name":"srv-1","record_id":%d,"event_data":{"SourceAddress":%q,"DestAddress":"10.1.2.%d","SourcePort":"50000","DestPort":"80","Protocol":"6","Application":"x.exe"}}}`,
			time.Now().Add(time.Duration(i-20)*time.Second).UTC().Format(time.RFC3339Nano), i, src, i+1)
		ms = append(ms, message(fmt.Sprintf("r%02d", i), line))
	}
	return ms
}

func (h *house) scans() (n int) {
	h.rec.mu.Lock()
	defer h.rec.mu.Unlock()
	for _, f := range h.rec.findings {
		if f.Meaning.Technique == "T1046" {
			n++
		}
	}
	return n
}

// Detectors go on where they were: after an orderly stop from what was saved,
// after a kill from the store. Where neither is there they begin anew.
func TestBehaviourOutlivesARestart(t *testing.T) {
	for _, c := range []struct {
		name         string
		saved, store bool
		want         int
	}{{"stopped", true, false, 1}, {"killed", false, true, 1}, {"both", true, true, 1}, {"neither", false, false, 0}} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			h.start()
			h.publish(refused(0, 3)...)
			h.settle()
			h.stop()
			if h.state.Doc == nil || h.state.Seq == 0 || h.scans() != 0 {
				t.Fatalf("state of %d bytes at %d, %d findings", len(h.state.Doc), h.state.Seq, h.scans())
			}
			if !c.saved {
				h.state = detect.State{}
			}
			if !c.store {
				h.cfg.Warm = 0
			}
			h.start()
			h.publish(refused(3, 4)...)
			h.settle()
			if n := h.scans(); n != c.want {
				t.Errorf("%d findings, want %d", n, c.want)
			}
		})
	}
}

// A public network that is drawn as the house's own is not outside: whoever scans
// from there is told as a host of the house.
func TestBehaviourKnowsTheHouse(t *testing.T) {
	for _, drawn := range []bool{true, false} {
		h := newHouse(t)
		h.prepare()
		if drawn {
			h.l.SetTopology(asset.Topology{Segments: []asset.Segment{
				{Name: "servers", Prefix: netip.MustParsePrefix("203.0.113.0/24"), Zone: asset.ZoneDMZ}, {Name: "a partner", Prefix: netip.MustParsePrefix("198.51.100.0/24"), Zone: asset.ZoneExternal},
			}})
		}
		h.start()
		h.publish(refusedOf("198.51.100.9", 0, 4)...)
		h.publish(refusedOf("203.0.113.9", 4, 8)...)
		h.settle()
		if n := h.scans(); n > 0 != drawn {
			t.Errorf("drawn %v: %d findings", drawn, n)
		}
		h.stop()
	}
}

// Switched off, nothing is watched.
func TestBehaviourOff(t *testing.T) {
	h := newHouse(t)
	h.cfg.Behaviour = false
	h.start()
	h.publish(refused(0, 12)...)
	h.settle()
	if n := h.scans(); n != 0 || h.l.Health().Behaviour != nil {
		t.Errorf("%d findings", n)
	}
}

// Stopped before its findings could be recorded, a batch is judged again: no
// state may be saved that holds it already.
func TestBehaviourIsNotSavedBeforeItsFindings(t *testing.T) {
	h := newHouse(t)
	h.cfg.Grace = 50 * time.Millisecond
	h.rec.failing = errors.New("down")
	h.start()
	h.publish(refused(0, 4)...)
	h.until("trouble", func() bool { return len(h.l.Health().Trouble) == 1 })
	h.stop()
	if h.state.Doc != nil {
		t.Error("a state was saved whose findings are lost")
	}
	h.q.Close()
	h.rec.failing = nil
	h.openQueue()
	h.start()
	h.settle()
	if n := h.scans(); n != 1 {
		t.Errorf("%d findings, want 1", n)
	}
}

// Correlation does not use what detectors say, live or read back.
func TestBehaviourIsNotCorrelated(t *testing.T) {
	h := newHouse(t)
	h.start()
	h.publish(refused(0, 12)...)
	h.settle()
	before := asJSON(t, h.rec.last())
	h.stop()
	if h.scans() == 0 {
		t.Fatal("no finding: the test tests nothing")
	}
	read := map[string]bool{}
	h.prepare()
	each := h.l.p.EachFinding
	c := &correlator{l: h.l}
	h.l.p.EachFinding = func(ctx context.Context, from, to time.Time, f func(detect.Finding)) error {
		return each(ctx, from, to, func(x detect.Finding) { read[x.ID] = true; f(x) })
	}
	if _, err := c.readBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(read) == 0 || len(c.found) != 0 {
		t.Errorf("%d findings were read and %d given to correlation", len(read), len(c.found))
	}
	if after := asJSON(t, c.engine.Incidents(t.Context())); len(c.stored) == 0 || before != "null" && after != before {
		t.Errorf("incidents differ: %s", after)
	}
}
