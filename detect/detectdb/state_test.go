// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package detectdb

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"citywall/detect"
)

// The state of detectors is what was saved last, by name.
func TestState(t *testing.T) {
	s := begin(t)
	none, err := s.LoadState(t.Context(), "behaviour")
	if err != nil || none.Doc != nil {
		t.Fatalf("%+v, %v", none, err)
	}
	want := detect.State{Seq: 7, Received: time.Date(2026, 11, 25, 1, 2, 3, 456000, time.UTC), Doc: []byte(`{"a":"é"}`)}
	for _, st := range []detect.State{{Seq: 3, Doc: []byte("{}")}, want} {
		if err := s.SaveState(t.Context(), "behaviour", st); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SaveState(t.Context(), "other", detect.State{Doc: []byte("[]")}); err != nil {
		t.Fatal(err)
	}
	got, err := s.LoadState(t.Context(), "behaviour")
	if d := gocmp.Diff(got, want); err != nil || d != "" {
		t.Errorf("%s, %v", d, err)
	}
	if err := s.SaveState(t.Context(), "", want); err == nil {
		t.Error("a state without a name was saved")
	}
}
