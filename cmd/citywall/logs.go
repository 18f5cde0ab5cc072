// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citywall/asset"
	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/incident"
	"citywall/incident/report"
	"citywall/ingest/file"
	"citywall/ingest/format"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/pipeline/batch"
	"citywall/pipeline/logs"
)

const logExits = `

Exit codes: 0 read wholly, 1 failed, 2 wrong usage, 3 some input could not be read (it is named).`

func newLogs(st streams) *cobra.Command {
	c := group("logs", "Look into log files: counts, logons, words, gaps, records as JSON",
		newLogsMetrics(st), newLogsLogons(st), newLogsSearch(st), newLogsPivot(st), newLogsGaps(st), newLogsDecode(st))
	c.Long = `Look into files, folders, archives or standard input (-) without a server and
without keeping anything. Formats are recognised by their content.` + exits
	return c
}

// logInput are the flags that all commands over log files have.
type logInput struct {
	carve bool
	zone  string
}

func (in *logInput) flags(c *cobra.Command) {
	c.Flags().BoolVar(&in.carve, "include-carved", false, "also records recovered from the slack of EVTX files")
	c.Flags().StringVar(&in.zone, "zone", "Asia/Taipei", "of times that are written without one")
}

// read hands every record to see, and names what could not be read.
func (in *logInput) read(ctx context.Context, st streams, paths []string, see func(*event.Event) error) ([]file.Stat, error) {
	zone, err := time.LoadLocation(in.zone)
	if err != nil {
		return nil, fault.New(fault.Invalid, "--zone: %w", err)
	}
	bar := newProgress(st.err)
	defer bar.finish()
	return file.Read(ctx, paths, file.Options{Realm: asset.Police, Carve: in.carve, Zone: zone, Stdin: st.in, Progress: bar.at}, see)
}

// tellUnread names what was not read and returns the verdict about it.
func tellUnread(st streams, stats []file.Stat) error {
	for _, s := range stats {
		name := s.File
		if s.Inner != "" {
			name += "!" + s.Inner
		}
		if s.Problem != "" {
			fmt.Fprintf(st.err, "citywall: %s: %s\n", text.Printable(name), text.Printable(s.Problem))
		}
		if s.Damaged > 0 {
			fmt.Fprintf(st.err, "citywall: %s: %d records are damaged\n", text.Printable(name), s.Damaged)
			for _, n := range s.Notes {
				fmt.Fprintf(st.err, "  %s\n", text.Printable(n))
			}
		}
	}
	return unread(incident.Result{Sources: sourceStats(stats)})
}

func tableFlag(c *cobra.Command) *string {
	return c.Flags().String("format", "text", "text, csv or json")
}

func checkTableFormat(f string) error {
	if f != "text" && f != "csv" && f != "json" {
		return fault.New(fault.Invalid, "no format %q; there are text, csv and json", f)
	}
	return nil
}

// writeTable writes a table as text, CSV or a JSON list of objects.
func writeTable(w io.Writer, format string, t logs.Table) error {
	b := bufio.NewWriter(w)
	switch format {
	case "csv":
		c := csv.NewWriter(b)
		_ = c.Write(t.Header) // csv keeps the error for Error below
		line := make([]string, len(t.Header))
		for _, r := range t.Rows {
			for i, s := range r {
				line[i] = report.Cell(s)
			}
			_ = c.Write(line)
		}
		c.Flush()
		if err := c.Error(); err != nil {
			return err
		}
	case "json":
		e := json.NewEncoder(b)
		e.SetEscapeHTML(false)
		fmt.Fprintln(b, "[")
		for i, r := range t.Rows {
			if i > 0 {
				fmt.Fprint(b, ",")
			}
			m := make(map[string]any, len(r))
			for j, s := range r {
				m[t.Header[j]] = s
				if n, err := strconv.ParseInt(s, 10, 64); err == nil && numeric[t.Header[j]] {
					m[t.Header[j]] = n
				}
			}
			if err := e.Encode(m); err != nil {
				return err
			}
		}
		fmt.Fprintln(b, "]")
	default:
		tw := tabwriter.NewWriter(b, 0, 4, 2, ' ', 0)
		fmt.Fprintln(tw, strings.Join(t.Header, "\t"))
		for _, r := range t.Rows {
			cells := make([]string, len(r))
			for i, s := range r {
				cells[i] = oneLine(s)
			}
			fmt.Fprintln(tw, strings.Join(cells, "\t"))
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	return b.Flush()
}

// numeric are the columns whose values are numbers in JSON.
var numeric = map[string]bool{"count": true, "records": true, "missing": true}

func newLogsMetrics(st streams) *cobra.Command {
	var in logInput
	c := &cobra.Command{
		Use: "metrics PATH...", Short: "Count records by event id, computer, channel or file",
		Long:    `Count the records of log files, the most frequent first.` + logExits,
		Example: "  citywall logs metrics evidence/\n  citywall logs metrics --by computer --format csv Security.evtx",
		Args:    exactly(-1, "at least one path"),
	}
	in.flags(c)
	by := c.Flags().String("by", "eid", strings.Join(logs.Views, ", "))
	form := tableFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		m, err := logs.NewMetrics(*by)
		if err != nil {
			return err
		}
		return tabulate(c.Context(), st, args, &in, *form, func(e *event.Event) { m.Add(e) }, func([]file.Stat) logs.Table { return m.Table() })
	}
	return c
}

// tabulate reads, and writes the table that came of it.
func tabulate(ctx context.Context, st streams, paths []string, in *logInput, format string, see func(*event.Event), table func([]file.Stat) logs.Table) error {
	if err := checkTableFormat(format); err != nil {
		return err
	}
	stats, err := in.read(ctx, st, paths, func(e *event.Event) error { see(e); return nil })
	if err != nil {
		return err
	}
	if err := writeTable(st.out, format, table(stats)); err != nil {
		return err
	}
	return tellUnread(st, stats)
}

func newLogsLogons(st streams) *cobra.Command {
	var in logInput
	c := &cobra.Command{
		Use: "logons PATH...", Short: "Who logged on where, from where, and who failed to",
		Long:    `Count logons and failed logons by computer, account, kind and source, of Windows, Linux, VPN gateways and all other sources that tell of them.` + logExits,
		Example: "  citywall logs logons Security.evtx auth.log vpn.log",
		Args:    exactly(-1, "at least one path"),
	}
	in.flags(c)
	form := tableFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var l logs.Logons
		return tabulate(c.Context(), st, args, &in, *form, l.Add, func([]file.Stat) logs.Table { return l.Table() })
	}
	return c
}

