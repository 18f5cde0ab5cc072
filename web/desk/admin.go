// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"context"
	"strconv"
	"time"

	"citywall/audit"
	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/internal/fault"
)

// side returns the realm of who after asking whether who may do a.
func (d *Desk) side(who Who, a identity.Action) (Realm, error) {
	if err := d.may(who, a); err != nil {
		return Realm{}, err
	}
	return d.realm(who.Realm)
}

// ListUsers returns the users of the asker's realm.
func (d *Desk) ListUsers(ctx context.Context, who Who) ([]identitydb.User, error) {
	r, err := d.side(who, identity.UserRead)
	if err != nil {
		return nil, err
	}
	return r.Users.Users(ctx)
}

// CreateUser adds a user to the asker's realm.
func (d *Desk) CreateUser(ctx context.Context, who Who, u identitydb.User, password string) (identitydb.User, error) {
	r, err := d.side(who, identity.UserManage)
	if err != nil {
		return u, err
	}
	u.Realm = who.Realm
	detail := map[string]string{"role": string(u.Role)}
	err = d.act(ctx, who, identity.UserManage, "user/"+u.Name, "", detail, func(ctx context.Context) error {
		var err error
		u, err = r.Users.CreateUser(ctx, u, password)
		return err
	})
	return u, err
}

// UpdateUser changes the name shown, role, agencies and disabled state.
func (d *Desk) UpdateUser(ctx context.Context, who Who, u identitydb.User) (identitydb.User, error) {
	r, err := d.side(who, identity.UserManage)
	if err != nil {
		return u, err
	}
	if u.Name == who.User && u.Disabled {
		return u, fault.New(fault.Invalid, "you cannot disable yourself; ask another administrator")
	}
	detail := map[string]string{"role": string(u.Role), "disabled": strconv.FormatBool(u.Disabled)}
	err = d.act(ctx, who, identity.UserManage, "user/"+u.Name, "", detail, func(ctx context.Context) error {
		var err error
		u, err = r.Users.UpdateUser(ctx, u)
		return err
	})
	return u, err
}

// NewLink makes a one-time login secret for a user.
func (d *Desk) NewLink(ctx context.Context, who Who, name string) (secret string, expires time.Time, err error) {
	r, err := d.side(who, identity.UserManage)
	if err != nil {
		return "", time.Time{}, err
	}
	err = d.act(ctx, who, identity.UserManage, "user/"+name, "", map[string]string{"link": "made"}, func(ctx context.Context) error {
		var err error
		secret, expires, err = r.Users.NewLink(ctx, name)
		return err
	})
	return secret, expires, err
}

// EndSessions ends all sessions of a user.
func (d *Desk) EndSessions(ctx context.Context, who Who, name string) (n int, err error) {
	r, err := d.side(who, identity.UserManage)
	if err != nil {
		return 0, err
	}
	err = d.actDetail(ctx, who, identity.UserManage, "user/"+name, "", map[string]string{"sessions": "ended"}, func(ctx context.Context) (map[string]string, error) {
		var err error
		n, err = r.Users.EndSessions(ctx, name)
		return map[string]string{"n": strconv.Itoa(n)}, err
	})
	return n, err
}

// ListTokens returns the tokens of the asker's realm.
func (d *Desk) ListTokens(ctx context.Context, who Who) ([]identitydb.Token, error) {
	r, err := d.side(who, identity.TokenManage)
	if err != nil {
		return nil, err
	}
	return r.Users.Tokens(ctx)
}

// CreateToken makes a token; its secret is shown this once.
func (d *Desk) CreateToken(ctx context.Context, who Who, t identitydb.Token) (secret string, made identitydb.Token, err error) {
	r, err := d.side(who, identity.TokenManage)
	if err != nil {
		return "", t, err
	}
	t.Realm = who.Realm
	detail := map[string]string{"kind": string(t.Kind), "name": t.Name, "source": t.Source, "user": t.User}
	err = d.actDetail(ctx, who, identity.TokenManage, "token", "", detail, func(ctx context.Context) (map[string]string, error) {
		var err error
		secret, made, err = r.Users.CreateToken(ctx, t)
		return map[string]string{"id": made.ID}, err
	})
	return secret, made, err
}

// RevokeToken ends a token.
func (d *Desk) RevokeToken(ctx context.Context, who Who, id string) error {
	r, err := d.side(who, identity.TokenManage)
	if err != nil {
		return err
	}
	return d.act(ctx, who, identity.TokenManage, "token/"+id, "", map[string]string{"revoked": "yes"}, func(ctx context.Context) error {
		return r.Users.RevokeToken(ctx, id)
	})
}

// ListAudit returns a page of the realm's audit log. That it was read is an
// act of its own.
func (d *Desk) ListAudit(ctx context.Context, who Who, q audit.Query) (p audit.Page, err error) {
	r, err := d.side(who, identity.AuditRead)
	if err != nil {
		return p, err
	}
	detail := map[string]string{"actor": q.Actor, "action": q.Action, "object": q.Object, "text": q.Text}
	err = d.act(ctx, who, identity.AuditRead, "audit", "", detail, func(ctx context.Context) error {
		p, err = r.Audit.List(ctx, q)
		return err
	})
	return p, err
}

// AuditHead returns the newest signed head of the realm's log.
func (d *Desk) AuditHead(who Who) (audit.Head, error) {
	r, err := d.side(who, identity.AuditRead)
	if err != nil {
		return audit.Head{}, err
	}
	return r.Audit.Head(), nil
}

// VerifyAudit reads the whole log of the realm.
func (d *Desk) VerifyAudit(ctx context.Context, who Who, known ...string) (rep audit.Report, err error) {
	r, err := d.side(who, identity.AuditProve)
	if err != nil {
		return rep, err
	}
	err = d.actDetail(ctx, who, identity.AuditProve, "audit", "", nil, func(ctx context.Context) (map[string]string, error) {
		rep, err = r.Audit.Verify(ctx, known...)
		return map[string]string{"ok": strconv.FormatBool(err == nil && rep.OK())}, err
	})
	return rep, err
}

// ProveAudit returns the proof that an entry is in the log.
func (d *Desk) ProveAudit(ctx context.Context, who Who, seq uint64) (p audit.Proof, err error) {
	r, err := d.side(who, identity.AuditProve)
	if err != nil {
		return p, err
	}
	err = d.act(ctx, who, identity.AuditProve, "audit/"+strconv.FormatUint(seq, 10), "", nil, func(ctx context.Context) error {
		p, err = r.Audit.Prove(ctx, seq)
		return err
	})
	return p, err
}
