// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package web puts the console and the API behind one door.
//
// It promises that both speak through the same desk, so that neither can do
// what the other cannot, and that every answer carries the security headers of
// package door. It opens no listener: that is app.
package web

import (
	"log/slog"
	"net/http"
	"time"

	"citywall/web/api"
	"citywall/web/console"
	"citywall/web/desk"
	"citywall/web/door"
)

// Config is what the web side needs.
type Config struct {
	Desk desk.Config
	// Secure says that people reach the server over TLS: cookies are then for
	// TLS only.
	Secure bool
	Log    *slog.Logger
	// LiveEvery is how often live pages look; 2 s when zero.
	LiveEvery time.Duration
}

// New returns the handler of the whole web side.
func New(cfg Config) (http.Handler, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Desk.Log == nil {
		cfg.Desk.Log = cfg.Log
	}
	d, err := desk.New(cfg.Desk)
	if err != nil {
		return nil, err
	}
	in := door.Door{Desk: d, Secure: cfg.Secure}
	pages, err := console.New(console.Config{Desk: d, Door: in, Log: cfg.Log, LiveEvery: cfg.LiveEvery})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(api.Prefix+"/", api.New(api.Config{Desk: d, Door: in, Log: cfg.Log, LiveEvery: cfg.LiveEvery}))
	mux.Handle("/", pages)
	return in.Guard(mux), nil
}
