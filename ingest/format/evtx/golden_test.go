// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx/evtxwrite"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type field = evtxwrite.Field

// allTypes is one value of every type.
func allTypes() []field {
	return []field{
		{Name: "String", Value: "護城 😀"},
		{Name: "ANSI", Type: evtxwrite.ANSI, Value: "plain"},
		{Name: "Int8", Type: evtxwrite.Int8, Value: "-8"},
		{Name: "Uint8", Type: evtxwrite.Uint8, Value: "8"},
		{Name: "Int16", Type: evtxwrite.Int16, Value: "-16"},
		{Name: "Uint16", Type: evtxwrite.Uint16, Value: "16"},
		{Name: "Int32", Type: evtxwrite.Int32, Value: "-32"},
		{Name: "Uint32", Type: evtxwrite.Uint32, Value: "32"},
		{Name: "Int64", Type: evtxwrite.Int64, Value: "-64"},
		{Name: "Uint64", Type: evtxwrite.Uint64, Value: "18446744073709551615"},
		{Name: "Float32", Type: evtxwrite.Float32, Value: "1.5"},
		{Name: "Float64", Type: evtxwrite.Float64, Value: "0.1"},
		{Name: "NaN", Type: evtxwrite.Float64, Value: "NaN"},
		{Name: "Bool", Type: evtxwrite.Bool, Value: "true"},
		{Name: "Binary", Type: evtxwrite.Binary, Value: "00ff"},
		{Name: "GUID", Type: evtxwrite.GUID, Value: "{5770385f-c22a-43e0-bf4c-06f5698ffbd9}"},
		{Name: "Size", Type: evtxwrite.Size, Value: "0x1f4"},
		{Name: "FileTime", Type: evtxwrite.FileTime, Value: "2025-02-09T10:30:15.1234567+08:00"},
		{Name: "SysTime", Type: evtxwrite.SysTime, Value: "2025-02-09T02:30:15.123Z"},
		{Name: "SID", Type: evtxwrite.SID, Value: "S-1-5-21-1-2-3-500"},
		{Name: "Hex32", Type: evtxwrite.Hex32, Value: "0x1410"},
		{Name: "Hex64", Type: evtxwrite.Hex64, Value: "0x3e7"},
		{Name: "Null", Type: evtxwrite.Null},
		{Name: "Strings", List: []string{"a", "", "c"}},
		{Name: "Numbers", Type: evtxwrite.Uint32, List: []string{"1", "2"}},
	}
}

// logCleared is event 104, whose UserData has a Channel of its own.
func logCleared() evtxwrite.Record {
	r := sample()
	r.Provider, r.Channel, r.EventID, r.Version = "Microsoft-Windows-Eventlog", "System", 104, 0
	r.User = &evtxwrite.UserData{
		Name: "LogFileCleared", Namespace: "http://manifests.microsoft.com/win/2004/08/windows/eventlog",
		Fields: []field{{Name: "SubjectUserName", Value: "mallory"}, {Name: "Channel", Value: "Microsoft-Windows-Sysmon/Operational"}, {Name: "BackupPath", Value: ""}},
	}
	return r
}

// classic is an event of the old interface: values without names.
func classic() evtxwrite.Record {
	r, q := sample(), uint16(0x8000)
	r.Provider, r.Channel, r.EventID, r.Qualifiers = "EventLog", "System", 6009, &q
	r.Unnamed, r.Binary = []string{"10.00.", "15063", "", "Multiprocessor Free"}, []byte{0xca, 0xfe}
	return r
}

