// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"citywall/asset"
	"citywall/eventstore/keep"
	"citywall/internal/fault"
)

func newHold(io streams) *cobra.Command {
	c := group("hold", "Legal holds: days of events that must not be deleted", newHoldAdd(io), newHoldList(io), newHoldRelease(io))
	c.Long = `Legal holds forbid the deletion of days for a case. The retention (keep.days in
citywall.yaml) never deletes a day that any hold covers.

While citywall serve runs, these commands go through it, as the user that
os_users in citywall.yaml names for you: the SOC's lead may hold and release.
Every hold and every release is written into the audit log.` + exits
	return c
}

func newHoldAdd(io streams) *cobra.Command {
	var from, to, reason string
	c := &cobra.Command{
		Use: "add CASE", Short: "Forbid the deletion of days for a case",
		Long:    "Forbid the deletion of the UTC days from --from to --to, both included; without --to there is no end." + exits,
		Example: "  citywall hold add 115-0042 --from 2026-10-01 --to 2026-11-15 --reason 'prosecutor, letter of 20 November'",
		Args:    exactly(1, "the number of a case"),
		RunE: func(c *cobra.Command, args []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			b, err := post(c.Context(), client, asset.City, "/storage/holds", map[string]string{"case": args[0], "from": from, "to": to, "reason": reason})
			if err != nil {
				return err
			}
			var h keep.Hold
			if err := json.Unmarshal(b, &h); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			_, err = fmt.Fprintln(io.out, h.ID)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", "first day, 2026-10-20")
	f.StringVar(&to, "to", "", "last day, included; empty: no end")
	f.StringVar(&reason, "reason", "", "why, and who asked for it")
	return c
}

// kept is what the API says of the storage, as far as commands need it.
type kept struct {
	Holds   []keep.Hold   `json:"holds"`
	Backups []keep.Backup `json:"backups"`
}

func newHoldList(io streams) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "list", Short: "List holds",
		Long:    "List the holds in force, newest first; with --all also those that were released.\n\nExit codes: 0 there are some, 1 failed, 2 wrong usage, 3 there are none.",
		Example: "  citywall hold list --all",
		Args:    exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			b, err := get(c.Context(), client, asset.City, "/storage", nil)
			if err != nil {
				return err
			}
			defer b.Close()
			var k kept
			if err := json.NewDecoder(b).Decode(&k); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			n := 0
			for _, h := range k.Holds {
				if !all && !h.Released.IsZero() {
					continue
				}
				n++
				to, over := "-", ""
				if !h.To.IsZero() {
					to = h.To.Format(time.DateOnly)
				}
				if !h.Released.IsZero() {
					over = fmt.Sprintf("  released by %s: %s", h.ReleasedBy, oneLine(h.ReleaseReason))
				}
				fmt.Fprintf(io.out, "%s  %-12s %s %-10s  %s: %s%s\n", h.ID, oneLine(h.Case), h.From.Format(time.DateOnly), to, h.By, oneLine(h.Reason), over)
			}
			if n == 0 {
				return verdict{code: fault.ExitNegative, msg: "no hold is in force"}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "also those that were released")
	return c
}

func newHoldRelease(io streams) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "release ID", Short: "End a hold",
		Long:    "End a hold. Days that it alone kept may be deleted from then on, as the retention says." + exits,
		Example: "  citywall hold release 019ab3f2-7c4e-7d11-9f2a-5b1d9e0c7a31 --reason 'judgment final'",
		Args:    exactly(1, "the id of a hold"),
		RunE: func(c *cobra.Command, args []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			_, err = post(c.Context(), client, asset.City, "/storage/holds/"+args[0]+"/release", map[string]string{"reason": reason})
			return err
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why")
	return c
}
