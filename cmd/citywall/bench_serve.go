// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"citywall/app"
	"citywall/event"
	"citywall/eventstore"
	"citywall/exercise"
	"citywall/internal/fault"
	"citywall/pipeline/live"
)

type benchServeOptions struct {
	devices, lines, senders int
	seconds                 int
	dir                     string
	asJSON                  bool
	profile                 string
}

func newBenchServe(io streams) *cobra.Command {
	var o benchServeOptions
	c := &cobra.Command{
		Use:   "serve",
		Short: "Load a whole server as a city does, and count what it kept",
		Long: `Run a whole server (listeners, queue, event store, rules, correlation) in a
folder of its own and load it with the records of an exercise, as fast as it takes
them: HTTP and syslog over TCP, some syslog over UDP. The records are encoded
before the clock starts; a process of its own sends them, so that its processor
time stands apart. The load lasts as long as --seconds says; the clock stops when
everything that was sent is stored, judged and correlated.

The records are simulated, and are sent again from the beginning when they are
used up: what differs then is where each stands, not what it says.

Exit codes: 0 done and nothing lost over HTTP and TCP, 1 failed, 2 wrong usage,
3 something was lost.`,
		Example: "  citywall bench serve --devices 18000\n  citywall bench serve --seconds 30 --json > load.json",
		Args:    exactly(0, "no arguments"),
		RunE:    func(c *cobra.Command, _ []string) error { return runBenchServe(c.Context(), io, o) },
	}
	f := c.Flags()
	f.IntVar(&o.devices, "devices", 18_000, "size of the city")
	f.IntVar(&o.lines, "lines", 300_000, "records encoded beforehand")
	f.IntVar(&o.senders, "senders", 8, "connections that send at the same time")
	f.IntVar(&o.seconds, "seconds", 60, "how long the load lasts")
	f.StringVar(&o.dir, "dir", "", "where the server's folder is made; the system's temporary folder when left out")
	f.StringVar(&o.profile, "cpuprofile", "", "write a processor profile of the serving process to this file")
	f.BoolVar(&o.asJSON, "json", false, "print the figures as JSON")
	return c
}

// loadReport is what a run measured.
type loadReport struct {
	Devices    int     `json:"devices"`
	Seconds    float64 `json:"seconds"` // from the first record sent until all were stored, judged and correlated
	Sending    float64 `json:"sending_seconds"`
	HTTP       int64   `json:"http_acknowledged"`
	TCP        int64   `json:"tcp_sent"`
	UDP        int64   `json:"udp_sent"`
	UDPLost    int64   `json:"udp_lost_counted"` // by listener and kernel
	Stored     int64   `json:"stored"`
	Own        int64   `json:"own_records"`           // that Citywall wrote about its sources meanwhile
	Rate       float64 `json:"events_per_second"`     // stored / seconds
	Findings   int64   `json:"findings"`              //
	Incidents  int     `json:"incidents"`             //
	CPU        float64 `json:"server_cpu_seconds"`    // user and system, of the process that serves
	Generator  float64 `json:"generator_cpu_seconds"` // of the process that sends
	Memory     int64   `json:"server_peak_bytes"`     // VmHWM; 0 where the system does not tell
	Disk       int64   `json:"disk_bytes"`            // of the folder, at the end
	PerMillion float64 `json:"cpu_seconds_per_million"`
	Processors int     `json:"processors"`

	Busy live.Busy `json:"busy_seconds"`
}

// Lost is what was acknowledged or handed to TCP and is not stored.
func (r loadReport) Lost() int64 { return r.HTTP + r.TCP - (r.Stored - (r.UDP - r.UDPLost)) }

func runBenchServe(ctx context.Context, s streams, o benchServeOptions) error {
	if o.lines < 1000 || o.senders < 1 || o.senders > 256 || o.seconds < 1 {
		return fault.New(fault.Invalid, "want at least 1000 lines, 1 to 256 senders and 1 second")
	}
	defer collectLess()()
	dir, err := os.MkdirTemp(o.dir, "citywall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg := app.Defaults()
	cfg.Console.Addr = "127.0.0.1:0"
	for i := range cfg.Syslog {
		cfg.Syslog[i].Addr = "127.0.0.1:0"
	}
	a, err := app.New(ctx, app.Options{Dir: filepath.Join(dir, "data"), Config: cfg, Version: productVersion(), Log: slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- a.Run(run) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			fmt.Fprintln(s.err, "citywall: the server ended with:", err)
		}
		a.Close()
	}()

	fmt.Fprintf(s.err, "encoding %d records of a city of %d devices …\n", o.lines, o.devices)
	file := filepath.Join(dir, "load.gob")
	if err := encodeLoad(ctx, a, o, file); err != nil {
		return err
	}
	r := loadReport{Devices: o.devices, Processors: runtime.NumCPU()}
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	before := cpuTime()
	begun := time.Now()
	sent, err := sendLoad(ctx, s, a, o, file)
	if err != nil {
		return err
	}
	r.Sending = time.Since(begun).Seconds()
	fmt.Fprintf(s.err, "sent for %.0f s; waiting until all is stored, judged and correlated …\n", r.Sending)
	incidents, err := a.Settle(ctx)
	if err != nil {
		return err
	}
	r.Seconds, r.CPU = time.Since(begun).Seconds(), (cpuTime() - before).Seconds()
	pprof.StopCPUProfile() // of what is counted, and no more
	r.HTTP, r.TCP, r.UDP, r.Generator, r.Incidents = sent.HTTP, sent.TCP, sent.UDP, sent.CPU, len(incidents)
	r.UDPLost = a.DatagramsLost()
	err = a.EachEvent(ctx, eventstore.Query{From: time.Unix(0, 0), To: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)}, func(e *event.Event) error {
		if e.Product == "citywall" {
			r.Own++
		} else {
			r.Stored++
		}
		return nil
	})
	if err != nil {
		return err
	}
	h := a.Health()
	r.Findings, r.Busy = h.Findings, h.Busy
	r.Memory, r.Disk = peakMemory(), folderSize(filepath.Join(dir, "data"))
	r.Rate, r.PerMillion = float64(r.Stored)/r.Seconds, r.CPU/float64(max(1, r.Stored))*1e6
	if err := printLoad(s.out, r, o.asJSON); err != nil {
		return err
	}
	if r.Lost() > 0 {
		return verdict{code: fault.ExitNegative, msg: fmt.Sprintf("%d records were acknowledged or handed to TCP and are not stored", r.Lost())}
	}
	return nil
}

