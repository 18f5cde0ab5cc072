// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// stopTimeout bounds how long open requests hold up a stop.
const stopTimeout = 10 * time.Second

// openConsole binds the console's address and the local socket.
func (a *App) openConsole(ctx context.Context, cfg *tls.Config) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.cfg.Console.Addr)
	if err != nil {
		return fmt.Errorf("open the console: %w", err)
	}
	if cfg != nil {
		l = tls.NewListener(l, cfg)
	}
	a.console = l
	a.undo("console", func() error { return ignoreClosed(l.Close()) })
	name := SocketPath(a.data.dir)
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("open the local socket: %w", err)
	}
	s, err := lc.Listen(ctx, "unix", name)
	if err != nil {
		// Some file systems know no sockets; only the local commands miss it.
		a.log.Warn("no local socket: commands on this machine cannot reach the server", "err", err)
		return nil
	}
	a.socket = s
	a.undo("local socket", func() error { return ignoreClosed(s.Close()) })
	if err := os.Chmod(name, 0o600); err != nil {
		return fmt.Errorf("protect the local socket: %w", err)
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// URL is where the console is reached.
func (a *App) URL() string {
	if a.cfg.Console.URL != "" {
		return a.cfg.Console.URL
	}
	scheme := "http"
	if a.secure {
		scheme = "https"
	}
	return scheme + "://" + a.console.Addr().String()
}

// Fingerprint is the SHA-256 of the console's certificate, "" without TLS.
func (a *App) Fingerprint() string { return a.fingerprint }

// SyslogAddr returns the bound address of the first listener of that kind, ""
// when there is none.
func (a *App) SyslogAddr(net string) string {
	for i, c := range a.cfg.Syslog {
		if c.Net == net {
			return a.syslog[i].Addr().String()
		}
	}
	return ""
}

// NetflowAddr returns the bound address of the first NetFlow listener, "" when
// there is none.
func (a *App) NetflowAddr() string {
	if len(a.netflow) == 0 {
		return ""
	}
	return a.netflow[0].Addr().String()
}

// Handler is the whole web side: pages, API, ingest.
func (a *App) Handler() http.Handler { return a.handler }

// Run serves until ctx ends or a part fails, then stops every part: listeners
// first, so that nothing more is acknowledged, then the pipeline.
func (a *App) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.pipeline.Run(ctx) })
	g.Go(func() error { return a.alarms.Run(ctx) })
	g.Go(func() error { return a.keeper.Run(ctx) })
	g.Go(func() error { return a.estate.Run(ctx) })
	for _, l := range a.syslog {
		g.Go(func() error { return l.Run(ctx) })
	}
	for _, l := range a.netflow {
		g.Go(func() error { return l.Run(ctx) })
	}
	for _, w := range a.watch {
		g.Go(func() error { return w.Run(ctx) })
	}
	a.serve(ctx, g, a.console, a.handler)
	if a.socket != nil {
		a.serve(ctx, g, a.socket, a.local(a.handler))
	}
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (a *App) serve(ctx context.Context, g *errgroup.Group, l net.Listener, h http.Handler) {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: connContext,
	}
	g.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the console: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := s.Shutdown(stop); err != nil {
			return s.Close() // live streams do not end by themselves
		}
		return nil
	})
}
