// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ocsf

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format/recordtest"
)

// samples decodes the samples of every format, as a file each.
func samples(t *testing.T) []*event.Event {
	t.Helper()
	var out []*event.Event
	for _, glob := range []string{"testdata/more.rec", "../../ingest/format/*/testdata/*.rec"} {
		for _, in := range recordtest.Inputs(t, glob) {
			f, ok := ingest.Recognise(in[:min(len(in), 4096)])
			if !ok {
				continue // a sample of what nobody knows
			}
			_, err := f.Decode(context.Background(), bytes.NewReader(in), recordtest.Source, func(e *event.Event) error {
				out = append(out, e)
				return nil
			})
			if err != nil && !strings.Contains(err.Error(), "mapping") {
				t.Errorf("%s: %v\n%.200s", f.Name, err, in)
			}
		}
	}
	return out
}

// faceless are the records that name no machine, neither whose they are about nor
// whose they are: files that a program writes at home, and alerts without their
// devices. Their source is registered with its machine.
var faceless = []string{
	"amavis/", "antivirus/mcafee", "antivirus/officescan", "antivirus/sophos", "apache/", "bind/named", "cisco/ios", "clamav/", "defender/alert", "defender/mplog", "esxi/", "iis/", "linux/auditd", "modsecurity/",
	"nginx/", "osquery/", "radius/", "rspamd/", "strongswan/", "unbound/", "velociraptor/", "windows/dns-server",
}

// TestSamples takes the samples of every format through the view and OCSF: each is
// about somebody or written by somebody, has a class with all that the class
// requires, and says nothing that the record does not.
func TestSamples(t *testing.T) {
	events := samples(t)
	if len(events) < 500 {
		t.Fatalf("%d samples", len(events))
	}
	constants := tableTexts(t)
	products := map[string]*bytes.Buffer{}
	for _, e := range events {
		v := e.View()
		who := e.Product + "/" + e.Service
		if v.Host == "" && v.Observer == "" && !v.HostAddr.IsValid() && !v.Src.IsValid() && !slices.ContainsFunc(faceless, func(f string) bool { return strings.HasPrefix(who, f) }) {
			t.Errorf("%s: about nobody, written by nobody: %.300s", who, e.Raw)
		}
		o := From(e)
		hold(t, o)
		honest(t, e, o, constants)
		raw := Object{"class": o["class_uid"]}
		for k, x := range o {
			if k != "unmapped" && k != "raw_data" && k != "class_uid" && k != "category_uid" && k != "type_uid" {
				raw[k] = x
			}
		}
		b := products[e.Product]
		if b == nil {
			b = new(bytes.Buffer)
			products[e.Product] = b
		}
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(raw); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, products)
}

// golden holds every product's OCSF to testdata/PRODUCT.jsonl.
func golden(t *testing.T, products map[string]*bytes.Buffer) {
	old, err := filepath.Glob("testdata/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	update := flag.Lookup("update").Value.String() == "true"
	for _, n := range old {
		if p := strings.TrimSuffix(filepath.Base(n), ".jsonl"); products[p] == nil {
			if update {
				if err := os.Remove(n); err != nil {
					t.Fatal(err)
				}
			} else {
				t.Errorf("%s: no sample is of this product any more", n)
			}
		}
	}
	for p, b := range products {
		n := filepath.Join("testdata", p+".jsonl")
		if update {
			if err := os.WriteFile(n, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(n)
		if err != nil {
			t.Errorf("%s: run with -update and read the difference: %v", p, err)
			continue
		}
		got, wanted := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
		for i := range max(len(got), len(wanted)) {
			g, w := "", ""
			if i < len(got) {
				g = got[i]
			}
			if i < len(wanted) {
				w = wanted[i]
			}
			if g != w {
				t.Errorf("%s:%d (with -update it is written anew)\n got  %s\n want %s", n, i+1, g, w)
				break
			}
		}
	}
}

// honest fails when a text of o stands neither in the record nor in a table. Times
// are made of several texts of a record by some decoders; their own tests hold them.
func honest(t *testing.T, e *event.Event, o Object, constants map[string]bool) {
	t.Helper()
	var b strings.Builder
	put := func(s string) { b.WriteString(strings.ToLower(s) + "\n") }
	put(string(e.Raw))
	put(e.Product)
	put(e.Origin.Format)
	put(e.Source)
	put(string(e.View().Action))
	for _, f := range e.Fields {
		put(f.Value.String())
	}
	hay := b.String()
	var walk func(path string, x any)
	walk = func(path string, x any) {
		switch x := x.(type) {
		case Object:
			for k, y := range x {
				if k == "unmapped" || k == "raw_data" || path == "metadata" && (k == "uid" || k == "version" || k == "original_time") || path == "finding_info" && k == "uid" {
					continue
				}
				walk(k, y)
			}
		case []string:
			for _, y := range x {
				walk(path, y)
			}
		case string:
			s := strings.ToLower(x)
			if constants[s] || strings.Contains(hay, s) || isAddress(s) || path == "message" || path == "title" || path == "url_string" || path == "hostname" && constants[s] {
				return
			}
			// Joined and unescaped texts are held word by word.
			for w := range strings.FieldsSeq(s) {
				if !strings.Contains(strings.ReplaceAll(hay, `\\`, `\`), strings.Trim(w, ".,:;()")) && !constants[w] {
					t.Errorf("%s/%s: %s %q stands nowhere in the record: %.300s", e.Product, e.Service, path, x, e.Raw)
					return
				}
			}
		}
	}
	walk("", o)
}

// isAddress: addresses are written in their own form, which may not be the
// record's; that they are the record's is held by the formats' own tests.
func isAddress(s string) bool { _, err := netip.ParseAddr(s); return err == nil }

// tableTexts are the fixed texts of the mapping tables and of classes.yaml.
func tableTexts(t *testing.T) map[string]bool {
	names, err := filepath.Glob("../mapping/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	out := map[string]bool{"tcp": true, "udp": true, "icmp": true} // by number
	var walk func(n *yaml.Node, text bool)
	walk = func(n *yaml.Node, text bool) {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				k := n.Content[i].Value
				walk(n.Content[i+1], text || k == "text" || k == "values" || k == "else")
			}
		case yaml.SequenceNode, yaml.DocumentNode:
			for _, c := range n.Content {
				walk(c, text)
			}
		case yaml.ScalarNode:
			if text {
				out[strings.ToLower(n.Value)] = true
			}
		}
	}
	for _, n := range append(names, "classes.yaml") {
		text, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		walk(&doc, false)
	}
	return out
}
