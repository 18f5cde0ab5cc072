// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"citywall/internal/fault"
	"citywall/internal/text"
)

//go:embed policies/*.cedar
var policies embed.FS

// Policy decides who may do what. It is immutable after NewPolicy and safe for
// concurrent use.
type Policy struct {
	set *cedar.PolicySet
}

// NewPolicy reads the Cedar policies embedded from policies/.
func NewPolicy() (*Policy, error) {
	names, err := fs.Glob(policies, "policies/*.cedar")
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	p := &Policy{set: cedar.NewPolicySet()}
	for _, n := range names {
		b, err := fs.ReadFile(policies, n)
		if err != nil {
			return nil, fmt.Errorf("policies: %w", err)
		}
		list, err := cedar.NewPolicyListFromBytes(n, b)
		if err != nil {
			return nil, fmt.Errorf("policies %s: %w", n, err)
		}
		for _, x := range list {
			id := string(x.Annotations()["id"])
			if id == "" {
				return nil, fmt.Errorf("policies %s: the policy in line %d has no @id", n, x.Position().Line)
			}
			if !p.set.Add(cedar.PolicyID(id), x) {
				return nil, fmt.Errorf("policies %s: two policies have the id %q", n, id)
			}
		}
	}
	return p, nil
}

// Refusal is why something is not allowed. It is the cause of the forbidden
// error that Allow returns.
type Refusal struct {
	Code      string // the policy's id, "default" when nothing permits it
	Principal Principal
	Action    Action
	Resource  Resource
}

// Text returns the sentence for the one who was refused.
func (r *Refusal) Text(l text.Lang) string {
	return text.T(l, "identity.refuse."+r.Code,
		"role", r.Principal.Role.Text(l), "action", r.Action.Text(l),
		"realm", text.T(l, "identity.realm."+string(r.Principal.Realm)))
}

// Error implements error.
func (r *Refusal) Error() string { return r.Text(text.En) }

// Text returns the role's name for people.
func (r Role) Text(l text.Lang) string { return text.T(l, "identity.role."+string(r)) }

// Text returns what the action is, for people: "close incidents".
func (a Action) Text(l text.Lang) string { return text.T(l, "identity.action."+string(a)) }

// Kind returns the kind of resource the action is about.
func (a Action) Kind() Kind {
	k, _, _ := strings.Cut(string(a), ".")
	return Kind(k)
}

// Allow returns nil when pr may do a on r, and a forbidden error with a
// sentence when not; errors.As finds its Refusal. What no policy permits is
// refused.
func (p *Policy) Allow(pr Principal, a Action, r Resource) error {
	refuse := func(code string) error {
		return fault.New(fault.Forbidden, "%w", &Refusal{Code: code, Principal: pr, Action: a, Resource: r})
	}
	if !pr.Role.In(pr.Realm) {
		return refuse("role") // a record that somebody tampered with: such a role does not exist there
	}
	if a.Kind() != r.Kind || !slices.Contains(Actions(), a) {
		return refuse("default")
	}
	user := cedar.NewEntityUID("User", cedar.String(pr.User))
	thing := cedar.NewEntityUID("Resource", cedar.String(r.ID))
	entities := cedar.EntityMap{
		user: {UID: user, Parents: cedar.NewEntityUIDSet(cedar.NewEntityUID("Role", cedar.String(pr.Role))),
			Attributes: cedar.NewRecord(cedar.RecordMap{
				"realm":    cedar.String(pr.Realm),
				"agencies": set(pr.Agencies),
			})},
		thing: {UID: thing, Attributes: cedar.NewRecord(cedar.RecordMap{
			"kind":       cedar.String(r.Kind),
			"realm":      cedar.String(r.Realm),
			"case":       cedar.String(r.Case),
			"agencies":   set(r.Agencies),
			"collection": cedar.Boolean(r.ID == "" && len(r.Agencies) == 0),
		})},
	}
	for _, up := range [][2]Role{{SOCLead, SOCAnalyst}, {Supervisor, Investigator}} {
		id := cedar.NewEntityUID("Role", cedar.String(up[0]))
		entities[id] = cedar.Entity{UID: id, Parents: cedar.NewEntityUIDSet(cedar.NewEntityUID("Role", cedar.String(up[1])))}
	}
	ok, why := cedar.Authorize(p.set, entities, cedar.Request{
		Principal: user, Action: cedar.NewEntityUID("Action", cedar.String(a)), Resource: thing,
	})
	// A policy that cannot be evaluated counts for nothing in Cedar. If it was
	// a wall, that would open a door.
	if len(why.Errors) > 0 {
		return fault.New(fault.Forbidden, "policy %s cannot be evaluated: %s", why.Errors[0].PolicyID, why.Errors[0].Message)
	}
	if ok == cedar.Allow {
		return nil
	}
	code := "default"
	for _, x := range why.Reasons { // the walls that stood in the way; the first by name, so that it is always the same
		if id := string(x.PolicyID); code == "default" || id < code {
			code = id
		}
	}
	return refuse(code)
}

func set(s []string) cedar.Set {
	vs := make([]cedar.Value, len(s))
	for i, x := range s {
		vs[i] = cedar.String(x)
	}
	return cedar.NewSet(vs...)
}
