// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"context"
	"path"
	"reflect"
	"testing"

	"citywall/event"
	"citywall/ingest/format"
)

// bothWays decodes a log as it is decoded, and every record by the slow way,
// and holds the two to be the same: events in their order with all they have,
// counts, notes and gaps. It returns how many records there are and how many
// of them ran as programs.
func bothWays(t testing.TB, name string, data []byte, k *kit) (records, ran int64) {
	t.Helper()
	src := format.Source{SHA256: "x", Name: name, File: name, Realm: "city", Exhibit: "1"}
	read := func(k *kit) (out []*event.Event, st format.Stats) {
		before := k.ran
		st, err := decode(context.Background(), bytes.NewReader(data), src, func(e *event.Event) error {
			out = append(out, e)
			return nil
		}, k)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ran = k.ran - before
		return out, st
	}
	want, wantStats := read(&kit{slow: true})
	if ran != 0 {
		t.Fatalf("%s: %d records ran as programs though all were to go the slow way", name, ran)
	}
	got, stats := read(k)
	if !reflect.DeepEqual(stats, wantStats) {
		t.Errorf("%s: stats %+v, the slow way %+v", name, stats, wantStats)
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d events, the slow way %d", name, len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%s: event %d at %d:\n%+v\n%s\nthe slow way:\n%+v\n%s", name, i, got[i].Origin.Offset, *got[i], got[i].Raw, *want[i], want[i].Raw)
		}
	}
	return stats.Decoded, ran
}

// Every shared log, both ways. One kit reads them all, as one kit does in a
// hunt: what it knows of one log must not colour the next.
func TestBothWays(t *testing.T) {
	for archive, atLeast := range map[string]float64{
		"evtx/decode/evtx-samples.zip":           0.95,
		"evtx/attack/evtx-to-mitre-attack.zip":   0.95,
		"sigma-regression/regression-shared.zip": 0.95,
	} {
		k := &kit{}
		var records, ran int64
		eachMember(t, archive, func(name string, data []byte) {
			if path.Ext(name) != ".evtx" {
				return
			}
			n, r := bothWays(t, name, data, k)
			records += n
			ran += r
			if n-r > 20 {
				t.Logf("%s: %d of %d slow", name, n-r, n)
			}
		})
		t.Logf("%s: %d of %d records ran as programs", archive, ran, records)
		if float64(ran) < atLeast*float64(records) {
			t.Errorf("%s: only %d of %d records ran as programs", archive, ran, records)
		}
	}
}
