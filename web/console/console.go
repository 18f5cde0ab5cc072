// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package console is the pages that people work with, rendered on the server.
//
// Every page works without JavaScript; a few modules add what only a browser
// can do: live numbers, one selection over picture and table, a drawer for
// records, keys. It promises both languages, light and dark, that whatever a
// page can do the API can do too (downloads are the API's own paths), and that
// nothing in a page needs more than the strict content security policy.
//
// It never decides who may do what (that is desk) and never words a fact (that
// is incident/narrate and internal/text).
package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"citywall/identity"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

//go:embed templates static
var files embed.FS

// Config is what the console needs.
type Config struct {
	Desk *desk.Desk
	Door door.Door
	Log  *slog.Logger
	// LiveEvery is how often the live page looks; 2 s when zero.
	LiveEvery time.Duration
}

// Server is the console.
type Server struct {
	Config
	mux    *http.ServeMux
	pages  map[text.Lang]map[string]*template.Template
	static http.Handler
}

// route is one page or act of the console.
type route struct {
	method, path string
	open         bool // without a session
	do           handler
}

type handler func(w http.ResponseWriter, r *http.Request, c door.Caller) error

// New returns the console, or says which template is broken.
func New(cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.LiveEvery == 0 {
		cfg.LiveEvery = 2 * time.Second
	}
	s := &Server{Config: cfg, mux: http.NewServeMux(), pages: map[text.Lang]map[string]*template.Template{}}
	for _, l := range []text.Lang{text.ZhTW, text.En} {
		t, err := s.parse(l)
		if err != nil {
			return nil, err
		}
		s.pages[l] = t
	}
	sub, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	if s.static, err = newStatic(sub); err != nil {
		return nil, err
	}
	s.mux.Handle("GET /static/", http.StripPrefix("/static/", s.static))
	for _, rt := range s.routes() {
		s.mux.HandleFunc(rt.method+" "+rt.path, s.handle(rt))
	}
	s.mux.HandleFunc("/", s.handle(route{do: func(http.ResponseWriter, *http.Request, door.Caller) error {
		return fault.New(fault.NotFound, "there is no such page")
	}}))
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// routes is the whole console.
func (s *Server) routes() []route {
	const open = true
	return []route{
		{"GET", "/{$}", !open, s.home},
		{"GET", "/login", open, s.loginPage},
		{"POST", "/login", open, s.login},
		{"GET", "/login/link", open, s.linkPage},
		{"POST", "/login/link", open, s.useLink},
		{"POST", "/logout", !open, s.logout},
		{"POST", "/prefs", open, s.prefs},
		{"GET", "/help", !open, s.help},
		{"GET", "/me", !open, s.me},
		{"POST", "/me/password", !open, s.changePassword},

		{"GET", "/now", !open, s.now},
		{"GET", "/now/live", !open, s.nowLive},
		{"GET", "/watch", !open, s.duty},
		{"POST", "/watch/notes", !open, s.handoverNote},
		{"POST", "/watch/notes/{id}/take", !open, s.takeOver},
		{"POST", "/watch/people", !open, s.putPerson},
		{"POST", "/watch/people/{id}/remove", !open, s.dropPerson},
		{"POST", "/watch/shifts", !open, s.addShifts},
		{"POST", "/watch/shifts/{id}/remove", !open, s.dropShift},
		{"GET", "/alarms/{id}", !open, s.alarm},
		{"POST", "/alarms/{id}/ack", !open, s.alarmAck},
		{"GET", "/incidents", !open, s.incidents},
		{"GET", "/incidents/{id}", !open, s.incident},
		{"POST", "/incidents/{id}/state", !open, s.incidentState},
		{"POST", "/incidents/{id}/owner", !open, s.incidentOwner},
		{"POST", "/incidents/{id}/note", !open, s.incidentNote},
		{"POST", "/incidents/{id}/merge", !open, s.incidentMerge},
		{"POST", "/incidents/{id}/unmerge", !open, s.incidentUnmerge},
		{"POST", "/incidents/{id}/split", !open, s.incidentSplit},
		{"GET", "/incidents/{id}/handover", !open, s.handoverPage},
		{"POST", "/incidents/{id}/handover", !open, s.handover},
		{"GET", "/findings", !open, s.findings},
		{"GET", "/findings/{id}", !open, s.finding},
		{"GET", "/search", !open, s.search},
		{"GET", "/events/{id}", !open, s.event},
		{"GET", "/sources", !open, s.sources},
		{"GET", "/sources/new", !open, s.newSource},
		{"POST", "/sources", !open, s.registerSource},
		{"GET", "/sources/{name}", !open, s.source},
		{"POST", "/sources/{name}", !open, s.changeSource},
		{"POST", "/sources/{name}/drop", !open, s.dropSource},
		{"GET", "/assets", !open, s.assets},
		{"GET", "/assets/devices/{id}", !open, s.asset},
		{"GET", "/assets/segments", !open, s.segments},
		{"GET", "/assets/differences", !open, s.differences},
		{"GET", "/assets/drawings", !open, s.drawings},
		{"POST", "/assets/drawings", !open, s.importDrawing},
		{"GET", "/assets/drawings/{id}", !open, s.drawing},
		{"POST", "/assets/drawings/{id}/state", !open, s.decideDrawing},
		{"POST", "/assets/notes", !open, s.noteAsset},
		{"GET", "/rules", !open, s.rules},
		{"POST", "/rules", !open, s.reloadRules},
		{"GET", "/rules/try", !open, s.tryForm},
		{"POST", "/rules/try", !open, s.tryRule},
		{"GET", "/rules/{id}", !open, s.rule},
		{"POST", "/rules/{id}/off", !open, s.switchRuleOff},
		{"POST", "/rules/{id}/on", !open, s.switchRuleOn},
		{"GET", "/storage", !open, s.storage},
		{"POST", "/storage/holds", !open, s.addHold},
		{"POST", "/storage/holds/{id}/release", !open, s.releaseHold},
		{"POST", "/storage/notices/{id}/seen", !open, s.seeNotice},
		{"POST", "/storage/backups", !open, s.makeBackup},

		{"GET", "/cases", !open, s.cases},
		{"POST", "/cases", !open, s.openCase},
		{"GET", "/cases/{id}", !open, s.caseFile},
		{"POST", "/cases/{id}/status", !open, s.caseStatus},
		{"POST", "/cases/{id}/change", !open, s.caseChange},
		{"POST", "/cases/{id}/note", !open, s.caseNote},
		{"POST", "/cases/{id}/verify", !open, s.caseVerify},
		{"GET", "/cases/{id}/events", !open, s.caseEvents},
		{"GET", "/cases/{id}/events/{event}", !open, s.caseEvent},
		{"POST", "/inbox", !open, s.receive},
		{"GET", "/inbox/{id}", !open, s.waiting},
		{"POST", "/inbox/{id}/open", !open, s.openFrom},

		{"GET", "/users", !open, s.users},
		{"POST", "/users", !open, s.createUser},
		{"POST", "/users/{name}", !open, s.updateUser},
		{"POST", "/users/{name}/link", !open, s.userLink},
		{"POST", "/users/{name}/end", !open, s.endSessions},
		{"POST", "/tokens", !open, s.createToken},
		{"POST", "/tokens/{id}/revoke", !open, s.revokeToken},
		{"GET", "/audit", !open, s.audit},
		{"POST", "/audit/verify", !open, s.auditVerify},
	}
}

func (s *Server) handle(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.Door.Caller(r, "console")
		switch {
		case err == nil:
		case fault.Is(err, fault.NotFound):
			c = door.Caller{} // nobody
		default:
			s.fail(w, r, c, err)
			return
		}
		if !rt.open && c.User == "" {
			s.sendToLogin(w, r)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody(r))
		if err := rt.do(w, r, c); err != nil {
			s.fail(w, r, c, err)
		}
	}
}

