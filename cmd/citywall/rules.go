// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"

	"github.com/spf13/cobra"

	"citywall/detect/sigma"
	"citywall/internal/fault"
	"citywall/rules"
)

func newRules(io streams) *cobra.Command {
	return group("rules", "Check, test and explain Sigma rules; list and switch those of an installation",
		newRulesCheck(io), newRulesTest(io), newRulesExplain(io), newRulesCoverage(io), newRulesList(io), newRulesOff(io), newRulesOn(io), newRulesReload(io))
}

func newRulesCheck(io streams) *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "check [DIR|ZIP]...",
		Short: "Say which rules load, and why the others do not",
		Long: `Load Sigma rules from folders or zip archives as they are downloaded, and say
for every rule that is not evaluated why. Without an argument Citywall's own
pack is checked.

Exit codes: 0 all rules load, 1 failed, 2 wrong usage, 3 some rules were refused or wait for a placeholder.`,
		Example: "  citywall rules check sigma_all_rules.zip\n  citywall rules check --format json my-rules/",
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			return runRulesCheck(io.out, args, format)
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text or json")
	return c
}

func runRulesCheck(w io.Writer, args []string, format string) error {
	if format != "text" && format != "json" {
		return fault.New(fault.Invalid, "no format %q; there are text and json", format)
	}
	sets, done, err := ruleSets(args, len(args) == 0)
	if err != nil {
		return err
	}
	defer done()
	_, rep, err := sigma.Load(sets, sigma.Options{})
	if err != nil {
		return err
	}
	if format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(rep); err != nil {
			return err
		}
	} else {
		printReport(w, rep)
	}
	if n := len(rep.Refused) + len(rep.Waiting); n > 0 {
		return verdict{fault.ExitNegative, fmt.Sprintf("%d of %d rules are not evaluated", n, n+rep.Loaded)}
	}
	return nil
}

func printReport(w io.Writer, rep *sigma.Report) {
	fmt.Fprintf(w, "%d files: %d rules loaded, %d filters, %d refused, %d waiting for a placeholder, %d without a source that feeds them\n",
		rep.Files, rep.Loaded, rep.Filters, len(rep.Refused), len(rep.Waiting), len(rep.Unrouted))
	list := func(title string, ps []sigma.Problem) {
		for _, p := range ps {
			fmt.Fprintf(w, "%s  %s  %s: %s\n", title, p.File, p.ID, p.Reason)
		}
	}
	list("refused", rep.Refused)
	list("waiting", rep.Waiting)
	list("warning", rep.Warnings)
	reasons := map[string]int{}
	for _, p := range rep.Unrouted {
		reasons[p.Reason]++
	}
	keys := make([]string, 0, len(reasons))
	for k := range reasons {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		return reasons[keys[i]] > reasons[keys[j]] || reasons[keys[i]] == reasons[keys[j]] && keys[i] < keys[j]
	})
	for _, k := range keys {
		fmt.Fprintf(w, "unrouted %d: %s\n", reasons[k], k)
	}
}

// ruleSets opens folders and zips of rules, and our own pack when asked.
func ruleSets(paths []string, own bool) ([]sigma.Set, func(), error) {
	var sets []sigma.Set
	var closers []io.Closer
	done := func() {
		for _, c := range closers {
			c.Close()
		}
	}
	if own {
		sets = append(sets, sigma.Set{Name: "citywall", FS: rules.FS})
	}
	for _, p := range paths {
		s, c, err := sigma.Open(p)
		if err != nil {
			done()
			return nil, nil, err
		}
		if c != nil {
			closers = append(closers, c)
		}
		sets = append(sets, s)
	}
	return sets, done, nil
}
