// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// crew decodes the chunks of one file side by side, a few in each job, and hands
// what they hold to the decoder in the order of the file. It has no goroutine
// before the second job is there: most small logs are one.
//
// Carving takes chunks one by one: a lost template may be lent by any before.
type crew struct {
	d       *decoder
	most    int // workers
	own     *kit
	held    *job // the first, until there is another
	work    chan *job
	queue   []*job // given and not finished, in the order of the file
	running int
	wg      sync.WaitGroup
	stop    atomic.Bool
}

// job is a block on its way.
type job struct {
	buf   []byte // 64 KiB
	b     []byte // of these, what the file has
	n     int32
	base  int64
	out   chan *batch
	ended bool // the last batch was taken from out
}

var errStopped = errors.New("nobody listens")

const (
	jobBlocks = 4
	ahead     = 16 // batches of a job that may wait; real jobs rarely have more
)

func newCrew(d *decoder) *crew {
	c := &crew{d: d, most: d.workers}
	if c.most == 0 {
		c.most = runtime.GOMAXPROCS(0)
	}
	if d.src.Carve {
		c.most = 1
	}
	return c
}

// job returns a job to fill.
func (c *crew) job() *job {
	if j := c.d.jobs.take(); j != nil {
		return j
	}
	return &job{buf: make([]byte, jobBlocks*chunkSize), out: make(chan *batch, ahead)}
}

// kit returns a kit for this file.
func (c *crew) kit() *kit {
	k := c.d.kits.take()
	if k == nil {
		k = &kit{}
	}
	k.src, k.model, k.slow = &c.d.src, c.d.model, c.d.slow
	k.c.lend = nil // of another file
	return k
}

func (c *crew) putKit(k *kit) {
	c.d.ran.Add(k.ran)
	k.ran, k.src, k.out, k.send = 0, nil, nil, nil
	c.d.kits.put(k)
}

func (c *crew) batch() *batch {
	if p := c.d.batches.take(); p != nil {
		return p
	}
	return &batch{}
}

// give takes a job.
func (c *crew) give(ctx context.Context, j *job) error {
	switch {
	case c.most == 1:
		return c.alone(j)
	case c.work == nil && c.held == nil:
		c.held = j
		return nil
	case c.work == nil:
		c.work = make(chan *job, 2*c.most)
		c.start(c.held)
		c.held = nil
	}
	if len(c.queue) == 2*c.most {
		if err := c.next(ctx); err != nil {
			c.d.jobs.put(j)
			return err
		}
	}
	c.start(j)
	return nil
}

// start gives a job to a worker.
func (c *crew) start(j *job) {
	if c.running < c.most {
		c.running++
		c.wg.Go(c.worker)
	}
	c.queue = append(c.queue, j)
	c.work <- j
}

// alone decodes a job here and now.
func (c *crew) alone(j *job) error {
	if c.own == nil {
		c.own = c.kit()
		c.own.out = c.batch()
		c.own.send = func(p *batch) (*batch, error) {
			err := c.d.take(p)
			return p.reset(), err
		}
	}
	k := c.own
	c.own = nil // after a panic of the receiver it is not used again
	err := k.job(j)
	if err == nil {
		_, err = k.send(k.out)
	}
	c.own = k
	c.d.jobs.put(j)
	return err
}

// worker takes jobs until there are no more.
func (c *crew) worker() {
	k := c.kit()
	defer func() { c.putKit(k) }()
	for j := range c.work {
		k.out = c.batch()
		k.send = func(p *batch) (*batch, error) {
			j.out <- p
			if c.stop.Load() {
				return c.batch(), errStopped
			}
			return c.batch(), nil
		}
		out := k.out
		if !c.stop.Load() {
			if p := k.guarded(j); p != nil {
				out = c.batch()
				out.panicked = p
				k = c.kit() // who knows what the other one holds
			} else {
				out = k.out
			}
		}
		out.ends = true
		j.out <- out
	}
}

// guarded decodes a job. What it panics with is returned, to be passed on to
// those who wait for the decoder.
func (k *kit) guarded(j *job) (panicked any) {
	defer func() {
		if panicked = recover(); panicked != nil {
			panicked = fmt.Sprintf("%v\n%s", panicked, debug.Stack())
		}
	}()
	_ = k.job(j) // errStopped: nobody listens
	return nil
}

// next hands over what the oldest job holds.
func (c *crew) next(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := c.queue[0]
	c.queue = c.queue[1:]
	defer c.clear(j)
	for !j.ended {
		p := <-j.out
		j.ended = p.ends
		panicked := p.panicked
		err := c.d.take(p)
		c.d.batches.put(p.reset())
		if panicked != nil {
			panic(panicked)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// clear makes a job ready for its next use. What it still holds is not handed
// over, and then nobody listens any more.
func (c *crew) clear(j *job) {
	for !j.ended {
		c.stop.Store(true)
		p := <-j.out
		j.ended = p.ends
		c.d.batches.put(p.reset())
	}
	j.ended = false
	c.d.jobs.put(j)
}

// finish hands over all that is left.
func (c *crew) finish(ctx context.Context) error {
	if j := c.held; j != nil {
		c.held = nil
		return c.alone(j)
	}
	for len(c.queue) > 0 {
		if err := c.next(ctx); err != nil {
			return err
		}
	}
	return nil
}

// dismiss ends the workers. What they still have is not handed over.
func (c *crew) dismiss() {
	if c.own != nil {
		c.d.batches.put(c.own.out.reset())
		c.putKit(c.own)
	}
	if c.work == nil {
		return
	}
	c.stop.Store(true)
	close(c.work)
	for _, j := range c.queue {
		c.clear(j)
	}
	c.queue = nil
	c.wg.Wait()
}
