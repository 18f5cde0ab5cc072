// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identitydb

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"citywall/identity"
	"citywall/internal/fault"
)

// Session is a login that holds.
type Session struct {
	ID      string    `json:"id"` // names it in lists; not the secret
	User    User      `json:"user"`
	Begun   time.Time `json:"begun"`
	Seen    time.Time `json:"seen"`    // to the minute
	Expires time.Time `json:"expires"` // absolute end
	Address string    `json:"address"` // of the client at login
	Agent   string    `json:"agent,omitempty"`
	CSRF    string    `json:"-"` // for forms of this session
}

type sessionRow struct {
	bun.BaseModel `bun:"table:identity_session,alias:s"`

	ID        string `bun:"id,pk"`
	Secret    string `bun:"secret"`
	UserName  string `bun:"user_name"`
	BegunUS   int64  `bun:"begun_us"`
	SeenUS    int64  `bun:"seen_us"`
	ExpiresUS int64  `bun:"expires_us"`
	Address   string `bun:"address"`
	Agent     string `bun:"agent"`
}

type linkRow struct {
	bun.BaseModel `bun:"table:identity_link,alias:l"`

	Secret    string `bun:"secret,pk"`
	UserName  string `bun:"user_name"`
	ExpiresUS int64  `bun:"expires_us"`
}

func (s *Store) session(r sessionRow, u User, secret string) Session {
	return Session{ID: r.ID, User: u, Begun: at(r.BegunUS), Seen: at(r.SeenUS), Expires: at(r.ExpiresUS),
		Address: r.Address, Agent: r.Agent, CSRF: csrf(secret)}
}

// csrf derives the form token from the session's secret, which only the
// browser's cookie has: nothing more to store.
func csrf(secret string) string {
	if secret == "" {
		return ""
	}
	return identity.HashSecret("csrf " + secret)[:32]
}

// Login checks a password and begins a session. The secret goes into the
// cookie and is not stored. Wrong name and wrong password give the same
// forbidden error after the same work; too many guesses give a busy one.
func (s *Store) Login(ctx context.Context, name, password, addr, agent string) (secret string, ses Session, err error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if identity.CheckLogin(name) != nil {
		name = "?" // a name nobody can have; hostile ones do not fill the throttle
	}
	if wait := s.opt.Throttle.Try(name, addr); wait > 0 {
		return "", Session{}, identity.RefuseLogin(identity.LoginWait, wait)
	}
	r, err := userNamed(ctx, s.d, name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", Session{}, wrap("sign in", err)
	}
	known := err == nil && r.Password != "" && !r.Disabled
	hash := s.dummy
	if known {
		hash = r.Password
	}
	ok, weaker, err := s.verify(ctx, hash, password)
	if err != nil {
		return "", Session{}, wrap("sign in", err)
	}
	if !ok || !known {
		return "", Session{}, identity.RefuseLogin(identity.LoginWrong, 0)
	}
	s.opt.Throttle.Succeeded(name, addr)
	better := ""
	if weaker {
		if better, err = s.hash(ctx, password); err != nil {
			return "", Session{}, err
		}
	}
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		now, err := userNamed(ctx, tx, name) // again: it may have changed while the hash was computed
		if err != nil {
			return err
		}
		if now.Disabled || now.Password != r.Password {
			return identity.RefuseLogin(identity.LoginWrong, 0)
		}
		if better != "" {
			now.Password = better
		}
		secret, ses, err = s.begin(ctx, tx, now, addr, agent)
		return err
	})
	if err != nil {
		return "", Session{}, wrap("sign in", err)
	}
	return secret, ses, nil
}

// begin writes a new session, notes the login, and clears away what expired.
func (s *Store) begin(ctx context.Context, tx bun.Tx, u userRow, addr, agent string) (string, Session, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", Session{}, err
	}
	now := s.now()
	secret := identity.Secret("cws_")
	r := sessionRow{ID: id.String(), Secret: identity.HashSecret(secret), UserName: u.Name, BegunUS: now, SeenUS: now,
		ExpiresUS: now + s.opt.Absolute.Microseconds(), Address: cut(addr, 100), Agent: cut(agent, 200)}
	if _, err := tx.NewDelete().Model((*sessionRow)(nil)).
		Where("expires_us <= ? OR seen_us <= ?", now, now-s.opt.Idle.Microseconds()).Exec(ctx); err != nil {
		return "", Session{}, err
	}
	if _, err := tx.NewDelete().Model((*linkRow)(nil)).Where("expires_us <= ?", now).Exec(ctx); err != nil {
		return "", Session{}, err
	}
	if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
		return "", Session{}, err
	}
	u.LoginUS = now
	if _, err := tx.NewUpdate().Model(&u).Column("login_us", "password").WherePK().Exec(ctx); err != nil {
		return "", Session{}, err
	}
	return secret, s.session(r, s.user(u), secret), nil
}

