// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behave

import (
	"compress/gzip"
	"os"
	"strings"
	"testing"

	"citywall/internal/shared"
)

// scenarios of the AIT alert data set (Landauer et al., CSET 2024).
var scenarios = []string{"fox", "russellmitchell", "santos", "shaw"}

func TestAIT(t *testing.T) {
	var all Result
	for _, name := range scenarios {
		f, err := os.Open(shared.Path(t, "casework/ait/"+name+"_alerts.csv.gz"))
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Labelled(t.Context(), name, z, nil)
		if err != nil {
			t.Fatal(err)
		}
		all.Add(r)
		_ = f.Close()
	}
	log(t, &all)
	if all.BenignEvents+all.AttackEvents != 720_209 {
		t.Errorf("%d rows were shown", all.BenignEvents+all.AttackEvents)
	}
	// The alerts name no attacker and no account, and hold no flow: what is left is
	// that a machine never had such an alert, or that they come in a flood.
	held(t, &all, []bar{{"wpscan", "alerts", 1}, {"dirb", "alerts", 0.7}, {"service_scan", "alerts", 0.6}, {"attacker_change_user", "alerts", 0.7}, {"escalated_sudo_command", "alerts", 0.7}})
	n := int64(0)
	for _, d := range all.Detectors {
		if n += d.Benign; d.Level == "high" && d.Benign > 0 {
			t.Errorf("%s: %d findings of level high on benign rows", d.Name, d.Benign)
		}
	}
	if got := all.Per10k(n); got > 3 {
		t.Errorf("%.2f findings on 10,000 benign rows, at most 3 are wanted", got)
	}
}

// Rows without labels, and what is no table, are refused.
func TestLabelledRefuses(t *testing.T) {
	for _, doc := range []string{"time\n1\n", "time,name,ip,host,short\n"} {
		if _, err := Labelled(t.Context(), "x", strings.NewReader(doc), nil); err == nil {
			t.Errorf("%q was read", doc)
		}
	}
}
