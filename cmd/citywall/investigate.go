// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"gopkg.in/yaml.v3"

	"citywall/asset"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/incident"
	"citywall/incident/correlate"
	"citywall/incident/report"
	"citywall/ingest/file"
	"citywall/ingest/format"
	"citywall/internal/durable"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/pipeline/batch"
)

type investigateOptions struct {
	format, out, config, lang string
	rules                     []string
	noOwn, carve              bool
	caseNo                    string
}

// caseFile is what --config holds: all that an investigator knows beforehand.
type caseFile struct {
	Zone     string                   `yaml:"zone"` // IANA name, for times without a zone
	Topology asset.Topology           `yaml:"topology"`
	Clocks   map[string]time.Duration `yaml:"clock_offsets"`
	CSV      *format.CSVMapping       `yaml:"csv"`
}

func newInvestigate(io streams) *cobra.Command {
	var o investigateOptions
	c := &cobra.Command{
		Use:   "investigate PATH...",
		Short: "Say from logs where and when an attack began, how it went and what to cut off",
		Long: `Read files, folders, zip, tar and gzip archives, or standard input (-), recognise
the formats by their content, and report incidents: first compromise as an
interval, entry, path with a grade and evidence for every hop, hosts, accounts,
suspicious addresses, and where the trail ends. No server is needed and nothing
leaves this machine.

--config FILE (YAML) tells what is known beforehand:

  zone: Asia/Taipei            # of times that write none
  clock_offsets: {dc1: 2m30s}  # how far a source's clock runs fast
  csv: {time: When, product: vpn}
  topology:
    segments: [{name: office, prefix: 10.1.0.0/16, zone: inside}]
    hosts: [{name: dc1, addresses: [10.1.0.10], roles: [dc]}]
    admin_pairs: [{src: jump1, dst: "*", account: corp\admin}]

Exit codes: 0 read wholly, 1 failed, 2 wrong usage, 3 some input could not be read (the report says which).`,
		Example: `  citywall investigate evidence.zip
  citywall investigate --format json --out report.json C:\evidence logs.tar.gz
  citywall investigate --lang zh-TW --config city.yaml --rules sigma_all_rules.zip /mnt/exhibit3
  zcat alerts.csv.gz | citywall investigate -`,
		Args: exactly(-1, "at least one path"),
		RunE: func(c *cobra.Command, args []string) error {
			if o.caseNo != "" {
				return runInvestigateCase(c, io, args, o)
			}
			return runInvestigate(c.Context(), io, args, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.format, "format", "text", "text, json, csv, attackflow or html")
	f.StringVarP(&o.out, "out", "o", "", "write the report to this file")
	f.StringVar(&o.config, "config", "", "what is known beforehand: topology, admin pairs, clock offsets (YAML)")
	f.StringArrayVar(&o.rules, "rules", nil, "also load Sigma rules from this folder or zip (repeatable)")
	f.BoolVar(&o.noOwn, "no-own-rules", false, "leave Citywall's own rules out")
	f.BoolVar(&o.carve, "carve", false, "also recover deleted EVTX records")
	f.StringVar(&o.lang, "lang", "en", "language of the sentences: en or zh-TW")
	f.StringVar(&o.caseNo, "case", "", "open a case of this title that keeps the events and the report (as your os_users identity of the police)")
	return c
}

func runInvestigate(ctx context.Context, io streams, paths []string, o investigateOptions) error {
	lang, err := reportOptions(o)
	if err != nil {
		return err
	}
	res, err := investigate(ctx, io, paths, o, nil)
	if err != nil {
		return err
	}
	if err := writeReport(io.out, res, lang, o); err != nil {
		return err
	}
	return unread(res)
}

func reportOptions(o investigateOptions) (text.Lang, error) {
	lang, ok := text.ParseLang(o.lang)
	if !ok {
		return "", fault.New(fault.Invalid, "no language %q; there are en and zh-TW", o.lang)
	}
	for _, f := range report.Formats {
		if f == o.format {
			return lang, nil
		}
	}
	return "", report.Write(nil, incident.Result{}, lang, o.format)
}

func writeReport(w io.Writer, res incident.Result, lang text.Lang, o investigateOptions) error {
	if o.out == "" {
		return report.Write(w, res, lang, o.format)
	}
	var b bytes.Buffer
	if err := report.Write(&b, res, lang, o.format); err != nil {
		return err
	}
	if err := durable.Replace(o.out, 0o644, b.Bytes()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// unread is the verdict when part of the input could not be read.
func unread(res incident.Result) error {
	n := 0
	for _, s := range res.Sources {
		if s.Format != "" && s.Damaged > 0 || s.Format == "" {
			n++
		}
	}
	if n > 0 {
		return verdict{fault.ExitNegative, fmt.Sprintf("%d of %d sources were not, or not wholly, read; the report names them", n, len(res.Sources))}
	}
	return nil
}

// investigate reads, detects and correlates. keep, when given, gets every
// event: with --case they stay with the case.
func investigate(ctx context.Context, io streams, paths []string, o investigateOptions, keep func(*event.Event) error) (incident.Result, error) {
	var known caseFile
	if o.config != "" {
		b, err := os.ReadFile(o.config)
		if err != nil {
			return incident.Result{}, fmt.Errorf("read --config: %w", err)
		}
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		if err := d.Decode(&known); err != nil {
			return incident.Result{}, fault.New(fault.Invalid, "%s: %w", o.config, err)
		}
	}
	opt := file.Options{Realm: asset.Police, Exhibit: o.caseNo, Carve: o.carve, CSV: known.CSV, Stdin: io.in}
	if known.Zone != "" {
		z, err := time.LoadLocation(known.Zone)
		if err != nil {
			return incident.Result{}, fault.New(fault.Invalid, "%s: zone: %w", o.config, err)
		}
		opt.Zone = z
	}
	sets, done, err := ruleSets(o.rules, !o.noOwn)
	if err != nil {
		return incident.Result{}, err
	}
	defer done()
	engine, rep, err := sigma.Load(sets, sigma.Options{Batch: true})
	if err != nil {
		return incident.Result{}, err
	}
	if n := len(rep.Refused) + len(rep.Waiting); n > 0 {
		fmt.Fprintf(io.err, "citywall: %d rules are not evaluated; citywall rules check says why\n", n)
	}
	defer collectLess()()
	bar := newProgress(io.err)
	defer bar.finish()
	opt.Progress = bar.at
	return batch.Investigate(ctx, batch.Options{
		Read: func(ctx context.Context, emit format.Emit) ([]incident.SourceStat, error) {
			if keep != nil {
				inner := emit
				emit = func(e *event.Event) error {
					if err := keep(e); err != nil {
						return err
					}
					return inner(e)
				}
			}
			stats, err := file.Read(ctx, paths, opt, emit)
			return sourceStats(stats), err
		},
		Engine:    engine,
		Correlate: correlate.Config{Topology: known.Topology, ClockOffsets: known.Clocks},
	})
}

func sourceStats(in []file.Stat) []incident.SourceStat {
	out := make([]incident.SourceStat, len(in))
	for i, s := range in {
		notes := s.Notes
		if s.Problem != "" {
			notes = append([]string{s.Problem}, notes...)
		}
		for _, g := range s.Gaps {
			notes = append(notes, fmt.Sprintf("%s: record ids jump from %d to %d between %s and %s: records are missing",
				g.Channel, g.After, g.Before, g.FromTime.UTC().Format(time.RFC3339), g.ToTime.UTC().Format(time.RFC3339)))
		}
		out[i] = incident.SourceStat{
			File: s.File, Inner: s.Inner, SHA256: s.SHA256, Format: s.Format, Records: s.Decoded, Damaged: s.Damaged, Skipped: s.Skipped,
			First: s.First, Last: s.Last, Notes: notes,
		}
	}
	return out
}

// progress draws a bar on a terminal and nothing elsewhere.
type progress struct{ bar *progressbar.ProgressBar }

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	return &progress{progressbar.NewOptions64(-1, progressbar.OptionSetWriter(f), progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(200*time.Millisecond))}
}

func (p *progress) at(s file.Progress) {
	if p.bar == nil {
		return
	}
	p.bar.ChangeMax64(max(s.Total, 1))
	p.bar.Describe(s.File)
	_ = p.bar.Set64(min(s.Done, s.Total)) // drawing only
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish() // drawing only
	}
}
