// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/internal/shared"
)

// eachMember calls f for every file of an archive of the shared data.
func eachMember(t testing.TB, archive string, f func(name string, data []byte)) {
	t.Helper()
	z, err := zip.OpenReader(shared.Path(t, archive))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, m := range z.File {
		if m.FileInfo().IsDir() {
			continue
		}
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
		f(m.Name, data)
	}
}

// table reads a tab-separated file with a header line into one map per row.
func table(t testing.TB, rel string) []map[string]string {
	t.Helper()
	b, err := os.ReadFile(shared.Path(t, rel))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	head := strings.Split(lines[0], "\t")
	var rows []map[string]string
	for _, l := range lines[1:] {
		row := map[string]string{}
		for i, c := range strings.Split(l, "\t") {
			row[head[i]] = c
		}
		rows = append(rows, row)
	}
	return rows
}

// decodeAll decodes a log in memory, both ways, and holds them to be the same.
func decodeAll(t testing.TB, data []byte, src format.Source) ([]*event.Event, format.Stats) {
	t.Helper()
	out, st, _ := bothWays(t, data, src, new(shop))
	return out, st
}

// The live records of every shared log, and all else that an independent walk
// over the headers counted.
func TestCorpusCounts(t *testing.T) {
	// Records that are overwritten in the middle: they are live, and cannot
	// be decoded. expected-counts.tsv agrees.
	unreadable := map[string]int64{
		"samples/2-vss_0-Microsoft-Windows-RemoteDesktopServices-RdpCoreTS%4Operational.evtx":          2,
		"samples/2-vss_0-Microsoft-Windows-TerminalServices-RemoteConnectionManager%4Operational.evtx": 1,
	}
	files, live := 0, int64(0)
	for _, c := range []struct{ archive, tsv string }{
		{"evtx/decode/evtx-samples.zip", "evtx/decode/files.tsv"},
		{"evtx/attack/evtx-to-mitre-attack.zip", "evtx/attack/files.tsv"},
	} {
		want := map[string]map[string]string{}
		for _, r := range table(t, c.tsv) {
			want[r["path"]] = r
		}
		eachMember(t, c.archive, func(name string, data []byte) {
			row := want[name]
			if row == nil {
				if path.Ext(name) == ".evtx" {
					t.Errorf("%s is not listed", name)
				}
				return
			}
			delete(want, name)
			files++
			sum := sha256.Sum256(data)
			if hex.EncodeToString(sum[:]) != row["sha256"] {
				t.Errorf("%s: another file than the listed one", name)
			}
			got := walk(data)
			for k, n := range got {
				if w, _ := strconv.Atoi(row[k]); w != n {
					t.Errorf("%s: %s = %d, want %s", name, k, n, row[k])
				}
			}
			events, st := decodeAll(t, data, format.Source{SHA256: row["sha256"]})
			n := int64(got["live_records"])
			live += n
			if st.Decoded != n-unreadable[name] || int64(len(events)) != st.Decoded || st.Carved != 0 {
				t.Errorf("%s: decoded %d (carved %d) of %d live records", name, st.Decoded, st.Carved, n)
			}
			checkEvents(t, name, data, events)
		})
		for name := range want {
			t.Errorf("%s is listed and absent", name)
		}
	}
	if files != 304 || live != 28415 {
		t.Errorf("%d files with %d live records, want 304 with 28415", files, live)
	}
}

// walk counts what files.tsv counts.
func walk(data []byte) map[string]int {
	n := map[string]int{
		"chunks_found": 0, "live_records": 0, "live_records_beyond_header_count": 0, "slack_candidates": 0,
		"bad_crc_chunk_header": 0, "bad_crc_chunk_data": 0,
	}
	var c chunk
	for i, at := int32(0), fileHeader; at < len(data); i, at = i+1, at+chunkSize {
		b := data[at:min(at+chunkSize, len(data))]
		if !bytes.HasPrefix(b, chunkMagic) {
			continue
		}
		c.open(b, i, int64(at))
		// The table counts mismatches whatever the no-CRC flag says.
		c.flags &^= flagNoCRC
		h, d := c.badCRC()
		spans, end, _ := c.live(nil)
		n["chunks_found"]++
		n["live_records"] += len(spans)
		if n["chunks_found"] > int(le.Uint16(data[42:])) {
			n["live_records_beyond_header_count"] += len(spans)
		}
		n["slack_candidates"] += len(c.slack(max(end, c.free), nil))
		if h {
			n["bad_crc_chunk_header"]++
		}
		if d {
			n["bad_crc_chunk_data"]++
		}
	}
	return n
}

// checkEvents holds every event to what an event of a log must have: a way
// back to its bytes, a time, fields to route by, and no id twice.
func checkEvents(t *testing.T, name string, data []byte, events []*event.Event) {
	t.Helper()
	// Records with zeroes in place of their later values, and one kind of event
	// that has no Channel (EventForwarder 111).
	noChannel := map[string]int{
		"samples/Microsoft-Windows-HelloForBusiness%4Operational.evtx":                                                  1,
		"samples/Microsoft-Windows-LanguagePackSetup%4Operational.evtx":                                                 1,
		"samples/sample_with_a_bad_chunk_magic.evtx":                                                                    1,
		"TA0007-Discovery/T1135.xxx-Network Share Discovery/ID5140-5145-Bloodhound-SharpHound enumeration via SMB.evtx": 1,
	}
	ids := map[event.ID]bool{}
	without := 0
	for _, e := range events {
		at := e.Origin.Offset
		if ids[e.ID] || !isRecord(data[at:]) || int64(e.Origin.Chunk) != (at-fileHeader)/chunkSize {
			t.Fatalf("%s: event at %d: id %s, origin %+v", name, at, e.ID, e.Origin)
		}
		ids[e.ID] = true
		if e.Time.Year() < 2000 || e.Fields.Str("EventID") == "" || e.Origin.Record == 0 {
			t.Errorf("%s: record %d: time %v, fields %v", name, e.Origin.Record, e.Time, e.Fields)
		}
		if e.Fields.Str("Channel") == "" {
			without++
		}
	}
	if without != noChannel[name] {
		t.Errorf("%s: %d events without a channel, want %d", name, without, noChannel[name])
	}
}

// What the owners of the edge cases assert, errors included: records that
// cannot be read, walks cut short by garbage, and lost chunk headers.
func TestExpectedCounts(t *testing.T) {
	want := map[string]map[string]string{}
	for _, r := range table(t, "evtx/decode/expected-counts.tsv") {
		want[r["sample"]] = r
	}
	eachMember(t, "evtx/decode/evtx-samples.zip", func(name string, data []byte) {
		row := want[path.Base(name)]
		if row == nil {
			return
		}
		delete(want, path.Base(name))
		_, st := decodeAll(t, data, format.Source{})
		if got := fmt.Sprint(st.Decoded, st.Damaged); got != row["records_ok"]+" "+row["records_error"] {
			t.Errorf("%s: decoded and damaged %s, want %s %s (%s); notes %q", name, got, row["records_ok"], row["records_error"], row["why"], st.Notes)
		}
	})
	for name := range want {
		t.Errorf("%s is expected and absent", name)
	}
}
