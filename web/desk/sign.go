// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"context"
	"strings"

	"citywall/asset"
	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/internal/fault"
)

// SignedIn is a session with the secret that goes into the cookie.
type SignedIn struct {
	Secret  string
	Session identitydb.Session
}

// maxName bounds a login name before it reaches the log: it comes from anybody.
const maxName = 128

// Login checks a password. Both outcomes are in the realm's audit log.
func (d *Desk) Login(ctx context.Context, r asset.Realm, name, password, address, agent, via string) (SignedIn, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" || len(name) > maxName {
		return SignedIn{}, fault.New(fault.Forbidden, "name or password is wrong")
	}
	return d.signIn(ctx, r, name, "password", address, via, func(ctx context.Context, u Users) (string, identitydb.Session, error) {
		return u.Login(ctx, name, password, address, agent)
	})
}

// UseLink spends a one-time login link. Whose it is shows only afterwards, so
// the entry names nobody and its outcome does.
func (d *Desk) UseLink(ctx context.Context, r asset.Realm, link, address, agent, via string) (SignedIn, error) {
	return d.signIn(ctx, r, "", "link", address, via, func(ctx context.Context, u Users) (string, identitydb.Session, error) {
		return u.UseLink(ctx, link, address, agent)
	})
}

func (d *Desk) signIn(ctx context.Context, r asset.Realm, name, by, address, via string, try func(context.Context, Users) (string, identitydb.Session, error)) (SignedIn, error) {
	side, err := d.realm(r)
	if err != nil {
		return SignedIn{}, err
	}
	actor, object := name, "user/"+name
	if name == "" {
		actor, object = "unknown", "link"
	}
	who := Who{Principal: identity.Principal{User: actor, Realm: r}, Address: address, Via: via}
	var in SignedIn
	err = side.Audit.DoDetail(ctx, d.entry(who, "session.begin", object, "", map[string]string{"by": by}), func(ctx context.Context) (map[string]string, error) {
		secret, ses, err := try(ctx, side.Users)
		if err != nil {
			return nil, err
		}
		in = SignedIn{secret, ses}
		return map[string]string{"user": ses.User.Name, "session": ses.ID}, nil
	})
	return in, err
}

// Resume returns the asker of a session's secret, or a not-found error.
func (d *Desk) Resume(ctx context.Context, r asset.Realm, secret, address, via string) (Who, identitydb.Session, error) {
	side, err := d.realm(r)
	if err != nil {
		return Who{}, identitydb.Session{}, err
	}
	ses, err := side.Users.Session(ctx, secret)
	if err != nil {
		return Who{}, identitydb.Session{}, err
	}
	return Who{Principal: ses.User.Principal(), Session: ses.ID, Address: address, Via: via}, ses, nil
}

// ByToken returns the asker of an API token. The token's realm is not known
// beforehand, so both are asked. A sender's token may read nothing.
func (d *Desk) ByToken(ctx context.Context, secret, address string) (Who, error) {
	var last error
	for _, r := range d.Realms() {
		side, err := d.realm(r)
		if err != nil {
			return Who{}, err
		}
		tok, u, err := side.Users.CheckToken(ctx, secret)
		switch {
		case err != nil:
			last = err
		case tok.Kind != identitydb.TokenAPI:
			return Who{}, fault.New(fault.Forbidden, "this token is for sending records; it may read nothing")
		default:
			return Who{Principal: u.Principal(), Session: tok.ID, Address: address, Via: "token"}, nil
		}
	}
	return Who{}, last
}

// Holds reports whether the session of who still holds, without counting as
// use of it: an open live page must not keep a session from going idle. API
// tokens are checked by their next request.
func (d *Desk) Holds(ctx context.Context, who Who) bool {
	if who.Via == "token" || who.Via == "socket" {
		return true
	}
	side, err := d.realm(who.Realm)
	if err != nil {
		return false
	}
	all, err := side.Users.Sessions(ctx, who.User)
	if err != nil {
		d.log.ErrorContext(ctx, "check session", "err", err)
		return false
	}
	for _, s := range all {
		if s.ID == who.Session {
			return true
		}
	}
	return false
}

// Logout ends the session of a secret.
func (d *Desk) Logout(ctx context.Context, who Who, secret string) error {
	side, err := d.realm(who.Realm)
	if err != nil {
		return err
	}
	return side.Audit.Do(ctx, d.entry(who, "session.end", "user/"+who.User, "", nil), func(ctx context.Context) error {
		return side.Users.EndSession(ctx, secret)
	})
}

// ChangePassword sets the asker's own password, after the old one was checked.
// All sessions of the user end.
func (d *Desk) ChangePassword(ctx context.Context, who Who, old, fresh string) error {
	side, err := d.realm(who.Realm)
	if err != nil {
		return err
	}
	u, err := side.Users.User(ctx, who.User)
	if err != nil {
		return err
	}
	return side.Audit.Do(ctx, d.entry(who, "user.password", "user/"+who.User, "", nil), func(ctx context.Context) error {
		if u.HasPassword {
			if _, _, err := side.Users.Login(ctx, who.User, old, who.Address, "password change"); err != nil {
				return err
			}
		}
		return side.Users.SetPassword(ctx, who.User, fresh)
	})
}
