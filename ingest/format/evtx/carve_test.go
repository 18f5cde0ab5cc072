// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx/evtxwrite"
)

// hide shortens the live data of a one-chunk log to its first n records: the
// rest is then in slack, as after a log was cleared and begun anew.
func hide(t *testing.T, data []byte, n int) (cut int) {
	t.Helper()
	var c chunk
	c.open(data[fileHeader:], 0, fileHeader)
	spans, _, err := c.live(nil)
	if err != nil || len(spans) <= n {
		t.Fatal(err, len(spans))
	}
	le.PutUint32(data[fileHeader+48:], uint32(spans[n].off))
	return spans[n].off
}

func texts(n int) []evtxwrite.Record {
	var r []evtxwrite.Record
	for i := range n {
		r = append(r, sample(evtxwrite.Field{Name: "Text", Value: fmt.Sprint("record ", i+1)}))
	}
	return r
}

func carvingNote(st format.Stats) string {
	for _, n := range st.Notes {
		if strings.HasPrefix(n, "carving: ") {
			return n
		}
	}
	return ""
}

func TestCarve(t *testing.T) {
	data := written(t, texts(5)...)
	hide(t, data, 3)

	events, st := decodeAll(t, data, format.Source{SHA256: "x"})
	if len(events) != 3 || st.Carved != 0 || carvingNote(st) != "" {
		t.Errorf("without carving: %d events, %+v", len(events), st)
	}
	events, st = decodeAll(t, data, format.Source{SHA256: "x", Carve: true})
	if len(events) != 5 || st.Decoded != 5 || st.Carved != 2 || len(st.Gaps) != 0 {
		t.Errorf("%d events, %+v", len(events), st)
	}
	for i, e := range events {
		if e.Origin.Carved != (i >= 3) || e.Fields.Str("Text") != fmt.Sprint("record ", i+1) {
			t.Errorf("event %d: carved %v, %v", i, e.Origin.Carved, e.Fields)
		}
		if _, ok := e.Fields.Get(BorrowedTemplate); ok {
			t.Errorf("event %d: borrowed template", i)
		}
	}
	if got := carvingNote(st); !strings.HasPrefix(got, "carving: 2 records found in slack, 2 decoded (0 of them") {
		t.Errorf("note %q", got)
	}
}

// A slack record whose template was overwritten is decoded with the template
// of the same id that a live record uses, and says so. Without one it is lost.
func TestCarveTemplateLost(t *testing.T) {
	data := written(t, texts(4)...)
	hide(t, data, 2)
	var c chunk
	c.open(data[fileHeader:], 0, fileHeader)
	slack := c.slack(c.free, nil)
	if len(slack) != 2 {
		t.Fatal(slack)
	}
	// The outer instance of the first slack record refers elsewhere now; the
	// second also has an id that nobody knows.
	for i, s := range slack {
		instance := fileHeader + s.off + recordHeader + 4
		le.PutUint32(data[instance+6:], 600)
		if i == 1 {
			le.PutUint32(data[instance+2:], 0xdeadbeef)
		}
	}
	events, st := decodeAll(t, data, format.Source{SHA256: "x", Carve: true})
	want := "carving: 2 records found in slack, 1 decoded (1 of them with a template of the same id taken from live records), 1 whose template is lost, 0 otherwise unreadable"
	if got := carvingNote(st); got != want || len(events) != 3 || st.Carved != 1 || st.Damaged != 0 {
		t.Errorf("%d events, note %q, %+v", len(events), got, st)
	}
	if e := events[2]; e.Fields.Str("Text") != "record 3" || !strings.HasPrefix(e.Fields.Str(BorrowedTemplate), "0x") {
		t.Errorf("fields %v", e.Fields)
	}
}

// A template whose names were overwritten must not give its values new names.
func TestCarveNamesOverwritten(t *testing.T) {
	data := written(t, texts(2)...)
	at := bytes.Index(data, []byte("T\x00e\x00x\x00t\x00")) // an attribute value, not a name
	name := bytes.Index(data, []byte("E\x00v\x00e\x00n\x00t\x00D\x00a\x00t\x00a\x00"))
	if at < 0 || name < 0 {
		t.Fatal("layout changed")
	}
	copy(data[name:], "X\x00X\x00X\x00X\x00X\x00X\x00X\x00X\x00X\x00")
	le.PutUint32(data[fileHeader+48:], chunkHeader) // nothing is live
	events, st := decodeAll(t, data, format.Source{SHA256: "x", Carve: true})
	if got := carvingNote(st); len(events) != 0 || !strings.Contains(got, "2 whose template is lost") {
		t.Errorf("%d events, note %q", len(events), got)
	}
}

