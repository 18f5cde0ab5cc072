// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"citywall/asset"
	"citywall/detect/sigma"
	"citywall/detect/sigma/ruletest"
	"citywall/event"
	"citywall/ingest/file"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/rules"
)

func newRulesTest(st streams) *cobra.Command {
	return &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the tests that lie beside rules",
		Long: `Hold every rule of a folder against the events of NAME.test.txt beside NAME.yml:
records, a line of ---, and the findings that must follow. A rule without a test,
and a test without a look-alike that must not match, fail. Without an argument
Citywall's own pack is tested; its README describes the form.

Exit codes: 0 all pass, 1 failed, 2 wrong usage, 3 some rules fail.`,
		Example: "  citywall rules test my-rules/",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var fsys fs.FS = rules.FS
			if len(args) == 1 {
				if fi, err := os.Stat(args[0]); err != nil {
					return fmt.Errorf("open the rules: %w", err)
				} else if !fi.IsDir() {
					return fault.New(fault.Invalid, "%s is no folder: tests lie beside their rules in one", args[0])
				}
				fsys = os.DirFS(args[0])
			}
			rs, err := ruletest.Run(fsys, sigma.Options{})
			if err != nil {
				return err
			}
			bad := 0
			for _, r := range rs {
				if len(r.Problems) == 0 {
					continue
				}
				bad++
				for _, p := range r.Problems {
					fmt.Fprintf(st.out, "FAIL  %s: %s\n", r.Rule, text.Printable(p))
				}
			}
			fmt.Fprintf(st.out, "%d rules, %d pass, %d fail\n", len(rs), len(rs)-bad, bad)
			if bad > 0 {
				return verdict{fault.ExitNegative, fmt.Sprintf("%d of %d rules fail their tests", bad, len(rs))}
			}
			return nil
		},
	}
}

func newRulesExplain(st streams) *cobra.Command {
	var sets []string
	var record uint64
	var offset int64
	var format string
	c := &cobra.Command{
		Use:   "explain RULE EVENT",
		Short: "Say why a rule does or does not match a record, comparison by comparison",
		Long: `Hold one rule against one record and show the whole of its logic: + holds, - does
not, with the value that the record has and the field it was read from.

RULE is a rule's file, or an id among --rules (default: Citywall's own). EVENT is a
file of any format that Citywall reads, or - for standard input; without --record
or --offset its first record is taken.

Exit codes: 0 the rule matches, 1 failed, 2 wrong usage, 3 it does not match.`,
		Example: `  citywall rules explain my-rule.yml event.json
  citywall rules explain --rules sigma_all_rules.zip 3b6ab547-8ec2-4991-b9d2-2b06702a48d7 Security.evtx --record 4711`,
		Args: exactly(2, "a rule and a file with the record"),
		RunE: func(c *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return fault.New(fault.Invalid, "no format %q; there are text and json", format)
			}
			rule, engine, done, err := oneRule(args[0], sets)
			if err != nil {
				return err
			}
			defer done()
			e, err := oneRecord(c.Context(), st, args[1], func(e *event.Event) bool {
				return (record == 0 || e.Origin.Record == record) && (offset < 0 || e.Origin.Offset == offset)
			})
			if err != nil {
				return err
			}
			x := engine.NewMatcher().Explain(rule, e)
			if format == "json" {
				enc := json.NewEncoder(st.out)
				enc.SetEscapeHTML(false)
				enc.SetIndent("", "  ")
				err = enc.Encode(x)
			} else {
				_, err = fmt.Fprint(st.out, x.Text())
			}
			if err != nil {
				return err
			}
			if !x.Matched {
				return verdict{fault.ExitNegative, "the rule does not match the record"}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringArrayVar(&sets, "rules", nil, "Sigma rules among which RULE is an id (repeatable); default: Citywall's own")
	f.Uint64Var(&record, "record", 0, "the record with this EVTX record id")
	f.Int64Var(&offset, "offset", -1, "the record at this byte of its file")
	f.StringVar(&format, "format", "text", "text or json")
	return c
}

// oneRule finds a rule by its file or by its id.
func oneRule(name string, paths []string) (*sigma.Rule, *sigma.Engine, func(), error) {
	fi, err := os.Stat(name)
	isFile := err == nil && fi.Mode().IsRegular()
	if isFile {
		paths = []string{name}
	}
	sets, done, err := ruleSets(paths, len(paths) == 0)
	if err != nil {
		return nil, nil, nil, err
	}
	engine, rep, err := sigma.Load(sets, sigma.Options{})
	if err != nil {
		done()
		return nil, nil, nil, err
	}
	for _, r := range engine.Rules() {
		if r.ID == name || isFile && r.Kind == "" {
			return r, engine, done, nil
		}
	}
	done()
	for _, p := range append(rep.Refused, rep.Waiting...) {
		if p.ID == name || isFile {
			return nil, nil, nil, fault.New(fault.Invalid, "%s is not evaluated: %s", name, p.Reason)
		}
	}
	return nil, nil, nil, fault.New(fault.NotFound, "no rule %s: give a rule's file, or an id among --rules", name)
}

var errFound = errors.New("found")

// oneRecord returns the first record that is wanted.
func oneRecord(ctx context.Context, st streams, path string, want func(*event.Event) bool) (*event.Event, error) {
	var found *event.Event
	stats, err := file.Read(ctx, []string{path}, file.Options{Realm: asset.Police, Stdin: st.in, Carve: true}, func(e *event.Event) error {
		if !want(e) {
			return nil
		}
		found = e
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
		return nil, err
	}
	if found != nil {
		return found, nil
	}
	why := ""
	for _, s := range stats {
		if s.Problem != "" {
			why = ": " + s.Problem
		}
	}
	return nil, fault.New(fault.NotFound, "no such record in %s%s", path, strings.TrimSuffix(why, "."))
}
