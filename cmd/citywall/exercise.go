// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citywall/exercise"
	"citywall/internal/fault"
	"citywall/internal/text"
)

// sorted returns the keys of m in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

type exerciseOptions struct {
	seed          uint64
	devices, days int
	begin         string
	dwell, clock  time.Duration
	rate          float64
	stealth, loss []string
	sample        int
	cgnat         bool
	noAttack      bool
	set           func(flag string) bool
}

func (o *exerciseOptions) flags(c *cobra.Command) {
	f := c.Flags()
	about := map[string]string{}
	for _, k := range exercise.Knobs() {
		about[k.Name] = text.T(text.En, k.About) + " (" + k.Values + ")"
	}
	f.Uint64Var(&o.seed, "seed", 1, about["seed"])
	f.IntVar(&o.devices, "devices", 0, about["devices"]+" (default 300)")
	f.IntVar(&o.days, "days", 0, about["days"]+" (default 2)")
	f.StringVar(&o.begin, "begin", "", about["begin"]+" (default 2026-03-11)")
	f.DurationVar(&o.dwell, "dwell", 0, about["dwell"])
	f.Float64Var(&o.rate, "rate", 1, about["rate"])
	f.StringSliceVar(&o.stealth, "stealth", nil, about["stealth"])
	f.StringSliceVar(&o.loss, "loss", nil, about["loss"])
	f.DurationVar(&o.clock, "clock-error", 0, about["clock-error"])
	f.IntVar(&o.sample, "sample", 0, about["sample"])
	f.BoolVar(&o.cgnat, "cgnat", false, about["cgnat"])
	f.BoolVar(&o.noAttack, "no-attack", false, about["no-attack"])
	o.set = f.Changed
}

func (o *exerciseOptions) play(name string) (*exercise.Play, error) {
	opt := exercise.Options{
		Seed: o.seed, Devices: o.devices, Days: o.days, Dwell: o.dwell, Rate: o.rate, Clock: o.clock, Sample: o.sample, CGNAT: o.cgnat, NoAttack: o.noAttack,
	}
	if o.set("days") && o.days == 0 {
		opt.Days = exercise.NoDays
	}
	for _, s := range o.stealth {
		opt.Stealth = append(opt.Stealth, exercise.Stealth(s))
	}
	for _, s := range o.loss {
		opt.Loss = append(opt.Loss, exercise.Loss(s))
	}
	if o.begin != "" {
		t, err := time.ParseInLocation("2006-01-02", o.begin, time.FixedZone("Asia/Taipei", 8*3600))
		if err != nil {
			return nil, fault.New(fault.Invalid, "--begin %q: want YYYY-MM-DD", o.begin)
		}
		opt.Begin = t
	}
	return exercise.New(name, opt)
}

func newExercise(io streams) *cobra.Command {
	return group("exercise", "Play a simulated city under attack, with known truth", newExerciseList(io), newExerciseRun(io), newExerciseTruth(io))
}

func newExerciseList(io streams) *cobra.Command {
	lang := "en"
	c := &cobra.Command{
		Use: "list", Short: "List the exercises and their knobs", Long: "List the exercises and what can be turned about them. Everything they make is simulated." + exits,
		Example: "  citywall exercise list --lang zh-TW", Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			l, ok := text.ParseLang(lang)
			if !ok {
				return fault.New(fault.Invalid, "no language %q; there are en and zh-TW", lang)
			}
			fmt.Fprintf(io.out, "%s\n", text.T(l, "exercise.list.scripts"))
			for _, s := range exercise.Scenarios() {
				fmt.Fprintf(io.out, "\n  %-11s %s\n              %s\n              %s\n", s.Name, text.T(l, s.Title), text.T(l, s.About),
					text.T(l, "exercise.list.entry", "kind", s.Entry, "dwell", span(s.Dwell)))
			}
			fmt.Fprintf(io.out, "\n%s\n\n", text.T(l, "exercise.list.knobs"))
			for _, k := range exercise.Knobs() {
				fmt.Fprintf(io.out, "  --%-12s %s\n                 %s\n", k.Name, text.T(l, k.About), k.Values)
			}
			return nil
		},
	}
	c.Flags().StringVar(&lang, "lang", lang, "en or zh-TW")
	return c
}

