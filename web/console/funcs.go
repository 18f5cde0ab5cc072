// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/netip"
	"net/url"
	"path"
	"reflect"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/casework"
	"citywall/detect"
	"citywall/detect/rulebook"
	"citywall/detect/sigma"
	"citywall/duty"
	"citywall/event"
	"citywall/exposure/estate"
	"citywall/identity"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/incident/narrate"
	"citywall/ingest/format"
	"citywall/internal/draw"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
)

// parse builds the pages of one language. The language is closed over by the
// functions, so that a template names a text and nothing more.
func (s *Server) parse(l text.Lang) (map[string]*template.Template, error) {
	common, err := template.New("").Funcs(s.funcs(l)).ParseFS(files, "templates/common/*.html")
	if err != nil {
		return nil, fmt.Errorf("console templates: %w", err)
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	out := map[string]*template.Template{}
	for _, n := range names {
		t, err := common.Clone()
		if err != nil {
			return nil, err
		}
		if _, err := t.ParseFS(files, n); err != nil {
			return nil, fmt.Errorf("console templates: %w", err)
		}
		out[strings.TrimSuffix(path.Base(n), ".html")] = t
	}
	return out, nil
}

func (s *Server) funcs(l text.Lang) template.FuncMap {
	t := func(key string, pairs ...any) string {
		ps := make([]string, len(pairs))
		for i, p := range pairs {
			ps[i] = fmt.Sprint(p)
		}
		// "1 host", not "1 hosts": a key may have a text of its own for one.
		if len(ps) >= 2 && ps[0] == "n" && ps[1] == "1" && text.Has(l, "console."+key+".one") {
			key += ".one"
		}
		return text.T(l, "console."+key, ps...)
	}
	return template.FuncMap{
		"t":    t,
		"lang": func() string { return string(l) },
		"dict": dict,

		"addressed":  addressed,
		"estate":     func(key string) string { return text.T(l, "estate."+key) },
		"assetrole":  func(r asset.Role) string { return estate.Roles(l, []asset.Role{r}) },
		"assetroles": func(rs []asset.Role) string { return estate.Roles(l, rs) },
		"langkey":    func() text.Lang { return l },
		"alarmstate": func(v duty.State) template.HTML { return alarmBadge(l, v) },
		"callwhy":    func(why string) string { return callWhy(l, why) },
		"rocday":     func(at time.Time) template.HTML { return rocDay(l, at) },
		"clockm":     func(at time.Time) template.HTML { return when(l, at, "15:04") },
		"list":       func(xs ...any) []any { return xs },
		"icon":       icon,
		"num":        number,
		"add":        func(a, b int) int { return a + b },
		"sub":        func(a, b int) int { return a - b },
		"join":       strings.Join,
		"has":        strings.Contains,
		"str":        func(v any) string { return fmt.Sprint(v) },
		"short": func(id string) string {
			if len(id) > 8 {
				return id[:8]
			}
			return id
		},

		"whenr":  func(at time.Time) template.HTML { return when(l, at, "01-02 15:04:05.000") },
		"when":   func(at time.Time) template.HTML { return when(l, at, "2006-01-02 15:04:05") },
		"whenms": func(at time.Time) template.HTML { return when(l, at, "2006-01-02 15:04:05.000") },
		"whenm":  func(at time.Time) template.HTML { return when(l, at, "01-02 15:04") },
		"clock":  func(at time.Time) template.HTML { return when(l, at, "15:04:05") },
		"utc":    func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") },
		"roc":    func(at time.Time) template.HTML { return roc(l, at) },
		"span":   func(d time.Duration) string { return narrate.Duration(l, d) },
		"ago":    func(at time.Time) string { return ago(l, s.Desk.Now(), at) },
		"bytes":  func(n int64) string { return bytesText(n) },
		"secs":   func(d time.Duration) string { return signedSpan(l, d) },

		"level":    func(v detect.Level) template.HTML { return levelBadge(l, v) },
		"levelw":   func(v detect.Level) string { return narrate.Level(l, v) },
		"state":    func(v incident.State) template.HTML { return stateBadge(l, v) },
		"statew":   func(v incident.State) string { return narrate.State(l, v) },
		"grade":    func(v incident.Grade) template.HTML { return gradeBadge(l, v) },
		"status":   func(v casework.Status) template.HTML { return statusBadge(l, v) },
		"statusw":  func(v casework.Status) string { return text.T(l, "console.status."+string(v)) },
		"source":   func(v desk.SourceState) template.HTML { return sourceBadge(l, v) },
		"tactic":   func(name string) string { return text.T(l, "coverage.tactic."+name) },
		"rule":     func(v rulebook.State) template.HTML { return ruleBadge(l, v) },
		"rulet":    func(r detect.Rule) string { return api.RuleTitle(l, r) },
		"rulen":    func(n rulebook.Named) string { return api.RuleTitle(l, detect.Rule{ID: n.ID, Title: n.Title}) },
		"rulepath": func(id string) string { return "/rules/" + url.PathEscape(id) },
		"rate":     rate,
		"named":    func(id, title string) rulebook.Named { return rulebook.Named{ID: id, Title: title} },
		"stepof":   func(s string) detect.Step { return detect.Step(s) },
		"ruleset": func(name string) string { // a folder or a zip, or the detectors, which have no file
			if name == rulebook.Behaviour {
				return text.T(l, "console.rules.behaviour")
			}
			return path.Base(name)
		},
		"verdict": func(v *sigma.Verdict) verdictView { return newVerdict(l, v) },
		"role":    func(v identity.Role) string { return v.Text(l) },
		"realm":   func(v asset.Realm) string { return t("realm." + string(v)) },
		"signer": func(name string) string { // a realm of this installation, or the name an administrator gave a partner
			if asset.Realm(name).Valid() {
				return t("realm." + name)
			}
			return name
		},
		"strength": func(v string) string { return t("strength." + v) },

		"title":   func(r incident.Reason) string { return narrate.Title(l, incident.Incident{Title: r}) },
		"hop":     func(h incident.Hop) string { return narrate.Hop(l, h) },
		"kind":    func(k string) string { return narrate.Kind(l, k) },
		"point":   func(e incident.Endpoint) string { return e.Key() },
		"step":    func(v detect.Step) string { return narrate.StepName(l, v) },
		"first":   func(f *incident.FirstCompromise) string { return narrate.FirstCompromise(l, f) },
		"entry":   func(e incident.Entry) string { return narrate.Entry(l, e) },
		"suspect": func(x incident.Suspect) string { return narrate.Suspect(l, x) },
		"brk":     func(b incident.Breakpoint) string { return narrate.Breakpoint(l, b) },
		"reason":  func(r incident.Reason) string { return narrate.Reason(l, r) },
		"isolate": func(h incident.HostState, places map[string][]asset.Place) string {
			return narrate.Isolate(l, h, places)
		},
		"action":  func(a event.Action) string { return narrate.Action(l, a) },
		"pointer": pointer,
		"addrs":   addrs,
		"addr":    addr,
		"account": func(a asset.Account) string { return a.String() },
		"change":  func(pkg, actor, what string, args map[string]string) string { return change(l, pkg, actor, what, args) },

		"count":    func(c incidentdb.Counts, s string) int { return c[incident.State(s)] },
		"first500": func(xs any) (any, error) { return firstN(xs, 500) },
		"over500":  func(xs any) int { return max(0, reflect.ValueOf(xs).Len()-500) },
		"share":    share,
		"spark":    spark,
		"hex":      hexDump,
	}
}

// firstN cuts a list: a browser stumbles over ten thousand rows, and people read
// the first hundred.
func firstN(xs any, n int) (any, error) {
	v := reflect.ValueOf(xs)
	if v.Kind() != reflect.Slice {
		return nil, fmt.Errorf("first: %T is no list", xs)
	}
	return v.Slice(0, min(n, v.Len())).Interface(), nil
}

// dict makes a map for a template that is called with several things.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: a name without a value")
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		k, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		m[k] = pairs[i+1]
	}
	return m, nil
}

