// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package detectdb

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"citywall/internal/fault"
)

// A rule is off from the switch to the next one, with who, when and why.
func TestOff(t *testing.T) {
	s := begin(t)
	want := Off{ID: "r-1", Title: "Noise", Hash: "ab", By: "chen.yj", At: time.Date(2026, 11, 25, 1, 2, 3, 456000, time.UTC), Reason: "備份軟體每小時觸發"}
	if err := s.SwitchOff(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	again := want
	again.By = "lin.zh"
	if err := s.SwitchOff(t.Context(), again); !fault.Is(err, fault.Conflict) {
		t.Errorf("off twice: %v", err)
	}
	got, err := s.ListOff(t.Context())
	if d := gocmp.Diff(got, []Off{want}); err != nil || d != "" {
		t.Errorf("%s, %v", d, err)
	}
	if err := s.SwitchOn(t.Context(), "r-2"); !fault.Is(err, fault.Conflict) {
		t.Errorf("on without being off: %v", err)
	}
	if err := s.SwitchOn(t.Context(), "r-1"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.ListOff(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	for name, o := range map[string]Off{
		"no rule": {Reason: "x"}, "no reason": {ID: "r", Reason: " \n"}, "a long reason": {ID: "r", Reason: strings.Repeat("x", maxReason+1)},
	} {
		if err := s.SwitchOff(t.Context(), o); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