// span writes a duration without the units that are zero.
func span(d time.Duration) string {
	s := strings.TrimSuffix(d.String(), "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func newExerciseRun(io streams) *cobra.Command {
	var o exerciseOptions
	var out, to, token, syslog string
	var speed float64
	c := &cobra.Command{
		Use:   "run NAME",
		Short: "Write an exercise's logs to a folder, or send them to a server",
		Long: `Play an exercise. With --out its logs are written as an investigator would be
handed them (EVTX, Zeek, EVE, syslog, NetFlow), with the truth in a folder apart. With
--to they are sent to a server as JSON lines over HTTP, and syslog lines over
TCP when --syslog is given.` + exits,
		Example: `  citywall exercise run hospital --out /tmp/hospital
  citywall exercise run hypervisor --seed 4 --loss controller,entry --clock-error 10m --out case
  citywall exercise run insider --sample 1000 --cgnat --days 14 --out case
  citywall exercise run worm --no-attack --devices 2000 --out quiet
  citywall exercise run webshell --seed 7 --to http://127.0.0.1:8443/api/v1/ingest --token-file token --syslog 127.0.0.1:5514 --speed 60`,
		Args: exactly(1, "the name of an exercise"),
		RunE: func(c *cobra.Command, args []string) error {
			if (out == "") == (to == "") {
				return fault.New(fault.Invalid, "give either --out DIR or --to URL")
			}
			p, err := o.play(args[0])
			if err != nil {
				return err
			}
			if out != "" {
				if err := exercise.WriteFiles(c.Context(), p, out); err != nil {
					return err
				}
				_, err = fmt.Fprintf(io.out, "simulated logs are in %s/logs, the truth in %s/truth\n", out, out)
				return err
			}
			secret, err := readSecret(token)
			if err != nil {
				return err
			}
			return runExerciseSend(c.Context(), io, p, &player{
				url: to, token: func(context.Context, string, string) (string, error) { return secret, nil }, syslog: syslog, speed: speed, client: http.DefaultClient,
				run: fmt.Sprintf("exercise/%s/%d/%d", args[0], o.seed, time.Now().UnixNano()),
			})
		},
	}
	o.flags(c)
	f := c.Flags()
	f.StringVar(&out, "out", "", "write files to this folder")
	f.StringVar(&to, "to", "", "send to this ingest URL")
	f.StringVar(&token, "token-file", "", "file with the token of a source (with --to)")
	f.StringVar(&syslog, "syslog", "", "host:port of a syslog TCP listener (with --to)")
	f.Float64Var(&speed, "speed", 0, "times real time; 0 is as fast as the server takes it")
	return c
}

func runExerciseSend(ctx context.Context, io streams, ex *exercise.Play, p *player) error {
	begun := time.Now()
	p.sent = func(n int64, at time.Time) {
		fmt.Fprintf(io.err, "\r%d simulated events sent, exercise clock %s ", n, at.UTC().Format("2006-01-02 15:04:05Z"))
	}
	n, err := p.play(ctx, ex)
	fmt.Fprintln(io.err)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "%d simulated events sent in %s\n", n, time.Since(begun).Round(time.Millisecond))
	return err
}

func newExerciseTruth(io streams) *cobra.Command {
	var o exerciseOptions
	c := &cobra.Command{
		Use: "truth NAME", Short: "Print what really happens in an exercise, as JSON", Long: `Print the truth of an exercise: entry, moves, steps, hosts, innocents, and where
the trail must be said to end. Times are true times; which source has what on
record, and with which stamp, stands beside them.` + exits,
		Example: "  citywall exercise truth hospital --seed 3\n  citywall exercise truth remotetool --stealth slow,own-tools --loss 3-days", Args: exactly(1, "the name of an exercise"),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := o.play(args[0])
			if err != nil {
				return err
			}
			e := json.NewEncoder(io.out)
			e.SetIndent("", "  ")
			return e.Encode(p.Truth())
		},
	}
	o.flags(c)
	return c
}
