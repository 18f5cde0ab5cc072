// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"citywall/internal/text"
)

// TestCatalogue: every kind says everything in both languages, names a way that
// exists, and leaves no place unfilled.
func TestCatalogue(t *testing.T) {
	all, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	ways := []string{SyslogUDP, SyslogTCP, SyslogTLS, HTTP, Watch, NetFlow}
	keys := map[string]bool{}
	open := regexp.MustCompile(`\{[a-z_]+\}`)
	p := Places{Host: "192.0.2.1", Port: "5514", URL: "https://citywall.example/api/v1/ingest", Token: "t0ken", Name: "fw1", Folder: "/srv/logs/fw1"}
	for _, k := range all {
		if keys[k.Key] {
			t.Errorf("%s: twice", k.Key)
		}
		keys[k.Key] = true
		if !slices.Contains(Groups(), k.Group) || k.Name == "" || k.Format == "" || len(k.Recipes) == 0 {
			t.Errorf("%s: group %q, name %q, format %q, %d recipes", k.Key, k.Group, k.Name, k.Format, len(k.Recipes))
		}
		if k.Silence != "" {
			if d, err := time.ParseDuration(k.Silence); err != nil || d < time.Minute {
				t.Errorf("%s: silence %q", k.Key, k.Silence)
			}
		}
		for _, r := range k.Recipes {
			if !slices.Contains(ways, r.Transport) {
				t.Errorf("%s: way %q", k.Key, r.Transport)
			}
			for _, l := range []text.Lang{text.ZhTW, text.En} {
				if _, there := r.After[l]; r.Where[l] == "" || !there {
					t.Errorf("%s over %s lacks words in %s", k.Key, r.Transport, l)
				}
			}
			if left := open.FindString(r.Fill(p)); left != "" {
				t.Errorf("%s over %s: %s is left open", k.Key, r.Transport, left)
			}
			if r.Transport != Watch && !strings.Contains(r.Fill(p), p.Host) && r.Transport != HTTP {
				t.Errorf("%s over %s does not say where to send", k.Key, r.Transport)
			}
		}
	}
	if len(all) < 30 {
		t.Errorf("%d kinds", len(all))
	}
}

func TestCheck(t *testing.T) {
	a, err := ParseAddress("10.0.0.1")
	if err != nil || a.String() != "10.0.0.1/32" {
		t.Fatal(err, a)
	}
	ok := Sender{Name: "fw1", Transport: SyslogUDP, Address: a, Silence: 10 * time.Minute, Zone: "Asia/Taipei"}
	if err := ok.Check(); err != nil {
		t.Error(err)
	}
	for name, f := range map[string]func(*Sender){
		"no name":   func(s *Sender) { s.Name = "" },
		"path":      func(s *Sender) { s.Name = "a/b" },
		"no way":    func(s *Sender) { s.Transport = "pigeon" },
		"nowhere":   func(s *Sender) { s.Address = (Sender{}).Address },
		"zone":      func(s *Sender) { s.Zone = "Mars/Olympus" },
		"impatient": func(s *Sender) { s.Silence = time.Second },
	} {
		s := ok
		f(&s)
		if s.Check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for in, want := range map[string]string{"::ffff:10.0.0.1": "10.0.0.1/32", "10.1.2.3/24": "10.1.2.0/24", "2001:db8::1": "2001:db8::1/128"} {
		if p, err := ParseAddress(in); err != nil || p.String() != want {
			t.Errorf("%s: %v %v", in, p, err)
		}
	}
	if _, err := ParseAddress("router"); err == nil {
		t.Error("a name was taken for an address")
	}
}
