// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"citywall/asset"
	catalogue "citywall/ingest/sender"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/desk"
)

func newSource(io streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "source",
		Short: "Who sends: add a source, see the configuration to paste, watch it arrive",
		Long: `The sources of the city: what arrives from each, who is registered, and the exact
configuration that makes a product send here.

While citywall serve runs, these commands go through it, as the user that
os_users in citywall.yaml names for you; they are written into the audit log.`,
	}
	c.AddCommand(newSourceList(io), newSourceProducts(io), newSourceAdd(io), newSourceShow(io), newSourceDrop(io))
	return c
}

func newSourceList(io streams) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List sources and what arrives from them",
		Long:    "List sources and what arrives from them.\n\nExit codes: 0 all deliver, 1 failed, 2 wrong usage, 3 some are silent or late.",
		Example: "  citywall source list",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var v struct {
				Items []desk.Source `json:"items"`
			}
			if err := askJSON(c, "/sources", nil, &v); err != nil {
				return err
			}
			bad := 0
			for _, s := range v.Items {
				if s.State == desk.SourceSilent || s.State == desk.SourceLate {
					bad++
				}
				reg := "registered"
				if !s.Known {
					reg = "-"
				}
				fmt.Fprintf(io.out, "%-8s %-24s %-12s %-12s %-10s %10d records %6.1f/s\n", s.State, oneLine(s.Name), oneLine(s.Agency), s.Transport, reg, s.Records, s.Rate)
			}
			if bad > 0 {
				return verdict{code: fault.ExitNegative, msg: fmt.Sprintf("%d sources are silent or late", bad)}
			}
			return nil
		},
	}
}

func newSourceProducts(io streams) *cobra.Command {
	return &cobra.Command{
		Use: "products", Short: "List the products whose configuration Citywall knows",
		Long:    "List the products whose configuration Citywall knows.\n\nExit codes: 0 done, 2 wrong usage.",
		Example: "  citywall source products",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			all, err := catalogue.Catalogue()
			if err != nil {
				return err
			}
			for _, k := range all {
				var ways []string
				for _, r := range k.Recipes {
					ways = append(ways, r.Transport)
				}
				fmt.Fprintf(io.out, "%-16s %-10s %-44s %s\n", k.Key, k.Group, k.Name, strings.Join(ways, ", "))
			}
			return nil
		},
	}
}

