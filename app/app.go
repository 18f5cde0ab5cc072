// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package app builds every part of Citywall once, in the order in which they
// are needed, and stops them in reverse.
//
// If you can see New, you can see the system: nothing is registered, nothing is
// global, no part finds another by itself. It promises that what was built is
// undone when a later step fails, and that Run returns only when every part has
// stopped. It holds no logic of its own beyond joining parts.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"citywall/asset"
	"citywall/audit"
	"citywall/casework"
	"citywall/casework/casedb"
	"citywall/casework/docket"
	"citywall/casework/exhibit"
	"citywall/detect/detectdb"
	"citywall/detect/rulebook"
	"citywall/duty/call"
	"citywall/duty/dutydb"
	"citywall/eventstore"
	"citywall/eventstore/keep"
	"citywall/exposure/estate"
	"citywall/exposure/inventorydb"
	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/incident/correlate"
	"citywall/incident/incidentdb"
	"citywall/ingest/senderdb"
	"citywall/ingest/transport/httpbulk"
	"citywall/ingest/transport/netflow"
	"citywall/ingest/transport/syslog"
	"citywall/ingest/transport/watch"
	"citywall/internal/db"
	"citywall/internal/disk"
	"citywall/internal/durable"
	"citywall/internal/keys"
	"citywall/internal/queue"
	"citywall/pipeline/live"
	"citywall/web"
	"citywall/web/desk"
)

