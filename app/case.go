// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"os/user"

	"citywall/asset"
	"citywall/audit"
	"citywall/casework"
	"citywall/casework/docket"
	"citywall/identity"
)

// OpenCase opens a case of the police realm as the operating-system user of
// this process, who must be an investigator or supervisor there (os_users). The
// act is audited like one at the console.
func (a *App) OpenCase(ctx context.Context, n docket.New) (casework.File, error) {
	osUser, err := user.Current()
	if err != nil {
		return casework.File{}, fmt.Errorf("find the operating-system user: %w", err)
	}
	login, err := a.cfg.OSUsers.Login(osUser.Username, asset.Police)
	if err != nil {
		return casework.File{}, err
	}
	u, err := a.police.users.User(ctx, login)
	if err != nil {
		return casework.File{}, err
	}
	if err := a.policy.Allow(u.Principal(), identity.CaseCreate, identity.Resource{Kind: identity.KindCase, Realm: asset.Police}); err != nil {
		return casework.File{}, err
	}
	n.Owner, n.OpenedBy = login, login
	var f casework.File
	act := audit.Act{Actor: login, Action: string(identity.CaseCreate), Object: "case", Reason: n.Title}
	err = a.police.audit.DoDetail(ctx, act, func(ctx context.Context) (map[string]string, error) {
		var err error
		f, err = a.docket.Open(ctx, n)
		return map[string]string{"case": f.ID, "number": f.Number}, err
	})
	return f, err
}

// Cases is the docket of the police realm.
func (a *App) Cases() *docket.Docket { return a.docket }
