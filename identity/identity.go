// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package identity holds who may do what: roles, principals, scopes, passwords
// and the policies that decide.
//
// It promises default deny, no shared roles across realms, and that every read
// of data takes a Scope. It never stores anything (that is identitydb) and
// knows no HTTP.
package identity

import "citywall/asset"

// Role is what a user is for. City roles and police roles do not mix.
type Role string

// Roles.
const (
	SOCAnalyst   Role = "soc_analyst"       // city: watch, search, triage
	SOCLead      Role = "soc_lead"          // city: analyst, and close, merge, hand over
	AgencyAdmin  Role = "agency_admin"      // city: one agency's sources, events, incidents
	Investigator Role = "investigator"      // police: cases
	Supervisor   Role = "police_supervisor" // police: cases, assignment, closing
	Auditor      Role = "auditor"           // either realm: audit log; no case content
	SystemAdmin  Role = "system_admin"      // either realm: users, sources, rules; no case content
)

// Principal is an authenticated user.
type Principal struct {
	User     string      // login name
	Name     string      // shown
	Realm    asset.Realm // the one realm the user belongs to
	Role     Role
	Agencies []string // AgencyAdmin: which; empty for the others: all
}

// Scope bounds a read. The zero scope sees nothing.
type Scope struct {
	Realm    asset.Realm
	Agencies []string // empty: all agencies of the realm
	Case     string   // exhibit events of this case only; "" for the realm's own estate
}

// Scope returns what p may read of its own realm's events.
func (p Principal) Scope() Scope {
	if p.Role == AgencyAdmin && len(p.Agencies) == 0 {
		return Scope{} // an agency administrator of no agency sees nothing
	}
	return Scope{Realm: p.Realm, Agencies: p.Agencies}
}
