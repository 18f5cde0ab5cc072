// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citywall/asset"
	"citywall/duty"
	"citywall/internal/fault"
	"citywall/internal/text"
)

func newDuty(io streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "duty",
		Short: "The watch: alarms, roster, hand-over notes",
		Long: `The watch of the city: who is on duty, which alarms wait for an answer, what one
shift leaves the next. Whom an alarm calls, and when it goes on to the next,
stands under alarm.policy in citywall.yaml.

While citywall serve runs, these commands go through it, as the user that
os_users in citywall.yaml names for you; they are written into the audit log.`,
	}
	c.AddCommand(newDutyAlarms(io), newDutyAck(io), newDutyRoster(io), newDutyImport(io), newDutyNote(io))
	return c
}

// alarmItem is an alarm as the API lists it.
type alarmItem struct {
	duty.Alarm
	State duty.State `json:"state"`
}

func newDutyAlarms(io streams) *cobra.Command {
	var state, lang string
	c := &cobra.Command{
		Use: "alarms", Short: "List alarms, newest first",
		Long:    "List alarms, newest first.\n\nExit codes: 0 something waits for an answer, 1 failed, 2 wrong usage, 3 nothing matches.",
		Example: "  citywall duty alarms\n  citywall duty alarms --state acked,ended --lang zh-TW",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, ok := text.ParseLang(lang)
			if !ok {
				return fault.New(fault.Invalid, "--lang is zh-TW or en")
			}
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			b, err := get(c.Context(), client, asset.City, "/alarms", url.Values{"state": {state}, "limit": {"500"}})
			if err != nil {
				return err
			}
			defer b.Close()
			var page struct {
				Items []alarmItem `json:"items"`
			}
			if err := json.NewDecoder(b).Decode(&page); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			if len(page.Items) == 0 {
				return verdict{code: fault.ExitNegative, msg: "no alarm matches"}
			}
			for _, a := range page.Items {
				who := a.AckedBy
				if who == "" {
					who = "-"
				}
				fmt.Fprintf(io.out, "%s  %-8s %-6s %-12s %s  %s\n", a.Raised.In(duty.Taipei).Format("2006-01-02 15:04:05"), a.Severity, a.State, who, oneLine(a.Title[l]), a.ID)
			}
			return nil
		},
	}
	c.Flags().StringVar(&state, "state", "open", "open, acked, ended; several with commas")
	c.Flags().StringVar(&lang, "lang", "en", "language of the titles: zh-TW or en")
	return c
}

func newDutyAck(io streams) *cobra.Command {
	return &cobra.Command{
		Use: "ack ID", Short: "Acknowledge an alarm: its calls stop, and it is yours",
		Long:    "Acknowledge an alarm: its calls stop, and it is yours.\n\nExit codes: 0 done, 1 failed or somebody was first, 2 wrong usage.",
		Example: "  citywall duty ack 0539af4f-f77f-574c-b402-b1a3a70fdd17",
		Args:    exactly(1, "the id of an alarm, as citywall duty alarms shows it"),
		RunE: func(c *cobra.Command, args []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			path := "/alarms/" + url.PathEscape(args[0])
			b, err := get(c.Context(), client, asset.City, path, nil)
			if err != nil {
				return err
			}
			defer b.Close()
			var a alarmItem
			if err := json.NewDecoder(b).Decode(&a); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			if _, err := post(c.Context(), client, asset.City, path+"/ack", map[string]int64{"version": a.Version}); err != nil {
				return err
			}
			fmt.Fprintln(io.out, "acknowledged")
			return nil
		},
	}
}

