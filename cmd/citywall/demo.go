// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"citywall/app"
	"citywall/asset"
	"citywall/exercise"
	"citywall/identity"
	"citywall/incident"
	"citywall/incident/narrate"
	"citywall/ingest/transport/syslog"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/score"
)

type demoOptions struct {
	exercise string
	seed     uint64
	devices  int
	speed    float64
	lang     string
	exit     bool
}

func newDemo(io streams) *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use:   "demo",
		Short: "Watch Citywall do its main job on a simulated city under attack",
		Long: `Start everything embedded in a data folder of its own, play an exercise through
the same listeners, queue, store, detection and correlation that production
uses, and print what was found side by side with the exercise's truth. Then the
console stays open on loopback; a one-time link signs you in.

Everything in the exercise is simulated.

Exit codes: 0 done, with --exit only if the findings meet the truth; 1 failed, or the truth was missed; 2 wrong usage.`,
		Example: "  citywall demo\n  citywall demo --exercise webshell --lang zh-TW\n  citywall demo --exit",
		Args:    exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := demoDir(c)
			if err != nil {
				return err
			}
			return runDemo(c.Context(), io, dir, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.exercise, "exercise", "hospital", "which exercise; citywall exercise list shows them")
	f.Uint64Var(&o.seed, "seed", 1, "the same seed plays the same city and attack")
	f.IntVar(&o.devices, "devices", 0, "size of the city (default 300)")
	f.Float64Var(&o.speed, "speed", 0, "times real time; 0 is as fast as it goes")
	f.StringVar(&o.lang, "lang", "", "en or zh-TW (default: from LANG)")
	f.BoolVar(&o.exit, "exit", false, "stop after the verdict")
	return c
}

// demoMark is the file by which a folder is known as a demo's, and so may be
// emptied by the next one.
const demoMark = "DEMO"

// demoDir returns an empty folder: DATA when --data is given, else
// citywall-demo beside the user's data folder. It never empties a folder that
// no demo made.
func demoDir(c *cobra.Command) (string, error) {
	dir, err := dataDir(c)
	if err != nil {
		return "", err
	}
	if !c.Flags().Changed("data") && os.Getenv("CITYWALL_DATA") == "" {
		dir += "-demo"
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look at the demo's folder: %w", err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, demoMark)); err != nil {
			return "", fault.New(fault.Invalid, "%s is not empty and not a demo's: give another --data", dir)
		}
		if app.Held(dir) {
			return "", fault.New(fault.Busy, "a demo is running in %s: stop it, or give another --data", dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return "", fmt.Errorf("empty the demo's folder: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the demo's folder: %w", err)
	}
	return dir, os.WriteFile(filepath.Join(dir, demoMark), []byte("The next demo empties this folder.\n"), 0o600)
}

func demoLang(s string) (text.Lang, error) {
	if s == "" {
		for _, k := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
			if v := os.Getenv(k); v != "" {
				l, _ := text.ParseLang(v)
				return l, nil
			}
		}
		return text.En, nil
	}
	l, ok := text.ParseLang(s)
	if !ok {
		return "", fault.New(fault.Invalid, "no language %q; there are en and zh-TW", s)
	}
	return l, nil
}

// demoConfig keeps everything on loopback and tells the bureau's drawing of the
// city.
func demoConfig(o demoOptions, l text.Lang, p *exercise.Play) app.Config {
	cfg := app.Defaults()
	cfg.Lang = string(l)
	if o.exit || !free(cfg.Console.Addr) {
		cfg.Console.Addr = "127.0.0.1:0"
	}
	tcp := syslog.Defaults()
	tcp.Name, tcp.Net, tcp.Addr = "syslog-tcp", syslog.TCP, "127.0.0.1:0"
	cfg.Syslog = []syslog.Config{tcp}
	cfg.Topology = p.Topology()
	cfg.Pipeline.Lookback = 60 * 24 * time.Hour
	if u, err := user.Current(); err == nil {
		cfg.OSUsers = identity.OSUsers{u.Username: {City: "lead", Police: "supervisor"}}
	}
	return cfg
}

