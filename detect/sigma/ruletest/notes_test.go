// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ruletest

import (
	"encoding/csv"
	"os"
	"testing"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/internal/shared"
	"citywall/rules"
)

// TestKnownNotes counts how many of the real notes' names the note rule knows.
// Many names in the set are the collector's own (conti1.txt), and a plain
// README.txt must not be known; the number is for the record and may only grow.
func TestKnownNotes(t *testing.T) {
	f, err := os.Open(shared.Path(t, "casework/notes/notes-70.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, known := e.NewMatcher(), 0
	for _, r := range rows[1:] {
		ev := &event.Event{Product: "windows"}
		ev.Fields.Add("Channel", "Microsoft-Windows-Sysmon/Operational")
		ev.Fields.Add("EventID", "11")
		ev.Fields.Add("TargetFilename", `D:\x\`+r[2])
		for _, f := range m.Match(ev) {
			if f.Meaning.Step == detect.StepNote {
				known++
			}
		}
	}
	t.Logf("%d of %d names", known, len(rows)-1)
	if known < 102 {
		t.Errorf("%d names are known, fewer than before", known)
	}
}
