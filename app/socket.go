// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/user"
	"path/filepath"

	"citywall/asset"
	"citywall/internal/fault"
	"citywall/web/desk"
	"citywall/web/door"
)

// RealmHeader names the realm that a local command speaks to; without it the
// city's. It is read on the local socket only.
const RealmHeader = "Citywall-Realm"

// SocketPath is where commands on this machine reach a running server.
func SocketPath(dir string) string { return filepath.Join(dir, "citywall.sock") }

type connKey struct{}

func connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// local lets requests of the local socket in as the user that the operating
// system says is at the other end.
func (a *App) local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(connKey{}).(net.Conn)
		name, err := peerName(c)
		if err == nil {
			r, err = a.as(r, name)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// as returns the request as one of the operating-system user's identity in the
// realm it asks for.
func (a *App) as(r *http.Request, osUser string) (*http.Request, error) {
	realmName := asset.Realm(r.Header.Get(RealmHeader))
	side := a.city
	switch realmName {
	case "":
		realmName = asset.City
	case asset.City:
	case asset.Police:
		side = a.police
	default:
		return nil, fault.New(fault.Invalid, "there is no realm %q", realmName)
	}
	login, err := a.cfg.OSUsers.Login(osUser, realmName)
	if err != nil {
		return nil, err
	}
	u, err := side.users.User(r.Context(), login)
	if err != nil {
		return nil, fmt.Errorf("the operating-system user %s: %w", osUser, err)
	}
	if u.Disabled {
		return nil, fault.New(fault.Forbidden, "the user %s is disabled", login)
	}
	who := desk.Who{Principal: u.Principal(), Session: "socket", Address: "local", Via: "socket"}
	return r.WithContext(door.As(r.Context(), who)), nil
}

// Client returns an HTTP client that speaks to the server that holds dir, as
// the operating-system user of this process. Any host name will do.
func Client(dir string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "unix", SocketPath(dir))
		if err != nil {
			return nil, fault.New(fault.Unavailable, "the server that holds %s does not answer on its local socket: %w", dir, err)
		}
		return c, nil
	}}}
}

// InProcess returns a client that speaks to this App's handler without a
// socket, as the operating-system user of this process: for commands that find
// no server and open the data folder themselves.
func (a *App) InProcess() (*http.Client, error) {
	u, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("find the operating-system user: %w", err)
	}
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		r, err := a.as(r, u.Username)
		if err != nil {
			return nil, err
		}
		return serveOne(a.handler, r)
	})}, nil
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
