// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package grid

import (
	"context"
	"fmt"
	"sync"
)

// Run plays the cases with so many workers and returns their results in the
// order of the cases. done, when given, is called after each case, one call at a
// time. The first error ends the run.
func Run(ctx context.Context, cases []Case, workers int, done func(n int, r Result)) ([]Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := make([]Result, len(cases))
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex // guards n and the calls of done
	n := 0
	for range max(workers, 1) {
		wg.Go(func() {
			for i := range next {
				r, err := Play(ctx, cases[i], 1)
				if err != nil {
					cancel(fmt.Errorf("play %s: %w", cases[i], err))
					continue
				}
				out[i] = r
				mu.Lock()
				if n++; done != nil {
					done(n, r)
				}
				mu.Unlock()
			}
		})
	}
feed:
	for i := range cases {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return out, nil
}
