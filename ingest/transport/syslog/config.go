// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"citywall/asset"
	"citywall/internal/fault"
)

// Kinds of listener.
const (
	UDP = "udp"
	TCP = "tcp"
	TLS = "tls"
)

// Config is one listener.
type Config struct {
	Name          string        `yaml:"name"`           // shown, and what its counts stand under
	Net           string        `yaml:"net"`            // udp, tcp, tls
	Addr          string        `yaml:"addr"`           // host:port; port 0 takes a free one
	Cert          string        `yaml:"cert"`           // tls: PEM file of the certificate chain
	Key           string        `yaml:"key"`            // tls: PEM file of its key
	ClientCA      string        `yaml:"client_ca"`      // tls: when set, senders must show a certificate of these authorities
	Realm         asset.Realm   `yaml:"realm"`          //
	Agency        string        `yaml:"agency"`         // of senders that Senders does not name
	Zone          string        `yaml:"zone"`           // IANA name, for times without a zone; "" means Asia/Taipei
	Senders       []Sender      `yaml:"senders"`        // what is known of particular senders
	MaxSize       int           `yaml:"max_size"`       // bytes of one message; the rest of a longer one is cut off and counted
	MaxConns      int           `yaml:"max_conns"`      // tcp, tls: at the same time; more are turned away and counted
	Idle          time.Duration `yaml:"idle"`           // tcp, tls: a connection that is silent for so long is closed
	ReceiveBuffer int           `yaml:"receive_buffer"` // udp: bytes asked of the kernel
	Backlog       int           `yaml:"backlog"`        // udp: bytes held while the queue is slow or full; beyond them datagrams are lost and counted
}

// Sender is what is known of the sender at an address, or of all below a
// prefix; the longest prefix wins.
type Sender struct {
	Prefix netip.Prefix `yaml:"prefix"`
	Name   string       `yaml:"name"` // registered name; "" means its address
	Agency string       `yaml:"agency"`
	Zone   string       `yaml:"zone"`
}

// Defaults returns a listener on this machine alone.
func Defaults() Config {
	return Config{
		Name: "syslog", Net: UDP, Addr: "127.0.0.1:5514", Realm: asset.City,
		MaxSize: 64 << 10, MaxConns: 1000, Idle: 2 * time.Hour, ReceiveBuffer: 8 << 20, Backlog: 64 << 20,
	}
}

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	bad := func(field, f string, args ...any) error {
		return fault.New(fault.Invalid, "syslog listener %q, %s: %s", c.Name, field, fmt.Sprintf(f, args...))
	}
	switch c.Net {
	case UDP, TCP:
		if c.Cert != "" || c.Key != "" || c.ClientCA != "" {
			return bad("net", "%s has no certificate; say net: tls, or take cert, key and client_ca away", c.Net)
		}
	case TLS:
		if c.Cert == "" || c.Key == "" {
			return bad("cert", "tls needs cert and key")
		}
	default:
		return bad("net", "%q is none of udp, tcp, tls", c.Net)
	}
	if c.Name == "" {
		return bad("name", "must not be empty")
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return bad("addr", "%v", err)
	}
	if !c.Realm.Valid() {
		return bad("realm", "%q is neither city nor police", c.Realm)
	}
	if c.MaxSize < 480 || c.MaxSize > 1<<20 { // RFC 5424 §6.1: every receiver takes 480 octets
		return bad("max_size", "%d must lie between 480 and 1048576", c.MaxSize)
	}
	if c.Net == UDP && (c.ReceiveBuffer < 4096 || c.Backlog < 1<<20) {
		return bad("backlog", "receive_buffer must be at least 4096 and backlog at least 1048576 bytes")
	}
	if c.Net != UDP && (c.MaxConns < 1 || c.Idle < time.Second) {
		return bad("max_conns", "max_conns must be at least 1 and idle at least 1s")
	}
	for _, z := range append([]Sender{{Name: "zone", Zone: c.Zone}}, c.Senders...) {
		if _, err := time.LoadLocation(z.Zone); err != nil {
			return bad("zone", "%v", err)
		}
	}
	for i, s := range c.Senders {
		if !s.Prefix.IsValid() {
			return bad("senders", "number %d has no valid prefix", i+1)
		}
	}
	return nil
}

// tls loads the certificates.
func (c Config) tls() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("load the certificate: %w", err)
	}
	t := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if c.ClientCA == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("load the authorities of senders: %w", err)
	}
	t.ClientCAs = x509.NewCertPool()
	if !t.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.Invalid, "%s holds no PEM certificate", c.ClientCA)
	}
	t.ClientAuth = tls.RequireAndVerifyClientCert
	return t, nil
}
