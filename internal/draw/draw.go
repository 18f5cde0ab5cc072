// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package draw makes pictures as SVG: a small builder, a bar chart, a spark
// line and the parts of a swim-lane timeline.
//
// It promises that the same input gives the same bytes, that every text and
// attribute is escaped, and that nothing in a picture needs more than the
// strict content security policy of the console: classes and presentation
// attributes only, links to the same page or site only. Presentation
// attributes make a picture readable by itself; a stylesheet may override them
// through the classes.
//
// It never measures fonts (Width estimates) and knows nothing of incidents.
package draw

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Attr is one attribute of an element.
type Attr struct{ Name, Value string }

// A returns an attribute.
func A(name, value string) Attr { return Attr{name, value} }

// Class returns a class attribute.
func Class(names string) Attr { return Attr{"class", names} }

// N formats a number with at most two decimals: stable, short, and finer than
// any screen.
func N(f float64) string {
	s := strconv.FormatFloat(f, 'f', 2, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

// SVG is a picture being drawn. Its methods append; an error of any of them is
// kept and returned by Bytes.
type SVG struct {
	b    strings.Builder
	open []string // elements that wait for End
	err  error
}

// New starts a picture of w × h user units. The id prefixes the ids of title
// and description, so that two pictures can stand on one page; both texts are
// what a screen reader says.
func New(id string, w, h float64, title, desc string, attrs ...Attr) *SVG {
	s := &SVG{}
	s.start("svg", append([]Attr{
		A("xmlns", "http://www.w3.org/2000/svg"), A("id", id),
		A("viewBox", "0 0 "+N(w)+" "+N(h)), A("width", N(w)), A("height", N(h)),
		A("role", "img"), A("aria-labelledby", id+"-title "+id+"-desc"),
		A("font-family", "system-ui, 'Noto Sans TC', 'Noto Sans CJK TC', 'Microsoft JhengHei', sans-serif"),
	}, attrs...), false)
	s.leaf("title", title, A("id", id+"-title"))
	s.leaf("desc", desc, A("id", id+"-desc"))
	return s
}

// Bytes closes the picture and returns it.
func (s *SVG) Bytes() ([]byte, error) {
	if s.err == nil && len(s.open) != 1 {
		s.err = fmt.Errorf("draw: %d elements still open", len(s.open)-1)
	}
	if s.err != nil {
		return nil, s.err
	}
	return []byte(s.b.String() + "</svg>\n"), nil
}

// Group opens a group; End closes it.
func (s *SVG) Group(attrs ...Attr) { s.start("g", attrs, false) }

// Link opens a link to an anchor of the page ("#hop-3") or a path of the site
// ("/incidents/…"); anything else is an error.
func (s *SVG) Link(href string, attrs ...Attr) {
	s.start("a", append([]Attr{A("href", href)}, attrs...), false)
}

// End closes the last Group or Link.
func (s *SVG) End() {
	if len(s.open) <= 1 {
		s.fail(errors.New("draw: End without Group"))
		return
	}
	n := len(s.open) - 1
	s.b.WriteString("</" + s.open[n] + ">")
	s.open = s.open[:n]
	if len(s.open) == 1 {
		s.b.WriteByte('\n')
	}
}

// Tip adds the text that appears on hover to the open group.
func (s *SVG) Tip(text string) { s.leaf("title", text) }

// Rect draws a rectangle.
func (s *SVG) Rect(x, y, w, h float64, attrs ...Attr) {
	s.start("rect", append([]Attr{A("x", N(x)), A("y", N(y)), A("width", N(w)), A("height", N(h))}, attrs...), true)
}

// Line draws a straight line.
func (s *SVG) Line(x1, y1, x2, y2 float64, attrs ...Attr) {
	s.start("line", append([]Attr{A("x1", N(x1)), A("y1", N(y1)), A("x2", N(x2)), A("y2", N(y2))}, attrs...), true)
}

// Circle draws a circle.
func (s *SVG) Circle(x, y, r float64, attrs ...Attr) {
	s.start("circle", append([]Attr{A("cx", N(x)), A("cy", N(y)), A("r", N(r))}, attrs...), true)
}

// Text writes a line of text with its baseline at y.
func (s *SVG) Text(x, y float64, text string, attrs ...Attr) {
	s.leaf("text", text, append([]Attr{A("x", N(x)), A("y", N(y))}, attrs...)...)
}

// Path draws a path. Its data is built with Move, To and friends of P.
func (s *SVG) Path(p P, attrs ...Attr) {
	s.start("path", append([]Attr{A("d", string(p))}, attrs...), true)
}

// P is path data.
type P string

// Move starts a new part.
func (p P) Move(x, y float64) P { return p + P("M"+N(x)+" "+N(y)) }

// To draws a straight line.
func (p P) To(x, y float64) P { return p + P("L"+N(x)+" "+N(y)) }

// Curve draws a cubic Bézier curve.
func (p P) Curve(x1, y1, x2, y2, x, y float64) P {
	return p + P("C"+N(x1)+" "+N(y1)+" "+N(x2)+" "+N(y2)+" "+N(x)+" "+N(y))
}

// Close closes the part.
func (p P) Close() P { return p + "Z" }

func (s *SVG) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *SVG) leaf(name, text string, attrs ...Attr) {
	s.start(name, attrs, false)
	s.b.WriteString(Escape(text))
	s.b.WriteString("</" + name + ">")
	s.open = s.open[:len(s.open)-1]
}

func (s *SVG) start(name string, attrs []Attr, empty bool) {
	s.b.WriteString("<" + name)
	for _, a := range attrs {
		if err := allowed(a); err != nil {
			s.fail(err)
			continue
		}
		s.b.WriteString(" " + a.Name + `="` + Escape(a.Value) + `"`)
	}
	if empty {
		s.b.WriteString("/>")
		return
	}
	s.b.WriteString(">")
	s.open = append(s.open, name)
}

// allowed refuses what the content security policy would refuse, and names
// that are not plain.
func allowed(a Attr) error {
	n := a.Name
	if n == "" || strings.Trim(n, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789") != "" {
		return fmt.Errorf("draw: attribute name %q", n)
	}
	low := strings.ToLower(n)
	if low == "style" || strings.HasPrefix(low, "on") {
		return fmt.Errorf("draw: attribute %q would be refused by the content security policy", n)
	}
	if low == "href" && !strings.HasPrefix(a.Value, "#") && (!strings.HasPrefix(a.Value, "/") || strings.HasPrefix(a.Value, "//")) {
		return fmt.Errorf("draw: link %q leaves the site", a.Value)
	}
	return nil
}

// Escape makes a text safe between tags and inside double quotes. What XML
// cannot hold becomes U+FFFD, so that a hostile file name cannot break a
// picture.
func Escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&#34;")
		case r == '\'':
			b.WriteString("&#39;")
		case r == '\t' || r == '\n' || r == '\r':
			b.WriteByte(' ')
		case r < 0x20 || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF || r >= 0x7f && r < 0xa0 || bidi(r):
			b.WriteRune('\uFFFD')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// bidi reports the marks that turn the order of characters around: in a file
// name they make "gpj.exe" look like "exe.jpg".
func bidi(r rune) bool {
	return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// Width estimates the width of a text at a font size: full-width characters
// are one em, others a little over half. It errs to the wide side.
func Width(s string, size float64) float64 {
	em := 0.0
	for _, r := range s {
		switch {
		case wide(r):
			em += 1
		case strings.ContainsRune("iljtf.,:;|'!()[] ", r):
			em += 0.36
		case r >= 'A' && r <= 'Z' || r == 'm' || r == 'w' || r == '@':
			em += 0.74
		case r >= '0' && r <= '9':
			em += 0.64
		default:
			em += 0.58
		}
	}
	return em * size
}

func wide(r rune) bool {
	return r >= 0x1100 && r <= 0x115F || r >= 0x2E80 && r <= 0xA4CF || r >= 0xAC00 && r <= 0xD7A3 ||
		r >= 0xF900 && r <= 0xFAFF || r >= 0xFE30 && r <= 0xFE6F || r >= 0xFF00 && r <= 0xFF60 || r >= 0x20000 && r <= 0x3FFFD
}

// Fit cuts a text to a width, with an ellipsis in the middle: the ends of host
// names and addresses are what tells them apart.
func Fit(s string, size, width float64) string {
	if Width(s, size) <= width {
		return s
	}
	r := []rune(s)
	for n := len(r) - 1; n >= 2; n-- {
		head := (n + 1) / 2
		t := string(r[:head]) + "…" + string(r[len(r)-(n-head):])
		if Width(t, size) <= width {
			return t
		}
	}
	return "…"
}
