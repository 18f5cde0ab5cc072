// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"citywall/ingest/sender"
	"citywall/ingest/transport/syslog"
	"citywall/internal/fault"
)

// learnSenders tells listeners and pipeline what is registered of those who
// send.
func (a *App) learnSenders(ctx context.Context) error {
	all, err := a.senders.List(ctx)
	if err != nil {
		return err
	}
	silence := map[string]time.Duration{}
	var known []syslog.Sender
	for _, s := range all {
		if s.Silence > 0 {
			silence[s.Name] = s.Silence
		}
		if s.Address.IsValid() {
			known = append(known, syslog.Sender{Prefix: s.Address, Name: s.Name, Agency: s.Agency, Zone: s.Zone})
		}
	}
	for _, l := range a.syslog {
		l.Know(known)
	}
	a.pipeline.Expect(silence)
	return nil
}

// places says where a sender of that way is told to send.
func (a *App) places(_ context.Context, transport string) (sender.Places, error) {
	p := sender.Places{Folder: "/srv/logs"}
	switch transport {
	case sender.Watch:
		return p, nil
	case sender.HTTP:
		p.URL = a.URL() + IngestPath
		return p, nil
	}
	addr := ""
	if kind, ok := strings.CutPrefix(transport, "syslog-"); ok {
		addr = a.SyslogAddr(kind)
	} else if transport == sender.NetFlow {
		addr = a.NetflowAddr()
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		p.Host, p.Port, p.Trouble = "ADDRESS", "PORT", sender.NoListener
		return p, fault.New(fault.Unavailable, "nothing listens for %s: add a listener to citywall.yaml and start citywall serve again", transport)
	}
	p.Host, p.Port = host, port
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
	case ip.IsLoopback():
		p.Trouble = sender.ThisMachine
		return p, fault.New(fault.Unavailable, "the listener for %s can be reached from this machine only (%s): set its addr in citywall.yaml to an address that the device can reach", transport, addr)
	case ip.IsUnspecified():
		p.Host = a.reachable()
	}
	return p, nil
}

// reachable is the name or address at which others reach this machine: that of
// the console's URL, else the machine's own name.
func (a *App) reachable() string {
	if u, err := url.Parse(a.cfg.Console.URL); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	if h, err := os.Hostname(); err == nil {
		return h
	}
	return "ADDRESS"
}
