// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"citywall/app"
	"citywall/asset"
	"citywall/identity"
	"citywall/internal/text"
	"citywall/web/desk"
)

func newServe(io streams) *cobra.Command {
	flags := map[string]*string{"console.addr": new(string), "lang": new(string)}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Watch a city: listeners, detection, console and API",
		Long: `Run Citywall on a data folder: syslog (UDP, TCP, TLS), JSON lines over HTTP,
followed files and folders, the console and the API. DATA/citywall.yaml holds
the configuration; citywall config show prints all of it.

At the first start it prints one-time links with which the administrators of
both realms sign in and make the other users. Beyond loopback everything
speaks TLS; without a certificate of yours one is made, and its fingerprint is
printed to be compared.` + exits,
		Example: "  citywall serve --data /srv/citywall\n  citywall serve --console 10.0.0.5:8443",
		Args:    exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := dataDir(c)
			if err != nil {
				return err
			}
			set := map[string]string{}
			for k, v := range flags {
				if *v != "" {
					set[k] = *v
				}
			}
			cfg, err := app.Load(dir, os.Environ(), set)
			if err != nil {
				return err
			}
			return runServe(c.Context(), io, dir, cfg)
		},
	}
	c.Flags().StringVar(flags["console.addr"], "console", "", "address of the console, host:port (default 127.0.0.1:8443)")
	c.Flags().StringVar(flags["lang"], "lang", "", "language of what is printed: zh-TW or en")
	return c
}

// gcPercent is how much the heap may grow before it is collected, where many
// events pass: in a server, an investigation, a hunt.
// Events live for a moment and rules and facts for long: with Go's 100 the
// collector takes 6 of 74 processor seconds per million events more, for a fifth
// less memory at the peak. The variable GOGC overrules it.
const gcPercent = 200

// collectLess sets gcPercent and returns what undoes it.
func collectLess() (undo func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	old := debug.SetGCPercent(gcPercent)
	return func() { debug.SetGCPercent(old) }
}

func runServe(ctx context.Context, io streams, dir string, cfg app.Config) error {
	defer collectLess()()
	log := slog.New(slog.NewTextHandler(io.err, &slog.HandlerOptions{Level: slog.LevelInfo}))
	a, err := app.New(ctx, app.Options{Dir: dir, Config: cfg, Version: productVersion(), Log: log})
	if err != nil {
		return err
	}
	defer a.Close()
	lang, _ := text.ParseLang(cfg.Lang)
	say := func(key string, pairs ...string) { fmt.Fprintln(io.out, text.T(lang, "cmd."+key, pairs...)) }
	say("serve.console", "url", a.URL(), "data", dir)
	if f := a.Fingerprint(); f != "" {
		say("serve.fingerprint", "sha256", f)
	}
	for _, r := range []asset.Realm{asset.City, asset.Police} {
		none, err := a.NoUsers(ctx, r)
		if err != nil {
			return err
		}
		if !none {
			continue
		}
		link, expires, err := a.AddUser(ctx, r, "admin", "Administrator", identity.SystemAdmin)
		if err != nil {
			return err
		}
		say("serve.first", "realm", text.T(lang, "cmd.realm."+string(r)), "link", link, "until", expires.Local().Format(time.RFC3339))
	}
	return a.Run(ctx)
}

func productVersion() desk.Version {
	return desk.Version{Version: version, Commit: commit(), Go: runtime.Version()}
}