func newSourceAdd(io streams) *cobra.Command {
	var in struct {
		Name      string `json:"name"`
		Kind      string `json:"kind"`
		Transport string `json:"transport"`
		Address   string `json:"address,omitempty"`
		Agency    string `json:"agency,omitempty"`
		Zone      string `json:"zone,omitempty"`
		Silence   string `json:"silence,omitempty"`
		Contact   string `json:"contact,omitempty"`
	}
	var lang string
	c := &cobra.Command{
		Use: "add PRODUCT NAME", Short: "Register a source and print the configuration to paste",
		Long: `Register a source and print the configuration to paste into the product. For a
source that sends over HTTP a token is made; it stands in the configuration this
once.

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
		Example: "  citywall source add fortigate hosp-fw01 --address 10.1.0.1 --agency hospital\n  citywall source add http billing --lang zh-TW",
		Args:    exactly(2, "a product (citywall source products) and a name"),
		RunE: func(c *cobra.Command, args []string) error {
			l, ok := text.ParseLang(lang)
			if !ok {
				return fault.New(fault.Invalid, "--lang is zh-TW or en")
			}
			in.Kind, in.Name = args[0], args[1]
			k, err := catalogue.KindOf(in.Kind)
			if err != nil {
				return err
			}
			if in.Transport == "" {
				in.Transport = k.Recipes[0].Transport
			}
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			b, err := post(c.Context(), client, asset.City, "/senders", in)
			if err != nil {
				return err
			}
			var p desk.SourcePage
			if err := json.Unmarshal(b, &p); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			printWays(io, l, p, false)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&in.Transport, "transport", "", "syslog-udp, syslog-tcp, syslog-tls, http, watch or netflow; the product's best way when left out")
	f.StringVar(&in.Address, "address", "", "address or prefix it sends from (syslog, NetFlow)")
	f.StringVar(&in.Agency, "agency", "", "agency it belongs to")
	f.StringVar(&in.Zone, "zone", "", "zone of its clock, for times without one; empty is Asia/Taipei")
	f.StringVar(&in.Silence, "silence", "", "after how long its silence counts, such as 15m; the product's usual when left out")
	f.StringVar(&in.Contact, "contact", "", "whom to ask about it")
	f.StringVar(&lang, "lang", "en", "language of the sentences: zh-TW or en")
	return c
}

// printWays prints how a source is told to send: the chosen way, or all.
func printWays(io streams, l text.Lang, p desk.SourcePage, all bool) {
	for _, w := range p.Ways {
		if !all && !w.Chosen {
			continue
		}
		fmt.Fprintf(io.out, "# %s\n# %s\n\n%s\n", w.Transport, w.Where[l], w.Text)
		if w.After[l] != "" {
			fmt.Fprintf(io.out, "# %s\n", w.After[l])
		}
		if w.Problem != "" {
			fmt.Fprintf(io.err, "citywall: %s\n", w.Problem)
		}
	}
}

func newSourceShow(io streams) *cobra.Command {
	var lang string
	c := &cobra.Command{
		Use: "show NAME", Short: "Show what arrives from a source, and its configuration",
		Long:    "Show what arrives from a source, and the configuration that makes it send.\n\nExit codes: 0 it delivers, 1 failed, 2 wrong usage, 3 nothing has arrived, or nothing any more.",
		Example: "  citywall source show hosp-fw01",
		Args:    exactly(1, "the name of a source"),
		RunE: func(c *cobra.Command, args []string) error {
			l, ok := text.ParseLang(lang)
			if !ok {
				return fault.New(fault.Invalid, "--lang is zh-TW or en")
			}
			var p desk.SourcePage
			if err := askJSON(c, "/sources/"+url.PathEscape(args[0]), nil, &p); err != nil {
				return err
			}
			if s := p.Source; s != nil && s.Records > 0 {
				fmt.Fprintf(io.out, "%s: %d records, %d cannot be read, last %s, %s behind\n\n", s.State, s.Records, s.Damaged, local(s.LastSeen), s.Lag.Round(1e6))
			}
			printWays(io, l, p, true)
			switch {
			case p.Source == nil || p.Source.State == desk.SourceNever:
				return verdict{code: fault.ExitNegative, msg: "nothing has arrived yet"}
			case p.Source.State == desk.SourceSilent:
				return verdict{code: fault.ExitNegative, msg: "nothing arrives any more"}
			}
			return nil
		},
	}
	c.Flags().StringVar(&lang, "lang", "en", "language of the sentences: zh-TW or en")
	return c
}

func newSourceDrop(io streams) *cobra.Command {
	return &cobra.Command{
		Use: "drop NAME", Short: "Take a source off the register; what it sent stays",
		Long:    "Take a source off the register. What it sent stays, and it is accepted further on.\n\nExit codes: 0 done, 1 failed, 2 wrong usage.",
		Example: "  citywall source drop hosp-fw01",
		Args:    exactly(1, "the name of a source"),
		RunE: func(c *cobra.Command, args []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			if _, err := post(c.Context(), client, asset.City, "/senders/"+url.PathEscape(args[0])+"/drop", struct{}{}); err != nil {
				return err
			}
			fmt.Fprintln(io.out, "off the register")
			return nil
		},
	}
}

// askJSON asks the city's API and reads the answer into v.
func askJSON(c *cobra.Command, path string, q url.Values, v any) error {
	client, done, err := server(c)
	if err != nil {
		return err
	}
	defer done()
	b, err := get(c.Context(), client, asset.City, path, q)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := json.NewDecoder(b).Decode(v); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}
