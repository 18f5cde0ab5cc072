// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"citywall/asset"
	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/incident"
	"citywall/ingest/file"
	"citywall/ingest/format"
	"citywall/internal/durable"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/pipeline/hunt"
)

type huntOptions struct {
	rules     []string
	own       bool
	form      hunt.Form
	filter    hunt.Filter
	out       string
	carve     bool
	noSummary bool
	behaviour bool

	lang, zone, from, to, last, min string
	levels, house                   []string
}

func newHunt(io streams) *cobra.Command {
	var o huntOptions
	c := &cobra.Command{
		Use:   "hunt PATH...",
		Short: "Hold Sigma rules against files and list every match",
		Long: `Read files, folders, archives or standard input (-), hold Sigma rules against
every record, and write one line for every rule and record: nothing is
suppressed, nothing put together, and every run writes the same bytes. A summary
goes to standard error.

Without --rules Citywall's own pack is held against them; with --rules only those,
unless --own-rules asks for both. Rules that count (Sigma correlations) are
decided over all files together; their line stands at the last record.

With --behaviour detectors that look at many records are shown all of them in the
order of time (scans, spread, guessed passwords, calls by the clock, volumes out,
unusual hours and ways, mass encryption). What they say are lines of their own:
"behaviour":true in JSON, "Behaviour: …" in CSV. Without it there are only lines
of rules.

Profiles of CSV, as users of such tools know them: minimal, standard, verbose,
all-field-info, timesketch. Each names the rule's author, as the Detection Rule
License asks. JSON and JSON lines always have the same keys; verbose adds tags,
status, rule file and hash.

Exit codes: 0 read wholly, 1 failed, 2 wrong usage, 3 some input could not be read (it is named).`,
		Example: `  citywall hunt C:\Windows\System32\winevt\Logs
  citywall hunt --rules sigma_all_rules.zip --min-level high --format jsonl --out hits.jsonl evidence.zip
  citywall hunt --rules rules/ --profile timesketch --from 2026-11-01 --to 2026-11-08 --computer 'dc*' logs/
  citywall hunt --format html --lang zh-TW --out hunt.html logs/`,
		Args: exactly(-1, "at least one path"),
		RunE: func(c *cobra.Command, args []string) error { return runHunt(c.Context(), io, args, o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.rules, "rules", nil, "Sigma rules from this folder or zip (repeatable); default: Citywall's own")
	f.BoolVar(&o.own, "own-rules", false, "with --rules: Citywall's own rules too")
	f.StringVar(&o.form.Format, "format", "csv", "csv, json, jsonl or html")
	f.StringVar(&o.form.Profile, "profile", "standard", "columns of CSV: minimal, standard, verbose, all-field-info or timesketch")
	f.StringVarP(&o.out, "out", "o", "", "write to this file")
	f.StringVar(&o.min, "min-level", "informational", "informational, low, medium, high or critical")
	f.StringSliceVar(&o.levels, "level", nil, "only these levels")
	f.StringSliceVar(&o.filter.Tags, "tag", nil, "only rules with one of these tags, attack.t1059 for its parts too")
	f.StringSliceVar(&o.filter.NoTags, "exclude-tag", nil, "no rules with one of these tags")
	f.StringSliceVar(&o.filter.Statuses, "status", nil, "only rules of these statuses: stable, test, experimental")
	f.StringSliceVar(&o.filter.Computers, "computer", nil, "only these computers; * stands for any run")
	f.StringSliceVar(&o.filter.Channels, "channel", nil, "only these channels; * stands for any run")
	f.StringSliceVar(&o.filter.EventIDs, "eid", nil, "only these event ids")
	f.StringSliceVar(&o.filter.Rules, "rule", nil, "only rules with these ids")
	f.StringSliceVar(&o.filter.NoRules, "exclude-rule", nil, "no rules with these ids")
	f.StringVar(&o.from, "from", "", "from this time on: 2026-11-01, or RFC 3339")
	f.StringVar(&o.to, "to", "", "before this time")
	f.StringVar(&o.last, "last", "", "the last 30d, 12h ... before the newest time given by --to, or now")
	f.BoolVar(&o.carve, "include-carved", false, "also records recovered from slack; they are marked, and count in no correlation")
	f.BoolVar(&o.behaviour, "behaviour", false, "also what detectors of behaviour say, as marked lines; sorts the records they ask for on disk")
	f.StringSliceVar(&o.house, "house", nil, "public networks of the house, which --behaviour takes as inside: 203.0.113.0/24")
	f.StringVar(&o.zone, "zone", "Asia/Taipei", "of times in CSV and HTML, and of times that are written without one")
	f.BoolVar(&o.form.Full, "full-names", false, "levels and channels in CSV by their full names")
	f.BoolVar(&o.form.BOM, "bom", false, "begin CSV with a byte order mark, for spreadsheets that want it")
	f.BoolVar(&o.noSummary, "no-summary", false, "no summary on standard error")
	f.StringVar(&o.lang, "lang", "en", "language of the summary and of HTML: en or zh-TW")
	return c
}

// settle reads what the flags left as text.
func (o *huntOptions) settle(now time.Time) error {
	var ok bool
	if o.form.Lang, ok = text.ParseLang(o.lang); !ok {
		return fault.New(fault.Invalid, "no language %q; there are en and zh-TW", o.lang)
	}
	zone, err := time.LoadLocation(o.zone)
	if err != nil {
		return fault.New(fault.Invalid, "--zone: %w", err)
	}
	o.form.Zone = zone
	if err := o.form.Check(); err != nil {
		return err
	}
	level := func(s string) (detect.Level, error) {
		l, ok := detect.ParseLevel(s)
		if !ok {
			return 0, fault.New(fault.Invalid, "no level %q; there are informational, low, medium, high and critical", s)
		}
		return l, nil
	}
	if o.filter.Min, err = level(o.min); err != nil {
		return err
	}
	for _, s := range o.levels {
		l, err := level(s)
		if err != nil {
			return err
		}
		o.filter.Levels = append(o.filter.Levels, l)
	}
	for _, x := range []struct {
		flag, s string
		to      *time.Time
	}{{"--from", o.from, &o.filter.From}, {"--to", o.to, &o.filter.To}} {
		if x.s == "" {
			continue
		}
		if *x.to, err = moment(x.s, zone); err != nil {
			return fault.New(fault.Invalid, "%s: %w", x.flag, err)
		}
	}
	if o.last == "" {
		return nil
	}
	if o.from != "" {
		return fault.New(fault.Invalid, "--last and --from both say where to begin: give one")
	}
	d, err := days(o.last)
	if err != nil {
		return fault.New(fault.Invalid, "--last: %w", err)
	}
	end := now
	if !o.filter.To.IsZero() {
		end = o.filter.To
	}
	o.filter.From = end.Add(-d)
	return nil
}

func moment(s string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: want 2026-11-01, \"2026-11-01 08:00\" or RFC 3339", s)
}

// days reads a duration that may be in days.
func days(s string) (time.Duration, error) {
	var n int
	var unit string
	if k, err := fmt.Sscanf(s, "%d%s", &n, &unit); k == 2 && err == nil && n > 0 && n < 1_000_000 {
		switch unit {
		case "d":
			return time.Duration(n) * 24 * time.Hour, nil
		case "h":
			return time.Duration(n) * time.Hour, nil
		case "m":
			return time.Duration(n) * time.Minute, nil
		}
	}
	return 0, fmt.Errorf("%q: want 30d, 12h or 90m", s)
}

// huntMemory is what a hunt may hold before memory is collected more often than
// collectLess asks for: it needs far less, however large the evidence is.
const huntMemory = 400 << 20

// stayWithin collects memory before the process holds more than n bytes, as far
// as that can be done. It keeps a limit that the environment sets.
func stayWithin(n int64) (undo func()) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	old := debug.SetMemoryLimit(n)
	return func() { debug.SetMemoryLimit(old) }
}

