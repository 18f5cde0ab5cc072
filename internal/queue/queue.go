// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package queue stands between the listeners and the workers: a nats-server in
// this process, without a port, with one JetStream stream on disk.
//
// It promises that when Publish returns nil, the message has been written and
// synced, and that it is delivered again and again, over restarts too, until
// somebody acknowledges it. A message may be delivered more than once; the
// event ids make that invisible. Publishers that wait at the same time share
// one write to disk.
//
// What happens when it is full (MaxBytes, or the disk has less than MinFree):
// nothing that was accepted is thrown away. Publish returns fault.Busy, and
// each listener passes that on as its protocol can: HTTP answers 503 with
// Retry-After, TCP and TLS syslog stop reading so that the sender's window
// closes, a followed file is read later, and UDP syslog, which cannot wait,
// counts what it loses.
//
// It never looks into records, never drops the oldest to make room, and never
// deletes what it cannot read: that is put aside under dead/. Files of its own
// that were damaged from outside are opened as far as they go; Mishaps says
// which packs that cost (ledger.go).
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"citywall/internal/disk"
	"citywall/internal/durable"
	"citywall/internal/fault"
	"citywall/internal/mishap"
)

const (
	streamName   = "EVENTS"
	storeDir     = "jetstream"
	subject      = "events"
	consumerName = "pipeline"
	inFlight     = 2 // packs on their way to disk; more publishers than that share the next pack
	startTimeout = 30 * time.Second
	ackTimeout   = 30 * time.Second // for one pack to reach the disk
)

// Queue is one open queue. Its methods may be called concurrently, except
// Receive, which has one caller.
type Queue struct {
	cfg Config
	dir string
	log *slog.Logger

	srv  *server.Server
	nc   *nats.Conn
	js   jetstream.JetStream
	str  jetstream.Stream
	cons jetstream.Consumer

	enc *zstd.Encoder // EncodeAll only: safe for concurrent use
	dec *zstd.Decoder // DecodeAll only

	in      chan *request // publishers to gather
	stopped chan struct{} // closed by Close: no new requests
	wg      sync.WaitGroup
	close   sync.Once

	free    disk.Watch
	st      counters
	ledger  ledger
	mishaps []mishap.Mishap // of Open alone
}

// Open starts the queue in dir, which belongs to it alone, and makes
// everything that was not acknowledged before ready for delivery.
func Open(ctx context.Context, dir string, cfg Config, log *slog.Logger) (*Queue, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	for _, d := range []string{dir, filepath.Join(dir, blobDir), filepath.Join(dir, deadDir)} {
		if err := durable.Mkdir(d); err != nil {
			return nil, fmt.Errorf("open queue: %w", err)
		}
	}
	q := &Queue{cfg: cfg, dir: dir, log: log, in: make(chan *request), stopped: make(chan struct{})}
	q.free = disk.Watch{Dir: dir, Keep: cfg.MinFree, Config: disk.Defaults()}
	var err error
	if q.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(inFlight)); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	if q.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked)); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	q.ledger.path = filepath.Join(dir, ledgerName)
	for _, step := range []func(context.Context) error{q.startMending, q.account, q.takeIn, q.sweep} {
		if err := step(ctx); err != nil {
			q.shutdown()
			return nil, fmt.Errorf("open queue: %w", err)
		}
	}
	q.wg.Go(func() { q.gather(context.WithoutCancel(ctx)) })
	return q, nil
}

// startMending starts, and when the server's files keep it from that, sets them
// aside first. The ledger says what that costs.
func (q *Queue) startMending(ctx context.Context) error {
	store := filepath.Join(q.dir, storeDir)
	// What the server remembers of the consumer: what it delivered before a kill,
	// whose answers it would await for AckWait. A new consumer delivers at once;
	// what was acknowledged is no longer in the stream. Asking the server to
	// delete the consumer is not enough: one whose meta file is damaged it does
	// not know, but goes by the state that lies there.
	if err := os.RemoveAll(filepath.Join(store, "jetstream", "$G", "streams", streamName, "obs")); err != nil {
		return err
	}
	err := q.start(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if _, serr := os.Stat(store); serr != nil {
		return err
	}
	q.stopServer()
	to, merr := q.setAside(store)
	if merr != nil {
		return errors.Join(err, merr)
	}
	q.log.Error("queue: its files cannot be opened; set aside", "what", store, "to", to, "err", err)
	if err = q.start(ctx); err == nil {
		q.tell(mishap.New(mishap.QueueDamaged, q.dir, time.Now(), "aside", to))
	}
	return err
}

// start brings up server, stream and consumer.
func (q *Queue) start(ctx context.Context) error {
	opts := &server.Options{
		ServerName: "citywall", DontListen: true, NoSigs: true, DisableJetStreamBanner: true,
		JetStream: true, StoreDir: filepath.Join(q.dir, storeDir), SyncAlways: true,
		// Nothing is kept in memory; the stream's own limit refuses before the
		// server's does, whose answer would stop JetStream as a whole.
		JetStreamMaxMemory: 1 << 20, JetStreamMaxStore: q.cfg.MaxBytes + q.cfg.MaxBytes/4 + 64<<20,
		MaxPayload: maxPayload, MaxPending: 64 << 20,
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	q.srv = srv
	srv.SetLoggerV2(serverLog{q.log}, false, false, false)
	srv.Start()
	if !srv.ReadyForConnections(startTimeout) {
		return fault.New(fault.Unavailable, "the queue's server was not ready within %v", startTimeout)
	}
	if q.nc, err = nats.Connect("", nats.InProcessServer(srv), nats.Name("citywall"), nats.MaxReconnects(-1)); err != nil {
		return err
	}
	if q.js, err = jetstream.New(q.nc); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	q.str, err = q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: streamName, Subjects: []string{subject}, Storage: jetstream.FileStorage,
		Retention:  jetstream.WorkQueuePolicy, // a message goes when it is acknowledged, not before
		Discard:    jetstream.DiscardNew,      // when full, push back
		MaxBytes:   q.cfg.MaxBytes,
		Duplicates: q.cfg.Duplicates,
	})
	if err != nil {
		return err
	}
	q.cons, err = q.str.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: consumerName, AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy,
		AckWait: q.cfg.AckWait, MaxDeliver: -1, MaxAckPending: maxAckPending,
	})
	return err
}

