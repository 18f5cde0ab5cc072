// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package modsecurity_test

import (
	"context"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/modsecurity"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "modsecurity") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, modsecurity.Format()) }

// TestLong: a transaction beyond the limit is damaged and hides nothing after it.
func TestLong(t *testing.T) {
	one := "--aaaaaaaa-A--\n[13/Mar/2026:18:50:00 +0800] X 203.0.113.9 5 10.0.0.5 80\n--aaaaaaaa-C--\n" + strings.Repeat(strings.Repeat("x", 1000)+"\n", 1100) + "--aaaaaaaa-Z--\n"
	two := "--bbbbbbbb-A--\n[13/Mar/2026:18:50:01 +0800] Y 203.0.113.9 5 10.0.0.5 80\n--bbbbbbbb-Z--\n"
	var got []string
	st, err := modsecurity.Format().Decode(context.Background(), strings.NewReader(one+two), format.Source{}, func(e *event.Event) error {
		got = append(got, e.Fields.Str("transaction_id"))
		return nil
	})
	if err != nil || st.Decoded != 1 || st.Damaged != 1 || len(got) != 1 || got[0] != "Y" {
		t.Errorf("%v %+v %v", err, st, got)
	}
}
