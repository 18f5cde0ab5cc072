// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package live is the one path of an event through a running Citywall:
//
//	take         packs from the queue, gathered into a batch        intake.go
//	decode       bytes into events                                  decode.go
//	keep         in the event store, each id once                   stages.go
//	detect       rules raise findings                               stages.go
//	behave       detectors that look at many events raise some      behave.go
//	record       findings into their records                        stages.go
//	hand over    to correlation, which has its own pace             correlate.go
//	acknowledge  the packs: the queue may forget them               stages.go
//
// It promises that a pack is acknowledged only when its events are in the store
// and its findings in their records. Killed anywhere and started again, it does
// what was not acknowledged once more; ids make that invisible, and correlation
// is filled anew from what is stored, so that incidents are complete too.
// Bytes that no decoder understands are kept as an event that says so, and what
// the store refuses is put aside with the reason: neither stops the others.
//
// When a part behind it is down or full, it waits and says so in Health; the
// queue grows, and after it the senders wait.
//
// It never drops, never samples, and never answers a device.
package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/detect/behaviour"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/eventstore"
	"citywall/incident"
	"citywall/incident/correlate"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/internal/queue"
)

// Parts are what the pipeline runs on.
type Parts struct {
	Queue     *queue.Queue
	Store     eventstore.Store
	Rules     *sigma.Engine // nil: none are loaded; SetRules may give some later
	Correlate correlate.Config

	// SaveFindings keeps findings; one that is kept already changes nothing.
	SaveFindings func(ctx context.Context, fs []detect.Finding) error
	// EachFinding calls f for the kept findings of the realm whose time lies in
	// [from, to).
	EachFinding func(ctx context.Context, from, to time.Time, f func(detect.Finding)) error
	// SaveIncidents keeps everything correlation says now, and returns the
	// records that are new or changed by it.
	SaveIncidents func(ctx context.Context, is []incident.Incident) (changed []string, err error)

	// LoadState and SaveState keep what the detectors of behaviour remember over
	// restarts. nil: they begin anew.
	LoadState func(ctx context.Context) (detect.State, error)
	SaveState func(ctx context.Context, st detect.State) error

	// Muted reports whether a rule, or a detector by its rule's id, is switched
	// off: its findings are dropped before anybody sees them, and what it
	// remembers or feeds goes on. It is asked for every finding. nil: none is.
	Muted func(rule string) bool

	// Observe is shown, in order and each once, the events that are kept and whose
	// findings are recorded. It stands in the way of the next batch and must be
	// quick; it may neither keep nor change an event. nil: nobody looks.
	Observe func([]*event.Event)

	SourcesFile string           // where the state of sources is kept over restarts; "" not at all
	Now         func() time.Time // nil: time.Now
	Log         *slog.Logger
}

// Live is a running pipeline.
type Live struct {
	cfg Config
	p   Parts
	now func() time.Time
	log *slog.Logger

	rules     atomic.Pointer[ruleSet]
	ruleStats atomic.Pointer[sigma.Stats]
	behaved   atomic.Pointer[behaviour.Stats]
	record    func([]byte, format.Pos, format.Source) (*event.Event, error) // ingest.Record

	decoder  decoder
	matching matching // of the stage detect alone
	behaving behaving // of the stage behave, and of warm before it
	recorded uint64   // highest place in the stream whose findings are recorded; of the stage record
	recent   recent   // of the stage keep, and of warm before it
	sources  *sources
	hub      hub

	topology atomic.Pointer[asset.Topology] // that correlation knows
	redrawn  chan struct{}                  // tells the correlator of another topology
	handed   chan *batch                    // to the correlator; closed when the last stage ends
	settle   chan chan error
	inFlight atomic.Int64 // packs taken and not yet acknowledged
	st       counters

	mu      sync.Mutex
	trouble map[string]Trouble
	health  correlation
	holding int                       // HoldAcks that are in force
	held    map[uint64]queue.Delivery // acknowledgements that wait for them, by position
}

type ruleSet struct{ engine *sigma.Engine }

type counters struct {
	events, findings, undecoded, batches atomic.Int64

	busy struct { // nanoseconds
		decode, keep, detect, behave, record, handOver, acknowledge, observe, answer atomic.Int64
	}
}

