// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"errors"
	"net/http"
	"strings"

	"citywall/asset"
	"citywall/identity"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

type loginData struct {
	Realms []asset.Realm
	Realm  asset.Realm
	User   string
	To     string
	Error  string
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if c.User != "" {
		return back(w, r, s.start(c), "")
	}
	v := r.URL.Query()
	return s.showLogin(w, r, http.StatusOK, "login", loginData{Realm: asset.Realm(v.Get("realm")), To: local(v.Get("to"))})
}

// linkPage asks before it spends the link: a page that spends it when it is
// merely fetched would be spent by a mail scanner.
func (s *Server) linkPage(w http.ResponseWriter, r *http.Request, _ door.Caller) error {
	return s.showLogin(w, r, http.StatusOK, "link", loginData{Realm: asset.Realm(r.URL.Query().Get("realm"))})
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request, status int, page string, d loginData) error {
	d.Realms = s.Desk.Realms()
	if !d.Realm.Valid() {
		d.Realm = d.Realms[0]
	}
	return s.render(w, r, door.Caller{}, status, page, text.T(Lang(r), "console.login.title"), d)
}

func (s *Server) login(w http.ResponseWriter, r *http.Request, _ door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	f := r.PostForm
	d := loginData{Realm: asset.Realm(f.Get("realm")), User: f.Get("user"), To: local(f.Get("to"))}
	in, err := s.Desk.Login(r.Context(), d.Realm, d.User, f.Get("password"), door.Address(r), r.UserAgent(), "console")
	return s.let(w, r, "login", d, in, err)
}

func (s *Server) useLink(w http.ResponseWriter, r *http.Request, _ door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	d := loginData{Realm: asset.Realm(r.PostForm.Get("realm")), To: "/"}
	in, err := s.Desk.UseLink(r.Context(), d.Realm, strings.TrimSpace(r.PostForm.Get("link")), door.Address(r), r.UserAgent(), "console")
	return s.let(w, r, "link", d, in, err)
}

// let opens the door, or shows the form again with what was wrong.
func (s *Server) let(w http.ResponseWriter, r *http.Request, page string, d loginData, in desk.SignedIn, err error) error {
	if err == nil {
		s.Door.Let(w, in)
		return back(w, r, d.To, "")
	}
	status, p := api.Explain(r.Context(), s.Log, err)
	l := Lang(r)
	switch p.Kind {
	case fault.Forbidden, fault.NotFound, fault.Invalid:
		d.Error = text.T(l, "console."+page+".wrong")
		status = http.StatusForbidden
	case fault.Busy:
		d.Error = text.T(l, "console.login.busy")
	default:
		d.Error = p.Message
	}
	return s.showLogin(w, r, status, page, d)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if c.Secret != "" {
		if err := s.Desk.Logout(r.Context(), c.Who, c.Secret); err != nil {
			return err
		}
	}
	s.Door.Out(w)
	return back(w, r, "/login", "logged_out")
}

// prefs remembers language and theme. They are not secret and not of a user:
// the login page needs them too.
func (s *Server) prefs(w http.ResponseWriter, r *http.Request, _ door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	set := func(name, value string) {
		http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: s.Door.Secure, SameSite: http.SameSiteLaxMode})
	}
	if l, ok := text.ParseLang(r.PostForm.Get("lang")); ok {
		set("lang", string(l))
	}
	switch th := r.PostForm.Get("theme"); th {
	case "light", "dark", "auto":
		set("theme", th)
	}
	return back(w, r, local(r.PostForm.Get("back")), "")
}

func (s *Server) help(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	return s.render(w, r, c, http.StatusOK, "help", text.T(Lang(r), "console.nav.help"), struct {
		Version desk.Version
		Columns []string
	}{s.Desk.Version(), queryColumns})
}

// queryColumns are the names that a beginner needs.
var queryColumns = []string{"host", "user", "src_ip", "dst_ip", "dst_port", "event_id", "action", "process", "command", "file", "message", "source"}

type meData struct {
	Error   string
	Allowed []string
}

func (s *Server) me(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	return s.showMe(w, r, c, http.StatusOK, "")
}

func (s *Server) showMe(w http.ResponseWriter, r *http.Request, c door.Caller, status int, said string) error {
	d := meData{Error: said}
	for _, a := range identity.Actions() {
		if s.Desk.Allowed(c.Who, a) {
			d.Allowed = append(d.Allowed, a.Text(Lang(r)))
		}
	}
	return s.render(w, r, c, status, "me", c.Name, d)
}

func (s *Server) changePassword(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	f := r.PostForm
	if f.Get("new") != f.Get("again") {
		return s.showMe(w, r, c, http.StatusBadRequest, text.T(Lang(r), "console.me.differ"))
	}
	err := s.Desk.ChangePassword(r.Context(), c.Who, f.Get("old"), f.Get("new"))
	var fe *fault.Error
	if errors.As(err, &fe) && (fe.Kind == fault.Invalid || fe.Kind == fault.Forbidden) {
		return s.showMe(w, r, c, http.StatusBadRequest, fe.Error())
	}
	if err != nil {
		return err
	}
	s.Door.Out(w)
	return back(w, r, "/login", "password")
}