// Close stops taking messages, waits for those on their way to disk, and shuts
// the server down. Publishers that still wait get fault.Unavailable.
func (q *Queue) Close() error {
	q.close.Do(func() {
		close(q.stopped)
		q.wg.Wait()
		q.shutdown()
	})
	return nil
}

func (q *Queue) stopServer() {
	if q.nc != nil {
		q.nc.Close()
		q.nc = nil
	}
	if q.srv != nil {
		q.srv.Shutdown()
		q.srv.WaitForShutdown()
		q.srv = nil
	}
}

func (q *Queue) shutdown() {
	q.stopServer()
	if err := q.ledger.close(); err != nil {
		q.log.Warn("queue: close the ledger", "err", err)
	}
	if q.enc != nil {
		_ = q.enc.Close() // EncodeAll leaves nothing to flush
	}
	if q.dec != nil {
		q.dec.Close()
	}
}

// Stats is the state of the queue.
type Stats struct {
	Messages  uint64    `json:"messages"` // packs in the stream: not yet acknowledged
	Bytes     uint64    `json:"bytes"`    // of them, on disk
	MaxBytes  int64     `json:"max_bytes"`
	LastSeq   uint64    `json:"last_seq"`        // position of the last pack that was ever written
	Oldest    time.Time `json:"oldest,omitzero"` // arrival of the oldest that waits
	Published int64     `json:"published"`       // since start: messages
	Packs     int64     `json:"packs"`           // since start: writes to disk that carried them
	Raw       int64     `json:"raw"`             // since start: bytes before compression
	Packed    int64     `json:"packed"`          // since start: bytes after it
	Refused   int64     `json:"refused"`         // since start: Publish calls that were told "busy"
	Buried    int64     `json:"buried"`          // since start: put aside under dead/
}

// Fill returns how full the queue is, 0 to 1.
func (s Stats) Fill() float64 { return float64(s.Bytes) / float64(s.MaxBytes) }

// Stats asks the stream.
func (q *Queue) Stats(ctx context.Context) (Stats, error) {
	info, err := q.str.Info(ctx)
	if err != nil {
		return Stats{}, fault.New(fault.Unavailable, "ask the queue for its state: %w", err)
	}
	s := Stats{
		Messages: info.State.Msgs, Bytes: info.State.Bytes, LastSeq: info.State.LastSeq, MaxBytes: q.cfg.MaxBytes,
		Published: q.st.published.Load(), Packs: q.st.packs.Load(), Raw: q.st.raw.Load(), Packed: q.st.packed.Load(),
		Refused: q.st.refused.Load(), Buried: q.st.buried.Load(),
	}
	if s.Messages > 0 {
		s.Oldest = info.State.FirstTime
	}
	return s, nil
}

// serverLog passes the server's warnings on; its chatter stays out.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Noticef(f string, v ...any) { l.log.Debug("queue server: " + fmt.Sprintf(f, v...)) }
func (l serverLog) Debugf(string, ...any)      {}
func (l serverLog) Tracef(string, ...any)      {}
func (l serverLog) Warnf(f string, v ...any)   { l.log.Warn("queue server: " + fmt.Sprintf(f, v...)) }
func (l serverLog) Errorf(f string, v ...any)  { l.log.Error("queue server: " + fmt.Sprintf(f, v...)) }
func (l serverLog) Fatalf(f string, v ...any)  { l.log.Error("queue server: " + fmt.Sprintf(f, v...)) }
