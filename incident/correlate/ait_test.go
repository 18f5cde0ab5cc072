// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/incident"
	"citywall/incident/correlate"
	"citywall/ingest/format"
	"citywall/ingest/format/csvlog"
	"citywall/internal/shared"
	"citywall/rules"
)

// unlabelled reads a scenario without its two label columns.
func unlabelled(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(shared.Path(t, "casework/ait/"+name+"_alerts.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var b, out bytes.Buffer
	if _, err := b.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b.Bytes()) {
		line = bytes.TrimRight(line, "\r\n")
		for range 2 {
			line = line[:bytes.LastIndexByte(line, ',')]
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// pack loads Citywall's own rules.
func pack(t testing.TB) *sigma.Engine {
	t.Helper()
	e, _, err := sigma.Load([]sigma.Set{{Name: "citywall", FS: rules.FS}}, sigma.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func eachCSV(t testing.TB, name string, data []byte, f func(*event.Event, []detect.Finding)) {
	t.Helper()
	m := pack(t).NewMatcher()
	src := format.Source{Realm: "city", Name: name, File: name + "_alerts.csv", SHA256: name}
	_, err := csvlog.Format().Decode(context.Background(), bytes.NewReader(data), src, func(ev *event.Event) error {
		f(ev, m.Match(ev))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAIT reads alerts that name no attacker (attackpath.md §9.2).
func TestAIT(t *testing.T) {
	var want map[string]struct {
		Host    string    `json:"first_compromised_host"`
		First   time.Time `json:"first_compromise"`
		Root    time.Time `json:"root_on_intranet_server"`
		Begin   time.Time `json:"log_start"`
		DNSteal struct {
			First   time.Time `json:"first_seen"`
			Stopped time.Time `json:"stopped"`
			Before  bool      `json:"before_log_horizon"`
		} `json:"dnsteal"`
	}
	b, err := os.ReadFile(shared.Path(t, "casework/ait/expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	for name, w := range want {
		t.Run(name, func(t *testing.T) {
			e := correlate.New(correlate.Config{})
			eachCSV(t, name, unlabelled(t, name), e.Observe)
			list := e.Incidents(context.Background())
			if len(list) != 2 {
				show(t, list)
				t.Fatalf("%d incidents, want the intrusion and the exfiltration", len(list))
			}
			main, dns := list[0], list[1]
			near := func(what string, got, want time.Time) {
				if d := got.Sub(want).Abs(); d > time.Minute {
					t.Errorf("%s at %s, want %s", what, got, want)
				}
			}
			if main.FirstCompromise.Host != w.Host {
				t.Errorf("first compromised %s, want %s", main.FirstCompromise.Host, w.Host)
			}
			near("first compromise", main.FirstCompromise.Latest, w.First)
			if main.FirstCompromise.LowerOpen || main.FirstCompromise.Earliest.After(w.First) {
				t.Errorf("interval %+v", main.FirstCompromise)
			}
			if main.Entry.Determined {
				t.Errorf("entry %+v: no alert names the attacker", main.Entry)
			}
			var root time.Time
			flood := 0
			for _, s := range main.Steps {
				if s.Step == detect.StepPrivilege && s.Technique == "T1548.003" && root.IsZero() {
					root = s.Time
				}
				if s.Step == detect.StepRecon && s.Host == w.Host {
					flood += s.Rows
				}
			}
			near("root", root, w.Root)
			if flood < 1000 || len(main.Steps) > 60 {
				t.Errorf("%d rows of attempts in %d steps", flood, len(main.Steps))
			}
			for _, in := range list {
				for _, h := range in.Hosts {
					if h.Host == "monitoring" && h.Compromised {
						t.Error("the monitoring host is taken for a victim")
					}
				}
			}
			if len(main.Hops) != 0 {
				t.Errorf("%d hops: alerts about machines show no move", len(main.Hops))
			}
			checkCovert(t, dns, w.DNSteal.First, w.DNSteal.Stopped, w.DNSteal.Before)
			if len(dns.SeparateFrom) != 1 || dns.SeparateFrom[0].Incident != main.ID {
				t.Errorf("separate from %v", dns.SeparateFrom)
			}
		})
	}
}

func checkCovert(t *testing.T, in incident.Incident, first, stopped time.Time, before bool) {
	t.Helper()
	f := in.FirstCompromise
	if in.Title.Code != incident.TitleCovert || f.Host != "internal_share" || !f.LowerOpen {
		t.Errorf("%v: %+v", in.Title, f)
	}
	if len(in.Hops) != 1 || in.Hops[0].Dst.Host != "inet-firewall" {
		t.Errorf("hops %+v", in.Hops)
	}
	if d := in.Last.Sub(stopped).Abs(); d > time.Minute {
		t.Errorf("ends %s, want %s", in.Last, stopped)
	}
	if began := f.KnownGood.Code == incident.LogsBeginAt; began != before {
		t.Errorf("horizon %+v, began before the logs: want %v", f.KnownGood, before)
	}
	if before {
		if d := f.Latest.Sub(first).Abs(); d > time.Minute {
			t.Errorf("first seen %s, want %s", f.Latest, first)
		}
	}
}

// BenchmarkAIT measures the largest scenario, rules included.
func BenchmarkAIT(b *testing.B) {
	data := unlabelled(b, "fox")
	type pair struct {
		ev *event.Event
		fs []detect.Finding
	}
	var all []pair
	eachCSV(b, "fox", data, func(ev *event.Event, fs []detect.Finding) { all = append(all, pair{ev, fs}) })
	b.ReportAllocs()
	for b.Loop() {
		e := correlate.New(correlate.Config{})
		for _, p := range all {
			e.Observe(p.ev, p.fs)
		}
		if n := len(e.Incidents(context.Background())); n != 2 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(len(all)), "rows")
}
