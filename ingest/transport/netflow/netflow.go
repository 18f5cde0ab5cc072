// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package netflow listens for NetFlow v5, v9 and IPFIX over UDP and puts each
// flow on the queue as a line that package ingest/format/netflow reads.
//
// Packets are decoded here, and not behind the queue as everything else is,
// because they mean something only together with the templates that their
// exporter sent before. It promises that what is lost is counted: datagrams as
// package transport/syslog counts them, whose socket handling this shares, and
// sets of flows that came before their template, after a restart for as long as
// exporters take to send theirs again.
//
// It never answers an exporter and never multiplies a counter.
package netflow

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"citywall/asset"
	flow "citywall/ingest/format/netflow"
	"citywall/ingest/transport/syslog"
	"citywall/internal/fault"
)

// Config is one listener.
type Config struct {
	Name          string          `yaml:"name"`           // shown, and what its counts stand under
	Addr          string          `yaml:"addr"`           // host:port; 2055 and 4739 are usual
	Realm         asset.Realm     `yaml:"realm"`          //
	Agency        string          `yaml:"agency"`         // of exporters that Exporters does not name
	Exporters     []syslog.Sender `yaml:"exporters"`      // what is known of particular exporters; times are UTC, so zone means nothing
	Known         bool            `yaml:"known"`          // take packets of Exporters only; the addresses of UDP can be forged
	ReceiveBuffer int             `yaml:"receive_buffer"` // bytes asked of the kernel
	Backlog       int             `yaml:"backlog"`        // bytes held while the queue is slow or full; beyond them packets are lost and counted
}

// Defaults returns a listener on this machine alone.
func Defaults() Config {
	d := syslog.Defaults()
	return Config{Name: "netflow", Addr: "127.0.0.1:2055", Realm: asset.City, ReceiveBuffer: d.ReceiveBuffer, Backlog: d.Backlog}
}

// maxPacket is the largest UDP payload.
const maxPacket = 65535

func (c Config) datagrams() syslog.Config {
	return syslog.Config{
		Name: c.Name, Net: syslog.UDP, Addr: c.Addr, Realm: c.Realm, Agency: c.Agency, Senders: c.Exporters,
		MaxSize: maxPacket, ReceiveBuffer: c.ReceiveBuffer, Backlog: c.Backlog,
	}
}

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	if err := c.datagrams().Validate(); err != nil {
		return fault.New(fault.Invalid, "netflow: %w", err)
	}
	if c.Known && len(c.Exporters) == 0 {
		return fault.New(fault.Invalid, "netflow listener %q: known is set, but exporters names none", c.Name)
	}
	return nil
}

// Listener is one bound socket.
type Listener struct {
	*syslog.Listener
	cfg Config

	mu      sync.Mutex // dec is used by the goroutine that hands over, and read by Stats
	dec     *flow.Decoder
	unknown int64
	line    []byte // of that goroutine
}

// Stats is what a listener has seen since it was bound.
type Stats struct {
	syslog.Stats            // Records are flows on the queue; Lost and LostKernel are packets
	Flows        flow.Stats `json:"flows"`
	Unknown      int64      `json:"unknown"` // packets of exporters that are not known, not read
}

// Listen binds the socket. Packets are read once Run runs.
func Listen(ctx context.Context, cfg Config, publish syslog.Publish, log *slog.Logger) (*Listener, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := &Listener{cfg: cfg, dec: flow.NewDecoder()}
	var err error
	l.Listener, err = syslog.ListenDatagrams(ctx, cfg.datagrams(), "netflow", l.cut, publish, log)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// cut turns a packet into lines.
func (l *Listener) cut(from netip.AddrPort, b []byte, record func([]byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	exporter := from.Addr().Unmap()
	if l.cfg.Known && !l.known(exporter) {
		l.unknown++
		return
	}
	_ = l.dec.Packet(exporter, b, func(f *flow.Flow) { // what is broken is counted
		l.line = f.AppendJSON(l.line[:0])
		record(l.line)
	})
}

func (l *Listener) known(a netip.Addr) bool {
	for _, s := range l.cfg.Exporters {
		if s.Prefix.Contains(a) {
			return true
		}
	}
	return false
}

// Stats returns the counts so far.
func (l *Listener) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{Stats: l.Listener.Stats(), Flows: l.dec.Stats(), Unknown: l.unknown}
}

// Addr returns the bound address.
func (l *Listener) Addr() net.Addr { return l.Listener.Addr() }
