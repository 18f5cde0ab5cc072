// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtxwrite_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx"
	"citywall/ingest/format/evtx/evtxwrite"
)

type (
	record = evtxwrite.Record
	field  = evtxwrite.Field
)

var begin = time.Date(2025, 2, 9, 2, 30, 0, 0, time.UTC)

// story is n records of several providers, channels and shapes, over several
// chunks when n is large. Every channel counts its own ids, as a collector's
// log has them.
func story(n int) []record {
	q := uint16(0x8000)
	ids := map[string]uint64{}
	var out []record
	for i := range n {
		r := record{
			Time: begin.Add(time.Duration(i)*time.Second + 123456700), Computer: "his01.hospital.example",
			Level: 4, ProcessID: 700, ThreadID: uint32(800 + i),
		}
		switch i % 4 {
		case 0:
			r.Provider, r.ProviderGUID, r.Channel = "Microsoft-Windows-Security-Auditing", "{54849625-5478-4994-a5ba-3e3b0328c30d}", "Security"
			r.EventID, r.Version, r.Task, r.Keywords = 4624, 2, 12544, 0x8020000000000000
			r.Data = []field{
				{Name: "SubjectUserSid", Type: evtxwrite.SID, Value: "S-1-5-18"},
				{Name: "TargetUserName", Value: fmt.Sprintf("護理站%d", i)},
				{Name: "TargetLogonId", Type: evtxwrite.Hex64, Value: fmt.Sprintf("0x%x", 0x3e7+i)},
				{Name: "LogonType", Type: evtxwrite.Uint32, Value: "3"},
				{Name: "LogonGuid", Type: evtxwrite.GUID, Value: "{00000000-0000-0000-0000-000000000000}"},
				{Name: "ProcessId", Type: evtxwrite.Size, Value: "0x1f4"},
				{Name: "IpAddress", Value: "10.20.1.5"},
				{Name: "Elevated", Type: evtxwrite.Bool, Value: "true"},
			}
		case 1:
			r.Provider, r.Channel, r.EventID, r.Qualifiers = "EventLog", "System", 6009, &q
			r.Unnamed, r.Binary = []string{"10.00.", "", "Multiprocessor Free"}, []byte{1, 2}
		case 2:
			r.Provider, r.Channel, r.EventID, r.UserSID = "Microsoft-Windows-Eventlog", "Security", 1102, "S-1-5-18"
			r.User = &evtxwrite.UserData{
				Name: "LogFileCleared", Namespace: "http://manifests.microsoft.com/win/2004/08/windows/eventlog",
				Fields: []field{{Name: "SubjectUserName", Value: "mallory"}, {Name: "SubjectLogonId", Type: evtxwrite.Hex64, Value: "0x3e7"}},
			}
		case 3:
			r.Provider, r.ProviderGUID, r.Channel = "Microsoft-Windows-Sysmon", "{5770385f-c22a-43e0-bf4c-06f5698ffbd9}", "Microsoft-Windows-Sysmon/Operational"
			r.EventID, r.Version, r.Task, r.UserSID = 11, 2, 11, "S-1-5-18"
			r.Data = []field{
				{Name: "UtcTime", Value: r.Time.Format("2006-01-02 15:04:05.000")},
				{Name: "ProcessId", Type: evtxwrite.Uint32, Value: "4242"},
				{Name: "TargetFilename", Value: `D:\病歷\` + strings.Repeat("x", i%50) + ".docx.locked"},
			}
		}
		ids[r.Channel]++
		r.ID = ids[r.Channel]
		out = append(out, r)
	}
	return out
}

func mustBytes(t *testing.T, r ...record) []byte {
	t.Helper()
	b, err := evtxwrite.Bytes(r...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t *testing.T, b []byte) ([]*event.Event, format.Stats) {
	t.Helper()
	var out []*event.Event
	st, err := evtx.Format().Decode(context.Background(), bytes.NewReader(b), format.Source{Carve: true}, func(e *event.Event) error {
		out = append(out, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, st
}

// What is written is read back, in order, with nothing to complain about: no
// checksum, no gap, nothing in slack.
func TestReadBack(t *testing.T) {
	want := story(2000)
	b := mustBytes(t, want...)
	if !bytes.Equal(b, mustBytes(t, story(2000)...)) {
		t.Error("the same records give other bytes")
	}
	if (len(b)-4096)%65536 != 0 || len(b) < 4096+5*65536 {
		t.Errorf("%d bytes: want a header and whole chunks, several", len(b))
	}
	got, st := read(t, b)
	if len(got) != len(want) || st.Damaged != 0 || st.Carved != 0 || len(st.Gaps) != 0 || len(st.Notes) != 1 {
		t.Fatalf("%d events of %d, stats %+v", len(got), len(want), st)
	}
	for i, e := range got {
		w := want[i]
		if e.Origin.Record != w.ID || !e.Time.Equal(w.Time) || e.Fields.Str("Channel") != w.Channel ||
			e.Fields.Str("EventID") != fmt.Sprint(w.EventID) || e.Fields.Str("Provider_Name") != w.Provider {
			t.Fatalf("record %d: %+v", i+1, e)
		}
		for _, f := range w.Data {
			g := e.Fields.Str(f.Name)
			if f.Type == evtxwrite.GUID {
				g = "{" + strings.ToLower(g) + "}"
			}
			if g != f.Value {
				t.Errorf("record %d: %s = %q, want %q", i+1, f.Name, g, f.Value)
			}
		}
	}
}

// The tables of a chunk reach every name and template, each in its bucket, as
// readers that use them expect.
func TestTables(t *testing.T) {
	b := mustBytes(t, story(40)...)[4096:]
	le := binary.LittleEndian
	names := map[string]bool{}
	for i := range 64 {
		for at := le.Uint32(b[128+4*i:]); at != 0; at = le.Uint32(b[at:]) {
			h, n := le.Uint16(b[at+4:]), int(le.Uint16(b[at+6:]))
			if int(h)%64 != i {
				t.Errorf("name at %d with hash %04x in bucket %d", at, h, i)
			}
			var s []byte
			for j := range n {
				s = append(s, b[int(at)+8+2*j])
			}
			if names[string(s)] {
				t.Errorf("name %s twice", s)
			}
			names[string(s)] = true
		}
	}
	for _, n := range []string{"Event", "System", "Data", "LogFileCleared", "SubjectUserName", "Qualifiers"} {
		if !names[n] {
			t.Errorf("name %s is in no bucket", n)
		}
	}
	templates := 0
	for i := range 32 {
		for at := le.Uint32(b[384+4*i:]); at != 0; at = le.Uint32(b[at:]) {
			templates++
		}
	}
	if templates != 5 { // one outer, four payloads
		t.Errorf("%d templates, want 5", templates)
	}
}

func TestRefusals(t *testing.T) {
	ok := story(1)[0]
	ok.ID = 0
	with := func(f field) record { r := ok; r.Data = []field{f}; return r }
	long := with(field{Name: "X", Value: strings.Repeat("x", 30000)})
	both := ok
	both.Unnamed, both.User = []string{"x"}, &evtxwrite.UserData{Name: "U"}
	early := ok
	early.Time = time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, r := range map[string]record{
		"number too large":   with(field{Name: "X", Type: evtxwrite.Uint8, Value: "256"}),
		"not a number":       with(field{Name: "X", Type: evtxwrite.Int32, Value: "x"}),
		"sid":                with(field{Name: "X", Type: evtxwrite.SID, Value: "S-2-5"}),
		"guid":               with(field{Name: "X", Type: evtxwrite.GUID, Value: "5770385f"}),
		"time":               with(field{Name: "X", Type: evtxwrite.FileTime, Value: "yesterday"}),
		"nul":                with(field{Name: "X", Value: "a\x00b"}),
		"not in 1252":        with(field{Name: "X", Type: evtxwrite.ANSI, Value: "護"}),
		"list of binary":     with(field{Name: "X", Type: evtxwrite.Binary, List: []string{"00"}}),
		"no name":            with(field{Value: "x"}),
		"name too long":      with(field{Name: strings.Repeat("x", 2000)}),
		"both payloads":      both,
		"time out of range":  early,
		"larger than 64 KiB": with(field{Name: "X", Value: strings.Repeat("x", 40000)}),
	} {
		var m bytes.Buffer
		w := evtxwrite.New(seeker{&m})
		if err := w.Write(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// A refused record leaves the log as it was, with the ids unbroken.
	tmp := tempLog(t, func(w *evtxwrite.Writer) {
		for _, r := range []record{ok, long, with(field{Name: "X", Type: evtxwrite.Uint8, Value: "256"}), long, ok} {
			if err := w.Write(r); err != nil && r.Data[0].Type != evtxwrite.Uint8 && !errors.Is(err, evtxwrite.ErrTooLarge) {
				t.Error(err)
			}
		}
		huge := with(field{Name: "X", Value: strings.Repeat("x", 32700)})
		if err := w.Write(huge); !errors.Is(err, evtxwrite.ErrTooLarge) {
			t.Errorf("error %v, want too large", err)
		}
		if err := w.Write(ok); err != nil {
			t.Error(err)
		}
	})
	b, err := os.ReadFile(tmp)
	if err != nil {
		t.Fatal(err)
	}
	if got, st := read(t, b); len(got) != 5 || st.Damaged != 0 || len(st.Gaps) != 0 || got[4].Origin.Record != 5 {
		t.Errorf("%d events, %+v", len(got), st)
	}
}

// seeker lets a buffer be given to New where nothing is ever flushed.
type seeker struct{ *bytes.Buffer }

func (seeker) Seek(int64, int) (int64, error) { return 0, errors.New("not expected") }

func tempLog(t *testing.T, f func(*evtxwrite.Writer)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log.evtx")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := evtxwrite.New(out)
	f(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEmpty(t *testing.T) {
	got, st := read(t, mustBytes(t))
	if len(got) != 0 || st.Damaged != 0 {
		t.Errorf("%d events, %+v", len(got), st)
	}
}

// Ids that jump are a deletion, which the reader reports.
func TestDeletion(t *testing.T) {
	r := story(9)
	for i := range r {
		r[i].Channel, r[i].ID = "Security", uint64(100+i)
	}
	r = append(r[:3], r[6:]...)
	_, st := read(t, mustBytes(t, r...))
	want := format.Gap{Channel: "Security", After: 102, Before: 106, FromTime: r[2].Time, ToTime: r[3].Time}
	if len(st.Gaps) != 1 || st.Gaps[0] != want {
		t.Errorf("gaps %+v, want %+v", st.Gaps, want)
	}
}

// tool runs a program of Debian's libevtx-utils.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if strings.Contains(os.Getenv("CITYWALL_REQUIRE"), name) {
			t.Fatalf("need %s: not found", name)
		}
		t.Skipf("need %s: not found", name)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// libevtx reads our logs: the count, and every value as we read it.
func TestSecondOpinion(t *testing.T) {
	want := story(600)
	for i := range want { // one of every type that libevtx 20181227 knows
		if i%100 == 3 {
			want[i].Data = append(want[i].Data,
				field{Name: "I8", Type: evtxwrite.Int8, Value: "8"}, field{Name: "I64", Type: evtxwrite.Int64, Value: "64"}, // it misreads negative ones
				field{Name: "A", Type: evtxwrite.ANSI, Value: "plain"}, field{Name: "L", List: []string{"a", "b"}},
				field{Name: "Empty"})
		}
	}
	path := tempLog(t, func(w *evtxwrite.Writer) {
		for _, r := range want {
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
	})
	info := strings.Join(strings.Fields(tool(t, "evtxinfo", path)), " ")
	if !strings.Contains(info, "Number of records : 600") || !strings.Contains(info, "Number of recovered records : 0") || strings.Contains(info, "corrupt") {
		t.Errorf("evtxinfo: %s", info)
	}
	_, body, _ := strings.Cut(tool(t, "evtxexport", "-f", "xml", path), "<Event")
	d := xml.NewDecoder(strings.NewReader("<all><Event" + strings.TrimSuffix(body, "No records recovered.") + "</all>"))
	d.Strict = false
	var theirs struct {
		Event []struct {
			ID   string `xml:"System>EventRecordID"`
			Time struct {
				SystemTime string `xml:",attr"`
			} `xml:"System>TimeCreated"`
			Data []struct {
				Name string `xml:",attr"`
				Text string `xml:",chardata"`
			} `xml:"EventData>Data"`
			Cleared string `xml:"UserData>LogFileCleared>SubjectUserName"`
		}
	}
	if err := d.Decode(&theirs); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ours, _ := read(t, b)
	if len(theirs.Event) != 600 || len(ours) != 600 {
		t.Fatalf("libevtx exports %d, we read %d", len(theirs.Event), len(ours))
	}
	for i, e := range theirs.Event {
		o := ours[i]
		if at, err := time.Parse(time.RFC3339Nano, e.Time.SystemTime); err != nil || !at.Equal(o.Time) || e.ID != o.Fields.Str("EventRecordID") {
			t.Errorf("record %d: libevtx has id %s time %s, we %s", i, e.ID, e.Time.SystemTime, o.TimeRaw)
		}
		if e.Cleared != "" && e.Cleared != o.Fields.Str("SubjectUserName") {
			t.Errorf("record %d: UserData %q", i, e.Cleared)
		}
		for _, x := range e.Data {
			if x.Name == "" || x.Name == "L" {
				continue // several to one name
			}
			// libevtx pads hex, shows a size in decimal, and puts GUIDs in braces.
			plain := func(s string) string {
				if n, err := strconv.ParseUint(s, 0, 64); err == nil {
					return strconv.FormatUint(n, 10)
				}
				return strings.ToLower(strings.Trim(strings.TrimSpace(s), "{}"))
			}
			if plain(x.Text) != plain(o.Fields.Str(x.Name)) {
				t.Errorf("record %d: %s is %q for libevtx, %q for us", i, x.Name, x.Text, o.Fields.Str(x.Name))
			}
		}
	}
	// Plain export reads every record as well.
	if n := strings.Count(tool(t, "evtxexport", path), "Event number"); n != 600 {
		t.Errorf("evtxexport: %d records", n)
	}
}