// Busy is for how many seconds each stage has worked since start. The one that
// works all the time is what the others wait for. Only handing over counts what
// it waits for correlation.
type Busy struct {
	Decode      float64 `json:"decode"`
	Keep        float64 `json:"keep"`
	Detect      float64 `json:"detect"`
	Behave      float64 `json:"behave"`
	Record      float64 `json:"record"`
	HandOver    float64 `json:"hand_over"`
	Acknowledge float64 `json:"acknowledge"`
	Observe     float64 `json:"observe"` // of correlation: taking events in
	Answer      float64 `json:"answer"`  // of correlation: working out incidents
}

func (c *counters) busySeconds() Busy {
	s := func(n *atomic.Int64) float64 { return time.Duration(n.Load()).Seconds() }
	b := &c.busy
	return Busy{s(&b.decode), s(&b.keep), s(&b.detect), s(&b.behave), s(&b.record), s(&b.handOver), s(&b.acknowledge), s(&b.observe), s(&b.answer)}
}

// New returns a pipeline that is not running yet.
func New(cfg Config, p Parts) (*Live, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if p.Queue == nil || p.Store == nil || p.SaveFindings == nil || p.EachFinding == nil || p.SaveIncidents == nil || p.Log == nil {
		return nil, errors.New("pipeline: queue, store, log and the functions that save are all needed")
	}
	if err := p.Correlate.Validate(); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	l := &Live{
		cfg: cfg, p: p, now: p.Now, log: p.Log, record: ingest.Record,
		redrawn: make(chan struct{}, 1), handed: make(chan *batch, 2), settle: make(chan chan error), trouble: map[string]Trouble{}, held: map[uint64]queue.Delivery{},
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.recent = newRecent(recentEvents)
	if cfg.Behaviour {
		l.behaving.set = behaviour.New()
	}
	var err error
	if l.sources, err = newSources(cfg, p.SourcesFile, l.now, l.hub.send, p.Log); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	l.topology.Store(&p.Correlate.Topology)
	l.SetRules(p.Rules)
	return l, nil
}

// SetTopology exchanges what correlation knows of the network. It keeps all it
// has observed and answers anew, as if it had known t from the beginning.
func (l *Live) SetTopology(t asset.Topology) {
	l.topology.Store(&t)
	select {
	case l.redrawn <- struct{}{}:
	default: // it will see the newest when it looks
	}
}

// SetRules exchanges the rules. Batches that are being matched finish with the
// old ones.
func (l *Live) SetRules(e *sigma.Engine) { l.rules.Store(&ruleSet{e}) }

// RuleStats returns what the rules did since they were set, a few seconds old.
func (l *Live) RuleStats() sigma.Stats {
	if s := l.ruleStats.Load(); s != nil {
		return *s
	}
	return sigma.Stats{}
}

// Run works until ctx ends, finishes what it has in hand within Grace, and
// returns nil; or returns why it cannot go on.
func (l *Live) Run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	work, stop := afterwards(ctx, l.cfg.Grace)
	defer stop()
	stages := []stage{
		{"keep", l.keep, &l.st.busy.keep},
		{"detect", l.detect, &l.st.busy.detect},
		{"behave", l.behave, &l.st.busy.behave},
		{"record", l.recordFindings, &l.st.busy.record},
		{"hand over", l.handOver, &l.st.busy.handOver},
		{"acknowledge", l.acknowledge, &l.st.busy.acknowledge},
	}
	// Before correlation reads findings back: those that warm makes up for come
	// no other way.
	l.takeUpBehaviour(ctx)
	l.warm(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.correlate(work, ctx.Done()); err != nil && work.Err() == nil {
			fail(fmt.Errorf("pipeline: correlate: %w", err))
		}
	})
	wg.Go(func() { l.sources.run(ctx, l.announce) })

	taken := make(chan *batch, ahead)
	in := (<-chan *batch)(taken)
	for _, s := range stages {
		from, out := in, make(chan *batch)
		wg.Go(func() {
			defer close(out)
			s.run(work, l, from, out)
		})
		in = out
	}
	wg.Go(func() {
		for range in { // acknowledged
		}
		close(l.handed)
	})
	if err := l.take(ctx, work, taken); err != nil && ctx.Err() == nil {
		fail(fmt.Errorf("pipeline: take: %w", err))
	}
	close(taken)
	wg.Wait()
	l.saveLast(context.WithoutCancel(ctx))
	var err error
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		err = cause
	}
	return errors.Join(err, l.sources.save())
}

