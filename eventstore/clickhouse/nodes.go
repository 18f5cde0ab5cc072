// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"citywall/eventstore"
	"citywall/internal/fault"
)

// node is one server.
type node struct {
	addr string
	conn driver.Conn

	mu    sync.Mutex // guards what follows
	shard int        // its number, 0 until it answered
	ready bool       // its tables are there
}

// cluster is all servers of the store, one for each shard.
type cluster struct {
	opt   Options
	nodes []*node

	mu      sync.Mutex // guards weights
	weights []uint64   // of the shards in order, nil until a server answered
}

func connect(o Options) (*cluster, error) {
	c := &cluster{opt: o}
	for _, a := range o.Addrs {
		conn, err := clickhouse.Open(&clickhouse.Options{
			Addr: []string{a}, Auth: clickhouse.Auth{Username: o.User, Password: o.Password}, TLS: o.TLS,
			Compression: &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
			DialTimeout: o.Timeout, MaxOpenConns: 32, MaxIdleConns: 8,
			ReadTimeout: 2 * o.Silence, // longer than among the servers, so that ours can say which is silent
		})
		if err != nil {
			return nil, errors.Join(fault.New(fault.Invalid, "event store: ClickHouse server %s: %w", a, err), c.close())
		}
		c.nodes = append(c.nodes, &node{addr: a, conn: conn})
	}
	return c, nil
}

func (c *cluster) close() error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.conn.Close())
	}
	return errors.Join(errs...)
}

// meet asks a server who it is and makes its tables.
func (c *cluster) meet(ctx context.Context, n *node) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ready {
		return nil
	}
	rows, err := n.conn.Query(ctx, "SELECT shard_num, shard_weight, replica_num, is_local FROM system.clusters WHERE cluster = '"+c.opt.Cluster+"' ORDER BY shard_num, replica_num")
	if err != nil {
		return fmt.Errorf("ask %s for the cluster: %w", n.addr, err)
	}
	defer rows.Close()
	var weights []uint64
	for rows.Next() {
		var shard, weight, replica uint32
		var local uint8
		if err := rows.Scan(&shard, &weight, &replica, &local); err != nil {
			return fmt.Errorf("ask %s for the cluster: %w", n.addr, err)
		}
		if replica > 1 {
			return fault.New(fault.Invalid, "event store: shard %d of the cluster %s has replicas, which Citywall was never tried with; name a cluster with one server for each shard", shard, c.opt.Cluster)
		}
		weights = append(weights, uint64(weight))
		if local == 1 {
			n.shard = int(shard)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("ask %s for the cluster: %w", n.addr, err)
	}
	switch {
	case len(weights) == 0:
		return fault.New(fault.Invalid, "event store: the server %s knows no cluster %q: look at remote_servers in its configuration", n.addr, c.opt.Cluster)
	case n.shard == 0:
		return fault.New(fault.Invalid, "event store: the server %s finds itself nowhere in the cluster %s: its own address and port must stand in remote_servers", n.addr, c.opt.Cluster)
	case len(weights) != len(c.nodes):
		return fault.New(fault.Invalid, "event store: the cluster %s has %d shards, and %d servers are named: name every one once", c.opt.Cluster, len(weights), len(c.nodes))
	}
	c.mu.Lock()
	if c.weights == nil {
		c.weights = weights
	}
	same := slices.Equal(c.weights, weights)
	c.mu.Unlock()
	if !same {
		return fault.New(fault.Invalid, "event store: the servers do not agree about the cluster %s: %s has it otherwise", c.opt.Cluster, n.addr)
	}
	var have uint64
	if err := n.conn.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = '"+c.opt.Database+"'").Scan(&have); err != nil {
		return fmt.Errorf("ask %s for the database: %w", n.addr, err)
	}
	qs := tables(c.opt.Database, c.opt.Cluster)
	if have == 0 { // only then is the right to make one needed
		qs = append([]string{"CREATE DATABASE IF NOT EXISTS " + c.opt.Database}, qs...)
	}
	for _, q := range qs {
		if err := n.conn.Exec(ctx, q); err != nil {
			return fmt.Errorf("set up %s: %w", n.addr, err)
		}
	}
	n.ready = true
	return nil
}

// all meets every server, and says which do not answer.
func (c *cluster) all(ctx context.Context) error {
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Go(func() { errs[i] = c.meet(ctx, n) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	seen := map[int]string{}
	for _, n := range c.nodes {
		if other := seen[n.shard]; other != "" {
			return fault.New(fault.Invalid, "event store: %s and %s are the same shard: name every shard once", other, n.addr)
		}
		seen[n.shard] = n.addr
	}
	return nil
}

// byShard returns the server of each shard in order. all succeeded before.
func (c *cluster) byShard() []*node {
	out := slices.Clone(c.nodes)
	slices.SortFunc(out, func(a, b *node) int { return a.shard - b.shard })
	return out
}

// onAll runs f for every server at once.
func (c *cluster) onAll(f func(n *node) error) error {
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Go(func() { errs[i] = f(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// missing returns the shards that do not answer, nil when all do.
func (c *cluster) missing(ctx context.Context) *eventstore.Incomplete {
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	up := make([]bool, len(c.nodes)+1)
	var mu sync.Mutex
	_ = c.onAll(func(n *node) error {
		if n.conn.Ping(ctx) != nil {
			return nil
		}
		// Who answers for the first time says now which shard it is.
		if err := c.meet(ctx, n); err != nil {
			return nil //nolint:nilerr // it counts as not answering
		}
		mu.Lock()
		defer mu.Unlock()
		up[n.shard] = true
		return nil
	})
	i := &eventstore.Incomplete{Of: len(c.nodes)}
	for s := 1; s <= len(c.nodes); s++ {
		if !up[s] {
			i.Missing = append(i.Missing, s)
		}
	}
	if i.Missing == nil {
		return nil
	}
	return i
}

// gone reports whether err says that some server did not answer: ours, or in
// an exception of ours (ErrorCodes.cpp of ClickHouse) one of the others. An
// error that has its kind was judged before.
func gone(err error) bool {
	if err == nil || fault.Of(err) != "" {
		return false
	}
	var e *clickhouse.Exception
	if errors.As(err, &e) {
		switch e.Code {
		case 3, // UNEXPECTED_END_OF_FILE
			32,  // ATTEMPT_TO_READ_AFTER_EOF
			198, // DNS_ERROR
			209, // SOCKET_TIMEOUT
			210, // NETWORK_ERROR
			279: // ALL_CONNECTION_TRIES_FAILED
			return true
		}
		return false
	}
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, clickhouse.ErrAcquireConnTimeout) || errors.Is(err, clickhouse.ErrAcquireConnNoAddress)
}

// storeFault says what was being done and gives err the kind that a caller
// can act on.
func storeFault(op string, err error) error {
	var e *clickhouse.Exception
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || fault.Of(err) != "":
		return fmt.Errorf("%s: %w", op, err)
	case gone(err) || strings.Contains(err.Error(), "connection is closed") || strings.Contains(err.Error(), "pool is closed"):
		return fault.New(fault.Unavailable, "%s: %w", op, err)
	case errors.As(err, &e):
		switch e.Code {
		case 252, 202: // TOO_MANY_PARTS, TOO_MANY_SIMULTANEOUS_QUERIES
			return fault.New(fault.Busy, "%s: %w", op, err)
		case 159, 160, 164, 192, 193, 194, 241, 243, 497, 516: // too slow, read only, sign-in, memory, disk, rights
			return fault.New(fault.Unavailable, "%s: %w", op, err)
		}
	}
	return fmt.Errorf("%s: %w", op, err)
}
