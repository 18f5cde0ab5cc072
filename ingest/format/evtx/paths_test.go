// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"context"
	"math/rand/v2"
	"path"
	"reflect"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx/evtxwrite"
)

// decodeBy decodes a log in memory. ran is the number of records that ran as
// programs.
func decodeBy(t testing.TB, data []byte, src format.Source, k *shop) (out []*event.Event, st format.Stats, ran int64) {
	t.Helper()
	before := k.ran.Load()
	st, err := k.decode(context.Background(), bytes.NewReader(data), src, func(e *event.Event) error {
		out = append(out, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, st, k.ran.Load() - before
}

// bothWays decodes a log as k decodes it, and every record by the slow way, and
// holds the two to be the same: events in their order with all they have,
// counts, notes and gaps.
func bothWays(t testing.TB, data []byte, src format.Source, k *shop) (events []*event.Event, st format.Stats, ran int64) {
	t.Helper()
	slow, slowSt, n := decodeBy(t, data, src, &shop{slow: true, workers: 1})
	if n != 0 {
		t.Fatalf("%d records ran as programs though all were to go the slow way", n)
	}
	events, st, ran = decodeBy(t, data, src, k)
	if !reflect.DeepEqual(st, slowSt) {
		t.Errorf("stats %+v, the slow way %+v", st, slowSt)
	}
	if len(events) != len(slow) {
		t.Fatalf("%d events, the slow way %d", len(events), len(slow))
	}
	for i, e := range events {
		if !reflect.DeepEqual(e, slow[i]) {
			t.Fatalf("event at %d:\n%+v\n%s\nthe slow way:\n%+v\n%s", e.Origin.Offset, *e, e.Raw, *slow[i], slow[i].Raw)
		}
	}
	return events, st, ran
}

// Every shared log, both ways. One kit reads them all, as in a hunt: what it
// knows of one log must not colour the next. Nearly all records must run as
// programs, or they are slow and nobody is told.
func TestBothWays(t *testing.T) {
	k := &shop{}
	for _, c := range []struct {
		archive      string
		records, ran int64
	}{
		{"evtx/decode/evtx-samples.zip", 18397, 18064},
		{"evtx/attack/evtx-to-mitre-attack.zip", 10015, 10006},
		{"sigma-regression/regression-shared.zip", 120, 120},
	} {
		var records, ran int64
		eachMember(t, c.archive, func(name string, data []byte) {
			if path.Ext(name) == ".evtx" {
				_, st, n := bothWays(t, data, format.Source{SHA256: "x", Name: name, File: name, Realm: "city", Exhibit: "1"}, k)
				records += st.Decoded
				ran += n
			}
		})
		if records != c.records || ran < c.ran {
			t.Errorf("%s: %d of %d records ran as programs, want %d of %d", c.archive, ran, records, c.ran, c.records)
		}
	}
}

// Chunks of the shared logs with bits turned over: what can no longer run as a
// program must not come out otherwise than the slow way has it.
func TestBothWaysDamaged(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	k := &shop{}
	var records, ran int64
	mutate := func(chunk []byte, rounds int) {
		log := append(logHeader(1), chunk...)
		free := int(min(le.Uint32(chunk[48:]), chunkSize))
		for range rounds {
			copy(log[fileHeader:], chunk)
			for range 1 + rnd.IntN(30) {
				log[fileHeader+chunkHeader+rnd.IntN(max(free-chunkHeader, 1))] ^= 1 << rnd.IntN(8)
			}
			_, st, n := bothWays(t, log, format.Source{SHA256: "x"}, k)
			records += st.Decoded
			ran += n
		}
	}
	files := 0
	for _, archive := range []string{"evtx/decode/evtx-samples.zip", "evtx/attack/evtx-to-mitre-attack.zip"} {
		eachMember(t, archive, func(_ string, data []byte) {
			if files++; files%5 == 0 && len(data) >= fileHeader+chunkSize && bytes.HasPrefix(data[fileHeader:], chunkMagic) {
				mutate(data[fileHeader:fileHeader+chunkSize], 12)
			}
		})
	}
	if ran < 2000 || ran == records {
		t.Errorf("%d of %d records ran as programs: nothing is shown", ran, records)
	}
}

// A chunk whose budgets are used up on the way: the first record that is
// refused is the same, and so are those before and after it.
func TestBothWaysBeyondBudgets(t *testing.T) {
	a := newAsm()
	values := []slotBytes{{Uint16, []byte{1, 0}}, {String, []byte{'x', 0}}}
	var at uint32
	a.record(func() {
		at = uint32(len(a.b) + 10)
		a.template(5, func() {
			a.elemDep("Event", 0xffff, func() {
				a.elemDep("System", 0xffff, func() { a.elemDep("EventID", 0xffff, func() { a.sub(0, false) }) })
				a.elemDep("EventData", 0xffff, func() {
					for range 400 {
						a.elemDep("Data", 0xffff, func() { a.sub(1, false) })
					}
				})
			})
		}, values)
	})
	n := int64(1)
	for ; len(a.b) < chunkSize-200; n++ {
		a.record(func() {
			a.u8(tokTemplate, 1).u32(5).u32(at)
			a.values(values)
		})
	}
	_, st, ran := bothWays(t, a.file(), format.Source{}, new(shop))
	if ran == 0 || st.Decoded <= ran || st.Damaged == 0 || st.Decoded+st.Damaged != n {
		t.Errorf("%d records: %d decoded, %d of them as programs, %d damaged", n, st.Decoded, ran, st.Damaged)
	}
}

// Nothing is allocated for a record of its own: what its receiver keeps comes in
// blocks that several records share, a few of them for a dozen records.
func TestAllocations(t *testing.T) {
	var r []evtxwrite.Record
	for range 3000 {
		r = append(r, sample(
			evtxwrite.Field{Name: "CommandLine", Value: `C:\Windows\System32\cmd.exe /c "whoami"`},
			evtxwrite.Field{Name: "ProcessId", Type: evtxwrite.Uint32, Value: "4711"},
			evtxwrite.Field{Name: "LogonId", Type: evtxwrite.Hex64, Value: "0x3e7"},
		))
	}
	data := written(t, r...)
	k := &shop{workers: 1}
	n := testing.AllocsPerRun(3, func() {
		if _, err := k.decode(t.Context(), bytes.NewReader(data), format.Source{SHA256: "x"}, func(*event.Event) error { return nil }); err != nil {
			t.Fatal(err)
		}
	})
	if k.ran.Load() != 4*3000 || n/3000 > 0.4 {
		t.Errorf("%.2f allocations a record; %d of %d records ran as programs", n/3000, k.ran.Load(), 4*3000)
	}
	t.Logf("%.2f allocations a record", n/3000)
}

// A definition that names one long name a thousand times would have a signature
// of megabytes, and there may be a thousand such definitions.
func TestSignatureBound(t *testing.T) {
	long := strings.Repeat("n", maxName)
	a := newAsm()
	a.record(func() {
		a.template(5, func() {
			a.elemDep("Event", 0xffff, func() {
				a.elemDep("System", 0xffff, func() { a.elemDep("EventID", 0xffff, func() { a.sub(0, false) }) })
				a.elemDep("UserData", 0xffff, func() {
					for range 8 {
						a.elemDep(long, 0xffff, nil)
					}
				})
			})
		}, []slotBytes{{Uint16, []byte{1, 0}}})
	})
	k := new(shop)
	if _, st, ran := bothWays(t, a.file(), format.Source{}, k); st.Decoded != 1 || ran != 0 {
		t.Errorf("%d decoded, %d of them as programs; want 1 and none", st.Decoded, ran)
	}
	if r := k.kits.take().run; cap(r.sign.sig) > 2*maxSignature || r.signed > 0 {
		t.Errorf("a signature of %d bytes, %d kept", cap(r.sign.sig), r.signed)
	}
}

// FuzzBothWays takes its input for the records of a chunk. Each is decoded by
// the slow way, by a new kit, and by one that has seen it before.
func FuzzBothWays(f *testing.F) {
	a := newAsm()
	oddities(a)
	f.Add(a.b[chunkHeader:])
	withText := classic()
	withText.Unnamed = []string{"a", "", "c"}
	for _, r := range []evtxwrite.Record{sample(), sample(allTypes()...), logCleared(), classic(), withText} {
		b, err := evtxwrite.Bytes(r, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[fileHeader+chunkHeader : fileHeader+le.Uint32(b[fileHeader+48:])])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > chunkSize-chunkHeader {
			return
		}
		c := make([]byte, chunkHeader, chunkSize)
		copy(c, chunkMagic)
		le.PutUint32(c[48:], uint32(chunkHeader+len(data)))
		log := append(logHeader(1), append(c, data...)...)
		k := new(shop)
		bothWays(t, log, format.Source{}, k)
		bothWays(t, log, format.Source{}, k)
	})
}