// maxBody lets packages, drawings and trials in; everything else is a small form.
func maxBody(r *http.Request) int64 {
	if r.URL.Path == "/inbox" {
		return 2 << 30 // the desk bounds it by its own configuration
	}
	if r.URL.Path == "/assets/drawings" {
		return desk.MaxDrawing + 1<<20 // and the form around it
	}
	if r.URL.Path == "/rules/try" {
		return api.MaxTrial
	}
	return api.MaxBody
}

// sendToLogin remembers where somebody wanted to go.
func (s *Server) sendToLogin(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Accept") == "text/event-stream" || r.URL.Query().Has("part") {
		w.WriteHeader(http.StatusUnauthorized) // a module asked; it reloads the page
		return
	}
	to := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?" + url.Values{"to": {r.URL.RequestURI()}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// home sends each role to the page it begins with.
func (s *Server) home(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	http.Redirect(w, r, s.start(c), http.StatusSeeOther)
	return nil
}

func (s *Server) start(c door.Caller) string {
	for _, x := range []struct {
		a  identity.Action
		to string
	}{
		{identity.IncidentRead, "/now"}, {identity.CaseRead, "/cases"}, {identity.UserManage, "/users"}, {identity.AuditRead, "/audit"},
	} {
		if s.Desk.Allowed(c.Who, x.a) && s.hasPage(c, x.to) {
			return x.to
		}
	}
	return "/help"
}