// A chunk whose header is gone is reported, and its records are found.
func TestCarveLostHeader(t *testing.T) {
	data := written(t, texts(3)...)
	clear(data[fileHeader : fileHeader+64])
	events, st := decodeAll(t, data, format.Source{SHA256: "x"})
	if len(events) != 0 || st.Damaged != 1 || !strings.Contains(strings.Join(st.Notes, " "), "3 records can be seen") {
		t.Errorf("%d events, %+v", len(events), st)
	}
	events, st = decodeAll(t, data, format.Source{SHA256: "x", Carve: true})
	if len(events) != 3 || st.Carved != 3 || !events[0].Origin.Carved {
		t.Errorf("%d events, %+v", len(events), st)
	}
}

// Carving the real logs: what is found is accounted for, live events stay as
// they are, and a carved record that lives on elsewhere is the same record,
// whether its template is its own or borrowed.
func TestCarveCorpus(t *testing.T) {
	key := func(e *event.Event) string {
		return strings.Join([]string{e.Fields.Str("Computer"), e.Fields.Str("Channel"), e.Fields.Str("EventRecordID"), e.TimeRaw}, "|")
	}
	live := map[string]*event.Event{}
	var carved []*event.Event
	var total struct{ found, decoded, borrowed, lost, unreadable int64 }
	for _, archive := range []string{"evtx/decode/evtx-samples.zip", "evtx/attack/evtx-to-mitre-attack.zip"} {
		eachMember(t, archive, func(name string, data []byte) {
			if path.Ext(name) != ".evtx" {
				return
			}
			events, st := decodeAll(t, data, format.Source{SHA256: name, Carve: true})
			var found, decoded, borrowed, lost, unreadable int64
			if _, err := fmt.Sscanf(carvingNote(st), "carving: %d records found in slack, %d decoded (%d of them with a template of the same id taken from live records), %d whose template is lost, %d otherwise unreadable",
				&found, &decoded, &borrowed, &lost, &unreadable); err != nil {
				t.Fatalf("%s: %q: %v", name, st.Notes, err)
			}
			if found != decoded+lost+unreadable || st.Carved != decoded {
				t.Errorf("%s: %q, carved %d", name, carvingNote(st), st.Carved)
			}
			total.found += found
			total.decoded += decoded
			total.borrowed += borrowed
			total.lost += lost
			total.unreadable += unreadable
			for _, e := range events {
				if e.Origin.Carved {
					carved = append(carved, e)
				} else {
					live[key(e)] = e
				}
			}
		})
	}
	same := [2]int{}
	for _, e := range carved {
		l := live[key(e)]
		if l == nil {
			continue
		}
		if !bytes.Equal(l.Raw, e.Raw) {
			t.Errorf("carved record at %d of %s:\n%s\nlive:\n%s", e.Origin.Offset, e.Origin.SHA256, e.Raw, l.Raw)
		}
		if _, ok := e.Fields.Get(BorrowedTemplate); ok {
			same[1]++
		} else {
			same[0]++
		}
	}
	t.Logf("%+v; also live: %d with their own template, %d with a borrowed one", total, same[0], same[1])
	if same[0] < 100 || same[1] < 100 || total.borrowed == 0 {
		t.Errorf("too few records to prove anything: %+v, %v", total, same)
	}
}

// A log that went round: the newest ids stand first. That is no gap.
func TestRing(t *testing.T) {
	var c continuity
	at := func(id uint64) time.Time { return time.Date(2025, 2, 9, 0, 0, int(id), 0, time.UTC) }
	for _, id := range []uint64{501, 502, 503, 100, 101, 102, 103, 200, 201, 102, 103} {
		c.saw("Security", "PC1", id, at(id))
	}
	var st format.Stats
	c.report(&st)
	want := []format.Gap{
		{Channel: "Security", After: 103, Before: 200, FromTime: at(103), ToTime: at(200)},
		{Channel: "Security", After: 201, Before: 501, FromTime: at(201), ToTime: at(501)},
	}
	if len(st.Gaps) != 2 || st.Gaps[0] != want[0] || st.Gaps[1] != want[1] || len(st.Notes) != 0 {
		t.Errorf("gaps %+v, notes %q", st.Gaps, st.Notes)
	}
}

func TestClock(t *testing.T) {
	var c continuity
	at := time.Date(2025, 2, 9, 0, 0, 0, 0, time.UTC)
	for i, d := range []time.Duration{0, time.Second, -2 * time.Hour, 0, 72 * time.Hour, 0} {
		at = at.Add(d)
		c.saw("Security", "PC1", uint64(i+1), at)
	}
	var st format.Stats
	c.report(&st)
	want := []string{
		"channel Security: the clock goes back by up to 2h0m0s (at record 3; steps of more than a minute: 1)",
		"channel Security: no record for 3 days before record 5",
	}
	if strings.Join(st.Notes, "\n") != strings.Join(want, "\n") || len(st.Gaps) != 0 {
		t.Errorf("notes %q, gaps %v", st.Notes, st.Gaps)
	}
}
