// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"citywall/internal/durable"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/score/grid"
)

func newBench(io streams) *cobra.Command {
	return group("bench", "Measure Citywall on generated cases and under load", newBenchPath(io), newBenchRules(io), newBenchBehaviour(io), newBenchDetect(io), newBenchServe(io), newBenchSend(io))
}

type benchPathOptions struct {
	seeds   int
	first   uint64
	grid    string
	cell    string
	workers int
	out     string
	csv     bool
	misses  bool
	logons  int
	keep    string
}

func newBenchPath(io streams) *cobra.Command {
	var o benchPathOptions
	c := &cobra.Command{
		Use:   "path",
		Short: "Hold the path inference against generated cases with known truth",
		Long: `Play exercises over a grid (script × what was lost, wrong clocks, sampled
flows, shared addresses, stealth, size of the city), investigate each, and hold
the answer against the truth: hosts and moves found and true, their order, the
first moment and whether its interval holds the truth, moves invented, innocents
accused, and how often each grade of evidence is right. Everything is simulated.

Means stand with half the width of their 95 % interval over seeds. The weights of
the inference were tuned on seeds below 1000; the default begins at 5000.

With --logons N no grid is played: N Windows logon events with one attack among
them are written as JSON lines to a temporary file and investigated; time and
memory of that are held against the bars of a million (10 s, 1 GiB).

Exit codes: 0 all bars met, 1 failed, 2 wrong usage, 3 a bar was missed.`,
		Example: `  citywall bench path
  citywall bench path --grid full --seeds 5 --out grid.json --csv > grid.csv
  citywall bench path --cell hospital,loss --misses
  citywall bench path --logons 1000000`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.logons > 0 {
				return runBenchLogons(c.Context(), io, o)
			}
			return runBenchPath(c.Context(), io, o)
		},
	}
	f := c.Flags()
	f.IntVar(&o.seeds, "seeds", 1, "cases for each cell, every one with a seed of its own")
	f.Uint64Var(&o.first, "first", 5000, "first seed")
	f.StringVar(&o.grid, "grid", "small", "small (one condition at a time) or full (also several together)")
	f.StringVar(&o.cell, "cell", "", "only cells whose name holds these words, separated by commas")
	f.IntVar(&o.workers, "workers", 2, "cases played at the same time, 1 or 2")
	f.StringVarP(&o.out, "out", "o", "", "write the whole result to this file, as JSON")
	f.BoolVar(&o.csv, "csv", false, "print the figures as CSV instead of a table")
	f.BoolVar(&o.misses, "misses", false, "print what was missed in each case that failed")
	f.IntVar(&o.logons, "logons", 0, "measure an investigation of so many logon events instead")
	f.StringVar(&o.keep, "keep", "", "with --logons: write the events to this file and keep it")
	return c
}

func runBenchPath(ctx context.Context, io streams, o benchPathOptions) error {
	var cells []grid.Cell
	switch o.grid {
	case "small":
		cells = grid.Small()
	case "full":
		cells = grid.Full()
	default:
		return fault.New(fault.Invalid, "no grid %q; there are small and full", o.grid)
	}
	if o.workers < 1 || o.workers > 2 || o.seeds < 1 {
		return fault.New(fault.Invalid, "--workers wants 1 or 2, --seeds at least 1")
	}
	var wanted []grid.Cell
	for _, c := range cells {
		if c.Match(o.cell) {
			wanted = append(wanted, c)
		}
	}
	if len(wanted) == 0 {
		return fault.New(fault.NotFound, "no cell of the %s grid matches %q", o.grid, o.cell)
	}
	cases := grid.Cases(wanted, o.seeds, o.first)
	begun := time.Now()
	results, err := grid.Run(ctx, cases, o.workers, func(n int, r grid.Result) {
		verdict := "meets the truth"
		if !r.Pass {
			verdict = "misses a bar"
		}
		fmt.Fprintf(io.err, "%d of %d, %s: %s %s\n", n, len(cases), time.Since(begun).Round(time.Second), r.Case, verdict)
	})
	if err != nil {
		return err
	}
	rep := grid.Summarise(results)
	if o.out != "" {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetIndent("", " ")
		if err := e.Encode(rep); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
		if err := durable.Replace(o.out, 0o644, b.Bytes()); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	}
	if o.misses {
		for _, r := range results {
			if !r.Pass {
				fmt.Fprintf(io.out, "%s\n%s\n", r.Case, r.Text(text.En))
			}
		}
	}
	write := rep.Text
	if o.csv {
		write = rep.CSV
	}
	if err := write(io.out); err != nil {
		return err
	}
	if !rep.Pass {
		return verdict{fault.ExitNegative, "bars are missed"}
	}
	return nil
}
