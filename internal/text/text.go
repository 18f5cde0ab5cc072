// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package text holds every sentence a person reads, in 繁體中文 (Taiwan) and
// English, keyed by package: "narrate.hop.rdp", "console.nav.now".
//
// A catalogue is one YAML file per package and language (zh-TW/narrate.yaml,
// en/narrate.yaml), embedded. Values are Go fmt-free templates with {name}
// places. A test fails when a key is missing in one language or a place
// differs. It never guesses: a missing key is shown as the key itself.
package text

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

// Lang is a language of the product.
type Lang string

// The two languages.
const (
	ZhTW Lang = "zh-TW"
	En   Lang = "en"
)

// ParseLang accepts what --lang and Accept-Language bring.
func ParseLang(s string) (Lang, bool) {
	s = strings.ToLower(s)
	switch {
	case strings.HasPrefix(s, "zh"):
		return ZhTW, true
	case strings.HasPrefix(s, "en"):
		return En, true
	}
	return En, false
}

//go:embed zh-TW en
var files embed.FS

// load reads both catalogues once; embedded files cannot change.
var load = sync.OnceValues(func() (map[Lang]map[string]string, error) { return parse(files) })

func parse(fsys fs.FS) (map[Lang]map[string]string, error) {
	out := map[Lang]map[string]string{}
	for _, l := range []Lang{ZhTW, En} {
		m := map[string]string{}
		names, err := fs.Glob(fsys, string(l)+"/*.yaml")
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			b, err := fs.ReadFile(fsys, n)
			if err != nil {
				return nil, err
			}
			var flat map[string]string
			if err := yaml.Unmarshal(b, &flat); err != nil {
				return nil, fmt.Errorf("texts %s: %w", n, err)
			}
			pkg := strings.TrimSuffix(path.Base(n), ".yaml")
			for k, v := range flat {
				m[pkg+"."+k] = v
			}
		}
		out[l] = m
	}
	return out, nil
}

// T returns the text of key with its {places} filled from pairs of name and
// value. An unknown key comes back as itself, so that it is seen.
func T(l Lang, key string, pairs ...string) string {
	all, err := load()
	if err != nil {
		return key
	}
	s, ok := all[l][key]
	if !ok {
		return key
	}
	if len(pairs) == 0 {
		return s
	}
	rep := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		rep = append(rep, "{"+pairs[i]+"}", pairs[i+1])
	}
	return strings.NewReplacer(rep...).Replace(s)
}

// Has reports whether the key exists in l.
func Has(l Lang, key string) bool {
	all, err := load()
	if err != nil {
		return false
	}
	_, ok := all[l][key]
	return ok
}

// Keys returns all keys of l, sorted.
func Keys(l Lang) []string {
	all, _ := load()
	out := make([]string, 0, len(all[l]))
	for k := range all[l] {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Printable keeps what stands in evidence from steering a terminal: control
// characters, line ends among them, become a dot.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '·'
		}
		return r
	}, s)
}