// render writes a page. It is built whole first, so that an error in a
// template is an error page and not half a page.
func (s *Server) render(w http.ResponseWriter, r *http.Request, c door.Caller, status int, page string, title string, data any) error {
	v := s.view(r, c, page, title, data)
	name := "layout"
	if r.URL.Query().Get("part") == "1" {
		name = "part" // the main part only, for the drawer
	}
	return s.write(w, v.Lang, page, name, status, v)
}

func (s *Server) write(w http.ResponseWriter, l text.Lang, page, name string, status int, v any) error {
	b, err := s.execute(l, page, name, v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client may be gone
	return nil
}

func (s *Server) execute(l text.Lang, page, name string, v any) ([]byte, error) {
	t, ok := s.pages[l][page]
	if !ok {
		return nil, fmt.Errorf("console: no template %q", page)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, v); err != nil {
		return nil, fmt.Errorf("console page %s: %w", page, err)
	}
	return b.Bytes(), nil
}

// fail shows an error as a sentence with a way out.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, c door.Caller, err error) {
	status, p := api.Explain(r.Context(), s.Log, err)
	l := Lang(r)
	said := p.Message
	if p.Kind != "internal" {
		said = wording(l, err)
	}
	key := "error." + strings.ReplaceAll(string(p.Kind), " ", "_")
	data := struct {
		Status                int
		Heading, Said, WayOut string
	}{status, text.T(l, "console."+key), said, text.T(l, "console."+key+".way")}
	if err := s.render(w, r, c, status, "error", data.Heading, data); err != nil {
		s.Log.ErrorContext(r.Context(), "render error page", "err", err)
		http.Error(w, p.Message, status)
	}
}

// wording says an error in the person's language where it can be said so:
// refusals of a policy and mistakes in a query can.
func wording(l text.Lang, err error) string {
	var said interface{ Text(text.Lang) string }
	if errors.As(err, &said) {
		return said.Text(l)
	}
	return err.Error()
}

// back sends the browser to a page after a change, with the key of what was
// done. Only paths of this site are ever given.
func back(w http.ResponseWriter, r *http.Request, to, done string) error {
	if done != "" {
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		to += sep + "done=" + url.QueryEscape(done)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// local returns p when it is a path of this site, else "/".
func local(p string) string {
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n") {
		return "/"
	}
	return p
}

// form reads a form of this site.
func form(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "read the form: %w", err)
	}
	return nil
}

// Lang is the language of a request: the cookie, else what the browser asks
// for, else 繁體中文.
func Lang(r *http.Request) text.Lang {
	if ck, err := r.Cookie("lang"); err == nil {
		if l, ok := text.ParseLang(ck.Value); ok {
			return l
		}
	}
	for _, part := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		if l, ok := text.ParseLang(tag); ok {
			return l
		}
	}
	return text.ZhTW
}

// LinkURL is the address of a one-time login. The secret stands behind the #,
// which browsers do not send: it is in no log and no Referer.
func LinkURL(base string, realm string, secret string) string {
	return strings.TrimSuffix(base, "/") + "/login/link?realm=" + url.QueryEscape(realm) + "#" + secret
}
