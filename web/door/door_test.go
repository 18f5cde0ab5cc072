// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package door_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"citywall/asset"
	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/internal/fault"
	"citywall/web/desk"
	"citywall/web/door"
	"citywall/web/webtest"
)

func TestOverTLS(t *testing.T) {
	d := door.Door{Secure: true}
	w := httptest.NewRecorder()
	d.Let(w, desk.SignedIn{Secret: "s", Session: identitydb.Session{User: identitydb.User{Realm: asset.City}}})
	ck := w.Result().Cookies()[0]
	if ck.Name != "__Host-citywall" || !ck.Secure || !ck.HttpOnly || ck.SameSite != http.SameSiteLaxMode || ck.Path != "/" || ck.Domain != "" || ck.Value != "city.s" {
		t.Errorf("cookie: %+v", ck)
	}
	w = httptest.NewRecorder()
	d.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
	if w.Header().Get("Strict-Transport-Security") == "" || w.Header().Get("Content-Security-Policy") != door.Policy {
		t.Errorf("headers: %v", w.Header())
	}
	for _, part := range []string{"unsafe", "*", "http:", "https:"} {
		if strings.Contains(door.Policy, part) {
			t.Errorf("the policy allows %s", part)
		}
	}
}

func TestWhoStandsAtTheDoor(t *testing.T) {
	s := webtest.New(t)
	dk, err := desk.New(s.Config.Desk)
	if err != nil {
		t.Fatal(err)
	}
	d := door.Door{Desk: dk}
	users := s.Config.Desk.City.Users
	in, err := dk.Login(t.Context(), asset.City, "chen.yj", webtest.Password, "192.0.2.1", "", "test")
	if err != nil {
		t.Fatal(err)
	}
	sender, _, err := users.CreateToken(t.Context(), identitydb.Token{Kind: identitydb.TokenIngest, Name: "s", Source: "s", Realm: asset.City})
	if err != nil {
		t.Fatal(err)
	}
	program, _, err := users.CreateToken(t.Context(), identitydb.Token{Kind: identitydb.TokenAPI, Name: "p", User: "lin.zh", Realm: asset.City})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(f func(*http.Request)) (door.Caller, error) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/?token="+program+"&session="+in.Secret, nil)
		r.RemoteAddr = "192.0.2.7:4000"
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		if f != nil {
			f(r)
		}
		return d.Caller(r, "api")
	}
	cookie := func(v string) func(*http.Request) {
		return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "citywall", Value: v}) }
	}
	bearer := func(v string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", v) }
	}
	for name, c := range map[string]struct {
		f    func(*http.Request)
		user string
	}{
		"nobody, also with secrets in the URL": {nil, ""},
		"session":                              {cookie("city." + in.Secret), "chen.yj"},
		"session of the other realm":           {cookie("police." + in.Secret), ""},
		"session of no realm":                  {cookie(in.Secret), ""},
		"broken session":                       {cookie("city." + in.Secret + "x"), ""},
		"token":                                {bearer("Bearer " + program), "lin.zh"},
		"token in small letters":               {bearer("bearer " + program), "lin.zh"},
		"token as basic":                       {bearer("Basic " + program), ""},
		"a sender's token":                     {bearer("Bearer " + sender), ""},
		"a wrong token beside a good cookie": {func(r *http.Request) {
			cookie("city." + in.Secret)(r)
			bearer("Bearer nothing")(r)
		}, ""},
	} {
		got, err := ask(c.f)
		if got.User != c.user || (c.user == "") != (err != nil) {
			t.Errorf("%s: %q, %v", name, got.User, err)
		}
		if err == nil && got.Address != "192.0.2.7" {
			t.Errorf("%s: address %q: a client must not write its own", name, got.Address)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v is not told as signed out", name, err)
		}
	}
	// The local socket says who asks, whatever the request carries.
	r := httptest.NewRequestWithContext(door.As(t.Context(), desk.Who{Principal: identity.Principal{User: "os.user", Realm: asset.Police, Role: identity.Auditor}}), "GET", "/", nil)
	cookie("city." + in.Secret)(r)
	if got, err := d.Caller(r, "api"); err != nil || got.User != "os.user" {
		t.Errorf("socket: %+v %v", got, err)
	}
	if n, err := users.EndSessions(t.Context(), "chen.yj"); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if _, err := ask(cookie("city." + in.Secret)); !fault.Is(err, fault.NotFound) {
		t.Errorf("an ended session: %v", err)
	}
}
