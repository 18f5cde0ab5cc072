// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package clickhouse keeps events in a ClickHouse cluster that a site runs, for
// cities that have outgrown one machine. It speaks the native protocol and needs
// no cgo.
//
// Events lie in a MergeTree table on every shard, by day and time, and are read
// through a Distributed table over all of them. ClickHouse has no transactions
// and no unique keys; what follows is promised without them:
//
//   - A batch is stored whole or not at all, and no reader sees a part of it.
//     Its rows carry a number and are shown once a record of that number lies in
//     the log table; the log lies on every shard. Rows whose record was never
//     written stay hidden for good.
//   - A batch that comes again is recognised by its MsgID in the log, and an
//     event by its id among those near its own time.
//   - One Citywall writes at a time. Whoever opens the store for writing last is
//     its owner, and an earlier one is told so before and after each batch.
//   - When a shard cannot be reached, reads say which (eventstore.Incomplete) and
//     nothing can be written: senders wait, as for a full queue. A read that
//     began whole and loses a shard under way is asked again without it; an
//     export that did so fails. A server that takes connections and then says
//     nothing makes reads fail, and is named: 18.16 waits for it all the same.
//   - A commit survives a kill of Citywall and of the servers' processes.
//     ClickHouse writes to disk when its system likes to: against loss of power
//     set fsync_after_insert on servers that know it.
//
// Values become part of the SQL text, quoted in literal and nowhere else: the
// old servers have no parameters.
//
// Shards with replicas are refused, because writing to them was never tried. It
// was tried on a cluster of two shards of version 18.16, whose SQL the newer
// read too; a current cluster was not run. It never decodes, never judges, and
// never forgets an event by itself.
package clickhouse

import (
	"crypto/tls"
	"regexp"
	"time"

	"citywall/internal/fault"
)

// Options say where and how.
type Options struct {
	Addrs    []string         // host:port of every server of the cluster, native protocol
	Cluster  string           // its name in the servers' configuration (remote_servers)
	Database string           // made when absent
	User     string           // "" means "default"
	Password string           // secret: never shown
	TLS      *tls.Config      // nil: in the clear
	Timeout  time.Duration    // of reaching a server; 0 means 5 s
	Silence  time.Duration    // how long a shard at work may say nothing, not even how far it is; 0 means 10 s
	OwnDays  int              // days back with a partition of their own, older events share one; 0 means 400
	Remember time.Duration    // how long a MsgID is remembered, at least; 0 means 30 days
	Now      func() time.Time // nil means time.Now
}

// word is what a name of a database or cluster may be: it stands in the SQL.
var word = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

func (o Options) withDefaults() (Options, error) {
	switch {
	case len(o.Addrs) == 0:
		return o, fault.New(fault.Invalid, "event store: no ClickHouse server is named")
	case !word.MatchString(o.Database):
		return o, fault.New(fault.Invalid, "event store: the database %q is no name of letters, digits and _", o.Database)
	case !word.MatchString(o.Cluster):
		return o, fault.New(fault.Invalid, "event store: the cluster %q is no name of letters, digits and _", o.Cluster)
	}
	if o.User == "" {
		o.User = "default"
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Silence <= 0 {
		o.Silence = 10 * time.Second
	}
	if o.OwnDays <= 0 {
		o.OwnDays = 400
	}
	if o.Remember <= 0 {
		o.Remember = 30 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}