func number(v any) string {
	switch n := v.(type) {
	case int:
		return narrate.Number(int64(n))
	case int64:
		return narrate.Number(n)
	case uint64:
		return narrate.Number(int64(n))
	case float64:
		if n >= 100 || n == math.Trunc(n) {
			return narrate.Number(int64(math.Round(n)))
		}
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	return fmt.Sprint(v)
}

// when shows a time in Taipei, with UTC in its tip.
func when(l text.Lang, at time.Time, layout string) template.HTML {
	if at.IsZero() {
		return template.HTML(`<span class="none">` + template.HTMLEscapeString(text.T(l, "console.none")) + `</span>`)
	}
	u := at.UTC().Format("2006-01-02T15:04:05.000Z")
	return template.HTML(`<time datetime="` + u + `" title="UTC ` + strings.Replace(strings.TrimSuffix(u, "Z"), "T", " ", 1) + `">` + at.In(format.Taipei).Format(layout) + `</time>`)
}

// roc shows a time as officials write it: 115年11月24日 08:00.
func roc(l text.Lang, at time.Time) template.HTML {
	if at.IsZero() {
		return when(l, at, "")
	}
	p := at.In(format.Taipei)
	u := at.UTC().Format("2006-01-02T15:04:05.000Z")
	day := rocText(l, p)
	return template.HTML(`<time datetime="` + u + `" title="UTC ` + strings.Replace(strings.TrimSuffix(u, "Z"), "T", " ", 1) + `">` + day + p.Format(" 15:04") + `</time>`)
}

// rocText is the day of p, a time in Taipei, in the calendar of officials.
func rocText(l text.Lang, p time.Time) string {
	if l == text.En {
		return fmt.Sprintf("%s (ROC %d)", p.Format("2006-01-02"), p.Year()-1911)
	}
	return casework.FormatROCLong(p)
}

// rocDay is a day with its weekday, without a time.
func rocDay(l text.Lang, at time.Time) template.HTML {
	p := at.In(format.Taipei)
	day := rocText(l, p) + "（" + string([]rune("日一二三四五六")[p.Weekday()]) + "）"
	if l == text.En {
		day = p.Format("Mon ") + rocText(l, p)
	}
	return template.HTML(`<time datetime="` + p.Format("2006-01-02") + `">` + day + `</time>`)
}

// ago words how long ago something was.
func ago(l text.Lang, now, at time.Time) string {
	if at.IsZero() {
		return text.T(l, "console.none")
	}
	d := now.Sub(at)
	if d < 2*time.Second {
		return text.T(l, "console.just_now")
	}
	return text.T(l, "console.ago", "span", narrate.Duration(l, d))
}

func signedSpan(l text.Lang, d time.Duration) string {
	switch {
	case d < 0:
		return "−" + narrate.Duration(l, -d)
	case d > 0:
		return "+" + narrate.Duration(l, d)
	}
	return "0"
}

// bytesText writes a size with three figures that matter, in decimal units as
// network people count.
func bytesText(n int64) string {
	f, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB", "PB"} {
		if math.Abs(f) < 1000 {
			break
		}
		f, unit = f/1000, u
	}
	if unit == "B" {
		return strconv.FormatInt(n, 10) + " B"
	}
	return strconv.FormatFloat(f, 'f', max(0, 2-int(math.Log10(math.Max(1, math.Abs(f))))), 64) + " " + unit
}

