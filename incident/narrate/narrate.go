// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package narrate words incidents: a sentence for every hop, step, interval,
// address and reason, in 繁體中文 and English.
//
// It promises that every number and name in a sentence comes from the record it
// words, and that the same record gives the same sentence. It never adds a
// judgement of its own: what is not in the record is said to be unknown.
package narrate

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
	"citywall/incident"
	"citywall/ingest/format"
	"citywall/internal/text"
)

// t looks a key of this package up.
func t(l text.Lang, key string, pairs ...string) string { return text.T(l, "narrate."+key, pairs...) }

// choose returns the first of the keys that exists.
func choose(l text.Lang, keys ...string) string {
	for _, k := range keys[:len(keys)-1] {
		if text.Has(l, "narrate."+k) {
			return k
		}
	}
	return keys[len(keys)-1]
}

// Time writes a time in UTC with milliseconds (more digits when the record has
// them) and the time of day in Taipei.
func Time(l text.Lang, at time.Time) string {
	if at.IsZero() {
		return t(l, "unknown_time")
	}
	u, p := at.UTC(), at.In(format.Taipei)
	layout := "15:04:05.000"
	if u.Nanosecond()%int(time.Millisecond) != 0 {
		layout = "15:04:05.000000"
	}
	local := p.Format("15:04:05")
	if p.YearDay() != u.YearDay() {
		local = p.Format("01-02 15:04:05")
	}
	return t(l, "time", "utc", u.Format("2006-01-02 "+layout), "taipei", local)
}

// Duration writes a duration in the two largest units that matter.
func Duration(l text.Lang, d time.Duration) string {
	d = d.Abs()
	unit := func(n int64, key string) string { return t(l, key, "n", strconv.FormatInt(n, 10)) }
	switch {
	case d < time.Second:
		return unit(d.Milliseconds(), "unit.ms")
	case d < time.Minute:
		return unit(int64(d.Round(time.Second)/time.Second), "unit.s")
	case d < time.Hour:
		return join(l, unit(int64(d/time.Minute), "unit.min"), int64(d%time.Minute/time.Second), "unit.s")
	case d < 24*time.Hour:
		return join(l, unit(int64(d/time.Hour), "unit.h"), int64(d%time.Hour/time.Minute), "unit.min")
	}
	return join(l, unit(int64(d/(24*time.Hour)), "unit.d"), int64(d%(24*time.Hour)/time.Hour), "unit.h")
}

func join(l text.Lang, first string, n int64, key string) string {
	if n == 0 {
		return first
	}
	return first + " " + t(l, key, "n", strconv.FormatInt(n, 10))
}

// Number writes an integer with thousands separators.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	if neg {
		return "-" + b.String()
	}
	return b.String()
}

// End names one end of a hop: name and address where both are known.
func End(l text.Lang, e incident.Endpoint) string {
	switch {
	case e.Host != "" && e.Addr.IsValid() && e.Host != e.Addr.String():
		return t(l, "end.both", "host", e.Host, "addr", e.Addr.String())
	case e.Host != "":
		return e.Host
	case e.Addr.IsValid():
		return e.Addr.String()
	}
	return t(l, "end.unknown")
}

// Hop is the sentence of one move.
func Hop(l text.Lang, h incident.Hop) string {
	who := ""
	if !h.User.IsZero() {
		who = t(l, "hop.as", "user", h.User.String())
		if !h.Causal.IsZero() && h.Causal != h.User {
			who = t(l, "hop.as_causal", "user", h.User.String(), "causal", h.Causal.String())
		}
	}
	port := ""
	if h.DstPort != 0 {
		port = ":" + strconv.Itoa(int(h.DstPort))
	}
	var b strings.Builder
	b.WriteString(t(l, choose(l, "hop."+h.Kind+"."+h.Technique, "hop."+h.Kind, "hop.other"),
		"time", when(l, h.Time, h.Uncertainty), "src", End(l, h.Src), "dst", End(l, h.Dst), "port", port, "who", who, "kind", h.Kind))
	if h.BytesOut+h.BytesIn > 0 {
		b.WriteString(t(l, "hop.bytes", "out", Number(h.BytesOut), "in", Number(h.BytesIn)))
	}
	if h.Count > 1 {
		b.WriteString(t(l, "hop.count", "count", Number(int64(h.Count)), "span", Duration(l, h.Last.Sub(h.Time))))
	}
	b.WriteString(t(l, "stop"))
	b.WriteString(t(l, "hop.grade."+string(h.Grade), "evidence", evidence(l, h.Evidence)))
	return b.String()
}

func when(l text.Lang, at time.Time, unc time.Duration) string {
	if unc <= 0 {
		return Time(l, at)
	}
	return t(l, "time_unc", "time", Time(l, at), "unc", Duration(l, unc))
}

