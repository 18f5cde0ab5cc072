// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"testing"

	"citywall/asset"
)

// TestTopologyIsExchanged: what correlation has observed stays when the drawing
// changes, what comes after is judged by the new one, and reading back keeps it.
func TestTopologyIsExchanged(t *testing.T) {
	h := newHouse(t)
	h.rules = rules(t, logCleared, sprayed)
	h.start()
	msgs := attack()
	advice := func(what, want string, findings int) {
		t.Helper()
		h.settle()
		got, n := "no machine srv-0", 0
		for _, in := range h.rec.last() {
			n += len(in.Findings)
			for _, x := range in.Hosts {
				if x.Host == "srv-0" {
					got = x.Isolate
				}
			}
		}
		if got != want || n < findings {
			t.Errorf("%s: srv-0 is advised %q after %d findings, want %q after %d", what, got, n, want, findings)
		}
	}
	half := len(msgs) / 2
	h.publish(msgs[:half]...)
	advice("before", "now", half/2)
	medical := asset.Topology{Hosts: []asset.Host{{Name: "srv-0", Roles: []asset.Role{asset.RoleMedical}}}}
	h.l.SetTopology(medical)
	advice("drawn as medical", "two_people", half/2)
	h.publish(msgs[half:]...)
	advice("after more records", "two_people", len(msgs)/2)
	h.l.SetTopology(medical)
	h.l.SetTopology(asset.Topology{}) // the later one counts
	advice("twice at once", "now", len(msgs)/2)
	h.stop()

	h.prepare()
	h.l.SetTopology(medical) // before it runs
	h.start()
	h.until("it has read back", func() bool { return h.l.Health().Correlate.Refilled == int64(len(msgs)) })
	advice("read back", "two_people", len(msgs)/2)
}
