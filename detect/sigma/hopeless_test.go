// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"citywall/detect/sigma"
	"citywall/event"
)

// TestHopelessHitsGo: a quarter of a million hits that stand alone, and sixty
// bursts among them, spread over the whole time. Every burst must fire, though
// the lonely ones are more than a correlation may hold; so it must when events
// come somewhat out of order, as several sources give them.
func TestHopelessHitsGo(t *testing.T) {
	const lonely, bursts = 250_000, 60
	for _, kind := range []string{
		"  type: event_count\n  rules: [failed]\n  group-by: [User]\n  timespan: 5m\n  condition: {gte: 12}\n",
		"  type: value_count\n  rules: [failed]\n  group-by: [User]\n  timespan: 5m\n  condition: {gte: 12, field: Host}\n",
		"  type: temporal_ordered\n  rules: [failed, good]\n  group-by: [User]\n  timespan: 5m\n",
	} {
		r := rand.New(rand.NewPCG(3, 5))
		var evs []*event.Event
		add := func(at time.Duration, e, user, host string) {
			evs = append(evs, &event.Event{ID: event.NewID("hopeless", "", uint64(len(evs))), Product: "test", Time: t0.Add(at), Fields: event.Fields{
				{Name: "E", Value: event.T(e)}, {Name: "User", Value: event.T(user)}, {Name: "Host", Value: event.T(host)},
			}})
		}
		for i := range lonely {
			at := time.Duration(i) * time.Second
			add(at, "fail", fmt.Sprint("u", i%997), "h") // each user once in a quarter of an hour
			if i%(lonely/bursts) == 100 {
				for k := range 14 {
					add(at+time.Duration(k)*time.Millisecond, "fail", fmt.Sprint("burst", i), fmt.Sprint("h", k))
				}
				add(at+time.Second, "good", fmt.Sprint("burst", i), "h")
			}
		}
		for i := range evs {
			k := min(i+r.IntN(500), len(evs)-1)
			evs[i], evs[k] = evs[k], evs[i]
		}
		e, _ := load(t, sigma.Options{Batch: true}, corr(kind))
		n := 0
		for _, f := range play(t, e, evs) {
			if f.Rule.Title == "C" {
				n++
			}
		}
		loss := e.CorrelationLoss()
		if n != bursts || loss.Full != 0 || loss.LetGo == 0 {
			t.Errorf("%s: %d of %d bursts fired, %+v", kind, n, bursts, loss)
		}
	}
}
