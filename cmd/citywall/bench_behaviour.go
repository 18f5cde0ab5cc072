// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"citywall/detect"
	"citywall/internal/fault"
	"citywall/score/behave"
)

type benchBehaviourOptions struct {
	seeds, workers int
	first          uint64
	alerts         []string
	format         string
	each           bool
}

func newBenchBehaviour(io streams) *cobra.Command {
	var o benchBehaviourOptions
	c := &cobra.Command{
		Use:   "behaviour",
		Short: "Count which steps of attacks the detectors of behaviour find, and how often they err",
		Long: `Play simulated days on which nobody attacks, and attacks (every script plainly, with
tools of the intruder's own, along administrators' ways, slowly, and after a week
of honest days), show every record to the detectors of behaviour, and print for
each kind of step how many of the attack's were found and by which detector; and
for each detector its findings on 10,000 events of honest days, and how many of
those in attacks are about a machine or address of the attack. Everything is
simulated.

With --alerts no exercise is played: alerts of several products in one table are
read (CSV, .gz too) whose last two columns are labels: time,name,ip,host,short,
time_label,event_label, as the AIT alert data set has them.

Exit codes: 0 measured, 1 failed, 2 wrong usage.`,
		Example: "  citywall bench behaviour --seeds 3\n  citywall bench behaviour --alerts fox_alerts.csv.gz --alerts shaw_alerts.csv.gz",
		Args:    exactly(0, "no arguments"),
		RunE:    func(c *cobra.Command, _ []string) error { return runBenchBehaviour(c.Context(), io, o) },
	}
	f := c.Flags()
	f.IntVar(&o.seeds, "seeds", 1, "seeds for each kind of honest day and each way of attack")
	f.Uint64Var(&o.first, "first", 7000, "first seed")
	f.IntVar(&o.workers, "workers", 2, "plays at the same time, 1 to 8")
	f.StringArrayVar(&o.alerts, "alerts", nil, "labelled alerts to read instead (repeatable)")
	f.BoolVar(&o.each, "each", false, "print each finding on standard error")
	f.StringVar(&o.format, "format", "text", "text or json")
	return c
}

func runBenchBehaviour(ctx context.Context, s streams, o benchBehaviourOptions) error {
	switch {
	case o.format != "text" && o.format != "json":
		return fault.New(fault.Invalid, "no format %q; there are text and json", o.format)
	case o.seeds < 1 || o.workers < 1 || o.workers > 8:
		return fault.New(fault.Invalid, "want seeds from 1 and workers from 1 to 8")
	}
	tell := func(where string, f *detect.Finding, what string) {
		if o.each {
			fmt.Fprintf(s.err, "%s %s %s: %s: %s: %s\n", where, f.Time.Format("2006-01-02 15:04:05"), what, f.Host, f.Rule.Title, strings.Join(f.Reasons[1:], "; "))
		}
	}
	var r behave.Result
	var err error
	if len(o.alerts) == 0 {
		r, err = behave.Run(ctx, behave.Plays(o.seeds, o.first), o.workers, func(t behave.Told) {
			what := "elsewhere"
			if t.True {
				what = "of the attack"
			}
			tell(t.Play.Name(), &t.Finding, what)
		})
	}
	for _, path := range o.alerts {
		var one behave.Result
		one, err = labelledAlerts(ctx, path, func(f detect.Finding, what string) { tell(filepath.Base(path), &f, what) })
		if err != nil {
			break
		}
		r.Add(one)
	}
	if err != nil {
		return err
	}
	if o.format == "json" {
		e := json.NewEncoder(s.out)
		e.SetIndent("", " ")
		return e.Encode(r)
	}
	return r.Text(s.out)
}

func labelledAlerts(ctx context.Context, path string, told func(detect.Finding, string)) (behave.Result, error) {
	f, err := os.Open(path) //nolint:gosec // named by the user
	if err != nil {
		return behave.Result{}, err
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return behave.Result{}, fmt.Errorf("read %s: %w", path, err)
		}
		in = z
	}
	return behave.Labelled(ctx, filepath.Base(path), in, told)
}
