// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"citywall/asset"
	"citywall/audit"
	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/door"
)

type usersData struct {
	Users  []identitydb.User
	Tokens []identitydb.Token
	Roles  []identity.Role
	Manage bool
	Tokenm bool // may manage tokens
	City   bool
	Now    time.Time
	// Secrets are shown once, in the answer that made them.
	Made        string
	MadeWhat    string
	MadeFor     string
	MadeUntil   time.Time
	Text, Role  string
	Order       string
	JSON        string
	Next, First string
}

func (s *Server) users(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	return s.showUsers(w, r, c, usersData{})
}

func (s *Server) showUsers(w http.ResponseWriter, r *http.Request, c door.Caller, d usersData) error {
	all, err := s.Desk.ListUsers(r.Context(), c.Who)
	if err != nil {
		return err
	}
	v := r.URL.Query()
	d.Text, d.Role = v.Get("text"), v.Get("role")
	for _, u := range all {
		if d.Role != "" && string(u.Role) != d.Role {
			continue
		}
		if fold := strings.ToLower(u.Name + " " + u.Shown + " " + strings.Join(u.Agencies, " ")); d.Text != "" && !strings.Contains(fold, strings.ToLower(d.Text)) {
			continue
		}
		d.Users = append(d.Users, u)
	}
	d.Order = v.Get("sort")
	slices.SortStableFunc(d.Users, func(a, b identitydb.User) int {
		switch d.Order {
		case "role":
			return strings.Compare(string(a.Role), string(b.Role))
		case "last":
			return b.LastLogin.Compare(a.LastLogin)
		}
		return strings.Compare(a.Name, b.Name)
	})
	d.Users, d.Next, d.First = cut(r, d.Users, func(u identitydb.User) string { return u.Name })
	d.Roles, d.City, d.Now, d.JSON = identity.Roles(c.Realm), c.Realm == asset.City, s.Desk.Now(), api.Prefix+"/users"
	d.Manage = s.Desk.Allowed(c.Who, identity.UserManage)
	if d.Tokenm = s.Desk.Allowed(c.Who, identity.TokenManage); d.Tokenm {
		if d.Tokens, err = s.Desk.ListTokens(r.Context(), c.Who); err != nil {
			return err
		}
	}
	return s.render(w, r, c, http.StatusOK, "users", text.T(Lang(r), "console.nav.users"), d)
}

// words splits a field of names separated by spaces or commas.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '、' || r == '，' })
}

func (s *Server) createUser(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	f := r.PostForm
	u, err := s.Desk.CreateUser(r.Context(), c.Who, identitydb.User{
		Name: strings.TrimSpace(f.Get("name")), Shown: strings.TrimSpace(f.Get("shown")), Role: identity.Role(f.Get("role")), Agencies: words(f.Get("agencies")),
	}, "")
	if err != nil {
		return err
	}
	return s.showLink(w, r, c, u.Name)
}

// showLink makes a login link and shows it once.
func (s *Server) showLink(w http.ResponseWriter, r *http.Request, c door.Caller, name string) error {
	secret, until, err := s.Desk.NewLink(r.Context(), c.Who, name)
	if err != nil {
		return err
	}
	base := url.URL{Scheme: "http", Host: r.Host}
	if s.Door.Secure {
		base.Scheme = "https"
	}
	return s.showUsers(w, r, c, usersData{Made: LinkURL(base.String(), string(c.Realm), secret), MadeWhat: "link", MadeFor: name, MadeUntil: until})
}

func (s *Server) userLink(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	return s.showLink(w, r, c, r.PathValue("name"))
}

func (s *Server) updateUser(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, err := version(r)
	if err != nil {
		return err
	}
	f := r.PostForm
	_, err = s.Desk.UpdateUser(r.Context(), c.Who, identitydb.User{
		Name: r.PathValue("name"), Shown: strings.TrimSpace(f.Get("shown")), Role: identity.Role(f.Get("role")), Agencies: words(f.Get("agencies")),
		Disabled: f.Get("disabled") == "1", Version: v,
	})
	if err != nil {
		return err
	}
	return back(w, r, "/users", "user")
}

func (s *Server) endSessions(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if _, err := s.Desk.EndSessions(r.Context(), c.Who, r.PathValue("name")); err != nil {
		return err
	}
	return back(w, r, "/users", "sessions")
}

func (s *Server) createToken(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	f := r.PostForm
	t := identitydb.Token{Kind: identitydb.TokenKind(f.Get("kind")), Name: strings.TrimSpace(f.Get("name"))}
	switch t.Kind {
	case identitydb.TokenIngest:
		t.Source, t.Agency = strings.TrimSpace(f.Get("for")), strings.TrimSpace(f.Get("agency"))
	case identitydb.TokenAPI:
		t.User = strings.TrimSpace(f.Get("for"))
	default:
		return errForm
	}
	secret, made, err := s.Desk.CreateToken(r.Context(), c.Who, t)
	if err != nil {
		return err
	}
	return s.showUsers(w, r, c, usersData{Made: secret, MadeWhat: "token", MadeFor: made.Name, MadeUntil: made.Expires})
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := s.Desk.RevokeToken(r.Context(), c.Who, r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/users", "token")
}

type auditData struct {
	Entries []audit.Entry
	Query   audit.Query
	Span    string
	Spans   []string
	Pager   pager
	Head    audit.Head
	Prove   bool
	Report  *audit.Report
	JSON    string
}

func (s *Server) audit(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	return s.showAudit(w, r, c, nil)
}

func (s *Server) auditVerify(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	var known []string
	if k := strings.TrimSpace(r.PostForm.Get("known")); k != "" {
		known = append(known, strings.ReplaceAll(k, "\r\n", "\n")+"\n")
	}
	rep, err := s.Desk.VerifyAudit(r.Context(), c.Who, known...)
	if err != nil {
		return err
	}
	return s.showAudit(w, r, c, &rep)
}

func (s *Server) showAudit(w http.ResponseWriter, r *http.Request, c door.Caller, rep *audit.Report) error {
	v := r.URL.Query()
	span, from, to, err := s.between(v, "all")
	if err != nil {
		return err
	}
	q := audit.Query{Actor: strings.TrimSpace(v.Get("actor")), Action: v.Get("action"), Object: v.Get("object"), Text: v.Get("text"), Before: v.Get("after"), From: from, To: to, Limit: 50}
	switch q.Phase = audit.Phase(v.Get("phase")); q.Phase {
	case "", audit.Intent, audit.Outcome:
	default:
		return fault.New(fault.Invalid, "phase: want intent or outcome")
	}
	p, err := s.Desk.ListAudit(r.Context(), c.Who, q)
	if err != nil {
		return err
	}
	d := auditData{Entries: p.Entries, Query: q, Span: span, Pager: newPager(r, p.Next, ""), Prove: s.Desk.Allowed(c.Who, identity.AuditProve), Report: rep,
		JSON: exportLink(r.URL, api.Prefix+"/audit", "json", Lang(r))}
	for _, x := range spans {
		d.Spans = append(d.Spans, x.Key)
	}
	if d.Head, err = s.Desk.AuditHead(c.Who); err != nil {
		return err
	}
	return s.render(w, r, c, http.StatusOK, "audit", text.T(Lang(r), "console.nav.audit"), d)
}