// Pointer says where a record lies.
func Pointer(l text.Lang, p incident.Pointer) string {
	o := p.Origin
	name := o.File
	if o.Inner != "" {
		name += "!" + o.Inner
	}
	if name == "" {
		name = o.Stream
	}
	switch {
	case o.Record != 0:
		return t(l, "pointer.record", "file", name, "record", strconv.FormatUint(o.Record, 10), "offset", strconv.FormatInt(o.Offset, 10))
	case o.Line != 0:
		return t(l, "pointer.line", "file", name, "line", strconv.FormatInt(o.Line, 10), "offset", strconv.FormatInt(o.Offset, 10))
	}
	return t(l, "pointer.offset", "file", name, "offset", strconv.FormatInt(o.Offset, 10))
}

func evidence(l text.Lang, ps []incident.Pointer) string {
	if len(ps) == 0 {
		return t(l, "pointer.none")
	}
	s := Pointer(l, ps[0])
	if len(ps) > 1 {
		s = t(l, "pointer.more", "first", s, "n", strconv.Itoa(len(ps)-1))
	}
	return s
}

// Step is the sentence of a step on one host.
func Step(l text.Lang, s incident.StepEvent) string {
	var b strings.Builder
	b.WriteString(t(l, "step", "time", Time(l, s.Time), "host", s.Host, "step", StepName(l, s.Step), "what", s.What))
	if s.Rows > 1 {
		b.WriteString(t(l, "step.rows", "rows", Number(int64(s.Rows)), "span", Duration(l, s.Last.Sub(s.Time))))
	}
	b.WriteString(t(l, "stop"))
	b.WriteString(t(l, "because", "evidence", evidence(l, s.Evidence)))
	return b.String()
}

// StepName names a step of an attack.
func StepName(l text.Lang, s detect.Step) string {
	return t(l, choose(l, "stepname."+string(s), "stepname.other"))
}

// Title is the one-line name of an incident.
func Title(l text.Lang, inc incident.Incident) string { return Coded(l, "title", inc.Title) }

// Reason words a coded fact.
func Reason(l text.Lang, r incident.Reason) string { return Coded(l, "reason", r) }

// Coded words a coded record under a family of keys. A code without a text is
// shown with its arguments rather than hidden.
func Coded(l text.Lang, family string, r incident.Reason) string {
	if r.Code == "" {
		return ""
	}
	key := family + "." + r.Code
	pairs := make([]string, 0, 2*len(r.Args))
	for k, v := range r.Args {
		pairs = append(pairs, k, value(l, k, v))
	}
	if text.Has(l, "narrate."+key) {
		return tidy(t(l, key, pairs...))
	}
	return r.Code + args(r)
}

// absent is a place whose argument the record does not have.
var absent = regexp.MustCompile(` ?\{[a-z_]+\}`)

// tidy takes places without an argument out of a sentence.
func tidy(s string) string {
	if !strings.Contains(s, "{") {
		return s
	}
	return absent.ReplaceAllString(s, "")
}

// value turns an argument into words: times and durations are stored in fixed
// forms (RFC 3339, Go durations) so that both languages can word them.
func value(l text.Lang, name, v string) string {
	if len(v) >= 20 && v[4] == '-' {
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return Time(l, at)
		}
	}
	switch name {
	case "kind":
		return Kind(l, v)
	case "why":
		return t(l, choose(l, "why."+v, "why.other"), "why", v)
	case "clear":
		return t(l, choose(l, "clear."+v, "clear.no"))
	case "step":
		return StepName(l, detect.Step(v))
	case "bytes", "bytes_out", "bytes_in", "count", "rows", "connections":
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return Number(n)
		}
	}
	if d, err := time.ParseDuration(v); err == nil && strings.ContainsAny(v, "smh") {
		return Duration(l, d)
	}
	return v
}

func args(r incident.Reason) string {
	if len(r.Args) == 0 {
		return ""
	}
	keys := make([]string, 0, len(r.Args))
	for k := range r.Args {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		keys[i] = k + "=" + r.Args[k]
	}
	return " (" + strings.Join(keys, ", ") + ")"
}

// FirstCompromise states the interval with the reason for each end.
func FirstCompromise(l text.Lang, f *incident.FirstCompromise) string {
	if f == nil {
		return t(l, "first.none")
	}
	host := End(l, incident.Endpoint{Addr: f.Addr, Host: f.Host})
	key := "first.closed"
	if f.LowerOpen {
		key = "first.open"
	}
	s := t(l, key, "host", host, "earliest", Time(l, f.Earliest), "latest", Time(l, f.Latest), "logs", Time(l, f.LogsBegin))
	for _, r := range []incident.Reason{f.FirstBad, f.KnownGood} {
		if w := Reason(l, r); w != "" {
			s += t(l, "sentence", "text", w)
		}
	}
	return s
}

