// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package app

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citywall/ingest/sender"
	"citywall/web/desk"
)

// TestWizard walks the way of a new administrator: register a firewall, take the
// port out of the configuration to paste, send as the firewall would, and see it
// arrive under its name and agency while the server runs.
func TestWizard(t *testing.T) {
	a := start(t, filepath.Join(t.TempDir(), "data"))
	// As the desk registers.
	if _, err := a.senders.Put(t.Context(), "hsu", sender.Sender{Name: "hosp-fw01", Kind: "fortigate", Transport: sender.SyslogUDP, Address: netip.MustParsePrefix("127.0.0.1/32"), Agency: "hospital", Silence: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if err := a.learnSenders(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := a.places(t.Context(), sender.SyslogUDP)
	if err == nil || !strings.Contains(err.Error(), "this machine only") {
		t.Errorf("a listener on loopback was given to a firewall: %v", err)
	}
	c, err := net.Dial("udp", a.SyslogAddr("udp"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	deadline := time.Now().Add(20 * time.Second)
	for i := 0; ; i++ {
		fmt.Fprintf(c, `<189>date=2026-03-10 time=08:00:00 devname="FW-1" devid="FGT60" logid="0000000013" type="traffic" subtype="forward" srcip=10.1.1.1 srcport=%d dstip=203.0.113.7 dstport=443 proto=6 action="close" sentbyte=10 rcvdbyte=20`, i+1)
		ss, err := a.sources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := find(ss, "hosp-fw01"); ok && s.Records > 0 {
			if s.Agency != "hospital" || !s.Known || s.Damaged > 0 || s.Formats["syslog"] == 0 || s.Products["fortinet forward"] == 0 {
				t.Errorf("%+v", s)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing arrived: %+v", ss)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func find(ss []desk.Source, name string) (desk.Source, bool) {
	for _, s := range ss {
		if s.Name == name {
			return s, true
		}
	}
	return desk.Source{}, false
}
