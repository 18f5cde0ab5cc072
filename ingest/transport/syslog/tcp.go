// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"citywall/internal/queue"
)

const handshakeFor = 15 * time.Second

func (l *Listener) runTCP(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.tcp.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel() // before the wait
	slots := make(chan struct{}, l.cfg.MaxConns)
	for {
		conn, err := l.tcp.Accept()
		if err != nil {
			if temporary(err) && ctx.Err() == nil {
				// Out of file descriptors: those that are connected go on.
				l.log.Warn("syslog: accept", "err", err)
				if !sleep(ctx, retryMax) {
					return ctx.Err()
				}
				continue
			}
			return errors.Join(err, l.tcp.Close())
		}
		select {
		case slots <- struct{}{}:
		default:
			l.st.refused.Add(1)
			conn.Close()
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			l.st.conns.Add(1)
			defer l.st.conns.Add(-1)
			if err := l.serve(ctx, conn); err != nil {
				l.log.Warn("syslog: connection", "sender", conn.RemoteAddr(), "err", err)
			}
		})
	}
}

// serve reads one connection to its end. A connection that is blocked in the
// queue is not read, and TCP tells the sender.
func (l *Listener) serve(ctx context.Context, conn net.Conn) error {
	raw := conn
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return err
	}
	if l.tls != nil {
		t := tls.Server(conn, l.tls)
		hctx, cancel := context.WithTimeout(ctx, handshakeFor)
		err := t.HandshakeContext(hctx)
		cancel()
		if err != nil {
			l.st.refused.Add(1)
			return fmt.Errorf("handshake: %w", err)
		}
		conn = t
	}
	stream, err := l.newStream()
	if err != nil {
		return err
	}

	fr := framer{max: l.cfg.MaxSize}
	buf := make([]byte, 64<<10)
	g := gathering{l: l, from: from, stream: stream}
	for {
		until := time.Now().Add(l.cfg.Idle)
		if !g.flushAt.IsZero() {
			until = g.flushAt
		}
		if err := conn.SetReadDeadline(until); err != nil {
			return l.end(ctx, &g, &fr, err)
		}
		n, err := conn.Read(buf)
		now := time.Now()
		fr.feed(buf[:n])
		for f, ok := fr.next(); ok; f, ok = fr.next() {
			g.add(ctx, f, now)
		}
		timeout := errors.Is(err, os.ErrDeadlineExceeded)
		if !g.flushAt.IsZero() && (timeout || !now.Before(g.flushAt)) {
			g.flush(ctx)
			if timeout {
				continue
			}
		}
		if err != nil {
			return l.end(ctx, &g, &fr, err)
		}
	}
}

// end hands over what is left of a connection.
func (l *Listener) end(ctx context.Context, g *gathering, fr *framer, err error) error {
	if errors.Is(err, io.EOF) {
		f, ok, broken := fr.rest()
		if ok {
			g.add(ctx, f, time.Now())
		}
		if broken {
			l.st.broken.Add(1)
		}
		err = nil
	} else if len(fr.buf) > 0 {
		l.st.broken.Add(1)
	}
	g.flush(ctx)
	if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil // we stopped, or the sender fell silent
	}
	return err
}

// gathering is the message that a connection is filling.
type gathering struct {
	l       *Listener
	from    netip.AddrPort
	stream  string
	seq     uint64
	msg     queue.Message
	size    int
	flushAt time.Time // zero when there is nothing to flush
}

func (g *gathering) add(ctx context.Context, f frame, now time.Time) {
	if f.cut {
		g.l.st.cut.Add(1)
	}
	if len(g.msg.Records) == 0 {
		g.msg = g.l.message(g.from, g.stream, now)
		g.msg.ID = fmt.Sprintf("%s/%d", g.stream, g.seq)
		g.flushAt = now.Add(gatherFor)
	}
	g.msg.Records = append(g.msg.Records, queue.Record{Seq: g.seq, Offset: f.offset, After: now.Sub(g.msg.Received), Data: f.data})
	g.seq++
	g.size += len(f.data)
	if len(g.msg.Records) >= queue.TargetRecords || g.size >= queue.TargetBytes {
		g.flush(ctx)
	}
}

func (g *gathering) flush(ctx context.Context) {
	if len(g.msg.Records) > 0 {
		g.l.hand(ctx, []queue.Message{g.msg})
	}
	g.msg, g.size, g.flushAt = queue.Message{}, 0, time.Time{}
}

func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
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