// Options are what the caller decides.
type Options struct {
	Dir     string // the data folder, absolute
	Config  Config
	Version desk.Version
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// App is one running Citywall.
type App struct {
	cfg  Config
	data *data
	log  *slog.Logger
	now  func() time.Time

	city, police realm
	version      string      // of the program
	room         *disk.Watch // of the data folder: full for senders
	events       eventstore.Store
	keeper       *keep.Keeper
	backing      sync.Mutex // held while a backup is made
	findings     *detectdb.Store
	incidents    *incidentdb.Store
	watchRecords *dutydb.Store
	alarms       *call.Watch
	senders      *senderdb.Store
	estate       *estate.Estate
	policy       *identity.Policy
	docket       *docket.Docket
	rules        *rulebook.Book
	queue        *queue.Queue
	pipeline     *live.Live
	syslog       []*syslog.Listener
	netflow      []*netflow.Listener
	watch        []*watch.Watcher
	bulk         *httpbulk.Handler
	handler      http.Handler
	console      net.Listener
	socket       net.Listener
	secure       bool
	fingerprint  string

	stops []stop // last in, first out
}

// realm is what both realms have: own records, keys, users and audit log.
type realm struct {
	name  asset.Realm
	db    *db.DB
	keys  *keys.Ring
	audit *audit.Log
	users *identitydb.Store
}

type stop struct {
	what string
	f    func() error
}

// undo registers how a part is stopped, at the moment it is there.
func (a *App) undo(what string, f func() error) { a.stops = append(a.stops, stop{what, f}) }

// New builds the parts in a straight line. When a step fails, those before it
// are stopped.
func New(ctx context.Context, o Options) (a *App, err error) {
	a = &App{cfg: o.Config, log: o.Log, now: o.Now, version: o.Version.Version}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	defer func() {
		if err != nil {
			a.Close()
			a = nil
		}
	}()

	// The folder, held by this process alone.
	if a.data, err = openData(o.Dir); err != nil {
		return a, err
	}
	a.undo("data folder", func() error { a.data.close(); return nil })
	for _, d := range []string{"events", "queue", "cases", "blobs", "inbox", "watch"} {
		if err = durable.Mkdir(a.data.path(d)); err != nil {
			return a, fmt.Errorf("make the data folder: %w", err)
		}
	}

	// Both realms: keys, audit log, records, users.
	if a.policy, err = identity.NewPolicy(); err != nil {
		return a, err
	}
	if a.city, err = a.openRealm(ctx, asset.City); err != nil {
		return a, err
	}
	if a.police, err = a.openRealm(ctx, asset.Police); err != nil {
		return a, err
	}

	if err = a.city.db.Apart(ctx, a.police.db); err != nil {
		return a, err
	}

	// What is kept: events, findings, incidents; cases.
	a.room = &disk.Watch{Dir: a.data.dir, Keep: a.cfg.Queue.MinFree, Config: a.cfg.Disk, Now: a.now}
	if a.events, err = a.openEvents(ctx); err != nil {
		return a, fmt.Errorf("open the event store: %w", err)
	}
	a.undo("event store", a.events.Close)
	if a.findings, err = detectdb.Open(ctx, a.city.db, asset.City); err != nil {
		return a, err
	}
	if a.incidents, err = incidentdb.Open(ctx, a.city.db, asset.City); err != nil {
		return a, err
	}
	if a.watchRecords, err = dutydb.Open(ctx, a.city.db, a.now); err != nil {
		return a, err
	}
	if a.senders, err = senderdb.Open(ctx, a.city.db, a.now); err != nil {
		return a, err
	}
	if err = a.openEstate(ctx); err != nil {
		return a, err
	}
	if err = a.openCases(ctx); err != nil {
		return a, err
	}

	// What judges: rules and correlation. Rules know the network as it was drawn
	// when they were read; correlation hears of every change.
	top, clash := a.estate.Known()
	for _, c := range clash {
		a.log.Warn("drawings of the network contradict each other; the configuration and then the newest counts", "what", c)
	}
	if a.rules, err = a.openBook(ctx); err != nil {
		return a, err
	}
	corr := correlate.Config{Topology: top, ClockOffsets: a.cfg.Clocks}
	if err = corr.Validate(); err != nil {
		return a, err
	}

	// The way of an event: listeners → queue → pipeline.
	if a.queue, err = queue.Open(ctx, a.data.path("queue"), a.cfg.Queue, a.log); err != nil {
		return a, fmt.Errorf("open the queue: %w", err)
	}
	a.undo("queue", a.queue.Close)
	if a.keeper, err = a.newKeeper(ctx); err != nil {
		return a, err
	}
	if a.pipeline, err = a.newPipeline(corr); err != nil {
		return a, err
	}
	a.rules.OnRead(a.pipeline.SetRules)
	a.estate.OnChange(a.pipeline.SetTopology)
	if a.alarms, err = a.newWatch(); err != nil {
		return a, err
	}
	if err = a.openListeners(ctx); err != nil {
		return a, err
	}
	if err = a.learnSenders(ctx); err != nil {
		return a, err
	}

	// People and programs.
	d := a.desk(o.Version)
	tls, print, err := consoleTLS(a.cfg.Console, a.data, a.now())
	if err != nil {
		return a, err
	}
	a.secure, a.fingerprint = tls != nil, print
	pages, err := web.New(web.Config{Desk: d, Secure: a.secure, Log: a.log})
	if err != nil {
		return a, err
	}
	a.handler = a.route(pages)
	return a, a.openConsole(ctx, tls)
}

func (a *App) openRealm(ctx context.Context, name asset.Realm) (realm, error) {
	r := realm{name: name}
	var err error
	if r.keys, err = keys.Open(a.data.path("keys"), string(name)); err != nil {
		return r, err
	}
	if r.audit, err = audit.OpenAt(a.data.path("audit", string(name)), name, r.keys.Sign, a.now); err != nil {
		return r, fmt.Errorf("open the audit log of %s: %w", name, err)
	}
	a.undo("audit log of "+string(name), r.audit.Close)
	if r.db, err = a.openRecords(ctx, name); err != nil {
		return r, fmt.Errorf("open the records of %s: %w", name, err)
	}
	a.undo("records of "+string(name), r.db.Close)
	r.users, err = identitydb.Open(ctx, r.db, name, identitydb.Options{Now: a.now})
	return r, err
}

// openEstate opens the inventory of the city. It is stopped after the pipeline,
// whose events it watches, and before the records it is saved in.
func (a *App) openEstate(ctx context.Context) error {
	store, err := inventorydb.Open(ctx, a.city.db, a.now)
	if err != nil {
		return err
	}
	if a.estate, err = estate.Open(ctx, store, a.cfg.Topology, a.now, a.log); err != nil {
		return fmt.Errorf("open the inventory: %w", err)
	}
	a.undo("inventory", a.estate.Close)
	return nil
}

func (a *App) openCases(ctx context.Context) error {
	store, err := casedb.Open(ctx, a.police.db, casework.Scheme{})
	if err != nil {
		return err
	}
	vault, err := exhibit.Open(a.data.path("cases"))
	if err != nil {
		return err
	}
	a.docket = &docket.Docket{Store: store, Vault: vault}
	strays, err := a.docket.Strays(ctx)
	if err != nil {
		return fmt.Errorf("look for half-opened cases: %w", err)
	}
	for _, s := range strays {
		a.log.Warn("a folder belongs to no case: a stop interrupted its opening; look at it and move it away", "folder", s)
	}
	return nil
}

func (a *App) openListeners(ctx context.Context) error {
	for _, c := range a.cfg.Syslog {
		l, err := syslog.Listen(ctx, c, a.publish, a.log)
		if err != nil {
			return fmt.Errorf("open the listener %s: %w", c.Name, err)
		}
		a.syslog = append(a.syslog, l)
		a.undo("listener "+c.Name, func() error { return ignoreClosed(l.Close()) })
	}
	for _, c := range a.cfg.Netflow {
		l, err := netflow.Listen(ctx, c, a.publish, a.log)
		if err != nil {
			return fmt.Errorf("open the listener %s: %w", c.Name, err)
		}
		a.netflow = append(a.netflow, l)
		a.undo("listener "+c.Name, func() error { return ignoreClosed(l.Close()) })
	}
	for _, c := range a.cfg.Watch {
		w, err := watch.New(c, a.data.path("watch"), watch.Parts{Publish: a.publish, PutBlob: a.putBlob, DropBlob: a.queue.DropBlob, Now: a.now}, a.log)
		if err != nil {
			return fmt.Errorf("watch %s: %w", c.Path, err)
		}
		a.watch = append(a.watch, w)
	}
	var err error
	a.bulk, err = httpbulk.New(a.cfg.HTTP, a.verifySender, a.publish, a.log)
	return err
}

// Close stops what was built, last first. Each error is logged; stopping goes
// on.
func (a *App) Close() {
	for i := len(a.stops) - 1; i >= 0; i-- {
		if err := a.stops[i].f(); err != nil {
			a.log.Error("stop "+a.stops[i].what, "err", err)
		}
	}
	a.stops = nil
}
