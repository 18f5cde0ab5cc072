// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"citywall/app"
	"citywall/casework"
	"citywall/casework/docket"
	"citywall/casework/exhibit"
	"citywall/event"
	"citywall/incident/report"
	"citywall/internal/fault"
)

// runInvestigateCase investigates and opens a case that keeps every event it
// read as an exhibit, with the report: never in the city's event store.
func runInvestigateCase(c *cobra.Command, st streams, paths []string, o investigateOptions) error {
	lang, err := reportOptions(o)
	if err != nil {
		return err
	}
	dir, err := dataDir(c)
	if err != nil {
		return err
	}
	if app.Held(dir) {
		return fault.New(fault.Busy, "a server holds %s: stop it first, or open the case at its console", dir)
	}
	cfg, err := app.Load(dir, os.Environ(), nil)
	if err != nil {
		return err
	}
	// Events wait in a temporary file: the case takes them all or none.
	tmp, err := os.CreateTemp("", "citywall-case-*")
	if err != nil {
		return fmt.Errorf("keep the events: %w", err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	w := bufio.NewWriterSize(tmp, 1<<20)
	res, err := investigate(c.Context(), st, paths, o, func(e *event.Event) error {
		b, err := exhibit.EncodeEvent(e)
		if err != nil {
			return err
		}
		_, err = w.Write(append(bytes.TrimRight(b, "\n"), '\n'))
		return err
	})
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("keep the events: %w", err)
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("keep the events: %w", err)
	}
	n := docket.New{Title: o.caseNo, Source: casework.Source{Kind: casework.FromInvestigation}, Events: exhibit.Events(tmp)}
	if len(res.Incidents) > 0 {
		n.Incident = &res.Incidents[0]
		n.Source.Incident = n.Incident.ID
	}
	for _, format := range []string{"html", "json"} {
		var b bytes.Buffer
		if err := report.Write(&b, res, lang, format); err != nil {
			return err
		}
		n.Files = append(n.Files, docket.File{
			Kind: casework.ExhibitReport, Name: "report." + format, Origin: "citywall investigate",
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil },
		})
	}
	cfg.Console.Addr, cfg.Syslog, cfg.Watch = "127.0.0.1:0", nil, nil
	a, err := app.New(c.Context(), app.Options{Dir: dir, Config: cfg, Version: productVersion(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer a.Close()
	f, err := a.OpenCase(c.Context(), n)
	if err != nil {
		return err
	}
	fmt.Fprintf(st.err, "citywall: case %s is open (%s)\n", f.Number, f.ID)
	if err := writeReport(st.out, res, lang, o); err != nil {
		return err
	}
	return unread(res)
}
