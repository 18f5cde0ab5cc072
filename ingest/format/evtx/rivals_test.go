// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx/evtxwrite"
)

// Mistakes of other decoders, each with the test that keeps us from it
// (detection.md §0 and §1).

// sample is an event as most of these tests need one.
func sample(data ...evtxwrite.Field) evtxwrite.Record {
	return evtxwrite.Record{
		Time:     time.Date(2025, 2, 9, 2, 30, 15, 123456700, time.UTC),
		Provider: "Citywall-Test", Channel: "Test/Operational", Computer: "his01.hospital.example",
		EventID: 10, Version: 3, Level: 4, Task: 10, Keywords: 0x8000000000000000,
		ProcessID: 1396, ThreadID: 2132, UserSID: "S-1-5-18", Data: data,
	}
}

func written(t testing.TB, r ...evtxwrite.Record) []byte {
	t.Helper()
	b, err := evtxwrite.Bytes(r...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// one decodes a log with a single record and nothing to complain about.
func one(t testing.TB, data []byte) *event.Event {
	t.Helper()
	events, st := decodeAll(t, data, format.Source{})
	if len(events) != 1 || st.Damaged != 0 {
		t.Fatalf("%d events, %d damaged: %q", len(events), st.Damaged, st.Notes)
	}
	return events[0]
}

// A decoder in wide use turns hex into integers; 123 findings of 7,461 were
// lost to that on one corpus.
func TestHexStaysHex(t *testing.T) {
	e := one(t, written(t, sample(
		evtxwrite.Field{Name: "GrantedAccess", Type: evtxwrite.Hex32, Value: "0x1410"},
		evtxwrite.Field{Name: "TargetLogonId", Type: evtxwrite.Hex64, Value: "0x3e7"},
		evtxwrite.Field{Name: "NewProcessId", Type: evtxwrite.Size, Value: "0xabc"},
		evtxwrite.Field{Name: "Status", Type: evtxwrite.Hex32, Value: "0x0"},
	)))
	for name, want := range map[string]string{
		"GrantedAccess": "0x1410", "TargetLogonId": "0x3e7", "NewProcessId": "0xabc", "Status": "0x0",
		"Keywords": "0x8000000000000000",
	} {
		if got := e.Fields.Str(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if !bytes.Contains(e.Raw, []byte(`"GrantedAccess":"0x1410"`)) {
		t.Errorf("canonical JSON %s", e.Raw)
	}
}

// Headers lie: 3,007 of 18,400 records of the samples lie in chunks beyond the
// header's count, and last record ids are stale.
func TestHeadersLie(t *testing.T) {
	var r []evtxwrite.Record
	for range 400 {
		r = append(r, sample(evtxwrite.Field{Name: "Text", Value: strings.Repeat("x", 200)}))
	}
	data := written(t, r...)
	if n := (len(data) - fileHeader) / chunkSize; n < 3 {
		t.Fatalf("only %d chunks", n)
	}
	le.PutUint16(data[42:], 1)             // chunks
	le.PutUint32(data[120:], 1)            // dirty
	le.PutUint64(data[fileHeader+32:], 2)  // last record id of the first chunk
	le.PutUint32(data[fileHeader+44:], 99) // offset of its last record
	clear(data[fileHeader+128 : fileHeader+chunkHeader])
	for i := range 64 { // a name table that points nowhere
		le.PutUint32(data[fileHeader+128+4*i:], 0xfffffff0)
	}
	events, st := decodeAll(t, data, format.Source{})
	if len(events) != 400 || st.Damaged != 0 {
		t.Errorf("%d events, %d damaged: %q", len(events), st.Damaged, st.Notes)
	}
	notes := strings.Join(st.Notes, "\n")
	for _, want := range []string{"beyond the 1 that", "checksum of the chunk header does not fit in chunk 0"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in %q", want, st.Notes)
		}
	}
}

// The same decoder takes tokens 07 to 0b for empty, loses its place, and goes
// on without an error.
func TestRareTokens(t *testing.T) {
	a := newAsm()
	a.event(func() {
		a.elem("UserData", func() {
			a.elem("E", func() {
				a.elem("CDATA", func() { a.u8(tokCDATA).counted("a<b") })
				a.elem("Char", func() { a.text("x").u8(tokCharRef).u16(0x4e2d).text("y") })
				a.elem("Header", func() {
					a.text("If-None-Match: ").u8(tokEntityRef).name("quot").text("1:0").u8(tokEntityRef | tokMore).name("quot")
				})
				a.elem("Instruction", func() { a.u8(tokPITarget).name("pi").u8(tokPIData).counted("go") })
				a.elem("After", func() { a.text("still here") })
			})
		})
	})
	e := one(t, a.file())
	for name, want := range map[string]string{
		"CDATA": "a<b", "Char": "x中y", "Header": `If-None-Match: "1:0"`, "Instruction": "<?pi go?>", "After": "still here",
	} {
		if got := e.Fields.Str(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

// The reference rendering trims trailing spaces. They are part of the value:
// "cmd.exe " is another name than "cmd.exe".
func TestTrailingSpacesStay(t *testing.T) {
	e := one(t, written(t, sample(evtxwrite.Field{Name: "CommandLine", Value: `cmd /c "echo x"  `})))
	if got := e.Fields.Str("CommandLine"); got != `cmd /c "echo x"  ` {
		t.Errorf("CommandLine = %q", got)
	}
}

// A FILETIME through float64, or cut to microseconds, loses its last digit;
// two records may then seem to be one, or change places.
func TestHundredNanoseconds(t *testing.T) {
	e := one(t, written(t, sample()))
	if e.TimeRaw != "2025-02-09T02:30:15.1234567Z" || !e.Time.Equal(time.Date(2025, 2, 9, 2, 30, 15, 123456700, time.UTC)) {
		t.Errorf("time %v, as written %q", e.Time, e.TimeRaw)
	}
}

// The dependency id stands in template definitions only, but not every writer
// keeps to that.
func TestDependencyID(t *testing.T) {
	for _, dep := range []int{-1, 0xffff} {
		a := newAsm()
		a.record(func() {
			a.elemDep("Event", dep, func() {
				a.elemDep("System", dep, func() {
					a.elemDep("EventID", dep, func() { a.text("7") })
				})
			})
		})
		if got := one(t, a.file()).Fields.Str("EventID"); got != "7" {
			t.Errorf("dependency id %d: EventID %q", dep, got)
		}
	}
}
