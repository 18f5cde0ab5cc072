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
	"time"

	"github.com/spf13/cobra"

	"citywall/exercise"
	"citywall/internal/fault"
	"citywall/internal/text"
)

// sorted returns the keys of m in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

type exerciseOptions struct {
	seed     uint64
	devices  int
	days     int
	begin    string
	noAttack bool
}

func (o *exerciseOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.Uint64Var(&o.seed, "seed", 1, "the same seed plays the same city and attack")
	f.IntVar(&o.devices, "devices", 0, "size of the city, up to 18,000 (default 300)")
	f.IntVar(&o.days, "days", 0, "days before the attack (default 2)")
	f.StringVar(&o.begin, "begin", "", "first day of the logs, YYYY-MM-DD in Taipei (default 2026-03-11)")
	f.BoolVar(&o.noAttack, "no-attack", false, "the same days, and nothing happens")
}

func (o *exerciseOptions) play(name string) (*exercise.Play, error) {
	opt := exercise.Options{Seed: o.seed, Devices: o.devices, Days: o.days, NoAttack: o.noAttack}
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
		Use: "list", Short: "List the exercises", Long: "List the exercises. Everything they make is simulated." + exits,
		Example: "  citywall exercise list --lang zh-TW", Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			l, ok := text.ParseLang(lang)
			if !ok {
				return fault.New(fault.Invalid, "no language %q; there are en and zh-TW", lang)
			}
			for _, s := range exercise.Scenarios() {
				fmt.Fprintf(io.out, "%-10s %s\n           %s\n", s.Name, text.T(l, s.Title), text.T(l, s.About))
			}
			return nil
		},
	}
	c.Flags().StringVar(&lang, "lang", lang, "en or zh-TW")
	return c
}

func newExerciseRun(io streams) *cobra.Command {
	var o exerciseOptions
	var out, to, token, syslog string
	var speed float64
	c := &cobra.Command{
		Use:   "run NAME",
		Short: "Write an exercise's logs to a folder, or send them to a server",
		Long: `Play an exercise. With --out its logs are written as an investigator would be
handed them (EVTX, Zeek, EVE, syslog), with the truth in a folder apart. With
--to they are sent to a server as JSON lines over HTTP, and syslog lines over
TCP when --syslog is given.` + exits,
		Example: `  citywall exercise run hospital --out /tmp/hospital
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
		Use: "truth NAME", Short: "Print what really happens in an exercise, as JSON", Long: "Print the truth of an exercise: entry, moves, steps, hosts." + exits,
		Example: "  citywall exercise truth hospital --seed 3", Args: exactly(1, "the name of an exercise"),
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
