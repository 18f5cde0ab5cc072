// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	stdio "io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"citywall/asset"
	"citywall/detect/rulebook"
	"citywall/internal/fault"
)

func newRulesList(io streams) *cobra.Command {
	var states, levels, sets []string
	var text, sort, format string
	c := &cobra.Command{
		Use: "list", Short: "Say what became of the rules of an installation",
		Long: `List the rules of an installation: loaded, switched off (by whom and why), unrouted,
waiting for a placeholder, or refused, each with its reason; how many of 10,000
events met each, and how many findings it gave in the last 30 days.

Exit codes: 0 there are some, 1 failed, 2 wrong usage, 3 no rule is selected.`,
		Example: "  citywall rules list --state off,refused\n  citywall rules list --sort noise --format csv > rules.csv",
		Args:    exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "text" && format != "json" && format != "csv" {
				return fault.New(fault.Invalid, "no format %q; there are text, json and csv", format)
			}
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			q := url.Values{"state": states, "level": levels, "set": sets, "text": {text}, "sort": {sort}, "lang": {"en"}}
			path := "/rules"
			if format == "csv" {
				path += "/export"
			}
			b, err := get(c.Context(), client, asset.City, path, q)
			if err != nil {
				return err
			}
			defer b.Close()
			if format == "csv" {
				_, err := stdio.Copy(io.out, b)
				return err
			}
			var l rulebook.List
			if err := json.NewDecoder(b).Decode(&l); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			if format == "json" {
				e := json.NewEncoder(io.out)
				e.SetIndent("", "  ")
				if err := e.Encode(l); err != nil {
					return err
				}
			} else {
				for _, r := range l.Rules {
					printRule(io, r)
				}
			}
			if len(l.Rules) == 0 {
				return verdict{code: fault.ExitNegative, msg: "no rule is selected"}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringSliceVar(&states, "state", nil, "loaded, off, unrouted, waiting, refused; several with commas")
	f.StringSliceVar(&levels, "level", nil, "levels, with commas")
	f.StringArrayVar(&sets, "set", nil, "only the set of this name (repeatable)")
	f.StringVar(&text, "text", "", "in title, id, author, file, source, tags or reason")
	f.StringVar(&sort, "sort", "", "noise, level, title or last; otherwise what fired most comes first")
	f.StringVar(&format, "format", "text", "text, json or csv")
	return c
}

func printRule(io streams, r rulebook.Rule) {
	level, rate := r.Level.String(), "-"
	if !r.Known() {
		level = "-"
	}
	if !r.Counted.IsZero() {
		rate = strconv.FormatFloat(r.Per10k, 'f', 2, 64)
	}
	why := oneLine(r.Why)
	if r.Off != nil {
		why = strings.TrimSpace(fmt.Sprintf("by %s, %s: %s  %s", r.Off.By, r.Off.At.Format("2006-01-02T15:04:05Z"), oneLine(r.Off.Reason), why))
	}
	id := r.ID
	if id == "" {
		id = oneLine(r.File)
	}
	fmt.Fprintf(io.out, "%-8s %-13s %8s/10k %6d  %s  %s", r.State, level, rate, r.Fired, oneLine(id), oneLine(r.Title))
	if why != "" {
		fmt.Fprintf(io.out, "  (%s)", why)
	}
	fmt.Fprintln(io.out)
}

func newRulesSwitch(io streams, to, short, long, example string) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: to + " ID", Short: short, Long: long + exits, Example: "  citywall rules " + to + " " + example,
		Args: exactly(1, "the id of a rule"),
		RunE: func(c *cobra.Command, args []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			_, err = post(c.Context(), client, asset.City, "/rules/"+url.PathEscape(args[0])+"/"+to, map[string]string{"reason": reason})
			return err
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why")
	return c
}

func newRulesOff(io streams) *cobra.Command {
	return newRulesSwitch(io, "off", "Switch a rule of an installation off",
		`Switch a rule off: from the next event on it gives no findings, also after a restart,
until somebody switches it on. It goes on being counted, and rules that count its
hits go on. The SOC's lead may; name and reason are shown in the console and kept in
the audit log.`, "8a6b2f0e-5a0e-4a9d-9c0b-0f2d3c4b5a61 --reason 'nightly backup, checked with the hospital'")
}

func newRulesOn(io streams) *cobra.Command {
	return newRulesSwitch(io, "on", "Switch a rule of an installation on again",
		"Let a rule that is switched off give findings again, from the next event on.", "8a6b2f0e-5a0e-4a9d-9c0b-0f2d3c4b5a61 --reason 'excluded by a filter now'")
}

func newRulesReload(io streams) *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Let a running server read its rules anew",
		Long: `Read all rule sets of an installation anew and put them into force, without a
restart. What rules that count over time remember is kept where they did not change.
When the rules cannot be read, those in force stay.` + exits,
		Example: "  citywall rules reload",
		Args:    exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			b, err := post(c.Context(), client, asset.City, "/rules/reload", map[string]string{})
			if err != nil {
				return err
			}
			var n struct {
				Loaded    int `json:"loaded"`
				NotLoaded int `json:"not_loaded"`
			}
			if err := json.Unmarshal(b, &n); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			_, err = fmt.Fprintf(io.out, "%d rules in force, %d refused or waiting\n", n.Loaded, n.NotLoaded)
			return err
		},
	}
}
