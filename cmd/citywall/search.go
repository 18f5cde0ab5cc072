// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"citywall/asset"
	"citywall/event"
	"citywall/internal/fault"
	"citywall/internal/text"
)

type searchOptions struct {
	format string
	limit  int
	oldest bool
}

func newSearch(io streams) *cobra.Command {
	var o searchOptions
	c := &cobra.Command{
		Use:   "search QUERY",
		Short: "Search the city's events",
		Long: `Search stored events. The query language is the console's:

  src_ip:10.0.0.5 AND event_id:4625 last:24h
  host:web* -user:svc_backup "delete shadows" last:7d
  bytes_out:>1000000 dst_ip:203.0.113.0/24 from:2026-11-01 to:2026-11-03

Without a bound in time the last 24 hours are searched. While citywall serve
runs, the search goes through it, as the user that os_users in citywall.yaml
names for you; it is written into the audit log.

Exit codes: 0 something was found, 1 failed, 2 wrong usage or query, 3 nothing was found.`,
		Example: "  citywall search 'event_id:4625 last:24h'\n  citywall search --format csv 'host:dc1 last:7d' > dc1.csv",
		Args:    exactly(1, "one query, in quotes"),
		RunE: func(c *cobra.Command, args []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			return runSearch(c.Context(), io.out, client, args[0], o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.format, "format", "text", "text, jsonl, csv or ocsf; all but text export everything that is found")
	f.IntVar(&o.limit, "limit", 100, "most lines of text, up to 1000")
	f.BoolVar(&o.oldest, "oldest", false, "oldest first")
	return c
}

func runSearch(ctx context.Context, w io.Writer, c *http.Client, query string, o searchOptions) error {
	q := url.Values{"q": {query}, "sort": {"newest"}}
	if o.oldest {
		q.Set("sort", "oldest")
	}
	switch o.format {
	case "text":
		q.Set("limit", strconv.Itoa(o.limit))
		b, err := get(ctx, c, asset.City, "/events", q)
		if err != nil {
			return err
		}
		defer b.Close()
		return printEvents(w, b)
	case "jsonl", "csv", "ocsf":
		q.Set("format", o.format)
		b, err := get(ctx, c, asset.City, "/events/export", q)
		if err != nil {
			return err
		}
		defer b.Close()
		n, err := io.Copy(w, b)
		if err == nil && n == 0 {
			return verdict{code: fault.ExitNegative, msg: "nothing was found"}
		}
		return err
	}
	return fault.New(fault.Invalid, "no format %q; there are text, jsonl, csv and ocsf", o.format)
}

// printEvents writes a line an event: time, host, what, who, and its id, by
// which the console shows the original record.
func printEvents(w io.Writer, r io.Reader) error {
	var page struct {
		Items []struct {
			ID      event.ID   `json:"id"`
			Time    string     `json:"time"`
			Source  string     `json:"source"`
			Product string     `json:"product"`
			View    event.View `json:"view"`
		} `json:"items"`
		Next string `json:"next"`
	}
	if err := json.NewDecoder(r).Decode(&page); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if len(page.Items) == 0 {
		return verdict{code: fault.ExitNegative, msg: "nothing was found"}
	}
	b := bufio.NewWriter(w)
	for _, e := range page.Items {
		host := e.View.Host
		if host == "" && e.View.HostAddr.IsValid() {
			host = e.View.HostAddr.String()
		}
		what := e.View.Message
		if what == "" {
			what = e.View.Command
		}
		fmt.Fprintf(b, "%s  %-16s %-10s %-15s %-20s %s  %s\n", e.Time, host, e.Product, e.View.Action, e.View.User, oneLine(what), e.ID)
	}
	if page.Next != "" {
		fmt.Fprintln(b, "… there is more: narrow the query, raise --limit, or use --format jsonl")
	}
	return b.Flush()
}

// oneLine keeps a value on its line, in bounds, and out of the terminal's
// controls.
func oneLine(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return text.Printable(s)
}