// TestGolden shows each oddity in a small log of our own: its fields, its
// JSON, its XML.
func TestGolden(t *testing.T) {
	withVersion := sample(field{Name: "State", Value: "Started"}, field{Name: "Version", Value: "15.0"}, field{Name: "Threat Name", Value: "Ransom:Win32/Test"})
	single := classic()
	single.Unnamed, single.Binary = []string{"only one"}, nil
	powershell := classic()
	powershell.Provider, powershell.Channel, powershell.EventID = "PowerShell", "Windows PowerShell", 400
	powershell.Unnamed = []string{"Available", "None", "\tNewEngineState=Available\r\n\tPreviousEngineState=None\r\n\r\n\tSequenceNumber=13\r\n\r\n" +
		"\tHostName=ConsoleHost\r\n\tHostApplication=powershell -c $x=1\r\n$y = 2\r\n\tEngineVersion=2.0\r\n\tCommandLine="}
	late := sample()
	late.Written = late.Time.Add(3 * time.Second)
	noGUID := sample()
	noGUID.ActivityID, noGUID.ProviderGUID = "5770385f-c22a-43e0-bf4c-06f5698ffbd9", "{54849625-5478-4994-a5ba-3e3b0328c30d}"

	for name, data := range map[string][]byte{
		"all-types":             written(t, sample(allTypes()...)),
		"null-empty-absent":     written(t, sample(field{Name: "Null", Type: evtxwrite.Null}, field{Name: "Empty"})),
		"repeated-names":        written(t, sample(field{Name: "Group", Value: "a"}, field{Name: "Other", Value: "x"}, field{Name: "Group", Value: "b"})),
		"system-name-in-data":   written(t, withVersion),
		"log-cleared":           written(t, logCleared()),
		"unnamed-data":          written(t, classic()),
		"one-unnamed-data":      written(t, single),
		"classic-powershell":    written(t, powershell),
		"written-time-differs":  written(t, late),
		"guids":                 written(t, noGUID),
		"names-of-userdata":     userDataClash(),
		"characters-of-markup":  written(t, sample(field{Name: `a<b>"&'`, Value: "<script>&\"'\x01\t\r\n</script>"})),
		"no-data":               written(t, sample()),
		"null-without-name":     nullOptional(),
		"several-fragments":     fragments(),
		"value-of-unknown-type": unknownType(),
	} {
		t.Run(name, func(t *testing.T) {
			got := golden(t, data)
			file := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// userDataClash has two leaves of one name under different parents.
func userDataClash() []byte {
	a := newAsm()
	a.event(func() {
		a.elem("UserData", func() {
			a.elem("Chain", func() {
				a.elem("Subject", func() { a.elem("CN", func() { a.text("victim") }) })
				a.elem("Issuer", func() { a.elem("CN", func() { a.text("root") }); a.elem("O", func() { a.text("city") }) })
				a.elem("Computer", func() { a.text("elsewhere") })
			})
		})
	})
	return a.file()
}

// nullOptional has an optional null value as the whole content of an element,
// as the content of one that holds more, and in an attribute.
func nullOptional() []byte {
	a := newAsm()
	a.record(func() {
		a.template(1, func() {
			a.elemDep("Event", 0, func() { // the root stays
				a.elemDep("System", 0xffff, func() { a.elemDep("EventID", 0xffff, func() { a.sub(1, false) }) })
				a.elemDep("EventData", 0xffff, func() {
					a.elemDep("Whole", 0, func() { a.sub(0, true) })
					a.elemDep("Gone", 0, func() { a.text("x"); a.sub(0, true) })
					a.elemDep("Kept", 0xffff, func() { a.text("x"); a.sub(0, true) })
					a.elemDep("Beyond", 0xffff, func() { a.sub(99, false) })
				})
			})
		}, []slotBytes{{Null, []byte{0xaa, 0xbb}}, {Uint16, []byte{42, 0}}}) // null with bytes: they are skipped
	})
	return a.file()
}

// fragments has more than one fragment header in a record.
func fragments() []byte {
	a := newAsm()
	a.record(func() {
		a.u8(tokFragment, 1, 1, 0)
		a.elem("Event", func() { a.elem("System", func() { a.elem("EventID", func() { a.text("5") }) }) })
	})
	return a.file()
}

func unknownType() []byte {
	a := newAsm()
	a.record(func() {
		a.template(1, func() {
			a.elemDep("Event", 0xffff, func() {
				a.elemDep("System", 0xffff, func() { a.elemDep("EventID", 0xffff, func() { a.sub(1, false) }) })
				a.elemDep("EventData", 0xffff, func() {
					a.elemDep("Unknown", 0xffff, func() { a.sub(0, false) })
					a.elemDep("ShortSID", 0xffff, func() { a.sub(2, false) })
					a.elemDep("After", 0xffff, func() { a.sub(1, false) })
				})
			})
		}, []slotBytes{{Type(0x40), []byte{0xc0, 0xff, 0xee}}, {Uint16, []byte{42, 0}}, {SID, []byte{1, 5, 0}}})
	})
	return a.file()
}

func golden(t *testing.T, data []byte) []byte {
	var b bytes.Buffer
	events, st := decodeAll(t, data, format.Source{SHA256: "x"})
	for _, e := range events {
		fmt.Fprintf(&b, "time %s", e.Time.Format(time.RFC3339Nano))
		if e.TimeRaw != "" {
			fmt.Fprintf(&b, " written %q", e.TimeRaw)
		}
		fmt.Fprintf(&b, "\nrecord %d chunk %d offset %d\n\nfields\n", e.Origin.Record, e.Origin.Chunk, e.Origin.Offset)
		for _, f := range e.Fields {
			switch f.Value.Kind {
			case event.Null:
				fmt.Fprintf(&b, "  %s: null\n", f.Name)
			case event.Text:
				fmt.Fprintf(&b, "  %s: %q\n", f.Name, f.Value.Text)
			case event.List:
				fmt.Fprintf(&b, "  %s: %q\n", f.Name, f.Value.List)
			}
		}
		root, err := At(bytes.NewReader(data), e.Origin.Offset)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(JSON(root), e.Raw) {
			t.Errorf("JSON %s, raw %s", JSON(root), e.Raw)
		}
		fmt.Fprintf(&b, "\njson\n%s\n\nattributes separate\n%s\n\nxml\n%s\n", e.Raw, JSONSeparate(root), XML(root))
		if !validJSON(e.Raw) || !validJSON(JSONSeparate(root)) {
			t.Error("JSON is not valid")
		}
		if err := validXML(XML(root)); err != nil {
			t.Errorf("XML: %v", err)
		}
	}
	fmt.Fprintf(&b, "\ndamaged %d\n", st.Damaged)
	for _, n := range st.Notes {
		fmt.Fprintf(&b, "note %s\n", n)
	}
	return b.Bytes()
}

func validJSON(b []byte) bool { return json.Valid(b) }

func validXML(b []byte) error {
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
