// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"citywall/incident/report"
	"citywall/internal/shared"
)

// doc is the part of the JSON contract that an oracle looks at; it is read
// here by its own names, not through the types that wrote it.
type doc struct {
	Incidents []struct {
		FirstCompromise struct {
			Host      string    `json:"host"`
			Address   string    `json:"address"`
			Earliest  *string   `json:"earliest"`
			Latest    time.Time `json:"latest"`
			LowerOpen bool      `json:"lower_open"`
		} `json:"first_compromise"`
		Hosts []struct {
			Addresses   []string  `json:"addresses"`
			Compromised bool      `json:"compromised"`
			First       time.Time `json:"first"`
		} `json:"hosts"`
		Hops []struct {
			Time      string            `json:"time"`
			Src       string            `json:"src"`
			Dst       string            `json:"dst"`
			Port      uint16            `json:"dst_port"`
			User      string            `json:"user"`
			Technique string            `json:"technique"`
			Grade     string            `json:"grade"`
			Out       int64             `json:"bytes_out"`
			In        int64             `json:"bytes_in"`
			Evidence  []report.Evidence `json:"evidence"`
		} `json:"hops"`
	} `json:"incidents"`
}

// TestAPT29 investigates day 1 of the APT29 evaluation from flows alone. The
// oracle is attackpath.md §9.1: every hop, to the microsecond, bytes once, and
// nothing else.
func TestAPT29(t *testing.T) {
	path := shared.Path(t, "casework/apt29/apt29-day1-zeek.zip")
	var out, errs bytes.Buffer
	if code := run(t.Context(), streams{strings.NewReader(""), &out, &errs}, []string{"investigate", "--format", "json", path}); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	var d doc
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Incidents) != 1 {
		t.Fatalf("%d incidents, want 1", len(d.Incidents))
	}
	in := d.Incidents[0]
	if f := in.FirstCompromise; f.Address != "10.0.1.4" || !f.LowerOpen || f.Earliest != nil || f.Latest.Format(time.RFC3339Nano) != "2020-04-30T00:08:02.361653Z" {
		t.Errorf("first compromise %+v", f)
	}
	want := []struct {
		time, src, dst string
		port           uint16
		out, in        int64
		technique      string
	}{
		{"00:08:02.361653", "10.0.1.4", "192.168.0.5", 1234, 70042, 910700, "T1571"},
		{"00:15:18.365299", "10.0.1.4", "192.168.0.5", 443, 524836, 32055005, ""},
		{"00:32:18.094200", "10.0.1.4", "192.168.0.4", 80, 2187099, 5347774, ""},
		{"00:33:26.283442", "10.0.1.4", "10.0.1.6", 5985, 56752, 27653, "T1021.006"},
		{"00:35:25.606391", "10.0.1.4", "10.0.1.6", 445, 5901055, 105335, "T1021.002"},
		{"00:40:44.730954", "10.0.1.6", "192.168.0.4", 8443, 390152, 1695935, ""},
	}
	if len(in.Hops) != len(want) {
		t.Fatalf("%d hops, want %d: %+v", len(in.Hops), len(want), in.Hops)
	}
	for i, w := range want {
		h := in.Hops[i]
		if h.Time != "2020-04-30T"+w.time+"Z" || h.Src != w.src || h.Dst != w.dst || h.Port != w.port || h.Out != w.out || h.In != w.in || h.Grade != "observed" {
			t.Errorf("hop %d: got %+v, want %+v", i+1, h, w)
		}
		if w.technique != "" && h.Technique != w.technique {
			t.Errorf("hop %d: technique %s, want %s", i+1, h.Technique, w.technique)
		}
		if len(h.Evidence) == 0 || h.Evidence[0].SHA256 == nil || h.Evidence[0].Inner == nil {
			t.Errorf("hop %d leads back to no bytes: %+v", i+1, h.Evidence)
		}
	}
	for _, i := range []int{3, 4} { // Kerberos names who moved
		if !strings.HasSuffix(in.Hops[i].User, "pbeesly") {
			t.Errorf("hop %d: user %q", i+1, in.Hops[i].User)
		}
	}
	from, to := time.Date(2020, 4, 30, 0, 33, 26, 0, time.UTC), time.Date(2020, 4, 30, 0, 40, 45, 0, time.UTC)
	second := 0
	for _, h := range in.Hosts {
		if !h.Compromised {
			continue
		}
		switch strings.Join(h.Addresses, " ") {
		case "10.0.1.4":
		case "10.0.1.6":
			second++
			if h.First.Before(from) || h.First.After(to) {
				t.Errorf("the second host fell at %s", h.First)
			}
		default:
			t.Errorf("compromised: %v", h.Addresses)
		}
	}
	if second != 1 {
		t.Error("the second host is not named")
	}
}