func runHunt(ctx context.Context, st streams, paths []string, o huntOptions) (err error) {
	if err := o.settle(time.Now()); err != nil {
		return err
	}
	house, err := networks(o.house)
	if err != nil {
		return err
	}
	sets, done, err := ruleSets(o.rules, len(o.rules) == 0 || o.own)
	if err != nil {
		return err
	}
	defer done()
	engine, rep, err := sigma.Load(sets, sigma.Options{Batch: true})
	if err != nil {
		return err
	}
	if n := len(rep.Refused) + len(rep.Waiting); n > 0 {
		fmt.Fprintf(st.err, "citywall: %d rules are not evaluated; citywall rules check says why\n", n)
	}
	defer collectLess()()
	defer stayWithin(huntMemory)()
	bar := newProgress(st.err)
	opt := file.Options{Realm: asset.Police, Carve: o.carve, Stdin: st.in, Zone: o.form.Zone, Progress: bar.at}
	var stats []file.Stat
	res, err := hunt.Hunt(ctx, hunt.Options{
		Engine: engine, Filter: o.filter, All: o.form.Profile == "all-field-info", Behaviour: o.behaviour, Ours: house,
		Read: func(ctx context.Context, emit format.Emit) (_ []incident.SourceStat, err error) {
			stats, err = file.Read(ctx, paths, opt, emit)
			return sourceStats(stats), err
		},
	})
	bar.finish()
	if err != nil {
		return err
	}
	defer func() {
		if cerr := res.Close(); err == nil {
			err = cerr
		}
	}()
	if o.out == "" {
		err = res.Write(st.out, o.form)
	} else {
		r, w := io.Pipe()
		go func() { w.CloseWithError(res.Write(w, o.form)) }()
		err = durable.ReplaceFrom(o.out, 0o644, r)
	}
	if err != nil {
		return fmt.Errorf("write what was found: %w", err)
	}
	if !o.noSummary {
		if err := res.Summary.Text(st.err, o.form.Lang, o.form.Zone); err != nil {
			return err
		}
	}
	return tellUnread(st, stats)
}

// networks reads addresses and networks.
func networks(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, fault.New(fault.Invalid, "--house %q: want a network such as 203.0.113.0/24, or an address", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}
