// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"citywall/internal/queue"
)

// datagram is one message as the kernel gave it.
type datagram struct {
	from netip.AddrPort
	at   time.Time
	seq  uint64
	off  int64
	data []byte
}

// runUDP has two goroutines: this one does nothing but read, the other hands
// over. Between them lie at most Backlog bytes; what comes on top is lost and
// counted, here where it can be, rather than in the kernel.
func (l *Listener) runUDP(ctx context.Context) error {
	stream, err := l.newStream()
	if err != nil {
		return err
	}
	in := make(chan datagram, backlogMessages)
	var held atomic.Int64 // bytes in the channel
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.gather(ctx, in, &held, stream)
	}()
	stop := context.AfterFunc(ctx, func() { _ = l.udp.Close() })
	defer stop()

	buf := make([]byte, l.cfg.MaxSize+1)
	oob := make([]byte, 64)
	var seq uint64
	var off int64
	for {
		n, on, _, from, rerr := l.udp.ReadMsgUDPAddrPort(buf, oob)
		if rerr != nil {
			err = rerr
			break
		}
		if drops, ok := kernelDrops(oob[:on]); ok {
			l.st.kernel.Store(int64(drops))
		}
		d := datagram{from: from, at: time.Now(), seq: seq, off: off}
		seq, off = seq+1, off+int64(n)
		if n > l.cfg.MaxSize {
			n = l.cfg.MaxSize
			l.st.cut.Add(1)
		}
		text := buf[:n]
		if l.cut == nil {
			if text = bytes.TrimRight(text, "\r\n\x00"); blank(text) {
				continue
			}
		}
		size := int64(len(text)) + datagramCost
		if held.Load()+size > int64(l.cfg.Backlog) {
			l.st.lost.Add(1)
			continue
		}
		d.data = bytes.Clone(text)
		select {
		case in <- d:
			held.Add(size)
		default:
			l.st.lost.Add(1)
		}
	}
	close(in)
	<-done
	_ = l.udp.Close() // a socket that was read to its end
	return err
}

const (
	backlogMessages = 1 << 16
	datagramCost    = 96 // what a datagram takes besides its bytes
)

// gather makes messages of datagrams, one per sender, and hands them over
// together.
func (l *Listener) gather(ctx context.Context, in <-chan datagram, held *atomic.Int64, stream string) {
	for first := range in {
		batch, size := []datagram{first}, len(first.data)
		timer := time.NewTimer(gatherFor)
	more:
		for len(batch) < queue.TargetRecords && size < queue.TargetBytes {
			select {
			case d, ok := <-in:
				if !ok {
					break more
				}
				batch, size = append(batch, d), size+len(d.data)
			case <-timer.C:
				break more
			}
		}
		timer.Stop()
		l.hand(ctx, l.bySender(batch, stream))
		held.Add(-int64(size) - datagramCost*int64(len(batch)))
	}
}

func (l *Listener) bySender(batch []datagram, stream string) []queue.Message {
	at, size := map[netip.Addr]int{}, map[netip.Addr]int{}
	var ms []queue.Message
	for _, d := range batch {
		n := uint64(0)
		add := func(seq uint64, data []byte) {
			a := d.from.Addr()
			i, ok := at[a]
			if !ok || size[a]+len(data) > queue.TargetBytes && size[a] > 0 { // a datagram may hold many records
				i = len(ms)
				at[a], size[a] = i, 0
				m := l.message(d.from, stream, d.at)
				m.ID = fmt.Sprintf("%s/%d", stream, seq)
				ms = append(ms, m)
			}
			size[a] += len(data)
			m := &ms[i]
			m.Records = append(m.Records, queue.Record{Seq: seq, Offset: d.off, After: d.at.Sub(m.Received), Data: data})
		}
		if l.cut == nil {
			add(d.seq, d.data)
			continue
		}
		l.cut(d.from, d.data, func(rec []byte) {
			add(d.seq<<cutBits|n, bytes.Clone(rec))
			n++
		})
	}
	return ms
}

// cutBits leave room for the records of one datagram, of at most 64 KiB.
const cutBits = 16

// setReceiveBuffer asks for size bytes; the kernel may give less.
func setReceiveBuffer(c *net.UDPConn, size int) error { return c.SetReadBuffer(size) }
