// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The 15 renderings of the reference, in content: JSON values with their
// types and the order of members, XML elements with attributes and texts.
func TestSnapshots(t *testing.T) {
	snaps := map[string]string{}
	eachMember(t, "evtx/decode/snapshots.zip", func(name string, data []byte) {
		// A head between two --- lines, then the rendering.
		_, rest, _ := strings.Cut(string(data), "---\n")
		_, body, ok := strings.Cut(rest, "---\n")
		if !ok {
			t.Errorf("%s: no head", name)
		}
		snaps[strings.TrimSuffix(path.Base(name), ".snap")] = body
	})
	samples := map[string][]byte{}
	eachMember(t, "evtx/decode/evtx-samples.zip", func(name string, data []byte) { samples[path.Base(name)] = data })
	rows := table(t, "evtx/decode/snapshots.tsv")
	if len(rows) != 15 || len(snaps) != 15 {
		t.Errorf("%d rows and %d snapshots, want 15", len(rows), len(snaps))
	}
	for _, row := range rows {
		t.Run(row["snapshot"], func(t *testing.T) {
			want, ok := snaps[row["snapshot"]]
			if !ok {
				t.Fatal("snapshot absent")
			}
			id, byID := strings.CutPrefix(row["record"], "EventRecordID=")
			checked := false
			eachTree(samples[row["sample"]], func(e *Element) bool {
				if byID && e.Child("System").Child("EventRecordID").Text() != id {
					return true
				}
				checked = true
				switch row["form"] {
				case "xml":
					diff(t, xmlShape(t, want), xmlShape(t, string(XML(e))))
				case "json":
					diff(t, jsonShape(t, want), jsonShape(t, string(JSON(e))))
				case "json, attributes separate":
					diff(t, jsonShape(t, want), jsonShape(t, string(JSONSeparate(e))))
				default:
					t.Errorf("unknown form %q", row["form"])
				}
				return false
			})
			if !checked {
				t.Error("record absent")
			}
		})
	}
}

// sevenDigits matches a FILETIME that microseconds cannot hold.
var sevenDigits = regexp.MustCompile(`([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6})[0-9]Z`)

// diff compares. The reference cuts a FILETIME after the microseconds; that is
// its loss, so the last digit is dropped from ours.
func diff(t *testing.T, want, got []string) {
	t.Helper()
	for i := range got {
		got[i] = sevenDigits.ReplaceAllString(got[i], "${1}Z")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
}

// eachTree calls f with the live records of a log until it returns false.
func eachTree(data []byte, f func(*Element) bool) {
	var c chunk
	var x builder
	for i, at := int32(0), fileHeader; at < len(data); i, at = i+1, at+chunkSize {
		b := data[at:min(at+chunkSize, len(data))]
		if !bytes.HasPrefix(b, chunkMagic) {
			continue
		}
		c.open(b, i, int64(at))
		spans, _, _ := c.live(nil)
		for _, s := range spans {
			if e, err := x.record(&c, s); err == nil && !f(e) {
				return
			}
		}
	}
}

// jsonShape lists the tokens of a JSON text, which keeps order and types and
// forgets white space.
func jsonShape(t *testing.T, s string) []string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var out []string
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("json: %v in %s", err, s)
		}
		b, _ := json.Marshal(tok)
		if x, ok := tok.(json.Delim); ok {
			b = []byte(x.String())
		}
		out = append(out, string(b))
	}
}

// xmlShape lists the pieces of an XML text. White space that only indents is
// dropped: the reference writes an empty element over two lines.
func xmlShape(t *testing.T, s string) []string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(s))
	var out []string
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("xml: %v in %s", err, s)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			out = append(out, "<"+x.Name.Local)
			for _, a := range x.Attr {
				out = append(out, a.Name.Local+"="+a.Value)
			}
		case xml.EndElement:
			out = append(out, ">"+x.Name.Local)
		case xml.CharData:
			if len(bytes.TrimSpace(x)) > 0 {
				out = append(out, string(x))
			}
		}
	}
}