// pointer names a record shortly: the last part of its file or stream that is a
// name, and its number there. The whole way back stands on the record's page.
func pointer(p incident.Pointer) string {
	o := p.Origin
	name := o.File
	if name == "" {
		name = o.Stream
	}
	name = label(name)
	switch {
	case o.Record != 0:
		return fmt.Sprintf("%s #%d", name, o.Record)
	case o.Line != 0:
		return fmt.Sprintf("%s:%d", name, o.Line)
	}
	return fmt.Sprintf("%s@%d", name, o.Offset)
}

// label shortens the name of a file or stream. A stream's last part may be the
// number of a batch, which says nothing by itself.
func label(name string) string {
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' })
	for len(parts) > 1 && strings.Trim(parts[len(parts)-1], "0123456789") == "" {
		parts = parts[:len(parts)-1]
	}
	if len(parts) > 0 {
		name = parts[len(parts)-1]
	}
	if r := []rune(name); len(r) > 24 {
		name = string(r[:14]) + "…" + string(r[len(r)-8:])
	}
	return name
}

func addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func addrs(as []netip.Addr) string {
	out := make([]string, 0, len(as))
	for _, a := range as {
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}

// change words an entry of a history.
func change(l text.Lang, pkg, actor, what string, args map[string]string) string {
	pairs := []string{"actor", actor}
	for k, v := range args {
		switch k {
		case "from", "to", "state", "status":
			for _, family := range []string{"narrate.state.", "console.status."} {
				if text.Has(l, family+v) {
					v = text.T(l, family+v)
					break
				}
			}
		}
		pairs = append(pairs, k, v)
	}
	return text.T(l, pkg+".change."+what, pairs...)
}

// share is a small bar that shows a part of a whole.
func share(part, whole int64) template.HTML {
	w := 0.0
	if whole > 0 {
		w = math.Max(1, 60*float64(part)/float64(whole))
	}
	return template.HTML(`<svg class="share" width="60" height="6" aria-hidden="true"><rect class="track" width="60" height="6" rx="1"/><rect class="fill" width="` + draw.N(w) + `" height="6" rx="1"/></svg>`)
}

// spark draws rates as a line for a table cell.
func spark(id, title string, rates []float64) (template.HTML, error) {
	b, err := draw.Spark{ID: id, Title: title, Width: 90, Height: 20, Values: rates}.Bytes()
	return template.HTML(b), err
}

// hexDump shows bytes as people compare them, at most 4 KiB.
func hexDump(b []byte) string {
	var out strings.Builder
	b = b[:min(len(b), 4096)]
	for at := 0; at < len(b); at += 16 {
		line := b[at:min(at+16, len(b))]
		fmt.Fprintf(&out, "%08x ", at)
		for i := range 16 {
			if i == 8 {
				out.WriteByte(' ')
			}
			if i < len(line) {
				fmt.Fprintf(&out, " %02x", line[i])
			} else {
				out.WriteString("   ")
			}
		}
		out.WriteString("  ")
		for _, c := range line {
			if c < 0x20 || c > 0x7e {
				c = '.'
			}
			out.WriteByte(c)
		}
		out.WriteByte('\n')
	}
	return out.String()
}
