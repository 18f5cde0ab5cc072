// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package ncsa decodes access logs in the NCSA forms that Apache, nginx, IIS and
// many others write: common, combined, with the virtual host in front, with
// more values at the end; in files and inside syslog.
//
// Fields have the names of Sigma's webserver taxonomy (c-ip, cs-method,
// cs-uri-stem, …). The forms do not say which server wrote them: product is
// nginx when the program's name or the path says so, else apache. Requests are
// hostile text and stay text; one that is no HTTP request is kept whole as
// request. See README.md.
package ncsa

import (
	"bytes"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const name = "ncsa"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: format.NoObject, Decode: format.Lines(record), Record: record}
}

// Dialect returns the reading of access lines inside syslog.
func Dialect() format.Dialect {
	return format.Dialect{Name: name, Match: match, Read: read}
}

func sniff(head []byte) int {
	if format.SniffLines(head, func(l []byte) bool {
		if !bytes.Contains(l, []byte(`] "`)) {
			return false
		}
		_, ok := split(string(l))
		return ok
	}) {
		return 85
	}
	return 0
}

func match(app, msg string) bool {
	switch app {
	case "nginx", "apache", "apache2", "httpd", "httpd_access", "apache_access", "nginx_access":
		_, ok := split(msg)
		return ok
	}
	return false
}

func read(msg string, e *event.Event, _ format.Pos, _ format.Source) error { return Read(msg, e) }

// Read reads an access line into e: labels, time and fields.
func Read(msg string, e *event.Event) error {
	l, ok := split(msg)
	if !ok {
		return errNot
	}
	return l.fill(e, strings.Contains(e.Fields.Str("appname"), "nginx"))
}

var errNot = errors.New(`not an access line: want HOST IDENT USER [time] "REQUEST" STATUS BYTES`)

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	l, ok := split(string(rec))
	if !ok {
		return nil, errNot
	}
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	return e, l.fill(e, strings.Contains(strings.ToLower(src.File), "nginx") || strings.Contains(strings.ToLower(src.Inner), "nginx"))
}

// line is an access line cut at its brackets and quotes.
type line struct {
	before, stamp, request string
	after                  string // status, bytes, and what follows
}

// split finds "[02/Jan/2006:15:04:05 -0700]" and the request between quotes. A
// quote in a request is escaped by servers that work as they should; for those
// that do not, the request ends where a status follows.
func split(s string) (line, bool) {
	var l line
	i := strings.IndexByte(s, '[')
	for i >= 0 && !isStamp(s[i+1:]) {
		n := strings.IndexByte(s[i+1:], '[')
		if n < 0 {
			return l, false
		}
		i += 1 + n
	}
	if i < 2 {
		return l, false
	}
	l.before, l.stamp = s[:i-1], s[i+1:i+27]
	s = s[i+27:]
	if !strings.HasPrefix(s, `] "`) || !l.plausible() {
		return l, false
	}
	s = s[3:]
	for end := 0; end < len(s); end++ {
		if s[end] == '\\' {
			end++
			continue
		}
		if s[end] == '"' && endsRequest(s[end+1:]) {
			l.request, l.after = s[:end], s[end+2:]
			return l, true
		}
	}
	return l, false
}

// plausible keeps out lines that have an access line inside, such as syslog's:
// only a user may hold spaces, and only after an address.
func (l line) plausible() bool {
	n := strings.Count(l.before, " ")
	if n < 1 || l.before[0] == '<' || l.before[0] == ' ' {
		return false
	}
	if n <= 3 {
		return true
	}
	first, rest, _ := strings.Cut(l.before, " ")
	second, _, _ := strings.Cut(rest, " ")
	return isAddr(first) || isAddr(second)
}

// isStamp reports "06/Oct/2026:15:04:05 +0800]".
func isStamp(s string) bool {
	return len(s) > 26 && s[2] == '/' && s[6] == '/' && s[11] == ':' && s[20] == ' ' && s[26] == ']'
}

