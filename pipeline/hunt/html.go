// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"embed"
	"html/template"
	"io"
	"strconv"
	"time"

	"citywall/detect"
	"citywall/internal/draw"
	"citywall/internal/text"
)

//go:embed hunt.html
var page embed.FS

// fills are the levels' colours on paper.
var fills = [...]string{"#b9c4ce", "#8fb3d1", "#e0b04c", "#d9722e", "#b3261e"}

// maxBars bounds the days of the picture; its table has them all.
const maxBars = 366

// html writes the summary as one self-contained file: no script, nothing
// fetched. Nothing of the evidence becomes markup.
func (r *Result) html(w io.Writer, f Form) error {
	t := func(key string, pairs ...string) string { return text.T(f.Lang, "hunt."+key, pairs...) }
	days := r.Summary.ByDay()
	chart := draw.Chart{ID: "days", Title: t("days.title"), Desc: t("days.desc"), Width: 900, Height: 220}
	for _, d := range days[max(0, len(days)-maxBars):] {
		b := draw.Bar{Label: d.Name, Tip: d.Name + ": " + levelList(t, d.Levels), Value: float64(d.Total)}
		for l, n := range d.Levels {
			b.Parts = append(b.Parts, draw.Part{Value: float64(n), Fill: fills[l]})
		}
		chart.Bars = append(chart.Bars, b)
	}
	svg, err := chart.Bytes()
	if err != nil {
		return err
	}
	data := struct {
		*Summary
		Lang   text.Lang
		Order  []detect.Level
		Chart  template.HTML
		Days   []Named
		Result *Result
	}{&r.Summary, f.Lang, descending, template.HTML(svg), days, r} // drawn by our own code, which escapes every text
	page, err := template.New("hunt.html").Funcs(template.FuncMap{
		"t":     t,
		"level": func(l detect.Level) string { return t("level." + l.String()) },
		"n":     func(x int64) string { return strconv.FormatInt(x, 10) },
		"at":    func(x time.Time) string { return stamp(x, f.Zone) },
		"share": share,
		"fill":  func(l detect.Level) template.CSS { return template.CSS("background:" + fills[l]) }, // our own table
	}).ParseFS(page, "hunt.html")
	if err != nil {
		return err
	}
	return page.Execute(w, data)
}
