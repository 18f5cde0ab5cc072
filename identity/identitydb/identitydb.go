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
	"embed"
	"fmt"
	"runtime"
	"time"

	"github.com/uptrace/bun"

	"citywall/asset"
	"citywall/identity"
	"citywall/internal/db"
	"citywall/internal/fault"
)

//go:embed migrations
var migrations embed.FS

// Options are the times and costs of signing in. Zero fields take defaults.
type Options struct {
	Idle     time.Duration      // a session ends after so long without a request; 30 min
	Absolute time.Duration      // and after so long in any case; 12 h
	LinkTTL  time.Duration      // a login link holds so long; 15 min
	Argon2   identity.Argon2    // cost of new password hashes
	Now      func() time.Time   // clock; time.Now
	Throttle *identity.Throttle // of guesses; a new one
}

// touchEvery bounds how often a session or token notes that it was used.
const touchEvery = time.Minute

// Store is the identity records of one realm. It is safe for concurrent use.
type Store struct {
	d       *db.DB
	realm   asset.Realm
	opt     Options
	dummy   string        // hash to compare with when there is no such user
	hashing chan struct{} // each hash takes 64 MiB: as many at once as there are processors
}

// Open migrates and opens the identity tables in d. A database belongs to one
// realm for good; opening it for the other is refused.
func Open(ctx context.Context, d *db.DB, realm asset.Realm, opt Options) (*Store, error) {
	if !realm.Valid() {
		return nil, fault.New(fault.Invalid, "identity records: %q is no realm", realm)
	}
	if err := d.Migrate(ctx, "identity", migrations); err != nil {
		return nil, err
	}
	if opt.Idle == 0 {
		opt.Idle = 30 * time.Minute
	}
	if opt.Absolute == 0 {
		opt.Absolute = 12 * time.Hour
	}
	if opt.LinkTTL == 0 {
		opt.LinkTTL = 15 * time.Minute
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Throttle == nil {
		opt.Throttle = identity.NewThrottle(opt.Now)
	}
	s := &Store{d: d, realm: realm, opt: opt,
		dummy:   identity.HashPassword(identity.Secret(""), opt.Argon2),
		hashing: make(chan struct{}, runtime.NumCPU())}
	err := d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewRaw("INSERT INTO identity_realm (id, realm) VALUES (1, ?) ON CONFLICT (id) DO NOTHING", string(realm)).Exec(ctx); err != nil {
			return err
		}
		var is string
		if err := tx.NewRaw("SELECT realm FROM identity_realm").Scan(ctx, &is); err != nil {
			return err
		}
		if is != string(realm) {
			return fault.New(fault.Invalid, "%s holds the users of the realm %s, not %s", d.Path(), is, realm)
		}
		return nil
	})
	if err != nil {
		return nil, db.Err("open identity records", err)
	}
	return s, nil
}

func (s *Store) now() int64 { return s.opt.Now().UnixMicro() }

// at reads a stored time.
func at(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// us writes a time to be stored.
func us(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// verify compares a password, at most as many at once as there are processors.
func (s *Store) verify(ctx context.Context, hash, password string) (ok, weaker bool, err error) {
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return false, false, ctx.Err()
	}
	defer func() { <-s.hashing }()
	return identity.VerifyPassword(hash, password, s.opt.Argon2)
}

func (s *Store) hash(ctx context.Context, password string) (string, error) {
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-s.hashing }()
	return identity.HashPassword(password, s.opt.Argon2), nil
}

// cut shortens what a client says about itself.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return db.Text(s)
}

func notFound(what, name string) error {
	return fault.New(fault.NotFound, "there is no %s %q", what, name)
}

func changed(what, name string) error {
	return fault.New(fault.Conflict, "somebody changed the %s %q meanwhile: load it again", what, name)
}

func wrap(op string, err error) error {
	if err != nil && fault.Of(err) != "" {
		return err // a sentence of its own
	}
	return db.Err(fmt.Sprintf("identity: %s", op), err)
}