// endsRequest reports " 200 " or " - ".
func endsRequest(s string) bool {
	if strings.HasPrefix(s, " - ") {
		return true
	}
	return len(s) >= 5 && s[0] == ' ' && digit(s[1]) && digit(s[2]) && digit(s[3]) && s[4] == ' '
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// fill makes the fields.
func (l line) fill(e *event.Event, nginx bool) error {
	at, err := stamp(l.stamp)
	if err != nil {
		return err
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = at, l.stamp, false, time.Second/2
	e.Product, e.Category, e.Service = "apache", "webserver", "access"
	if nginx {
		e.Product = "nginx"
	}
	f := e.Fields
	if cap(f)-len(f) < 16 {
		f = append(make(event.Fields, 0, len(f)+16), f...)
	}
	add := func(name, value string) { f = append(f, event.Field{Name: name, Value: event.T(value)}) }
	client, ident, user, vhost := l.who()
	var ok bool
	if vhost != "" {
		host, port := vhost, ""
		if i := strings.LastIndexByte(vhost, ':'); i > 0 && !strings.HasSuffix(vhost, "]") {
			host, port = vhost[:i], vhost[i+1:]
		}
		add("cs-host", host)
		if port != "" {
			add("s-port", port)
		}
	}
	add("c-ip", client)
	if ident != "-" {
		add("ident", ident)
	}
	add("cs-username", user)
	Request(Unescape(l.request), add)
	status, rest, _ := strings.Cut(l.after, " ")
	size, rest, _ := strings.Cut(rest, " ")
	add("sc-status", status)
	add("sc-bytes", size)
	for i, rest := 0, strings.TrimLeft(rest, " "); rest != "" && len(f) < 64; i++ {
		var v string
		if v, rest, ok = value(rest); !ok {
			return errors.New("a quote without an end")
		}
		switch i {
		case 0:
			add("cs-referer", v)
		case 1:
			add("cs-user-agent", v)
		default:
			f.Add("extra", v)
		}
	}
	e.Fields = f
	return nil
}

// who reads "[vhost[:port] ]client ident user". A user may hold spaces; a
// client may be a name.
func (l line) who() (client, ident, user, vhost string) {
	first, rest, _ := strings.Cut(l.before, " ")
	second, more, _ := strings.Cut(rest, " ")
	if !isAddr(first) && isAddr(second) || strings.Contains(first, ":") && !isAddr(first) {
		vhost, first, rest = first, second, more
	}
	ident, user, ok := strings.Cut(rest, " ")
	if !ok { // one of the two is missing
		return first, "-", orDash(rest), vhost
	}
	return first, ident, orDash(user), vhost
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func isAddr(s string) bool {
	if s == "" || !digit(s[0]) && !strings.Contains(s, ":") {
		return false
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

// value takes one value, between quotes or up to a space.
func value(s string) (v, rest string, ok bool) {
	if s[0] != '"' {
		v, rest, _ = strings.Cut(s, " ")
		return v, strings.TrimLeft(rest, " "), true
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"' && (i+1 == len(s) || s[i+1] == ' '):
			return Unescape(s[1:i]), strings.TrimLeft(s[i+1:], " "), true
		}
	}
	return "", "", false
}

// Request adds the parts of "METHOD TARGET VERSION"; what is not of that form
// is added whole as request.
func Request(r string, add func(name, value string)) {
	method, rest, ok := strings.Cut(r, " ")
	if !ok || method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-") != "" {
		add("request", r)
		return
	}
	target, version := rest, ""
	if i := strings.LastIndexByte(rest, ' '); i >= 0 && strings.HasPrefix(rest[i+1:], "HTTP/") {
		target, version = rest[:i], rest[i+1:]
	}
	stem, query, asked := strings.Cut(target, "?")
	add("cs-method", method)
	add("cs-uri", target)
	add("cs-uri-stem", stem)
	if asked {
		add("cs-uri-query", query)
	}
	if version != "" {
		add("cs-version", version)
	}
}

// Unescape puts quotes and backslashes back that a server escaped: \" and \\
// (Apache), \x22 and \x5C (nginx). Other escapes stay as written.
func Unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return unescaper.Replace(s)
}

var unescaper = strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\x22`, `"`, `\x5C`, `\`, `\x5c`, `\`)

var months = map[string]time.Month{
	"Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6, "Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12,
}

// stamp reads "06/Oct/2026:15:04:05 +0800". It is written a hundred thousand
// times an hour; time.Parse takes three times as long.
func stamp(s string) (time.Time, error) {
	bad := func() (time.Time, error) {
		return time.Time{}, errors.New("time " + strconv.Quote(s) + ": want 02/Jan/2006:15:04:05 -0700")
	}
	if len(s) != 26 || s[14] != ':' || s[17] != ':' || s[21] != '+' && s[21] != '-' {
		return bad()
	}
	month, ok := months[s[3:6]]
	n := [...]int{num(s[:2]), num(s[7:11]), num(s[12:14]), num(s[15:17]), num(s[18:20]), num(s[22:24]), num(s[24:26])}
	for _, x := range n {
		ok = ok && x >= 0
	}
	if !ok || n[0] < 1 || n[0] > 31 || n[2] > 23 || n[3] > 59 || n[4] > 60 || n[5] > 14 || n[6] > 59 {
		return bad()
	}
	off := time.Duration(n[5])*time.Hour + time.Duration(n[6])*time.Minute
	if s[21] == '-' {
		off = -off
	}
	return time.Date(n[1], month, n[0], n[2], n[3], n[4], 0, time.UTC).Add(-off), nil
}

func num(s string) int {
	n := 0
	for i := range len(s) {
		if !digit(s[i]) {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}