// ahead is how many decoded batches may wait for the store. It stands still now
// and then, for a second, while DuckDB writes a checkpoint; decoding goes on
// meanwhile, and has something to give when the store comes back.
const ahead = 2

// Settle waits until everything that was on the queue when it was called has
// been acknowledged and the incidents are those of all of it.
func (l *Live) Settle(ctx context.Context) error {
	for {
		st, err := l.p.Queue.Stats(ctx)
		if err != nil {
			return err
		}
		if st.Messages == 0 && l.inFlight.Load() == 0 {
			break
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	done := make(chan error, 1)
	select {
	case l.settle <- done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Trouble is a stage that waits for another part.
type Trouble struct {
	Stage string    `json:"stage"`
	Since time.Time `json:"since"`
	Error string    `json:"error"`
}

// Health is the state of the pipeline.
type Health struct {
	Events    int64            `json:"events"`    // kept since start, each once
	Findings  int64            `json:"findings"`  // of them
	Undecoded int64            `json:"undecoded"` // records kept as bytes that no decoder understood
	Batches   int64            `json:"batches"`
	InFlight  int64            `json:"in_flight"` // packs taken from the queue and not acknowledged
	Busy      Busy             `json:"busy_seconds"`
	Trouble   []Trouble        `json:"trouble,omitempty"`
	Correlate correlation      `json:"correlate"`
	Behaviour *behaviour.Stats `json:"behaviour,omitempty"` // what the detectors of behaviour saw
}

// correlation is the state of the correlator.
type correlation struct {
	Refilling bool          `json:"refilling"` // reading back what is stored
	Refilled  int64         `json:"refilled"`  // events read back last time
	Cut       bool          `json:"cut"`       // by RefillMax: the baseline is shorter than Lookback
	Incidents int           `json:"incidents"` // in the last answer
	Took      time.Duration `json:"took"`      // the last answer
	At        time.Time     `json:"at,omitzero"`
}

// Health returns the state of the pipeline.
func (l *Live) Health() Health {
	h := Health{
		Events: l.st.events.Load(), Findings: l.st.findings.Load(), Undecoded: l.st.undecoded.Load(),
		Batches: l.st.batches.Load(), InFlight: l.inFlight.Load(), Busy: l.st.busySeconds(), Behaviour: l.behaved.Load(),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h.Correlate = l.health
	for _, t := range l.trouble {
		h.Trouble = append(h.Trouble, t)
	}
	return h
}

// Expect sets after how long the silence of a source counts, by its name.
func (l *Live) Expect(silence map[string]time.Duration) { l.sources.expect(silence) }

// Sources returns what arrives, by name.
func (l *Live) Sources() []Source { return l.sources.list() }

// Subscribe returns notices from now on. One who does not read fast enough
// misses some and is told how many. cancel ends it and closes the channel.
func (l *Live) Subscribe() (notices <-chan Notice, cancel func()) { return l.hub.subscribe() }

const (
	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
)

// insist calls f until it succeeds, ctx ends, or it returns an error that
// trying again cannot mend.
func (l *Live) insist(ctx context.Context, stage string, f func(context.Context) error) error {
	wait := retryMin
	for {
		err := f(ctx)
		if err == nil || !worthAnother(err) {
			l.mu.Lock()
			delete(l.trouble, stage)
			l.mu.Unlock()
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.mu.Lock()
		t, known := l.trouble[stage]
		if !known {
			t = Trouble{Stage: stage, Since: l.now()}
		}
		t.Error = err.Error()
		l.trouble[stage] = t
		l.mu.Unlock()
		if !known {
			l.log.Error("pipeline: waiting", "stage", stage, "err", err)
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
		wait = min(2*wait, retryMax)
	}
}

// afterwards returns a context that ends d after ctx does.
func afterwards(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(d, cancel)
		context.AfterFunc(out, func() { t.Stop() })
	})
	return out, func() { stop(); cancel() }
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
