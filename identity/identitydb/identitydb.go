// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package identitydb keeps the users of one realm, their sessions, their
// one-time login links, and the tokens of senders and programs.
//
// It promises that no secret is stored, only Argon2id or SHA-256 of it; that a
// change of role, a disabled user or a revoked token takes effect at the next
// request; and that guessing is slowed per account and per address. It never
// decides what a user may do: that is identity.Policy.
package identitydb

import (
	"context"
	"time"

	"citywall/asset"
	"citywall/identity"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// User is one person's account.
type User struct {
	Name        string        `json:"name"`  // login name, lower case, unique in its realm
	Shown       string        `json:"shown"` // name that others see
	Realm       asset.Realm   `json:"realm"`
	Role        identity.Role `json:"role"`
	Agencies    []string      `json:"agencies,omitempty"` // agency_admin: which
	Disabled    bool          `json:"disabled,omitempty"`
	HasPassword bool          `json:"has_password"`
	Created     time.Time     `json:"created"`
	Changed     time.Time     `json:"changed"`
	LastLogin   time.Time     `json:"last_login,omitzero"`
	Version     int64         `json:"version"` // of the change lock
}

// Principal returns the user as policies see it.
func (u User) Principal() identity.Principal {
	return identity.Principal{User: u.Name, Name: u.Shown, Realm: u.Realm, Role: u.Role, Agencies: u.Agencies}
}

// Session is a login that holds.
type Session struct {
	ID        string    `json:"id"` // names it in lists; not the secret
	User      User      `json:"user"`
	Begun     time.Time `json:"begun"`
	Seen      time.Time `json:"seen"`
	Expires   time.Time `json:"expires"` // absolute end
	Address   string    `json:"address"` // of the client at login
	CSRF      string    `json:"-"`       // for forms of this session
	UserAgent string    `json:"user_agent,omitempty"`
}

// TokenKind is what a token is for.
type TokenKind string

// Kinds of token.
const (
	TokenIngest TokenKind = "ingest" // a sender of records: may send, may read nothing
	TokenAPI    TokenKind = "api"    // a program that acts for a user
)

// Token is a sender's or a program's credential.
type Token struct {
	ID       string      `json:"id"`
	Kind     TokenKind   `json:"kind"`
	Name     string      `json:"name"` // what it is for, in words
	Realm    asset.Realm `json:"realm"`
	Source   string      `json:"source,omitempty"` // ingest: registered sender its records count as
	Agency   string      `json:"agency,omitempty"` // ingest: whose records these are
	Zone     string      `json:"zone,omitempty"`   // ingest: time zone of records that write none, e.g. Asia/Taipei
	User     string      `json:"user,omitempty"`   // api: whose rights it has
	Created  time.Time   `json:"created"`
	Expires  time.Time   `json:"expires,omitzero"`
	LastUsed time.Time   `json:"last_used,omitzero"`
	Revoked  time.Time   `json:"revoked,omitzero"`
}

// Options are the times and costs of signing in. Zero fields take defaults.
type Options struct {
	Idle     time.Duration      // a session ends after so long without a request; 30 min
	Absolute time.Duration      // and after so long in any case; 12 h
	LinkTTL  time.Duration      // a login link holds so long; 15 min
	Argon2   identity.Argon2    // cost of new password hashes
	Now      func() time.Time   // clock; time.Now
	Throttle *identity.Throttle // of guesses; a new one
}

// Store is the identity records of one realm. It is safe for concurrent use.
type Store struct{}

var errPending = fault.New(fault.Unavailable, "identity records are not built yet")

// Open migrates and opens the identity tables in d.
func Open(ctx context.Context, d *db.DB, realm asset.Realm, opt Options) (*Store, error) {
	return nil, errPending
}

// CreateUser adds a user. An empty password means: signs in by link until one
// is set.
func (s *Store) CreateUser(ctx context.Context, u User, password string) (User, error) {
	return User{}, errPending
}

// UpdateUser changes the name shown, role, agencies and disabled state of
// u.Name; u.Version must be the stored one. Disabling ends the sessions.
func (s *Store) UpdateUser(ctx context.Context, u User) (User, error) { return User{}, errPending }

// SetPassword sets the password and ends all sessions of the user.
func (s *Store) SetPassword(ctx context.Context, name, password string) error { return errPending }

// User returns one user.
func (s *Store) User(ctx context.Context, name string) (User, error) { return User{}, errPending }

// Users returns all users by name.
func (s *Store) Users(ctx context.Context) ([]User, error) { return nil, errPending }

// Login checks a password and begins a session. The secret goes into the
// cookie and is not stored. Wrong name and wrong password give the same
// forbidden error after the same work; too many guesses give a busy one.
func (s *Store) Login(ctx context.Context, name, password, addr, agent string) (secret string, ses Session, err error) {
	return "", Session{}, errPending
}

// NewLink makes a one-time login secret for the user.
func (s *Store) NewLink(ctx context.Context, name string) (secret string, expires time.Time, err error) {
	return "", time.Time{}, errPending
}

// UseLink spends a login secret and begins a session.
func (s *Store) UseLink(ctx context.Context, link, addr, agent string) (secret string, ses Session, err error) {
	return "", Session{}, errPending
}

// Session returns the session of a secret and notes that it was seen. An
// unknown, idle or expired one, or one of a disabled user, is not found.
func (s *Store) Session(ctx context.Context, secret string) (Session, error) {
	return Session{}, errPending
}

// Sessions returns the sessions of a user that hold, newest first.
func (s *Store) Sessions(ctx context.Context, name string) ([]Session, error) {
	return nil, errPending
}

// EndSession ends the session of a secret (logout).
func (s *Store) EndSession(ctx context.Context, secret string) error { return errPending }

// EndSessions ends all sessions of a user and returns how many there were.
func (s *Store) EndSessions(ctx context.Context, name string) (int, error) { return 0, errPending }

// CreateToken makes a token. The secret is shown once and not stored.
func (s *Store) CreateToken(ctx context.Context, t Token) (secret string, made Token, err error) {
	return "", Token{}, errPending
}

// Tokens returns all tokens, revoked ones too, newest first.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) { return nil, errPending }

// RevokeToken ends a token.
func (s *Store) RevokeToken(ctx context.Context, id string) error { return errPending }

// CheckToken returns the token of a secret; unknown, expired and revoked ones
// are forbidden. For an API token the user it acts for is returned too.
func (s *Store) CheckToken(ctx context.Context, secret string) (Token, User, error) {
	return Token{}, User{}, errPending
}
