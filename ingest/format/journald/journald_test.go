// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package journald_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/ingest/format/journald"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "linux", "nginx") }

// field is a value in the binary form.
func field(name, value string) string {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(value)))
	return name + "\n" + string(n[:]) + value + "\n"
}

// TestBinary: a value may hold line feeds, blank lines, other entries, any byte.
func TestBinary(t *testing.T) {
	const head = "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1773399001000000\nSYSLOG_IDENTIFIER=app\n"
	message := "first\n\n__CURSOR=s=2\nMESSAGE=forged\n\xff"
	text := head + field("MESSAGE", message) + "_HOSTNAME=web01\n\n" + // well
		head + "MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\x7fx\n\n" + // a length that cannot be
		head + field("MESSAGE", strings.Repeat("x", format.MaxRecord+1)) + "_HOSTNAME=web01\n\n" + // too long
		head + "MESSAGE=last"
	f, ok := ingest.Recognise([]byte(text[:4096]))
	if !ok || f.Name != "journald" {
		t.Fatalf("recognised as %q", f.Name)
	}
	var got []string
	var at []int64
	st, err := f.Decode(context.Background(), strings.NewReader(text), recordtest.Source, func(e *event.Event) error {
		got = append(got, e.Fields.Str("MESSAGE"))
		at = append(at, e.Origin.Offset)
		if !bytes.Contains([]byte(text), e.Raw) {
			t.Errorf("raw is not what was read: %q", e.Raw)
		}
		return nil
	})
	if err != nil || st.Damaged != 2 || len(got) != 2 {
		t.Fatalf("%q %+v %v", got, st, err)
	}
	if got[0] != strings.ToValidUTF8(message, "\ufffd") || got[1] != "last" || at[0] != 0 || at[1] != int64(strings.LastIndex(text, head)) {
		t.Errorf("%q at %v", got, at)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("__CURSOR=s=1\n__REALTIME_TIMESTAMP=1773399001000000\n" + field("MESSAGE", "a\nb") + "\n"))
	recordtest.Fuzz(f, journald.Format())
}
