// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"slices"
	"strings"

	"citywall/asset"
	"citywall/internal/fault"
)

// Roles lists the roles of a realm, in the order people meet them.
func Roles(r asset.Realm) []Role {
	switch r {
	case asset.City:
		return []Role{SOCAnalyst, SOCLead, AgencyAdmin, Auditor, SystemAdmin}
	case asset.Police:
		return []Role{Investigator, Supervisor, Auditor, SystemAdmin}
	}
	return nil
}

// In reports whether the role exists in the realm.
func (r Role) In(realm asset.Realm) bool { return slices.Contains(Roles(realm), r) }

// CheckLogin returns an invalid error when name cannot be a login name: 2 to
// 64 of a–z, 0–9, ".", "-", "_" and "@", beginning with a letter or digit.
// Names are lower case, so that two users never differ in case only.
func CheckLogin(name string) error {
	ok := len(name) >= 2 && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_@") == "" &&
		!strings.ContainsRune(".-_@", rune(name[0]))
	if !ok {
		return fault.New(fault.Invalid, "login name %q: want 2 to 64 of a-z, 0-9, and . - _ @ after the first", name)
	}
	return nil
}

// OSUsers says who an operating-system user is when it comes through the local
// socket: login names per realm. It is part of the configuration.
type OSUsers map[string]OSUser

// OSUser is the logins of one operating-system user.
type OSUser struct {
	City   string `json:"city,omitempty" yaml:"city,omitempty"`
	Police string `json:"police,omitempty" yaml:"police,omitempty"`
}

// Login returns the login name of an operating-system user in a realm, or a
// forbidden error with a way out. root is nobody in particular: it can read
// the files anyway, and an audit entry should name a person.
func (m OSUsers) Login(osUser string, realm asset.Realm) (string, error) {
	u := m[osUser]
	login := u.City
	if realm == asset.Police {
		login = u.Police
	}
	if login == "" || !realm.Valid() {
		return "", fault.New(fault.Forbidden,
			"the operating-system user %q stands for nobody in the realm %s: an administrator can add it under os_users in citywall.yaml", osUser, realm)
	}
	return login, nil
}