func newLogsSearch(st streams) *cobra.Command {
	var in logInput
	var fields []string
	var all, regex, cased bool
	var words []string
	c := &cobra.Command{
		Use: "search PATH...", Short: "Find records by a word or a regular expression",
		Long: `Write every record in which a word stands in any value, as JSON lines. Several
words: one is enough, or with --all every one must be there. --field NAME=PATTERN
looks in one field; all of them must hold.

Exit codes: 0 something was found, 1 failed, 2 wrong usage, 3 nothing was found, or some input could not be read (it is named).`,
		Example: `  citywall logs search --word mimikatz --word 'sekurlsa::' evidence/
  citywall logs search --regex --word '\b(?:\d{1,3}\.){3}\d{1,3}\b' --field EventID=4625 Security.evtx`,
		Args: exactly(-1, "at least one path"),
		RunE: func(c *cobra.Command, args []string) error {
			q, err := logs.NewQuery(words, fields, all, regex, cased)
			if err != nil {
				return err
			}
			w := bufio.NewWriterSize(st.out, 256<<10)
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			n := 0
			stats, err := in.read(c.Context(), st, args, func(e *event.Event) error {
				if !q.Match(e) {
					return nil
				}
				n++
				return enc.Encode(logs.LineOf(e))
			})
			if err != nil {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
			if err := tellUnread(st, stats); err != nil {
				return err
			}
			if n == 0 {
				return verdict{fault.ExitNegative, "no record holds that"}
			}
			return nil
		},
	}
	in.flags(c)
	f := c.Flags()
	f.StringArrayVarP(&words, "word", "w", nil, "a word to look for in every value (repeatable)")
	f.StringArrayVar(&fields, "field", nil, "NAME=PATTERN: a field that must hold the pattern (repeatable)")
	f.BoolVar(&all, "all", false, "every word must be in the record")
	f.BoolVar(&regex, "regex", false, "words and patterns are regular expressions (RE2)")
	f.BoolVar(&cased, "case-sensitive", false, "case matters")
	return c
}

func newLogsPivot(st streams) *cobra.Command {
	var in logInput
	var ruleFiles []string
	var own bool
	var level string
	c := &cobra.Command{
		Use: "pivot PATH...", Short: "Accounts, addresses and other words that findings leave to look for",
		Long: `Hold Sigma rules against the records and list the accounts, logon ids, work-
stations, addresses, processes, services, files, hashes and names in those that
met one: what to look for next.` + logExits,
		Example: "  citywall logs pivot --min-level high --rules sigma_all_rules.zip evidence/",
		Args:    exactly(-1, "at least one path"),
	}
	in.flags(c)
	form := tableFlag(c)
	c.Flags().StringArrayVar(&ruleFiles, "rules", nil, "Sigma rules from this folder or zip (repeatable); default: Citywall's own")
	c.Flags().BoolVar(&own, "own-rules", false, "with --rules: Citywall's own rules too")
	c.Flags().StringVar(&level, "min-level", "medium", "informational, low, medium, high or critical")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkTableFormat(*form); err != nil {
			return err
		}
		l, ok := detect.ParseLevel(level)
		if !ok {
			return fault.New(fault.Invalid, "no level %q; there are informational, low, medium, high and critical", level)
		}
		sets, done, err := ruleSets(ruleFiles, len(ruleFiles) == 0 || own)
		if err != nil {
			return err
		}
		defer done()
		engine, _, err := sigma.Load(sets, sigma.Options{Batch: true})
		if err != nil {
			return err
		}
		p := logs.Pivot{Min: l}
		var stats []file.Stat
		_, err = batch.Detect(c.Context(), func(ctx context.Context, emit format.Emit) (_ []incident.SourceStat, err error) {
			stats, err = in.read(ctx, st, args, emit)
			return nil, err
		}, engine, 0, func(e *event.Event, fs []detect.Finding) error {
			if e != nil {
				p.Add(e, fs)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := writeTable(st.out, *form, p.Table()); err != nil {
			return err
		}
		return tellUnread(st, stats)
	}
	return c
}

func newLogsGaps(st streams) *cobra.Command {
	var in logInput
	c := &cobra.Command{
		Use: "gaps PATH...", Short: "What is missing: jumps of record ids, and silences",
		Long: `List jumps of EVTX record ids, and times in which a channel of a computer says
nothing for longer than --silence. The last column says whether the log tells of
a clearing near it: records that are missing without one deserve a question.` + logExits,
		Example: "  citywall logs gaps --silence 6h evidence/",
		Args:    exactly(-1, "at least one path"),
	}
	in.flags(c)
	form := tableFlag(c)
	silence := c.Flags().Duration("silence", 24*time.Hour, "silence worth telling")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *silence < time.Minute {
			return fault.New(fault.Invalid, "--silence must be at least a minute")
		}
		g := logs.Gaps{Silence: *silence}
		return tabulate(c.Context(), st, args, &in, *form, g.Add, func(stats []file.Stat) logs.Table {
			var all []logs.Source
			for _, s := range stats {
				all = append(all, logs.Source{File: s.File, Inner: s.Inner, Gaps: s.Gaps})
			}
			return g.Table(all)
		})
	}
	return c
}

// decoded is what logs decode --count says of a file.
type decoded struct {
	File    string     `json:"file"`
	Inner   string     `json:"path_in_archive"`
	Format  string     `json:"format"`
	Live    int64      `json:"live"`
	Carved  int64      `json:"carved"`
	Damaged int64      `json:"damaged"`
	Chunks  int        `json:"chunks"`
	First   *time.Time `json:"first"`
	Last    *time.Time `json:"last"`
	SHA256  string     `json:"sha256"`
	Problem string     `json:"problem,omitempty"`
}

func newLogsDecode(st streams) *cobra.Command {
	var in logInput
	var count bool
	var form string
	c := &cobra.Command{
		Use: "decode PATH...", Short: "Write records as JSON lines, or count them",
		Long: `Write every record as one line of JSON with its fields as the source named them
and the way back to its bytes. With --count only say of every file how many
records are live, carved and damaged, how many chunks it has, and the time of the
first and last.` + logExits,
		Example: "  citywall logs decode Security.evtx > security.jsonl\n  citywall logs decode --count --include-carved --format json evidence/",
		Args:    exactly(-1, "at least one path"),
	}
	in.flags(c)
	c.Flags().BoolVar(&count, "count", false, "count, and write no records")
	c.Flags().StringVar(&form, "format", "text", "of --count: text, csv or json")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkTableFormat(form); err != nil {
			return err
		}
		if !count {
			w := bufio.NewWriterSize(st.out, 256<<10)
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			stats, err := in.read(c.Context(), st, args, func(e *event.Event) error { return enc.Encode(logs.LineOf(e)) })
			if err != nil {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
			return tellUnread(st, stats)
		}
		stats, err := in.read(c.Context(), st, args, func(*event.Event) error { return nil })
		if err != nil {
			return err
		}
		if err := writeCounts(st.out, form, stats); err != nil {
			return err
		}
		return tellUnread(st, stats)
	}
	return c
}

func writeCounts(w io.Writer, form string, stats []file.Stat) error {
	t := logs.Table{Header: []string{"file", "path_in_archive", "format", "live", "carved", "damaged", "chunks", "first", "last", "sha256"}}
	all := make([]decoded, len(stats))
	at := func(x time.Time) *time.Time {
		if x.IsZero() {
			return nil
		}
		x = x.UTC()
		return &x
	}
	for i, s := range stats {
		d := decoded{s.File, s.Inner, s.Format, s.Decoded - s.Carved, s.Carved, s.Damaged, s.Chunks, at(s.First), at(s.Last), s.SHA256, s.Problem}
		all[i] = d
		t.Rows = append(t.Rows, []string{
			d.File, d.Inner, d.Format, strconv.FormatInt(d.Live, 10), strconv.FormatInt(d.Carved, 10), strconv.FormatInt(d.Damaged, 10), strconv.Itoa(d.Chunks),
			logs.Stamp(s.First), logs.Stamp(s.Last), d.SHA256,
		})
	}
	if form != "json" {
		return writeTable(w, form, t)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(all)
}
