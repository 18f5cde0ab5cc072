// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package syslog listens for syslog over UDP, TCP and TLS and puts what comes
// on the queue as it came. What a message means (RFC 5424, RFC 3164 or neither)
// is the decoder's business.
//
// It promises that every message stands under its sender, its connection and
// its position there, so that its id is the same however often it is delivered
// inside; that nothing is cut or lost without being counted; and that it never
// reads faster than the queue takes: with TCP and TLS the sender's window
// closes. Syslog has no acknowledgement, so a sender cannot know what was in
// flight when either side died; UDP cannot even wait, and its losses are
// counted here and, on Linux, in the kernel.
//
// It never answers a sender and never resolves a name.
package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"citywall/internal/fault"
	"citywall/internal/queue"
)

const (
	gatherFor = 100 * time.Millisecond // a message waits at most so long for company
	lastWords = 5 * time.Second        // to hand over what was read when the listener stops
	retryMin  = 50 * time.Millisecond  // while the queue is full
	retryMax  = 2 * time.Second
)

// Publish puts messages on the queue and returns when they are durable.
type Publish func(ctx context.Context, ms ...queue.Message) error

// Listener is one bound socket.
type Listener struct {
	cfg     Config
	publish Publish
	log     *slog.Logger

	udp *net.UDPConn // one of the two
	tcp net.Listener
	tls *tls.Config // nil without TLS

	kind string // Message.Listener
	cut  Cut    // nil: a datagram is a record

	known known

	kernelDrops bool // the kernel tells its losses
	st          counters
}

// counters are written by many connections.
type counters struct {
	conns, refused, records, bytes, cut, broken, lost, kernel atomic.Int64
	blocked                                                   atomic.Int64 // connections that wait for the queue now
}

// Stats is what a listener has seen since it was bound.
type Stats struct {
	Name        string `json:"name"`
	Net         string `json:"net"`
	Addr        string `json:"addr"`
	Connections int64  `json:"connections"`           // open now
	Blocked     int64  `json:"blocked"`               // of them, waiting for the queue now
	Refused     int64  `json:"refused"`               // turned away: too many, or a failed handshake
	Records     int64  `json:"records"`               // messages that are on the queue
	Bytes       int64  `json:"bytes"`                 // of them
	Cut         int64  `json:"cut"`                   // messages longer than max_size, whose end is missing
	Broken      int64  `json:"broken"`                // connections that ended inside a message, which is dropped
	Lost        int64  `json:"lost"`                  // messages read and lost: the backlog was full, or we stopped while the queue was full
	LostKernel  *int64 `json:"lost_kernel,omitempty"` // datagrams the kernel dropped before we read them; nil: it does not tell
}

// Cut calls record for each record that a datagram holds. One goroutine calls
// it, in the order of arrival; what record was given belongs to the caller
// again when it returns.
type Cut func(from netip.AddrPort, b []byte, record func([]byte))

// ListenDatagrams binds a UDP socket for a protocol that is not syslog but comes
// the same way: its datagrams are cut into records. kind is the Listener of its
// messages.
func ListenDatagrams(ctx context.Context, cfg Config, kind string, cut Cut, publish Publish, log *slog.Logger) (*Listener, error) {
	cfg.Net = UDP
	return listen(ctx, cfg, kind, cut, publish, log)
}

// Listen binds the socket. Senders may connect and are served once Run runs.
func Listen(ctx context.Context, cfg Config, publish Publish, log *slog.Logger) (*Listener, error) {
	return listen(ctx, cfg, "syslog-"+cfg.Net, nil, publish, log)
}

