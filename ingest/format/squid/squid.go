// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package squid decodes the access log of the Squid proxy in its native form
// and in the combined form with Squid's result at the end, in files and inside
// syslog.
//
// Fields have the names of Sigma's proxy taxonomy (c-ip, c-uri, cs-method,
// sc-status, …). The client is the subject, the proxy observes. Nothing in a URL
// is decoded. See README.md.
package squid

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/ncsa"
)

const name = "squid"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: format.NoObject, Decode: format.Lines(record), Record: record}
}

// Dialect returns the reading of access lines inside syslog.
func Dialect() format.Dialect {
	return format.Dialect{
		Name: name,
		Match: func(app, msg string) bool {
			return (app == "squid" || app == "(squid-1)") && (isNative(msg) || combined(msg))
		},
		Read: func(msg string, e *event.Event, _ format.Pos, _ format.Source) error { return read(msg, e) },
	}
}

func sniff(head []byte) int {
	if format.SniffLines(head, func(l []byte) bool {
		if len(l) == 0 || l[0] < '0' {
			return false
		}
		s := string(l)
		return isNative(s) || combined(s)
	}) {
		return 90
	}
	return 0
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	return e, read(string(rec), e)
}

// isNative reports "1773398400.123    921 10.1.9.4 TCP_MISS/200 507 GET http://…".
func isNative(s string) bool {
	if len(s) < 30 || s[10] != '.' || strings.Trim(s[:10], "0123456789") != "" {
		return false
	}
	var w [4]string
	return take(s, w[:]) && strings.Contains(w[3], "/") && isResult(w[3])
}

// isResult reports Squid's result codes: TCP_HIT, UDP_MISS, NONE, ….
func isResult(s string) bool {
	return strings.HasPrefix(s, "TCP_") || strings.HasPrefix(s, "UDP_") || strings.HasPrefix(s, "NONE")
}

// take fills w with the first words of s.
func take(s string, w []string) bool {
	for i := range w {
		s = strings.TrimLeft(s, " ")
		var ok bool
		if w[i], s, ok = strings.Cut(s, " "); w[i] == "" || !ok && i < len(w)-1 {
			return false
		}
	}
	return true
}

// combined reports an access line that ends with TCP_MISS:HIER_DIRECT.
func combined(s string) bool {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return false
	}
	result, hierarchy, ok := strings.Cut(s[i+1:], ":")
	return ok && isResult(result) && strings.Trim(hierarchy, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

func read(s string, e *event.Event) error {
	switch {
	case isNative(s):
		return native(s, e)
	case combined(s):
		return fromCombined(s, e)
	}
	return errors.New("neither Squid's native form nor the combined form with its result")
}

func native(s string, e *event.Event) error {
	w := strings.Fields(s)
	if len(w) < 8 {
		return errors.New("fewer than eight values")
	}
	// A URL has no spaces, but what a client sent as one may: the last values
	// count from the end.
	tail := w[len(w)-1:]
	if len(w) >= 10 {
		tail = w[len(w)-3:]
	}
	uri := strings.Join(w[6:len(w)-len(tail)], " ")
	t, err := format.Epoch(w[0])
	if err != nil {
		return err
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t, w[0], false, time.Millisecond/2
	e.Product, e.Category, e.Service = "squid", "proxy", "access"
	f := format.NewBody(&e.Fields, 18)
	f.Add("time-taken", w[1])
	f.Add("c-ip", w[2])
	result, status, _ := strings.Cut(w[3], "/")
	f.Add("squid_result", result)
	f.Add("sc-status", status)
	f.Add("sc-bytes", w[4])
	f.Add("cs-method", w[5])
	target(uri, f)
	if len(tail) == 3 {
		f.Add("cs-username", tail[0])
		how, peer, _ := strings.Cut(tail[1], "/")
		f.Add("squid_hierarchy", how)
		if peer != "" && peer != "-" {
			f.Add("s-ip", peer)
		}
		f.Add("rs-content-type", tail[2])
	}
	return nil
}

// target adds the URL and what rules ask of it: host, port, extension.
func target(uri string, f *format.Body) {
	f.Add("c-uri", uri)
	if strings.HasPrefix(uri, "error:") {
		return // invalid-request, transaction-end-before-headers: there was none
	}
	scheme, rest, ok := strings.Cut(uri, "://")
	port := map[string]string{"http": "80", "https": "443", "ftp": "21"}[strings.ToLower(scheme)]
	if !ok {
		rest = uri // CONNECT host:port
	}
	host, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i+1:]
	}
	if host = strings.Trim(host, "[]"); host == "" || !ok && port == "" {
		return
	}
	f.Add("cs-host", host)
	if port != "" {
		f.Add("r-port", port)
	}
	path, _, _ = strings.Cut(path, "?")
	path = path[strings.LastIndexByte(path, '/')+1:]
	if i := strings.LastIndexByte(path, '.'); i >= 0 && len(path)-i <= 12 && i+1 < len(path) {
		f.Add("c-uri-extension", path[i+1:])
	}
}

// fromCombined renames what package ncsa read: to a proxy the target is c-uri.
func fromCombined(s string, e *event.Event) error {
	i := strings.LastIndexByte(s, ' ')
	result, hierarchy, _ := strings.Cut(s[i+1:], ":")
	if err := ncsa.Read(s[:i], e); err != nil {
		return err
	}
	e.Product, e.Category, e.Service = "squid", "proxy", "access"
	old := e.Fields
	e.Fields = make(event.Fields, 0, len(old)+6)
	uri := ""
	for _, x := range old {
		switch x.Name {
		case "cs-uri":
			uri = x.Value.String()
		case "cs-uri-stem", "cs-uri-query":
		case "cs-user-agent":
			e.Fields = append(e.Fields, event.Field{Name: "c-useragent", Value: x.Value})
		default:
			e.Fields = append(e.Fields, x)
		}
	}
	f := format.NewBody(&e.Fields, 6)
	if uri != "" {
		target(uri, f)
	}
	f.Add("squid_result", result)
	f.Add("squid_hierarchy", hierarchy)
	return nil
}
