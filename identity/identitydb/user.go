// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identitydb

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

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

type userRow struct {
	bun.BaseModel `bun:"table:identity_user,alias:u"`

	Name      string   `bun:"name,pk"`
	Shown     string   `bun:"shown"`
	Role      string   `bun:"role"`
	Agencies  []string `bun:"agencies,type:jsonb"`
	Disabled  bool     `bun:"disabled"`
	Password  string   `bun:"password"`
	CreatedUS int64    `bun:"created_us"`
	ChangedUS int64    `bun:"changed_us"`
	LoginUS   int64    `bun:"login_us"`
	Version   int64    `bun:"version"`
}

func (s *Store) user(r userRow) User {
	return User{
		Name: r.Name, Shown: r.Shown, Realm: s.realm, Role: identity.Role(r.Role), Agencies: r.Agencies,
		Disabled: r.Disabled, HasPassword: r.Password != "", Created: at(r.CreatedUS), Changed: at(r.ChangedUS),
		LastLogin: at(r.LoginUS), Version: r.Version,
	}
}

// check normalises what an administrator may set and refuses what is wrong.
func (s *Store) check(u *User) error {
	if u.Realm != "" && u.Realm != s.realm {
		return fault.New(fault.Invalid, "user %q is of the realm %s, and these are the records of %s", u.Name, u.Realm, s.realm)
	}
	u.Realm = s.realm
	if !u.Role.In(s.realm) {
		return fault.New(fault.Invalid, "the realm %s has no role %q", s.realm, u.Role)
	}
	u.Shown = db.Text(strings.TrimSpace(u.Shown))
	if u.Shown == "" {
		u.Shown = u.Name
	}
	if len(u.Shown) > 200 || len(u.Agencies) > 1000 {
		return fault.New(fault.Invalid, "user %q: the name or the list of agencies is too long", u.Name)
	}
	if u.Role != identity.AgencyAdmin && len(u.Agencies) > 0 {
		return fault.New(fault.Invalid, "only agency administrators have agencies; user %q has the role %s", u.Name, u.Role)
	}
	as := []string{}
	for _, a := range u.Agencies {
		if a = db.Text(strings.TrimSpace(a)); a == "" {
			return fault.New(fault.Invalid, "user %q: an agency without a code", u.Name)
		}
		as = append(as, a)
	}
	slices.Sort(as)
	u.Agencies = slices.Compact(as)
	return nil
}

// CreateUser adds a user. An empty password means: signs in by link until one
// is set.
func (s *Store) CreateUser(ctx context.Context, u User, password string) (User, error) {
	if err := identity.CheckLogin(u.Name); err != nil {
		return User{}, err
	}
	if err := s.check(&u); err != nil {
		return User{}, err
	}
	now := s.now()
	r := userRow{Name: u.Name, Shown: u.Shown, Role: string(u.Role), Agencies: u.Agencies, Disabled: u.Disabled,
		CreatedUS: now, ChangedUS: now, Version: 1}
	if password != "" {
		if err := identity.CheckPassword(u.Name, password); err != nil {
			return User{}, err
		}
		var err error
		if r.Password, err = s.hash(ctx, password); err != nil {
			return User{}, err
		}
	}
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewInsert().Model(&r).On("CONFLICT (name) DO NOTHING").Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fault.New(fault.Conflict, "there is a user %q already", u.Name))
		}
		return nil
	})
	if err != nil {
		return User{}, wrap("create user", err)
	}
	return s.user(r), nil
}

