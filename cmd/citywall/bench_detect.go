// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"citywall/internal/fault"
	"citywall/score/speed"
)

type benchDetectOptions struct {
	rules  []string
	passes int
	grow   int64
	format string
}

func newBenchDetect(io streams) *cobra.Command {
	var o benchDetectOptions
	c := &cobra.Command{
		Use:   "detect PATH...",
		Short: "Measure decoding and matching over real logs",
		Long: `Decode the evidence, hold the rules against it, and say what each cost: processor
time of one record, records that one core does in a second, memory allocated; cold
(first pass) and warm; and matching with each layer of the matcher left out in
turn, after making sure that the findings stay the same.

With --grow N a generated Windows log of N GB is decoded and matched instead: the
chunks of the logs in the given files and folders (not archives) over and over,
made as it is read. What memory is in use at every tenth of it shows whether it
stays flat.

Exit codes: 0 measured, 1 failed, 2 wrong usage.`,
		Example: "  citywall bench detect --rules sigma_all_rules.zip evidence.zip\n  citywall bench detect --rules sigma_all_rules.zip --grow 10 logs/",
		Args:    exactly(-1, "at least one path"),
		RunE:    func(c *cobra.Command, args []string) error { return runBenchDetect(c.Context(), io, args, o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.rules, "rules", nil, "Sigma rules from this folder or zip (repeatable); default: Citywall's own")
	f.IntVar(&o.passes, "passes", 5, "warm passes over the evidence, the best of which counts")
	f.Int64Var(&o.grow, "grow", 0, "decode and match a generated log of so many GB")
	f.StringVar(&o.format, "format", "text", "text or json")
	return c
}

func runBenchDetect(ctx context.Context, st streams, paths []string, o benchDetectOptions) error {
	if o.format != "text" && o.format != "json" || o.passes < 1 || o.grow < 0 || o.grow > 1000 {
		return fault.New(fault.Invalid, "want --format text or json, --passes from 1 and --grow from 0 to 1000")
	}
	sets, done, err := ruleSets(o.rules, len(o.rules) == 0)
	if err != nil {
		return err
	}
	defer done()
	so := speed.Options{Paths: paths, Sets: sets, Passes: o.passes, CPU: cpuTime, Told: func(s string) { fmt.Fprintf(st.err, "%s\n", s) }}
	if o.grow > 0 {
		defer collectLess()() // as a hunt does
		defer stayWithin(huntMemory)()
		g, err := speed.Grow(ctx, so, o.grow<<30)
		if err != nil {
			return err
		}
		if o.format == "json" {
			return json.NewEncoder(st.out).Encode(g)
		}
		return grownText(st.out, g)
	}
	r, err := speed.Run(ctx, so)
	if err != nil {
		return err
	}
	if o.format == "json" {
		return json.NewEncoder(st.out).Encode(r)
	}
	return speedText(st.out, r)
}

func grownText(w io.Writer, g speed.Grown) error {
	_, err := fmt.Fprintf(w, "generated log of %d GB: %d records, %d findings, %.1f s wall, %.1f s of processors: %.0f records/s for each core\nmemory in use at each tenth: %d to %d MiB; the process held %d MiB at most\n",
		g.Size>>30, g.Records, g.Findings, g.Wall.Seconds(), g.CPU.Seconds(), float64(g.Records)/g.CPU.Seconds(),
		slices.Min(g.Live)>>20, slices.Max(g.Live)>>20, peakMemory()>>20)
	return err
}

func speedText(w io.Writer, r speed.Result) (err error) {
	print := func(f string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, f, args...)
		}
	}
	row := func(name string, c speed.Cost) {
		n := float64(max(c.Records, 1))
		print("%-28s %12.2f %12.0f %12.0f %10.2f\n", name, float64(c.PerRecord())/float64(time.Microsecond), c.PerCore(), float64(c.Bytes)/n, float64(c.Allocs)/n)
	}
	print("%d records, %d rules (read and compiled in %.2f s of processors), %d findings; %d processors, %s\n\n%-28s %12s %12s %12s %10s\n",
		r.Decode.Records, r.Rules, r.Load.Seconds(), r.Findings, runtime.GOMAXPROCS(0), runtime.Version(),
		"", "µs/record", "records/s", "bytes/record", "allocs")
	row("decode", r.Decode)
	if r.Memory.Records > 0 {
		row("decode from memory, no hash", r.Memory)
	}
	row("match, first pass", r.MatchCold)
	row("match", r.Match)
	row("decode and match", r.Whole)
	for _, l := range r.Layers {
		row("match without "+l.Without, l.Match)
	}
	print("\nThe process held %d MiB at most; it keeps all records in memory to match them again.\n", peakMemory()>>20)
	return err
}