// Entry says how they came in, or that it cannot be told.
func Entry(l text.Lang, e incident.Entry) string {
	if !e.Determined {
		return t(l, "entry.unknown")
	}
	s := t(l, choose(l, "entry."+e.Kind, "entry.other"), "vector", e.Vector, "kind", e.Kind)
	for _, r := range e.Reasons {
		s += t(l, "sentence", "text", Reason(l, r))
	}
	return s
}

// Suspect is the sentence of a suspicious address.
func Suspect(l text.Lang, s incident.Suspect) string {
	b := t(l, "suspect", "addr", s.Addr.String(), "first", Time(l, s.First), "last", Time(l, s.Last),
		"hosts", strings.Join(s.Hosts, t(l, "list")), "out", Number(s.BytesOut), "in", Number(s.BytesIn), "count", Number(int64(s.Count)))
	if s.Before == nil {
		b += t(l, "suspect.no_baseline")
	} else {
		b += t(l, "suspect.before", "count", Number(int64(s.Before.Connections)), "out", Number(s.Before.BytesOut))
	}
	for _, r := range s.Reasons {
		b += t(l, "sentence", "text", Reason(l, r))
	}
	return b
}

// Breakpoint says where the trail leaves sight and what the law offers next.
func Breakpoint(l text.Lang, b incident.Breakpoint) string {
	s := t(l, choose(l, "bp."+b.Code, "bp.other"), "code", b.Code, "src", End(l, b.Src), "dst", End(l, b.Dst),
		"from", Time(l, b.From), "to", Time(l, b.To), "hop", strconv.Itoa(b.Hop))
	s += t(l, "sentence", "text", t(l, choose(l, "strength."+b.Strength, "strength.suspected")))
	for _, r := range b.Reasons {
		s += t(l, "sentence", "text", Reason(l, r))
	}
	if b.Next != "" {
		s += t(l, "next", "text", t(l, choose(l, "nextstep."+b.Next, "nextstep.other"), "code", b.Next))
	}
	return s
}

// Isolate is the advice for one host, "" when there is none. One that is to be
// cut off comes with the segment it lies in and whom to call, as drawn says by
// host; what is not drawn is said too, and what to do about it. A nil drawn is an
// inventory that is not at hand.
func Isolate(l text.Lang, h incident.HostState, drawn map[string][]asset.Place) string {
	if h.Isolate == "" {
		return ""
	}
	s := t(l, choose(l, "isolate."+h.Isolate, "isolate.no"), "host", h.Host, "addresses", addrs(l, h.Addresses))
	switch {
	case !h.ToCut():
		return s
	case drawn == nil:
		return s + t(l, "isolate.elsewhere")
	}
	places := drawn[h.Host]
	if names := Segments(places); len(names) > 0 {
		s += t(l, "isolate.segment", "segments", strings.Join(names, t(l, "list")))
	} else {
		s += t(l, "isolate.nosegment")
	}
	if len(Contacts(places)) == 0 {
		agency := h.Agency
		for i := 0; agency == "" && i < len(places); i++ {
			agency = places[i].Of
		}
		if agency == "" {
			return s + t(l, "isolate.nobody")
		}
		return s + t(l, "isolate.nobody.agency", "agency", agency)
	}
	said := map[string]bool{}
	for _, p := range places {
		if p.Contact != "" && !said[p.Contact] {
			said[p.Contact] = true
			s += t(l, "isolate.call."+p.ContactOf, "contact", p.Contact)
		}
	}
	return s
}

// Segments are the drawn networks of places, each once.
func Segments(places []asset.Place) []string {
	return distinct(places, func(p asset.Place) string { return p.Segment })
}

// Contacts are whom to call about places, each once.
func Contacts(places []asset.Place) []string {
	return distinct(places, func(p asset.Place) string { return p.Contact })
}

func distinct(places []asset.Place, of func(asset.Place) string) []string {
	var out []string
	for _, p := range places {
		if v := of(p); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func addrs(l text.Lang, as []netip.Addr) string {
	out := make([]string, len(as))
	for i, a := range as {
		out[i] = a.String()
	}
	return strings.Join(out, t(l, "list"))
}

// Level names a severity.
func Level(l text.Lang, v detect.Level) string { return t(l, "level."+v.String()) }

// Grade names how well a hop is founded.
func Grade(l text.Lang, g incident.Grade) string { return t(l, "grade."+string(g)) }

// Kind names a kind of hop.
func Kind(l text.Lang, k string) string {
	key := choose(l, "kind."+k, "")
	if key == "" {
		return k
	}
	return t(l, key)
}

// State names the state of an incident.
func State(l text.Lang, s incident.State) string { return t(l, "state."+string(s)) }

// Action names what a record tells of.
func Action(l text.Lang, a event.Action) string {
	if a == "" {
		return ""
	}
	return t(l, choose(l, "action."+string(a), "action.other"))
}