func free(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// demoBegin is the first midnight of an exercise that ends about now, so that
// the console's "last 24 hours" shows it.
func demoBegin(o demoOptions, now time.Time) (time.Time, error) {
	p, err := exercise.New(o.exercise, exercise.Options{Seed: o.seed, Devices: o.devices})
	if err != nil {
		return time.Time{}, err
	}
	length := p.Truth().End.Sub(p.Truth().Begin)
	taipei := time.FixedZone("Asia/Taipei", 8*3600)
	y, m, d := now.Add(-length).In(taipei).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, taipei), nil
}

func runDemo(ctx context.Context, io streams, dir string, o demoOptions) error {
	l, err := demoLang(o.lang)
	if err != nil {
		return err
	}
	say := func(key string, pairs ...string) { fmt.Fprintln(io.out, text.T(l, "cmd."+key, pairs...)) }
	begin, err := demoBegin(o, time.Now())
	if err != nil {
		return err
	}
	ex, err := exercise.New(o.exercise, exercise.Options{Seed: o.seed, Devices: o.devices, Begin: begin})
	if err != nil {
		return err
	}
	a, err := app.New(ctx, app.Options{
		Dir: dir, Config: demoConfig(o, l, ex), Version: productVersion(),
		Log: slog.New(slog.NewTextHandler(io.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	defer a.Close()
	g, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	g.Go(func() error { return a.Run(ctx) })
	g.Go(func() error {
		defer stop()
		return demo(ctx, io, a, ex, l, o, say)
	})
	return g.Wait()
}

func demo(ctx context.Context, io streams, a *app.App, ex *exercise.Play, l text.Lang, o demoOptions, say func(string, ...string)) error {
	say("demo.begin", "exercise", text.T(l, "exercise."+o.exercise+".title"), "seed", strconv.FormatUint(o.seed, 10))
	link, _, err := a.AddUser(ctx, asset.City, "lead", "SOC lead", identity.SOCLead)
	if err != nil {
		return err
	}
	begun := time.Now()
	n, err := demoPlay(ctx, io, a, ex, o)
	if err != nil {
		return err
	}
	incs, err := a.Settle(ctx)
	if err != nil {
		return err
	}
	say("demo.played", "n", narrate.Number(n), "took", narrate.Duration(l, time.Since(begun)))
	res := score.Compare(ex.Truth(), incs)
	compare(io, l, incs, ex.Truth(), res, say)
	fmt.Fprint(io.out, "\n"+res.Text(l))
	if o.exit {
		if !res.Pass {
			return verdict{fault.ExitFailed, text.T(l, "cmd.demo.missed")}
		}
		return nil
	}
	policeLink, _, err := a.AddUser(ctx, asset.Police, "supervisor", "Police supervisor", identity.Supervisor)
	if err != nil {
		return err
	}
	fmt.Fprintln(io.out)
	say("demo.console", "url", a.URL())
	say("demo.link", "realm", text.T(l, "cmd.realm.city"), "link", link)
	say("demo.link", "realm", text.T(l, "cmd.realm.police"), "link", policeLink)
	say("demo.stop")
	<-ctx.Done()
	return nil
}

// demoPlay sends the exercise as its sources would: each with a token of its
// own, the firewalls over syslog.
func demoPlay(ctx context.Context, io streams, a *app.App, ex *exercise.Play, o demoOptions) (int64, error) {
	p := &player{
		url: a.URL() + app.IngestPath, token: a.Sender, syslog: a.SyslogAddr(syslog.TCP),
		run: "demo", speed: o.speed, client: &http.Client{},
	}
	last := time.Now()
	p.sent = func(n int64, at time.Time) {
		if time.Since(last) > time.Second {
			last = time.Now()
			fmt.Fprintf(io.err, "  %s  %s\n", at.In(time.FixedZone("", 8*3600)).Format("01-02 15:04"), a.Progress(n))
		}
	}
	return p.play(ctx, ex)
}

// compare prints what was found beside what is true.
func compare(io streams, l text.Lang, incs []incident.Incident, t exercise.Truth, res score.Result, say func(string, ...string)) {
	var inc *incident.Incident
	for i := range incs {
		if incs[i].ID == res.Incident {
			inc = &incs[i]
		}
	}
	fmt.Fprintln(io.out)
	if inc == nil {
		say("demo.nothing")
		return
	}
	found := func(s string) { fmt.Fprintln(io.out, "  "+text.T(l, "cmd.demo.found")+" "+s) }
	truth := func(s string) { fmt.Fprintln(io.out, "  "+text.T(l, "cmd.demo.truth")+" "+s) }
	fmt.Fprintln(io.out, narrate.Title(l, *inc)+" ["+narrate.Level(l, inc.Severity)+"]")
	say("demo.first")
	found(narrate.FirstCompromise(l, inc.FirstCompromise))
	truth(t.Entry.Host + ", " + narrate.Time(l, t.Entry.Time))
	say("demo.entry")
	found(narrate.Entry(l, inc.Entry))
	way := narrate.Kind(l, t.Entry.Kind) + ": " + t.Entry.Vector
	if t.Entry.External.IsValid() { // a stick comes from nowhere
		way += " (" + t.Entry.External.String() + ")"
	}
	truth(way)
	say("demo.path")
	for i := range max(len(inc.Hops), len(t.Hops)) {
		if i < len(inc.Hops) {
			found(strconv.Itoa(inc.Hops[i].N) + ". " + narrate.Hop(l, inc.Hops[i]))
		}
		if i < len(t.Hops) {
			h := t.Hops[i]
			truth(fmt.Sprintf("%d. %s  %s → %s  %s", i+1, narrate.Time(l, h.Time), h.Src, h.Dst, narrate.Kind(l, h.Kind)))
		}
		if i == 14 && max(len(inc.Hops), len(t.Hops)) > 16 {
			say("demo.more", "found", strconv.Itoa(len(inc.Hops)-i-1), "truth", strconv.Itoa(len(t.Hops)-i-1))
			break
		}
	}
	say("demo.hosts")
	found(hostList(inc.Hosts))
	truth(truthHosts(t))
	say("demo.accounts")
	found(accountList(inc.Accounts))
	truth(strings.Join(t.Accounts, ", "))
	say("demo.suspicious")
	found(suspectList(inc.Suspicious))
	truth(strings.Trim(fmt.Sprint(t.Suspicious), "[]"))
	say("demo.isolate")
	found(isolateList(inc.Hosts))
	truth(shorten(t.Isolate))
}

func hostList(hs []incident.HostState) string {
	var out []string
	for _, h := range hs {
		if h.Compromised && !h.External {
			out = append(out, h.Host)
		}
	}
	return shorten(out)
}

func truthHosts(t exercise.Truth) string {
	var out []string
	for _, h := range t.Hosts {
		out = append(out, h.Host)
	}
	return shorten(out)
}

func accountList(as []incident.AccountState) string {
	var out []string
	for _, a := range as {
		out = append(out, a.Account.String())
	}
	return strings.Join(out, ", ")
}

func suspectList(ss []incident.Suspect) string {
	var out []string
	for _, s := range ss {
		out = append(out, s.Addr.String())
	}
	return strings.Join(out, " ")
}

func isolateList(hs []incident.HostState) string {
	var out []string
	for _, h := range hs {
		switch h.Isolate {
		case "now":
			out = append(out, h.Host)
		case "two_people":
			out = append(out, h.Host+" (2)")
		}
	}
	return shorten(out)
}

// shorten names the first of many and counts the rest.
func shorten(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" +%d", len(names)-most)
}
