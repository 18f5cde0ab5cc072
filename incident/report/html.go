// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"embed"
	"html/template"
	"io"
	"strconv"
	"strings"

	"citywall/incident"
	"citywall/incident/narrate"
	"citywall/incident/picture"
	"citywall/internal/text"
)

//go:embed report.html
var page embed.FS

// HTML writes one self-contained file for reading and printing on A4: styles
// and pictures inside, no script, nothing fetched.
func HTML(w io.Writer, r incident.Result, l text.Lang) error {
	doc := New(r, l)
	type item struct {
		Incident
		Raw     incident.Incident
		Picture template.HTML
	}
	data := struct {
		Doc   Doc
		Items []item
		At    string
		Lang  text.Lang
	}{Doc: doc, At: narrate.Time(l, generated(r)), Lang: l}
	for i, inc := range r.Incidents {
		svg, err := picture.Draw(inc, picture.Options{
			ID: "p" + strconv.Itoa(i+1), Lang: l, Print: true,
			Hop: func(h incident.Hop) string { return narrate.Hop(l, h) },
		})
		if err != nil {
			return err
		}
		// The picture comes from our own drawing code, which escapes every text.
		data.Items = append(data.Items, item{doc.Incidents[i], inc, template.HTML(svg)})
	}
	t, err := template.New("report.html").Funcs(template.FuncMap{
		"t":          func(key string, pairs ...string) string { return text.T(l, "report."+key, pairs...) },
		"level":      func(i incident.Incident) string { return narrate.Level(l, i.Severity) },
		"first":      func(i incident.Incident) string { return narrate.FirstCompromise(l, i.FirstCompromise) },
		"grade":      func(g string) string { return narrate.Grade(l, incident.Grade(g)) },
		"kind":       func(k string) string { return narrate.Kind(l, k) },
		"suspect":    func(s incident.Suspect) string { return narrate.Suspect(l, s) },
		"show":       showAny,
		"join":       func(s []string) string { return strings.Join(s, ", ") },
		"number":     narrate.Number,
		"pointer":    pointerText,
		"compromise": func(b bool) string { return text.T(l, map[bool]string{true: "report.yes", false: "report.no"}[b]) },
	}).ParseFS(page, "report.html")
	if err != nil {
		return err
	}
	return t.Execute(w, data)
}

func showAny(v any) string {
	switch x := v.(type) {
	case *string:
		return show(x)
	case *Stamp:
		return show(x)
	case *uint16:
		return show(x)
	case *int64:
		return show(x)
	case *uint64:
		return show(x)
	}
	return ""
}

func pointerText(e Evidence) string {
	s := e.File
	if e.Inner != nil {
		s += "!" + *e.Inner
	}
	s += " @" + show(&e.Offset)
	if e.Line != nil {
		s += " line " + show(e.Line)
	}
	if e.Record != nil {
		s += " record " + show(e.Record)
	}
	if e.SHA256 != nil {
		s += " sha256:" + *e.SHA256
	}
	return s
}
