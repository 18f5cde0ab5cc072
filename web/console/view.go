// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"net/url"
	"strings"

	"citywall/asset"
	"citywall/identity"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/door"
)

// View is what every page is made from.
type View struct {
	Lang  text.Lang
	Theme string // "", "light", "dark"
	Page  string
	Title string
	Path  string // of this page with its query, to come back to
	Done  string // what was just done, in words
	Who   door.Caller
	Nav   []NavGroup
	Open  int // alarms nobody has taken
	Data  any

	can func(identity.Action) bool
}

// NavGroup is a heading of the navigation with its pages.
type NavGroup struct {
	Key   string
	Items []NavItem
}

// NavItem is one page.
type NavItem struct {
	Key    string
	Path   string
	Icon   string
	Active bool
}

// SignedIn reports whether anybody is.
func (v View) SignedIn() bool { return v.Who.User != "" }

// Can reports whether the asker may do a, so that a page offers only what can
// be done.
func (v View) Can(a string) bool { return v.can != nil && v.can(identity.Action(a)) }

// City reports whether the asker is of the city realm.
func (v View) City() bool { return v.Who.Realm == asset.City }

// RoleText names the asker's role.
func (v View) RoleText() string { return v.Who.Role.Text(v.Lang) }

// Dark and Light are for the switch.
func (v View) Dark() bool { return v.Theme == "dark" }

// English reports the language.
func (v View) English() bool { return v.Lang == text.En }

type page struct {
	key, path, icon string
	action          identity.Action
	realm           asset.Realm // "" for both
	also            []string    // pages that belong to it
}

var groups = []struct {
	key   string
	pages []page
}{
	{"watch", []page{
		{"now", "/now", "now", identity.IncidentRead, asset.City, nil},
		{"watch", "/watch", "watch", identity.AlarmRead, asset.City, []string{"alarm"}},
		{"incidents", "/incidents", "incidents", identity.IncidentRead, asset.City, []string{"incident", "handover"}},
		{"findings", "/findings", "findings", identity.FindingRead, asset.City, []string{"finding"}},
		{"search", "/search", "search", identity.EventSearch, asset.City, []string{"event"}},
	}},
	{"case", []page{
		{"cases", "/cases", "cases", identity.CaseRead, asset.Police, []string{"case", "package", "caseevents", "caseevent"}},
	}},
	{"input", []page{
		{"sources", "/sources", "sources", identity.SourceRead, asset.City, []string{"source", "newsource"}},
		{"assets", "/assets", "assets", identity.AssetRead, asset.City, []string{"asset", "segments", "differences", "drawings", "drawing"}},
		{"rules", "/rules", "rules", identity.RuleRead, asset.City, []string{"rule", "try"}},
	}},
	{"office", []page{
		{"storage", "/storage", "storage", identity.StorageRead, asset.City, nil},
		{"users", "/users", "users", identity.UserRead, "", nil},
		{"audit", "/audit", "audit", identity.AuditRead, "", nil},
	}},
}

// nav lists the pages that c may open.
func (s *Server) nav(c door.Caller, current string) []NavGroup {
	if c.User == "" {
		return nil
	}
	var out []NavGroup
	for _, g := range groups {
		ng := NavGroup{Key: g.key}
		for _, p := range g.pages {
			if p.realm != "" && p.realm != c.Realm || !s.Desk.Allowed(c.Who, p.action) {
				continue
			}
			active := p.key == current
			for _, a := range p.also {
				active = active || a == current
			}
			ng.Items = append(ng.Items, NavItem{p.key, p.path, p.icon, active})
		}
		if len(ng.Items) > 0 {
			out = append(out, ng)
		}
	}
	return append(out, NavGroup{Key: "", Items: []NavItem{{"help", "/help", "help", current == "help"}}})
}

func (s *Server) hasPage(c door.Caller, path string) bool {
	for _, g := range s.nav(c, "") {
		for _, p := range g.Items {
			if p.Path == path {
				return true
			}
		}
	}
	return false
}

func (s *Server) view(r *http.Request, c door.Caller, page, title string, data any) View {
	v := View{
		Lang: Lang(r), Page: page, Title: title, Path: r.URL.RequestURI(), Who: c, Data: data, Nav: s.nav(c, page),
		can: func(a identity.Action) bool { return c.User != "" && s.Desk.Allowed(c.Who, a) },
	}
	if page != "watch" && page != "alarm" && v.can(identity.AlarmRead) {
		n, err := s.Desk.OpenAlarms(r.Context(), c.Who)
		if err != nil && !fault.Is(err, fault.Unavailable) { // the page itself is worth more than its head
			s.Log.ErrorContext(r.Context(), "count open alarms", "err", err)
		}
		v.Open = n
	}
	if ck, err := r.Cookie("theme"); err == nil && (ck.Value == "light" || ck.Value == "dark") {
		v.Theme = ck.Value
	}
	if r.Method != http.MethodGet {
		v.Path = "/" // what answered a form cannot be asked for again
	}
	if done := r.URL.Query().Get("done"); done != "" && text.Has(v.Lang, "console.done."+done) {
		v.Done = text.T(v.Lang, "console.done."+done)
		v.Path = without(r.URL, "done")
	}
	return v
}

// without is the address without a parameter.
func without(u *url.URL, name string) string {
	q := u.Query()
	q.Del(name)
	if e := q.Encode(); e != "" {
		return u.Path + "?" + e
	}
	return u.Path
}

// with is the address of a list with some parameters changed and the cursor
// dropped; an empty value removes one.
func with(u *url.URL, pairs ...string) string {
	q := u.Query()
	q.Del("after")
	q.Del("done")
	q.Del("part")
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
			continue
		}
		q.Set(pairs[i], pairs[i+1])
	}
	if e := q.Encode(); e != "" {
		return u.Path + "?" + e
	}
	return u.Path
}

// exportLink is the API's path for the same question.
func exportLink(u *url.URL, path, format string, l text.Lang) string {
	q := u.Query()
	for _, n := range []string{"after", "limit", "done", "part"} {
		q.Del(n)
	}
	for n, v := range q {
		if len(v) > 1 {
			q.Set(n, strings.Join(v, ","))
		}
	}
	q.Set("format", format)
	q.Set("lang", string(l))
	return path + "?" + q.Encode()
}
