// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citywall/detect/sigma"
	"citywall/internal/fault"
	"citywall/rules"
	"citywall/score/noise"
)

type benchRulesOptions struct {
	seeds, attacks int
	first          uint64
	workers        int
	format         string
}

func newBenchRules(io streams) *cobra.Command {
	var o benchRulesOptions
	c := &cobra.Command{
		Use:   "rules",
		Short: "Count what the own rules say on days on which nothing happens",
		Long: `Play simulated days on which nobody attacks (cities of several sizes, busy and
long ones, shared addresses, sampled flows, wrong clocks) and attacks (every
script, also with tools of the intruder's own and along administrators' ways),
and count the findings of each rule: on 10,000 events of honest days, and in
attacks. Everything is simulated; a rule for a product that no exercise has says
nothing on either side.

The bars for honest days: rules of level high or critical, and those that accuse
a host, say nothing; all of level medium and more together at most once on 10,000
events.

Exit codes: 0 all bars met, 1 failed, 2 wrong usage, 3 a bar was missed.`,
		Example: "  citywall bench rules\n  citywall bench rules --seeds 5 --attacks 0 --format csv > noise.csv",
		Args:    exactly(0, "no arguments"),
		RunE:    func(c *cobra.Command, _ []string) error { return runBenchRules(c.Context(), io, o) },
	}
	f := c.Flags()
	f.IntVar(&o.seeds, "seeds", 2, "seeds for each kind of honest day")
	f.IntVar(&o.attacks, "attacks", 1, "seeds for each script and way of attack; 0 plays none")
	f.Uint64Var(&o.first, "first", 7000, "first seed")
	f.IntVar(&o.workers, "workers", 2, "plays at the same time, 1 to 8")
	f.StringVar(&o.format, "format", "text", "text, csv or json")
	return c
}

func runBenchRules(ctx context.Context, s streams, o benchRulesOptions) error {
	switch {
	case o.format != "text" && o.format != "csv" && o.format != "json":
		return fault.New(fault.Invalid, "no format %q; there are text, csv and json", o.format)
	case o.seeds < 1 || o.attacks < 0 || o.workers < 1 || o.workers > 8:
		return fault.New(fault.Invalid, "want seeds from 1, attacks from 0 and workers from 1 to 8")
	}
	plays := append(noise.Benign(o.seeds, o.first), noise.Attacks(o.attacks, o.first)...)
	done := 0
	r, err := noise.Run(ctx, []sigma.Set{{Name: "citywall", FS: rules.FS}}, plays, o.workers, func(h noise.Heard) {
		done++
		fmt.Fprintf(s.err, "%d of %d  %s: %d events\n", done, len(plays), h.Name(), h.Events)
	})
	if err != nil {
		return err
	}
	switch o.format {
	case "json":
		e := json.NewEncoder(s.out)
		e.SetIndent("", " ")
		err = e.Encode(r)
	case "csv":
		err = noiseCSV(s.out, r)
	default:
		err = noiseText(s.out, r)
	}
	if err != nil {
		return err
	}
	if loud, m := r.Loud(), r.MediumPer10k(); len(loud) > 0 || m > 1 {
		return verdict{fault.ExitNegative, fmt.Sprintf("%d rules of level high or critical spoke on honest days; %.2f findings of medium and more on 10,000 events, at most 1 is wanted", len(loud), m)}
	}
	return nil
}

func noiseText(w io.Writer, r noise.Result) error {
	_, err := fmt.Fprintf(w, "%d honest plays, %d events; %d attacks, %d events; %d lines not understood; %s\n%.2f findings of level medium and more on 10,000 events of honest days\n\n%10s %9s %6s  %9s %6s  %-13s %s\n",
		r.BenignPlays, r.BenignEvents, r.AttackPlays, r.AttackEvents, r.Undecoded, r.Took.Round(time.Second), r.MediumPer10k(),
		"per 10,000", "findings", "plays", "attacks", "plays", "level", "rule")
	silent := 0
	for _, c := range r.Rules {
		if c.Benign+c.Attack == 0 {
			silent++
			continue
		}
		if err == nil {
			_, err = fmt.Fprintf(w, "%10.3f %9d %6d  %9d %6d  %-13s %s\n", r.Per10k(c), c.Benign, c.BenignPlays, c.Attack, c.AttackPlays, c.Rule.Level, c.Rule.Title)
		}
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "\n%d further rules said nothing\n", silent)
	}
	return err
}

func noiseCSV(w io.Writer, r noise.Result) error {
	rows := [][]string{{"rule", "title", "file", "level", "step", "benign", "per_10000", "benign_plays", "attack", "attack_plays", "scripts"}}
	for _, c := range r.Rules {
		rows = append(rows, []string{
			c.Rule.ID, c.Rule.Title, c.Rule.File, c.Rule.Level.String(), string(c.Meaning.Step), strconv.FormatInt(c.Benign, 10), strconv.FormatFloat(r.Per10k(c), 'f', 4, 64),
			strconv.Itoa(c.BenignPlays), strconv.FormatInt(c.Attack, 10), strconv.Itoa(c.AttackPlays), strings.Join(c.Scenarios, " "),
		})
	}
	return csv.NewWriter(w).WriteAll(rows)
}
