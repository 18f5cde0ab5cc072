// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"time"

	"citywall/asset"
	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/web/desk"
	"citywall/web/door"
)

func (s *Server) version(w http.ResponseWriter, _ *http.Request, _ desk.Who) error {
	return put(w, s.Desk.Version())
}

// health says that the process answers and which realms it serves. It tells a
// stranger nothing else.
func (s *Server) health(w http.ResponseWriter, _ *http.Request, _ desk.Who) error {
	return put(w, struct {
		Status string        `json:"status"`
		Realms []asset.Realm `json:"realms"`
		Time   time.Time     `json:"time"`
	}{"ok", s.Desk.Realms(), s.Desk.Now().UTC()})
}

func (s *Server) login(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	var in struct {
		Realm    asset.Realm `json:"realm"`
		User     string      `json:"user"`
		Password string      `json:"password"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	ok, err := s.Desk.Login(r.Context(), in.Realm, in.User, in.Password, door.Address(r), r.UserAgent(), "api")
	return s.signedIn(w, ok, err)
}

func (s *Server) loginLink(w http.ResponseWriter, r *http.Request, _ desk.Who) error {
	var in struct {
		Realm asset.Realm `json:"realm"`
		Link  string      `json:"link"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	ok, err := s.Desk.UseLink(r.Context(), in.Realm, in.Link, door.Address(r), r.UserAgent(), "api")
	return s.signedIn(w, ok, err)
}

func (s *Server) signedIn(w http.ResponseWriter, in desk.SignedIn, err error) error {
	if err != nil {
		return err
	}
	s.Door.Let(w, in)
	return put(w, s.describe(desk.Who{Principal: in.Session.User.Principal(), Session: in.Session.ID}, in.Session))
}

func (s *Server) describe(who desk.Who, ses identitydb.Session) Session {
	out := Session{
		User: who.User, Name: who.Name, Realm: string(who.Realm), Role: string(who.Role),
		Agencies: append([]string{}, who.Agencies...), Expires: ses.Expires, Allowed: []string{},
	}
	for _, a := range identity.Actions() {
		if s.Desk.Allowed(who, a) {
			out.Allowed = append(out.Allowed, string(a))
		}
	}
	return out
}

func (s *Server) session(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	c, err := s.Door.Caller(r, "api")
	if err != nil {
		return err
	}
	return put(w, s.describe(who, c.Session))
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	c, err := s.Door.Caller(r, "api")
	if err != nil {
		return err
	}
	if c.Secret != "" {
		if err := s.Desk.Logout(r.Context(), who, c.Secret); err != nil {
			return err
		}
	}
	s.Door.Out(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) password(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Old string `json:"old"`
		New string `json:"new"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	if err := s.Desk.ChangePassword(r.Context(), who, in.Old, in.New); err != nil {
		return err
	}
	s.Door.Out(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) live(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	return Stream(w, r, s.LiveEvery, s.Desk, who, func(ctx context.Context) (string, any, error) {
		l, err := s.Desk.Live(ctx, who)
		return "live", l, err
	})
}
