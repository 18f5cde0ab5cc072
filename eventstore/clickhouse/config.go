// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"net"

	"citywall/internal/fault"
)

// Config is what a site writes about its cluster.
type Config struct {
	Addrs        []string `yaml:"addrs"`         // host:port of every server, native protocol (9000, with TLS 9440)
	Cluster      string   `yaml:"cluster"`       // as the servers' remote_servers names it
	Database     string   `yaml:"database"`      // made when absent and allowed
	User         string   `yaml:"user"`          // "" is "default"
	PasswordFile string   `yaml:"password_file"` // holds the password alone; "" for none
	TLS          bool     `yaml:"tls"`           //
	CAFile       string   `yaml:"ca_file"`       // PEM of who signed the servers' certificates; "" for those the system trusts
}

// Empty reports whether nothing is configured.
func (c Config) Empty() bool {
	return len(c.Addrs) == 0 && c.Cluster == "" && c.Database == "" && c.User == "" && c.PasswordFile == "" && !c.TLS && c.CAFile == ""
}

// Validate explains what is wrong. It opens no file and no connection.
func (c Config) Validate() error {
	if len(c.Addrs) == 0 {
		return fault.New(fault.Invalid, "store.clickhouse.addrs is empty: name every server of the cluster, like [ch1.city:9000, ch2.city:9000]")
	}
	seen := map[string]bool{}
	for _, a := range c.Addrs {
		if _, port, err := net.SplitHostPort(a); err != nil || port == "" {
			return fault.New(fault.Invalid, "store.clickhouse.addrs has %q: want host:port, the port of the native protocol (9000, with TLS 9440)", a)
		}
		if seen[a] {
			return fault.New(fault.Invalid, "store.clickhouse.addrs names %s twice", a)
		}
		seen[a] = true
	}
	if c.CAFile != "" && !c.TLS {
		return fault.New(fault.Invalid, "store.clickhouse.ca_file is given, but store.clickhouse.tls is off")
	}
	_, err := Options{Addrs: c.Addrs, Cluster: c.Cluster, Database: c.Database}.withDefaults()
	return err
}