func newDutyRoster(io streams) *cobra.Command {
	var days int
	c := &cobra.Command{
		Use: "roster", Short: "Show who is on duty in the coming days, and when nobody is",
		Long:    "Show who is on duty in the coming days, and when nobody is.\n\nExit codes: 0 somebody is on duty all the time, 1 failed, 2 wrong usage, 3 there are gaps.",
		Example: "  citywall duty roster\n  citywall duty roster --days 31",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			from := time.Now().UTC()
			b, err := get(c.Context(), client, asset.City, "/roster", url.Values{"from": {from.Format(time.RFC3339)}, "to": {from.AddDate(0, 0, days).Format(time.RFC3339)}})
			if err != nil {
				return err
			}
			defer b.Close()
			var r struct {
				People []duty.Person `json:"people"`
				Shifts []duty.Shift  `json:"shifts"`
				Gaps   []duty.Shift  `json:"gaps"`
			}
			if err := json.NewDecoder(b).Decode(&r); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			name := map[string]string{}
			for _, p := range r.People {
				name[p.ID] = p.Name
			}
			for _, s := range r.Shifts {
				fmt.Fprintf(io.out, "%s – %s  %-5s %s (%s)\n", local(s.Begin), local(s.End), s.Post, oneLine(name[s.Person]), s.Person)
			}
			for _, g := range r.Gaps {
				fmt.Fprintf(io.out, "%s – %s  nobody is on duty\n", local(g.Begin), local(g.End))
			}
			if len(r.Gaps) > 0 {
				return verdict{code: fault.ExitNegative, msg: fmt.Sprintf("nobody is on duty in %d spans", len(r.Gaps))}
			}
			return nil
		},
	}
	c.Flags().IntVar(&days, "days", 7, "how far ahead, up to 400")
	return c
}

func local(t time.Time) string { return t.In(duty.Taipei).Format("2006-01-02 15:04") }

func newDutyImport(io streams) *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Add people and shifts from a JSON file",
		Long: `Add people and shifts from a file in the form that the roster is downloaded in:
{"people":[{"id","name","mail","phone","agencies"}],"shifts":[{"person","post","begin","end"}]}.
What is there already is changed, nothing is removed.

Exit codes: 0 done, 1 failed, 2 wrong usage or file.`,
		Example: "  citywall duty import roster.json",
		Args:    exactly(1, "a file"),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			var r struct {
				People []duty.Person `json:"people"`
				Shifts []duty.Shift  `json:"shifts"`
			}
			if err := json.Unmarshal(b, &r); err != nil {
				return fault.New(fault.Invalid, "%s: %w", args[0], err)
			}
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			for _, p := range r.People {
				if _, err := post(c.Context(), client, asset.City, "/people", p); err != nil {
					return fmt.Errorf("person %s: %w", p.ID, err)
				}
			}
			if len(r.Shifts) > 0 {
				if _, err := post(c.Context(), client, asset.City, "/shifts", map[string][]duty.Shift{"shifts": r.Shifts}); err != nil {
					return err
				}
			}
			fmt.Fprintf(io.out, "%d people, %d shifts\n", len(r.People), len(r.Shifts))
			return nil
		},
	}
}

func newDutyNote(io streams) *cobra.Command {
	return &cobra.Command{
		Use: "note [TEXT]", Short: "Leave a hand-over note for the next shift; without a text, show the last ones",
		Long:    "Leave a hand-over note for the next shift. Without a text the last five are shown.\n\nExit codes: 0 done, 1 failed, 2 wrong usage.",
		Example: "  citywall duty note\n  citywall duty note 'hospital firewall updated at 15:00, expect gaps'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			if len(args) == 1 {
				_, err := post(c.Context(), client, asset.City, "/notes", map[string]string{"text": strings.TrimSpace(args[0])})
				return err
			}
			b, err := get(c.Context(), client, asset.City, "/notes", url.Values{"limit": {"5"}})
			if err != nil {
				return err
			}
			defer b.Close()
			var page struct {
				Items []duty.Note `json:"items"`
			}
			if err := json.NewDecoder(b).Decode(&page); err != nil {
				return fmt.Errorf("read the answer: %w", err)
			}
			for _, n := range page.Items {
				taken := "not taken over yet"
				if n.TakenBy != "" {
					taken = "taken over by " + n.TakenBy + " at " + local(n.TakenAt)
				}
				fmt.Fprintf(io.out, "%s  %s  (%s)\n", local(n.Time), n.Author, taken)
				for _, line := range strings.Split(n.Text, "\n") {
					fmt.Fprintln(io.out, "  "+oneLine(line))
				}
			}
			return nil
		},
	}
}