// UpdateUser changes the name shown, role, agencies and disabled state of
// u.Name; u.Version must be the stored one. Disabling ends the sessions. The
// last system administrator cannot be taken away.
func (s *Store) UpdateUser(ctx context.Context, u User) (User, error) {
	if err := s.check(&u); err != nil {
		return User{}, err
	}
	var out userRow
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		old, err := userNamed(ctx, tx, u.Name)
		if err != nil {
			return err
		}
		if old.Version != u.Version {
			return changed("user", u.Name)
		}
		out = old
		out.Shown, out.Role, out.Agencies, out.Disabled = u.Shown, string(u.Role), u.Agencies, u.Disabled
		out.ChangedUS, out.Version = s.now(), old.Version+1
		if err := keepOneAdmin(ctx, tx, old, out); err != nil {
			return err
		}
		if u.Disabled {
			if _, err := tx.NewDelete().Model((*sessionRow)(nil)).Where("user_name = ?", u.Name).Exec(ctx); err != nil {
				return err
			}
			if _, err := tx.NewDelete().Model((*linkRow)(nil)).Where("user_name = ?", u.Name).Exec(ctx); err != nil {
				return err
			}
		}
		_, err = tx.NewUpdate().Model(&out).WherePK().Exec(ctx)
		return err
	})
	if err != nil {
		return User{}, wrap("change user", err)
	}
	return s.user(out), nil
}

func keepOneAdmin(ctx context.Context, tx bun.Tx, old, now userRow) error {
	is := func(r userRow) bool { return r.Role == string(identity.SystemAdmin) && !r.Disabled }
	if !is(old) || is(now) {
		return nil
	}
	n, err := tx.NewSelect().Model((*userRow)(nil)).Where("role = ?", string(identity.SystemAdmin)).
		Where("disabled = ?", false).Where("name <> ?", old.Name).Count(ctx)
	if err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.Conflict, "%q is the last system administrator: make another one first", old.Name)
	}
	return nil
}

func userNamed(ctx context.Context, q bun.IDB, name string) (userRow, error) {
	var r userRow
	err := q.NewSelect().Model(&r).Where("u.name = ?", db.Text(name)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return r, notFound("user", name)
	}
	return r, err
}

// SetPassword sets the password and ends all sessions of the user.
func (s *Store) SetPassword(ctx context.Context, name, password string) error {
	if err := identity.CheckPassword(name, password); err != nil {
		return err
	}
	h, err := s.hash(ctx, password)
	if err != nil {
		return err
	}
	err = s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		r, err := userNamed(ctx, tx, name)
		if err != nil {
			return err
		}
		r.Password, r.ChangedUS, r.Version = h, s.now(), r.Version+1
		if _, err := tx.NewDelete().Model((*sessionRow)(nil)).Where("user_name = ?", name).Exec(ctx); err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model(&r).WherePK().Exec(ctx)
		return err
	})
	return wrap("set password", err)
}

// ChangePassword is SetPassword by the user, who has to know the old one (or
// has none yet). It ends all sessions.
func (s *Store) ChangePassword(ctx context.Context, name, old, password, addr string) error {
	r, err := userNamed(ctx, s.d, name)
	if err != nil {
		return wrap("change password", err)
	}
	if r.Password != "" {
		if wait := s.opt.Throttle.Try(name, addr); wait > 0 {
			return identity.RefuseLogin(identity.LoginWait, wait)
		}
		ok, _, err := s.verify(ctx, r.Password, old)
		if err != nil {
			return wrap("change password", err)
		}
		if !ok {
			return identity.RefuseLogin(identity.LoginWrong, 0)
		}
		s.opt.Throttle.Succeeded(name, addr)
	}
	return s.SetPassword(ctx, name, password)
}

// User returns one user.
func (s *Store) User(ctx context.Context, name string) (User, error) {
	r, err := userNamed(ctx, s.d, name)
	if err != nil {
		return User{}, wrap("read user", err)
	}
	return s.user(r), nil
}

// Users returns all users by name.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	var rs []userRow
	if err := s.d.NewSelect().Model(&rs).Order("name").Scan(ctx); err != nil {
		return nil, wrap("list users", err)
	}
	out := make([]User, len(rs))
	for i := range rs {
		out[i] = s.user(rs[i])
	}
	return out, nil
}