// NewLink makes a one-time login secret for the user. Earlier ones that were
// not used end.
func (s *Store) NewLink(ctx context.Context, name string) (secret string, expires time.Time, err error) {
	secret = identity.Secret("cwl_")
	r := linkRow{Secret: identity.HashSecret(secret), UserName: name, ExpiresUS: s.now() + s.opt.LinkTTL.Microseconds()}
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		u, err := userNamed(ctx, tx, name)
		if err != nil {
			return err
		}
		if u.Disabled {
			return fault.New(fault.Conflict, "the user %q is disabled", name)
		}
		if _, err := tx.NewDelete().Model((*linkRow)(nil)).Where("user_name = ?", name).Exec(ctx); err != nil {
			return err
		}
		_, err = tx.NewInsert().Model(&r).Exec(ctx)
		return err
	})
	if err != nil {
		return "", time.Time{}, wrap("make login link", err)
	}
	return secret, at(r.ExpiresUS), nil
}

// UseLink spends a login secret and begins a session.
func (s *Store) UseLink(ctx context.Context, link, addr, agent string) (secret string, ses Session, err error) {
	if wait := s.opt.Throttle.Try("", addr); wait > 0 {
		return "", Session{}, identity.RefuseLogin(identity.LoginWait, wait)
	}
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var l linkRow
		err := tx.NewSelect().Model(&l).Where("secret = ?", identity.HashSecret(link)).Where("expires_us > ?", s.now()).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return identity.RefuseLogin(identity.LoginLinkSpent, 0)
		}
		if err != nil {
			return err
		}
		if _, err := tx.NewDelete().Model(&l).WherePK().Exec(ctx); err != nil {
			return err
		}
		u, err := userNamed(ctx, tx, l.UserName)
		if err != nil {
			return err
		}
		if u.Disabled {
			return identity.RefuseLogin(identity.LoginLinkSpent, 0)
		}
		secret, ses, err = s.begin(ctx, tx, u, addr, agent)
		return err
	})
	if err != nil {
		return "", Session{}, wrap("sign in by link", err)
	}
	s.opt.Throttle.Succeeded("", addr)
	return secret, ses, nil
}

// Session returns the session of a secret and notes that it was seen. An
// unknown, idle or expired one, or one of a disabled user, is not found.
func (s *Store) Session(ctx context.Context, secret string) (Session, error) {
	none := fault.New(fault.NotFound, "you are not signed in, or the session has ended: sign in again")
	if secret == "" {
		return Session{}, none
	}
	var r sessionRow
	err := s.d.NewSelect().Model(&r).Where("secret = ?", identity.HashSecret(secret)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, none
	}
	if err != nil {
		return Session{}, wrap("read session", err)
	}
	now := s.now()
	if now >= r.ExpiresUS || now-r.SeenUS >= s.opt.Idle.Microseconds() {
		return Session{}, none
	}
	u, err := userNamed(ctx, s.d, r.UserName)
	if err != nil {
		return Session{}, wrap("read session", err)
	}
	if u.Disabled {
		return Session{}, none
	}
	if now-r.SeenUS >= min(touchEvery, s.opt.Idle/4).Microseconds() {
		err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewUpdate().Model((*sessionRow)(nil)).Set("seen_us = ?", now).Where("id = ?", r.ID).Where("seen_us < ?", now).Exec(ctx)
			return err
		})
		// When writers stand in line the request still goes on: the session
		// was valid, and the next request notes it.
		if err != nil && !fault.Is(err, fault.Busy) {
			return Session{}, wrap("note session", err)
		}
		r.SeenUS = now
	}
	return s.session(r, s.user(u), secret), nil
}

// Sessions returns the sessions of a user that hold, newest first.
func (s *Store) Sessions(ctx context.Context, name string) ([]Session, error) {
	u, err := s.User(ctx, name)
	if err != nil {
		return nil, err
	}
	now := s.now()
	var rs []sessionRow
	if err := s.d.NewSelect().Model(&rs).Where("user_name = ?", name).Where("expires_us > ?", now).
		Where("seen_us > ?", now-s.opt.Idle.Microseconds()).Order("begun_us DESC", "id DESC").Scan(ctx); err != nil {
		return nil, wrap("list sessions", err)
	}
	out := make([]Session, len(rs))
	for i := range rs {
		out[i] = s.session(rs[i], u, "")
	}
	return out, nil
}

// EndSession ends the session of a secret (logout).
func (s *Store) EndSession(ctx context.Context, secret string) error {
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*sessionRow)(nil)).Where("secret = ?", identity.HashSecret(secret)).Exec(ctx)
		return err
	})
	return wrap("sign out", err)
}

// EndSessions ends all sessions of a user and returns how many there were.
func (s *Store) EndSessions(ctx context.Context, name string) (int, error) {
	var n int64
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewDelete().Model((*sessionRow)(nil)).Where("user_name = ?", name).Exec(ctx)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return int(n), wrap("end sessions", err)
}