func listen(ctx context.Context, cfg Config, kind string, cut Cut, publish Publish, log *slog.Logger) (*Listener, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := &Listener{cfg: cfg, publish: publish, log: log.With("listener", cfg.Name), kind: kind, cut: cut}
	fail := func(err error) (*Listener, error) {
		return nil, fmt.Errorf("%s listener %q: %w", kind, cfg.Name, err)
	}
	var lc net.ListenConfig
	if cfg.Net == UDP {
		pc, err := lc.ListenPacket(ctx, "udp", cfg.Addr)
		if err != nil {
			return fail(err)
		}
		l.udp = pc.(*net.UDPConn)
		if l.kernelDrops, err = prepareUDP(l.udp, cfg.ReceiveBuffer); err != nil {
			return fail(errors.Join(err, l.udp.Close()))
		}
		return l, nil
	}
	var err error
	if cfg.Net == TLS {
		if l.tls, err = cfg.tls(); err != nil {
			return fail(err)
		}
	}
	if l.tcp, err = lc.Listen(ctx, "tcp", cfg.Addr); err != nil {
		return fail(err)
	}
	return l, nil
}

// Addr returns the bound address.
func (l *Listener) Addr() net.Addr {
	if l.udp != nil {
		return l.udp.LocalAddr()
	}
	return l.tcp.Addr()
}

// Run serves until ctx ends, hands over what it has read, and returns nil; or
// returns why it cannot go on. The socket is closed afterwards.
func (l *Listener) Run(ctx context.Context) error {
	var err error
	if l.udp != nil {
		err = l.runUDP(ctx)
	} else {
		err = l.runTCP(ctx)
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s listener %q: %w", l.kind, l.cfg.Name, err)
	}
	return nil
}

// Close closes the socket of a listener that was never run.
func (l *Listener) Close() error {
	if l.udp != nil {
		return l.udp.Close()
	}
	return l.tcp.Close()
}

// Stats returns the counts so far.
func (l *Listener) Stats() Stats {
	s := Stats{
		Name: l.cfg.Name, Net: l.cfg.Net, Addr: l.Addr().String(),
		Connections: l.st.conns.Load(), Blocked: l.st.blocked.Load(), Refused: l.st.refused.Load(),
		Records: l.st.records.Load(), Bytes: l.st.bytes.Load(), Cut: l.st.cut.Load(),
		Broken: l.st.broken.Load(), Lost: l.st.lost.Load(),
	}
	if l.kernelDrops {
		n := l.st.kernel.Load()
		s.LostKernel = &n
	}
	return s
}

// Know tells the listener of senders that are registered while it runs.
func (l *Listener) Know(senders []Sender) { l.known.list.Store(&senders) }

// message starts a message of the sender at a.
func (l *Listener) message(a netip.AddrPort, stream string, received time.Time) queue.Message {
	a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	s := l.known.sender(l.cfg, a.Addr())
	return queue.Message{
		Listener: l.kind, Source: s.Name, Sender: a.String(), Realm: string(l.cfg.Realm),
		Agency: s.Agency, Zone: s.Zone, Stream: stream, Received: received,
	}
}

// newStream names a connection, or the life of a UDP socket: no other ever has
// the same name.
func (l *Listener) newStream() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", err
	}
	return l.cfg.Net + ":" + id.String(), nil
}

// hand publishes ms and waits for as long as the queue is full. When ctx ends
// it tries for lastWords more, then counts what is lost.
func (l *Listener) hand(ctx context.Context, ms []queue.Message) {
	n, bytes := int64(0), int64(0)
	for i := range ms {
		n += int64(len(ms[i].Records))
		bytes += int64(ms[i].Size())
	}
	if n == 0 {
		return
	}
	err := l.publish(ctx, ms...)
	if err != nil {
		l.st.blocked.Add(1)
		defer l.st.blocked.Add(-1)
		last, cancel := afterwards(ctx, lastWords)
		defer cancel()
		for wait := retryMin; err != nil && last.Err() == nil && !fault.Is(err, fault.Invalid); wait = min(2*wait, retryMax) {
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-last.Done():
			}
			t.Stop()
			err = l.publish(last, ms...)
		}
	}
	if err != nil {
		l.st.lost.Add(n)
		l.log.Error(l.kind+": lost what could not be queued", "messages", n, "err", err)
		return
	}
	l.st.records.Add(n)
	l.st.bytes.Add(bytes)
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
