// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"io"
	"net/http"
	"time"

	"filippo.io/age"

	"citywall/asset"
	"citywall/casework"
	"citywall/casework/handover"
	"citywall/eventstore/query"
	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/ingest/transport/httpbulk"
	"citywall/internal/fault"
	"citywall/web/desk"
)

// IngestPath is where senders post events.
const IngestPath = "/api/v1/ingest"

// cityScope is the program's own view of the city's estate.
var cityScope = identity.Scope{Realm: asset.City}

// desk joins the capabilities into what API and console ask.
func (a *App) desk(v desk.Version) desk.Config {
	inbox := a.data.path("inbox")
	return desk.Config{
		City: &desk.City{
			Realm:  desk.Realm{Users: a.city.users, Audit: a.city.audit},
			Events: a.events, Findings: a.findings, Incidents: a.incidents,
			Sources: a.sources, Rules: a.rules,
			Senders:  &desk.Senders{Store: a.senders, Changed: a.learnSenders, Places: a.places},
			Duty:     &desk.Duty{Store: a.watchRecords, Policy: a.cfg.Alarm.Policy, Broken: a.alarms.Err},
			Storage:  &desk.Storage{Keeper: a.keeper, Backup: a.makeBackup, BackupDir: a.cfg.Backup.Dir, Troubles: a.troubles},
			Assets:   a.estate,
			Handover: &desk.Handover{Export: a.export, Inbox: inbox},
		},
		Police: &desk.Police{
			Realm: desk.Realm{Users: a.police.users, Audit: a.police.audit},
			Cases: a.docket, Vault: a.docket.Vault,
			Packages: &desk.Packages{Open: a.openPackage, Import: a.importPackage, Inbox: inbox},
		},
		Policy: a.policy, Query: query.Parse, Now: a.now, Log: a.log, Version: v,
	}
}

// export signs with the city's key and seals to the police.
func (a *App) export(ctx context.Context, w io.Writer, env handover.Envelope, c handover.Content) (handover.Manifest, error) {
	return handover.Export(ctx, w, env, c, a.city.keys.Sign, a.police.keys.Seal.Recipient())
}

// openPackage accepts the signature of this installation's city and of every
// trusted partner.
func (a *App) openPackage(ctx context.Context, file string) (*handover.Package, error) {
	trusted := []handover.Trusted{{Name: string(asset.City), Key: a.city.keys.Verifier()}}
	partners, err := a.police.keys.Trusted()
	if err != nil {
		return nil, err
	}
	for _, p := range partners {
		k, err := p.Verifier()
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, handover.Trusted{Name: p.Name, Key: k})
	}
	return handover.Open(ctx, file, trusted, []age.Identity{a.police.keys.Seal}...)
}

func (a *App) importPackage(ctx context.Context, p *handover.Package, actor, owner, title string) (casework.File, error) {
	return handover.Import(ctx, a.docket, p, actor, owner, title)
}

// route puts the ingest endpoint beside the pages and the API.
func (a *App) route(pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(IngestPath, a.bulk)
	mux.Handle("/", pages)
	return mux
}

// verifySender says whom an ingest token stands for.
func (a *App) verifySender(ctx context.Context, secret string) (httpbulk.Sender, error) {
	t, _, err := a.city.users.CheckToken(ctx, secret)
	if err != nil {
		return httpbulk.Sender{}, err
	}
	if t.Kind != identitydb.TokenIngest {
		return httpbulk.Sender{}, fault.New(fault.Forbidden, "this token is for the API; a sender needs one of kind ingest")
	}
	return httpbulk.Sender{Source: t.Source, Realm: t.Realm, Agency: t.Agency, Zone: t.Zone}, nil
}

// Sender makes a token for a sender and returns its secret.
func (a *App) Sender(ctx context.Context, source, agency string) (string, error) {
	secret, _, err := a.city.users.CreateToken(ctx, identitydb.Token{Name: source, Kind: identitydb.TokenIngest, Source: source, Agency: agency, Realm: asset.City})
	return secret, err
}

// AddUser makes a user without a password and returns a one-time login link.
// An existing user gets a new link.
func (a *App) AddUser(ctx context.Context, r asset.Realm, login, name string, role identity.Role, agencies ...string) (link string, expires time.Time, err error) {
	side := a.city
	if r == asset.Police {
		side = a.police
	}
	if _, err := side.users.User(ctx, login); fault.Is(err, fault.NotFound) {
		_, err = side.users.CreateUser(ctx, identitydb.User{Name: login, Shown: name, Role: role, Agencies: agencies}, "")
		if err != nil {
			return "", time.Time{}, err
		}
	} else if err != nil {
		return "", time.Time{}, err
	}
	secret, expires, err := side.users.NewLink(ctx, login)
	if err != nil {
		return "", time.Time{}, err
	}
	return a.URL() + "/login/link?realm=" + string(r) + "#" + secret, expires, nil
}

// NoUsers reports whether a realm has no users yet.
func (a *App) NoUsers(ctx context.Context, r asset.Realm) (bool, error) {
	side := a.city
	if r == asset.Police {
		side = a.police
	}
	us, err := side.users.Users(ctx)
	return len(us) == 0, err
}
