// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"citywall/eventstore"
	"citywall/internal/fault"
)

// Store is an eventstore.Store.
type Store struct {
	opt   Options
	cl    *cluster
	token string // of this process as the owner

	// mu is held by the one writer, so by Append, LetGo and Close.
	mu     sync.Mutex
	enc    encoder
	next   uint64 // number of the next batch
	stale  bool   // settle before the next batch
	pruned uint32 // UTC day on which the log was last pruned

	closed atomic.Bool

	viewMu sync.RWMutex
	v      view
}

// Open opens or makes the store. When some shards do not answer, what the
// others have can be read, and writing begins once all are there.
func Open(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c, err := connect(o)
	if err != nil {
		return nil, err
	}
	s := &Store{opt: o, cl: c, token: uuid.NewString(), stale: true}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(storeFault("open the event store", err), c.close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.settle(ctx); err != nil && !gone(err) {
		return err
	}
	return nil
}

func (s *Store) show(v view) {
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	s.v = v
}

func (s *Store) seen() view {
	s.viewMu.RLock()
	defer s.viewMu.RUnlock()
	return s.v
}

var errClosed = fault.New(fault.Unavailable, "the event store is closed")

// Close notes that nothing was left behind, and releases the connections.
// Questions under way fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Swap(true) {
		return nil
	}
	var err error
	if !s.stale {
		// Without it the next owner has one gap more to look past: no harm.
		ctx, cancel := context.WithTimeout(context.Background(), s.opt.Timeout)
		defer cancel()
		if werr := s.cl.onAll(func(n *node) error { return s.writeRecord(ctx, n, record{kind: recRest, seq: s.next, name: "rest"}) }); werr != nil && !gone(werr) {
			err = fmt.Errorf("close the event store: %w", werr)
		}
	}
	return errors.Join(err, s.cl.close())
}

var _ eventstore.Store = (*Store)(nil)
