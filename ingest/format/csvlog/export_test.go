// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package csvlog_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/csvlog"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "antivirus", "defender", "velociraptor") }

// FuzzExports decodes anything and calls View. A header that nobody knows is an
// error of its own.
func FuzzExports(f *testing.F) {
	for _, in := range recordtest.Inputs(f, "testdata/*.rec") {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n := int64(0)
		st, err := csvlog.Format().Decode(context.Background(), bytes.NewReader(b), recordtest.Source, func(e *event.Event) error { n++; e.View(); return nil })
		if n != st.Decoded || err != nil && n > 0 {
			t.Fatalf("%v; %d events, %d counted", err, n, st.Decoded)
		}
	})
}

// TestOwnMapping: a console that nobody knows, mapped by its user as README.md
// says, reads like the known ones.
func TestOwnMapping(t *testing.T) {
	in := "Bericht vom 13.03.2026\nZeit;Rechner;Adresse;Benutzer;Fund;Datei\n13.03.2026 18:50:00;PC12;10.0.1.12;CITY\\wang;Ransom.X;C:\\a.exe\n"
	m := &format.CSVMapping{Time: "Zeit", Layout: "02.01.2006 15:04:05", Product: "antivirus", Category: "antivirus", Service: "own",
		Rename: map[string]string{"Rechner": "Computer", "Adresse": "IP", "Benutzer": "User", "Fund": "Signature", "Datei": "Filename"}}
	var got []event.View
	st, err := csvlog.Format().Decode(context.Background(), strings.NewReader(in), format.Source{CSV: m}, func(e *event.Event) error {
		got = append(got, e.View())
		if s := e.Time.Format("2006-01-02T15:04:05Z07:00"); s != "2026-03-13T10:50:00Z" || !e.ZoneAssumed {
			t.Errorf("time %s", s)
		}
		return nil
	})
	if err != nil || st.Decoded != 1 || st.Skipped != 1 {
		t.Fatalf("%v %+v", err, st)
	}
	if v := got[0]; v.Action != event.Alert || v.Host != "pc12" || v.HostAddr.String() != "10.0.1.12" || v.User.String() != `city\wang` || v.Message != "Ransom.X" || v.File != `C:\a.exe` {
		t.Errorf("%+v", v)
	}
}
