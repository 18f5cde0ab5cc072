// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package door lets requests in: it reads the session cookie or the bearer
// token, sets the security headers, and refuses cross-site changes.
//
// It promises that a secret is read from the cookie or the Authorization
// header only, never from a URL, and that every answer carries the strict
// content security policy. It never decides what somebody may do: that is
// desk.
package door

import (
	"context"
	"net"
	"net/http"
	"strings"

	"citywall/asset"
	"citywall/identity/identitydb"
	"citywall/internal/fault"
	"citywall/web/desk"
)

// Policy is the content security policy: nothing inline, nothing foreign, also
// not in SVG.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Door is the way in.
type Door struct {
	Desk   *desk.Desk
	Secure bool // served over TLS: cookies are for TLS only
}

// Caller is who stands at the door.
type Caller struct {
	desk.Who
	Session identitydb.Session // zero for tokens and the socket
	Secret  string             // of the session, for logout
}

type key struct{}

// As returns a context whose requests are who's, whatever cookie they carry:
// for the local socket, where the operating system says who asks.
func As(ctx context.Context, who desk.Who) context.Context {
	return context.WithValue(ctx, key{}, Caller{Who: who})
}

// Caller returns who asks. A request without a session that holds is a
// not-found error: the console sends it to the login page, the API answers 401.
func (d Door) Caller(r *http.Request, via string) (Caller, error) {
	if c, ok := r.Context().Value(key{}).(Caller); ok {
		return c, nil
	}
	addr := Address(r)
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, secret, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") || secret == "" {
			return Caller{}, fault.New(fault.NotFound, "send a token as: Authorization: Bearer TOKEN")
		}
		who, err := d.Desk.ByToken(r.Context(), strings.TrimSpace(secret), addr)
		if fault.Is(err, fault.Forbidden) {
			err = fault.New(fault.NotFound, "no valid token: %w", err)
		}
		return Caller{Who: who}, err
	}
	ck, err := r.Cookie(d.cookieName())
	if err != nil {
		return Caller{}, fault.New(fault.NotFound, "not signed in")
	}
	realm, secret, _ := strings.Cut(ck.Value, ".")
	who, ses, err := d.Desk.Resume(r.Context(), asset.Realm(realm), secret, addr, via)
	if err != nil {
		return Caller{}, err
	}
	return Caller{Who: who, Session: ses, Secret: secret}, nil
}

// cookieName has the prefix by which browsers refuse a cookie that is not for
// TLS, this host and the whole site (RFC 6265bis §4.1.3.2).
func (d Door) cookieName() string {
	if d.Secure {
		return "__Host-citywall"
	}
	return "citywall"
}

// Let sets the session cookie.
func (d Door) Let(w http.ResponseWriter, in desk.SignedIn) {
	http.SetCookie(w, &http.Cookie{
		Name: d.cookieName(), Value: string(in.Session.User.Realm) + "." + in.Secret, Path: "/",
		Expires: in.Session.Expires, HttpOnly: true, Secure: d.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// Out removes the session cookie.
func (d Door) Out(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: d.cookieName(), Path: "/", MaxAge: -1, HttpOnly: true, Secure: d.Secure, SameSite: http.SameSiteLaxMode})
}

// Address is the client's address. Headers of proxies are not believed: the
// log must not hold what a client writes about itself.
func Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Guard wraps a handler with the security headers and the refusal of
// cross-site changes.
func (d Door) Guard(h http.Handler) http.Handler {
	csrf := http.NewCrossOriginProtection()
	return csrf.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hd := w.Header()
		hd.Set("Content-Security-Policy", Policy)
		hd.Set("X-Content-Type-Options", "nosniff")
		hd.Set("X-Frame-Options", "DENY")
		hd.Set("Referrer-Policy", "same-origin")
		hd.Set("Cross-Origin-Opener-Policy", "same-origin")
		hd.Set("Cross-Origin-Resource-Policy", "same-origin")
		hd.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		hd.Set("Cache-Control", "no-store")
		if d.Secure {
			hd.Set("Strict-Transport-Security", "max-age=31536000")
		}
		h.ServeHTTP(w, r)
	}))
}
