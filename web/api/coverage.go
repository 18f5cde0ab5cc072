// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"

	"citywall/detect/rulebook"
	"citywall/internal/fault"
	"citywall/web/desk"
)

// ruleCoverage says which techniques the rules look for, as figures, as a
// picture, or as a file for a spreadsheet or the ATT&CK Navigator.
func (s *Server) ruleCoverage(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	rules, err := s.Desk.ListRules(r.Context(), who, rulebook.Query{Quick: true, Cover: true, Limit: 1})
	if err != nil {
		return err
	}
	c := rules.Covered
	switch f := r.URL.Query().Get("format"); f {
	case "", "json":
		return put(w, c)
	case "svg":
		svg, err := c.Draw(lang(r), "")
		if err != nil {
			return err
		}
		attach(w, "image/svg+xml", "coverage.svg")
		_, _ = w.Write(svg) // the client may be gone
		return nil
	case "csv":
		attach(w, "text/csv; charset=utf-8", "coverage.csv")
		out := &counted{w: w}
		return out.failed(c.CSV(out))
	case "navigator":
		attach(w, "application/vnd.mitre.attack-layer+json", "citywall-layer.json")
		out := &counted{w: w}
		return out.failed(c.Navigator(out))
	default:
		return fault.New(fault.Invalid, "format=%q: want json, svg, csv or navigator", f)
	}
}
