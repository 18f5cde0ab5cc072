// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package coverage

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"citywall/internal/draw"
	"citywall/internal/text"
)

// CSV writes one row for each technique and sub-technique under each tactic,
// gaps included.
func (c Coverage) CSV(w io.Writer) error {
	cw := csv.NewWriter(w)
	rows := [][]string{{"tactic", "id", "name", "rules", "high"}}
	add := func(tactic string, x Cell) {
		rows = append(rows, []string{tactic, x.ID, x.Name, strconv.Itoa(x.Rules), strconv.Itoa(x.High)})
	}
	for _, col := range c.Columns {
		for _, x := range col.Cells {
			add(col.Tactic, x)
			for _, s := range x.Subs {
				add(col.Tactic, s)
			}
		}
	}
	return cw.WriteAll(rows)
}

// Text writes the table for a terminal.
func (c Coverage) Text(w io.Writer) error {
	covered, all := c.Covered()
	_, err := fmt.Fprintf(w, "%d rules; %d of %d techniques have one\n", c.Rules, covered, all)
	say := func(f string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, f, args...)
		}
	}
	for _, col := range c.Columns {
		say("\n%s\n", col.Tactic)
		for _, x := range col.Cells {
			say("  %4d  %-10s %s\n", x.Rules, x.ID, x.Name)
			for _, s := range x.Subs {
				say("  %4d    %-10s %s\n", s.Rules, s.ID, s.Name)
			}
		}
	}
	if c.Untold > 0 {
		say("\n%d rules name no technique of this table\n", c.Untold)
	}
	for _, id := range c.Unknown {
		say("unknown: %s\n", id)
	}
	return err
}

// layer is the ATT&CK Navigator's layer format, version 4.5.
type layer struct {
	Name       string            `json:"name"`
	Versions   map[string]string `json:"versions"`
	Domain     string            `json:"domain"`
	About      string            `json:"description"`
	Techniques []layerTechnique  `json:"techniques"`
	Gradient   layerGradient     `json:"gradient"`
}

type layerTechnique struct {
	ID      string `json:"techniqueID"`
	Tactic  string `json:"tactic"`
	Score   int    `json:"score"`
	Comment string `json:"comment"`
	Enabled bool   `json:"enabled"`
}

type layerGradient struct {
	Colors []string `json:"colors"`
	Min    int      `json:"minValue"`
	Max    int      `json:"maxValue"`
}

// Navigator writes a layer for the ATT&CK Navigator: the score is the number of
// rules. Gaps are in it with score 0.
func (c Coverage) Navigator(w io.Writer) error {
	l := layer{
		Name: "Citywall", Domain: "enterprise-attack", Versions: map[string]string{"attack": "16", "navigator": "5.1.0", "layer": "4.5"},
		About: "Number of rules that name a technique; it does not say how well the technique is found.",
	}
	add := func(tactic string, x Cell) {
		l.Techniques = append(l.Techniques, layerTechnique{
			ID: x.ID, Tactic: tactic, Score: x.Rules, Enabled: true, Comment: fmt.Sprintf("%d rules, %d of level high or critical", x.Rules, x.High),
		})
		l.Gradient.Max = max(l.Gradient.Max, x.Rules)
	}
	for _, col := range c.Columns {
		for _, x := range col.Cells {
			add(col.Tactic, x)
			for _, s := range x.Subs {
				add(col.Tactic, s)
			}
		}
	}
	l.Gradient.Colors = []string{"#ffffff", "#2f6690"}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(l)
}

// Sizes of the picture, in user units.
const (
	columnWidth = 118.0
	cellHeight  = 34.0
	headHeight  = 40.0
	gap         = 3.0
)

// shades of a cell by the number of its rules. The number stands in the cell,
// so that nothing is told by colour alone.
var shades = []struct {
	from        int
	class, fill string
	ink         string
}{
	{8, "c4", "#1d4e73", "#ffffff"},
	{4, "c3", "#3f7cac", "#ffffff"},
	{2, "c2", "#9cc3de", "#16202a"},
	{1, "c1", "#d6e6f2", "#16202a"},
	{0, "c0", "#f4f5f6", "#5b6774"},
}

// Draw makes the picture: tactics as columns, techniques as cells with the
// number of rules. With a link, each cell leads to the list of its rules: the
// id of the technique is put behind it.
func (c Coverage) Draw(l text.Lang, link string) ([]byte, error) {
	rows := 0
	for _, col := range c.Columns {
		rows = max(rows, len(col.Cells))
	}
	covered, all := c.Covered()
	say := func(key string, pairs ...string) string { return text.T(l, "coverage."+key, pairs...) }
	w := float64(len(c.Columns))*(columnWidth+gap) + gap
	h := headHeight + float64(rows)*(cellHeight+gap) + gap
	s := draw.New("coverage", w, h, say("title"), say("about", "rules", strconv.Itoa(c.Rules), "covered", strconv.Itoa(covered), "all", strconv.Itoa(all)), draw.Class("coverage"))
	for i, col := range c.Columns {
		x := gap + float64(i)*(columnWidth+gap)
		has := 0
		for _, t := range col.Cells {
			if t.Rules > 0 {
				has++
			}
		}
		s.Group(draw.Class("head"), draw.A("font-size", "11"), draw.A("fill", "#16202a"))
		s.Text(x+2, 16, draw.Fit(say("tactic."+col.Tactic), 11, columnWidth-4), draw.A("font-weight", "600"))
		s.Text(x+2, 31, say("share", "covered", strconv.Itoa(has), "all", strconv.Itoa(len(col.Cells))), draw.A("fill", "#5b6774"))
		s.End()
		for j, t := range col.Cells {
			c.cell(s, l, x, headHeight+float64(j)*(cellHeight+gap), t, link)
		}
	}
	return s.Bytes()
}

func (c Coverage) cell(s *draw.SVG, l text.Lang, x, y float64, t Cell, link string) {
	shade := shades[len(shades)-1]
	for _, sh := range shades {
		if t.Rules >= sh.from {
			shade = sh
			break
		}
	}
	if link != "" && t.Rules > 0 {
		s.Link(link+t.ID, draw.Class("cell "+shade.class))
	} else {
		s.Group(draw.Class("cell " + shade.class))
	}
	n := strconv.Itoa(t.Rules)
	s.Tip(text.T(l, "coverage.cell", "id", t.ID, "name", t.Name, "n", n, "high", strconv.Itoa(t.High)))
	s.Rect(x, y, columnWidth, cellHeight, draw.Class("box"), draw.A("fill", shade.fill), draw.A("rx", "2"))
	s.Text(x+5, y+13, t.ID, draw.A("font-size", "9.5"), draw.A("fill", shade.ink))
	s.Text(x+columnWidth-5, y+13, n, draw.A("font-size", "10.5"), draw.A("font-weight", "600"), draw.A("text-anchor", "end"), draw.A("fill", shade.ink))
	s.Text(x+5, y+27, draw.Fit(t.Name, 9.5, columnWidth-10), draw.A("font-size", "9.5"), draw.A("fill", shade.ink))
	s.End()
}
