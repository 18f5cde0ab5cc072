// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"citywall/detect/coverage"
	"citywall/detect/sigma"
	"citywall/internal/fault"
	"citywall/internal/text"
)

func newRulesCoverage(io streams) *cobra.Command {
	var format, lang string
	c := &cobra.Command{
		Use:   "coverage [DIR|ZIP]...",
		Short: "Say which techniques of ATT&CK the rules look for, and which they do not",
		Long: `Count rules by the techniques of MITRE ATT&CK that their tags name, under each
tactic: rules that load, that a known source feeds, and that give findings of
their own. Techniques that ransomware is known to use and that no rule names are
shown with 0. Without an argument Citywall's own pack is counted.

A number is a number of rules. It does not say how well a technique is found.

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
		Example: "  citywall rules coverage\n  citywall rules coverage --format svg > coverage.svg\n  citywall rules coverage --format navigator sigma_all_rules.zip > layer.json",
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			return runRulesCoverage(io.out, args, format, lang)
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text, csv, svg or navigator (a layer for the ATT&CK Navigator)")
	c.Flags().StringVar(&lang, "lang", "en", "language of the picture: zh-TW or en")
	return c
}

func runRulesCoverage(w io.Writer, args []string, format, lang string) error {
	l, ok := text.ParseLang(lang)
	if !ok {
		return fault.New(fault.Invalid, "language %q: want zh-TW or en", lang)
	}
	sets, done, err := ruleSets(args, len(args) == 0)
	if err != nil {
		return err
	}
	defer done()
	e, _, err := sigma.Load(sets, sigma.Options{})
	if err != nil {
		return err
	}
	var rs []coverage.Rule
	for _, r := range e.Rules() {
		if (r.Routed || r.Kind != "") && !r.Link {
			rs = append(rs, coverage.Rule{ID: r.ID, Level: r.Level, Tags: r.Tags})
		}
	}
	c := coverage.Of(rs)
	switch format {
	case "text":
		return c.Text(w)
	case "csv":
		return c.CSV(w)
	case "navigator":
		return c.Navigator(w)
	case "svg":
		b, err := c.Draw(l, "")
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	}
	return fault.New(fault.Invalid, "no format %q; there are text, csv, svg and navigator", format)
}
