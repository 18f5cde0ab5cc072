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

	"citywall/asset"
	"citywall/identity"
	"citywall/internal/db"
	"citywall/internal/fault"
)

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
	LastUsed time.Time   `json:"last_used,omitzero"` // to the minute
	Revoked  time.Time   `json:"revoked,omitzero"`
}

type tokenRow struct {
	bun.BaseModel `bun:"table:identity_token,alias:t"`

	ID        string `bun:"id,pk"`
	Secret    string `bun:"secret"`
	Kind      string `bun:"kind"`
	Name      string `bun:"name"`
	Source    string `bun:"source"`
	Agency    string `bun:"agency"`
	Zone      string `bun:"zone"`
	UserName  string `bun:"user_name"`
	CreatedUS int64  `bun:"created_us"`
	ExpiresUS int64  `bun:"expires_us"`
	UsedUS    int64  `bun:"used_us"`
	RevokedUS int64  `bun:"revoked_us"`
}

func (s *Store) token(r tokenRow) Token {
	return Token{ID: r.ID, Kind: TokenKind(r.Kind), Name: r.Name, Realm: s.realm, Source: r.Source, Agency: r.Agency, Zone: r.Zone,
		User: r.UserName, Created: at(r.CreatedUS), Expires: at(r.ExpiresUS), LastUsed: at(r.UsedUS), Revoked: at(r.RevokedUS)}
}

// CreateToken makes a token. The secret is shown once and not stored.
func (s *Store) CreateToken(ctx context.Context, t Token) (secret string, made Token, err error) {
	if err := s.checkToken(t); err != nil {
		return "", Token{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", Token{}, err
	}
	secret = identity.Secret("cwt_")
	r := tokenRow{ID: id.String(), Secret: identity.HashSecret(secret), Kind: string(t.Kind), Name: db.Text(t.Name),
		Source: db.Text(t.Source), Agency: db.Text(t.Agency), Zone: t.Zone, UserName: t.User,
		CreatedUS: s.now(), ExpiresUS: us(t.Expires)}
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if t.Kind == TokenAPI {
			u, err := userNamed(ctx, tx, t.User)
			if err != nil {
				return err
			}
			if u.Disabled {
				return fault.New(fault.Conflict, "the user %q is disabled", t.User)
			}
		}
		_, err := tx.NewInsert().Model(&r).Exec(ctx)
		return err
	})
	if err != nil {
		return "", Token{}, wrap("make token", err)
	}
	return secret, s.token(r), nil
}

func (s *Store) checkToken(t Token) error {
	const longest = 200
	switch {
	case t.Realm != "" && t.Realm != s.realm:
		return fault.New(fault.Invalid, "the token is of the realm %s, and these are the records of %s", t.Realm, s.realm)
	case strings.TrimSpace(t.Name) == "" || len(t.Name) > longest || len(t.Source) > longest || len(t.Agency) > longest:
		return fault.New(fault.Invalid, "a token needs a name that says what it is for, of at most %d bytes", longest)
	case !t.Expires.IsZero() && !t.Expires.After(s.opt.Now()):
		return fault.New(fault.Invalid, "the token would have expired already")
	case t.Kind == TokenIngest && (t.Source == "" || t.User != ""):
		return fault.New(fault.Invalid, "a sender's token names the source its records count as, and no user")
	case t.Kind == TokenAPI && (t.User == "" || t.Source != "" || t.Agency != "" || t.Zone != ""):
		return fault.New(fault.Invalid, "a program's token names the user it acts for, and no source")
	case t.Kind != TokenIngest && t.Kind != TokenAPI:
		return fault.New(fault.Invalid, "%q is no kind of token", t.Kind)
	}
	if t.Zone != "" {
		if _, err := time.LoadLocation(t.Zone); err != nil {
			return fault.New(fault.Invalid, "%q is no time zone: write one like Asia/Taipei", t.Zone)
		}
	}
	return nil
}

// Tokens returns all tokens, revoked ones too, newest first.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	var rs []tokenRow
	if err := s.d.NewSelect().Model(&rs).Order("created_us DESC", "id DESC").Scan(ctx); err != nil {
		return nil, wrap("list tokens", err)
	}
	out := make([]Token, len(rs))
	for i := range rs {
		out[i] = s.token(rs[i])
	}
	return out, nil
}

// RevokeToken ends a token. One that is revoked already stays as it is.
func (s *Store) RevokeToken(ctx context.Context, id string) error {
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		found, err := tx.NewSelect().Model((*tokenRow)(nil)).Where("id = ?", db.Text(id)).Exists(ctx)
		if err != nil {
			return err
		}
		if !found {
			return notFound("token", id)
		}
		_, err = tx.NewUpdate().Model((*tokenRow)(nil)).Set("revoked_us = ?", s.now()).
			Where("id = ?", id).Where("revoked_us = 0").Exec(ctx)
		return err
	})
	return wrap("revoke token", err)
}

// CheckToken returns the token of a secret; unknown, expired and revoked ones
// are forbidden. For an API token the user it acts for is returned too.
func (s *Store) CheckToken(ctx context.Context, secret string) (Token, User, error) {
	refused := fault.New(fault.Forbidden, "the token is unknown, expired or revoked: ask an administrator for a new one")
	var r tokenRow
	err := s.d.NewSelect().Model(&r).Where("secret = ?", identity.HashSecret(secret)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Token{}, User{}, refused
	}
	if err != nil {
		return Token{}, User{}, wrap("check token", err)
	}
	now := s.now()
	if r.RevokedUS != 0 || r.ExpiresUS != 0 && now >= r.ExpiresUS {
		return Token{}, User{}, refused
	}
	var u User
	if TokenKind(r.Kind) == TokenAPI {
		ur, err := userNamed(ctx, s.d, r.UserName)
		if err != nil {
			return Token{}, User{}, wrap("check token", err)
		}
		if ur.Disabled {
			return Token{}, User{}, refused
		}
		u = s.user(ur)
	}
	if now-r.UsedUS >= touchEvery.Microseconds() {
		err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewUpdate().Model((*tokenRow)(nil)).Set("used_us = ?", now).Where("id = ?", r.ID).Where("used_us < ?", now).Exec(ctx)
			return err
		})
		if err != nil && !fault.Is(err, fault.Busy) { // a sender is not turned away for that
			return Token{}, User{}, wrap("note token", err)
		}
		r.UsedUS = now
	}
	return s.token(r), u, nil
}