func printLoad(w io.Writer, r loadReport, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	_, err := fmt.Fprintf(w, `devices                   %d, %d processors
sent                      %d over HTTP (acknowledged), %d over TCP, %d over UDP
stored                    %d; lost over HTTP and TCP: %d; UDP losses counted: %d
events a second           %.0f, from the first record until all were judged (%.1f s, of which sending %.1f s)
processor                 %.1f s serving (%.1f s per million), %.1f s sending
peak memory               %d MB
disk                      %d MB (%.0f bytes per event)
findings, incidents       %d, %d
seconds at work           decode %.1f, keep %.1f, detect %.1f, behave %.1f, record %.1f, hand over %.1f, acknowledge %.1f, observe %.1f, answer %.1f
`, r.Devices, r.Processors, r.HTTP, r.TCP, r.UDP, r.Stored, r.Lost(), r.UDPLost, r.Rate, r.Seconds, r.Sending, r.CPU, r.PerMillion, r.Generator,
		r.Memory>>20, r.Disk>>20, float64(r.Disk)/float64(max(1, r.Stored)), r.Findings, r.Incidents,
		r.Busy.Decode, r.Busy.Keep, r.Busy.Detect, r.Busy.Behave, r.Busy.Record, r.Busy.HandOver, r.Busy.Acknowledge, r.Busy.Observe, r.Busy.Answer)
	return err
}

// load is what one connection sends: bodies for HTTP with a token, or messages
// framed for TCP, or datagrams.
type load struct {
	Kind  string // http, tcp, udp
	Token string
	Body  []byte
	Lines int
}

// udpShare is the part of syslog lines that goes over UDP: one in so many.
const udpShare = 20

// encodeLoad writes the loads of an exercise in the order in which they are
// sent.
func encodeLoad(ctx context.Context, a *app.App, o benchServeOptions, file string) error {
	y, m, d := time.Now().In(taipeiZone).AddDate(0, 0, -1).Date()
	ex, err := exercise.New("hospital", exercise.Options{Seed: 1, Devices: o.devices, Begin: time.Date(y, m, d, 0, 0, 0, 0, taipeiZone), NoAttack: true})
	if err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	enc := gob.NewEncoder(w)
	open := map[string]*load{}
	tokens := map[string]string{}
	n := 0
	put := func(k string, x *load) error {
		delete(open, k)
		return enc.Encode(x)
	}
	errEnough := errors.New("enough")
	err = ex.Lines(ctx, func(l exercise.Line) error {
		if n++; n > o.lines {
			return errEnough
		}
		kind, key := "http", "http/"+l.Agency // one collector for each agency, as cities have
		if l.Transport == "syslog" {
			kind, key = "tcp", "tcp"
			if n%udpShare == 0 {
				return enc.Encode(&load{Kind: "udp", Body: l.Bytes, Lines: 1})
			}
		}
		x := open[key]
		if x == nil {
			x = &load{Kind: kind}
			open[key] = x
		}
		if kind == "http" {
			if tokens[key] == "" {
				if tokens[key], err = a.Sender(ctx, "collector-"+l.Agency, l.Agency); err != nil {
					return err
				}
			}
			x.Token = tokens[key]
			x.Body = append(append(x.Body, l.Bytes...), '\n')
		} else {
			x.Body = strconv.AppendInt(x.Body, int64(len(l.Bytes)), 10)
			x.Body = append(append(x.Body, ' '), l.Bytes...)
		}
		if x.Lines++; x.Lines >= batchLines || len(x.Body) >= batchBytes {
			return put(key, x)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return errors.Join(err, f.Close())
	}
	for _, k := range sorted(open) {
		if err := put(k, open[k]); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

var taipeiZone = time.FixedZone("Asia/Taipei", 8*3600)

// sendLoad runs the sender as a process of its own and returns what it counted.
func sendLoad(ctx context.Context, s streams, a *app.App, o benchServeOptions, file string) (sentLoad, error) {
	var r sentLoad
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	c := exec.CommandContext(ctx, self, "bench", "send", "--file", file, "--to", a.URL()+app.IngestPath, "--tcp", a.SyslogAddr("tcp"), "--udp", a.SyslogAddr("udp"),
		"--senders", strconv.Itoa(o.senders), "--seconds", strconv.Itoa(o.seconds))
	c.Stderr = s.err
	out, err := c.Output()
	if err != nil {
		return r, fmt.Errorf("the sender: %w", err)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("the sender: %w", err)
	}
	return r, nil
}

// folderSize returns the bytes of all files below dir.
func folderSize(dir string) (n int64) {
	// What vanishes while it is counted is not there any more.
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // see above
		}
		if i, err := d.Info(); err == nil {
			n += i.Size()
		}
		return nil
	})
	return n
}
