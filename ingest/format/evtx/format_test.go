// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"testing"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/ingest/format"
	"citywall/internal/fault"
)

func TestSniff(t *testing.T) {
	log := written(t, sample())
	for name, c := range map[string]struct {
		head []byte
		want int
	}{
		"log":      {log[:4096], 100},
		"chunk":    {log[fileHeader : fileHeader+4096], 95},
		"old evt":  {[]byte("\x30\x00\x00\x00LfLe"), 0},
		"zeroes":   {make([]byte, 4096), 0},
		"too few":  {[]byte("ElfFil"), 0},
		"nothing":  {nil, 0},
		"elf":      {[]byte("\x7fELF\x02\x01\x01\x00"), 0},
		"elffiles": {[]byte("ElfFile is a word"), 0},
	} {
		if got := Format().Sniff(c.head); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if f := Format(); f.Name != "evtx" || f.Record != nil || f.Decode == nil {
		t.Errorf("%+v", f)
	}
}

// Every event leads back to its bytes, and a copy of the log under another
// name gives the same ids.
func TestOrigin(t *testing.T) {
	r := sample()
	r.ID = 4711
	data := written(t, sample(), r)
	src := format.Source{Realm: asset.Police, Agency: "A1", Name: "exhibit 1", File: "C:/logs/x.evtx", Inner: "x.evtx", SHA256: "ab", Exhibit: "E-7"}
	events, _ := decodeAll(t, data, src)
	e := events[1]
	want := event.Origin{Format: "evtx", File: "C:/logs/x.evtx", Inner: "x.evtx", SHA256: "ab", Exhibit: "E-7", Offset: e.Origin.Offset, Record: 4711}
	if e.Origin != want || e.Realm != asset.Police || e.Agency != "A1" || e.Source != "exhibit 1" || e.Product != "windows" || e.Category != "" || e.Service != "" {
		t.Errorf("%+v", e)
	}
	copied, _ := decodeAll(t, data, format.Source{Name: "other", File: "y", SHA256: "ab"})
	if copied[1].ID != e.ID || copied[0].ID == e.ID || e.ID != event.NewID("file", "ab", uint64(e.Origin.Offset)) {
		t.Error("ids depend on more than content and place")
	}
	root, err := At(bytes.NewReader(data), e.Origin.Offset)
	if err != nil || root.Child("System").Child("EventRecordID").Text() != "4711" {
		t.Errorf("At: %v", err)
	}
	for _, off := range []int64{-1, 0, 5000, e.Origin.Offset + 8, int64(len(data)), 1 << 40} {
		if _, err := At(bytes.NewReader(data), off); !fault.Is(err, fault.Invalid) {
			t.Errorf("offset %d: error %v, want invalid", off, err)
		}
	}
}

// Chunks cut out of a disk image have no file header.
func TestBareChunks(t *testing.T) {
	data := written(t, sample(), sample())[fileHeader:]
	events, st := decodeAll(t, append(data, data...), format.Source{})
	if len(events) != 4 || st.Damaged != 0 || events[3].Origin.Chunk != 1 || !isRecord(append(data, data...)[events[3].Origin.Offset:]) {
		t.Errorf("%d events, %+v", len(events), st)
	}
	if root, err := At(bytes.NewReader(data), events[1].Origin.Offset); err != nil || root.Name != "Event" {
		t.Errorf("At: %v", err)
	}
}

// Time is the event's own, then the record header's. One without a zone takes
// the source's.
func TestTime(t *testing.T) {
	for name, c := range map[string]struct {
		written string
		want    time.Time
		assumed bool
	}{
		"with zone":    {"2021-11-19T16:52:33.833733500Z", time.Date(2021, 11, 19, 16, 52, 33, 833733500, time.UTC), false},
		"without zone": {"2021-11-19T16:52:33", time.Date(2021, 11, 19, 8, 52, 33, 0, time.UTC), true},
		"zero":         {"1601-01-01T00:00:00.000000Z", fileTime(0x01d00000 << 32), false},
		"no time":      {"soon", fileTime(0x01d00000 << 32), false},
	} {
		a := newAsm()
		a.record(func() {
			a.elem("Event", func() {
				a.elem("System", func() {
					a.u8(tokOpen | tokMore)
					size := len(a.b)
					a.u32(0).name("TimeCreated")
					list := len(a.b)
					a.u32(0).u8(tokAttr).name("SystemTime").text(c.written)
					le.PutUint32(a.b[list:], uint32(len(a.b)-list-4))
					a.u8(tokEmpty)
					le.PutUint32(a.b[size:], uint32(len(a.b)-size-4))
				})
			})
		})
		e := one(t, a.file())
		if !e.Time.Equal(c.want) || e.ZoneAssumed != c.assumed || e.TimeRaw != c.written {
			t.Errorf("%s: %v assumed %v raw %q, want %v", name, e.Time, e.ZoneAssumed, e.TimeRaw, c.want)
		}
	}
}
