// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"citywall/app"
	"citywall/asset"
	"citywall/internal/fault"
)

// server reaches the API of a data folder: over the local socket while a server
// holds it, else by opening the folder in this process. Either way the request
// is the operating-system user's, and audited.
func server(c *cobra.Command) (*http.Client, func(), error) {
	dir, err := dataDir(c)
	if err != nil {
		return nil, nil, err
	}
	if app.Held(dir) {
		return app.Client(dir), func() {}, nil
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, nil, fmt.Errorf("open the data folder: %w; citywall serve makes it, --data names another", err)
	}
	cfg, err := app.Load(dir, os.Environ(), nil)
	if err != nil {
		return nil, nil, err
	}
	cfg.Console.Addr, cfg.Syslog, cfg.Watch = "127.0.0.1:0", nil, nil // nothing listens for a single question
	a, err := app.New(c.Context(), app.Options{Dir: dir, Config: cfg, Version: productVersion(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	client, err := a.InProcess()
	if err != nil {
		a.Close()
		return nil, nil, err
	}
	return client, a.Close, nil
}

// get asks the API and returns the answer's body. An answer that is an error
// comes back as one of its kind.
func get(ctx context.Context, c *http.Client, realm asset.Realm, path string, q url.Values) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://citywall/api/v1"+path+"?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return ask(c, req, realm)
}

// post sends a change to the API and returns what it answers.
func post(ctx context.Context, c *http.Client, realm asset.Realm, path string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://citywall/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	r, err := ask(c, req, realm)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func ask(c *http.Client, req *http.Request, realm asset.Realm) (io.ReadCloser, error) {
	req.Header.Set(app.RealmHeader, string(realm))
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNoContent {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	var e struct {
		Error struct {
			Kind    fault.Kind `json:"kind"`
			Message string     `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(b, &e) == nil && e.Error.Message != "" {
		return nil, fault.New(e.Error.Kind, "%s", e.Error.Message)
	}
	return nil, fmt.Errorf("the server answered %s: %s", resp.Status, b)
}
