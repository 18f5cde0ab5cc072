// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"net/netip"
	"slices"
	"time"

	"citywall/asset"
)

// Action is the normalised verb of a record.
type Action string

// Actions that inference and search know. A record that is none of them has
// an empty action.
const (
	Logon       Action = "logon"
	LogonFailed Action = "logon_failed"
	Logoff      Action = "logoff"
	Credential  Action = "credential_use" // 4648: a switch of credentials, recorded at the source
	Ticket      Action = "ticket"         // 4768, 4769, Zeek kerberos: at the DC
	Privilege   Action = "privilege"      // 4672: privileged session
	Share       Action = "share"          // 5140, 5145, Zeek smb_*
	Flow        Action = "flow"           // a connection that was established
	FlowRefused Action = "flow_refused"   // an attempt: no answer, reset, denied
	Process     Action = "process"
	File        Action = "file"    // created, written, renamed
	Service     Action = "service" // 7045, 4697
	Task        Action = "task"    // 4698
	Script      Action = "script"  // 4104
	DNS         Action = "dns"
	HTTP        Action = "http"
	Alert       Action = "alert"       // another product's verdict
	LogCleared  Action = "log_cleared" // 1102, 104
	RPC         Action = "rpc"         // Zeek dce_rpc
	Mail        Action = "mail"        // a message was accepted, delivered, refused or held
	Lease       Action = "lease"       // DHCP gave, renewed or took back an address
)

var actions = [...]Action{
	Logon, LogonFailed, Logoff, Credential, Ticket, Privilege, Share, Flow, FlowRefused, Process, File, Service, Task, Script, DNS, HTTP, Alert, LogCleared, RPC, Mail, Lease,
}

func isAction(a Action) bool { return slices.Contains(actions[:], a) }

// Outcome says whether what a record tells of succeeded.
type Outcome string

// Outcomes; empty is unknown.
const (
	Success Outcome = "success"
	Failure Outcome = "failure"
)

// View is the normalised reading of a record. Empty means unknown. It is
// computed by Event.View from the native fields and never stored in their
// place.
type View struct {
	Host     string        `json:"host,omitempty"`     // whom the record is about (asset.HostName form)
	Observer string        `json:"observer,omitempty"` // who wrote it, when that is another machine
	HostAddr netip.Addr    `json:"host_addr,omitzero"`
	Src      netip.Addr    `json:"src,omitzero"`
	Dst      netip.Addr    `json:"dst,omitzero"`
	SrcHost  string        `json:"src_host,omitempty"`
	DstHost  string        `json:"dst_host,omitempty"`
	SrcPort  uint16        `json:"src_port,omitempty"`
	DstPort  uint16        `json:"dst_port,omitempty"`
	Proto    string        `json:"proto,omitempty"`   // tcp, udp, icmp
	Service  string        `json:"service,omitempty"` // application protocol as the sensor named it
	User     asset.Account `json:"user,omitzero"`     // who acted
	Target   asset.Account `json:"target,omitzero"`   // whose account was used, when another
	Process  string        `json:"process,omitempty"`
	Parent   string        `json:"parent,omitempty"`
	Command  string        `json:"command,omitempty"`
	File     string        `json:"file,omitempty"`
	Hash     string        `json:"hash,omitempty"` // sha256, else sha1, else md5
	EventID  string        `json:"event_id,omitempty"`
	Channel  string        `json:"channel,omitempty"`
	Action   Action        `json:"action,omitempty"`
	Outcome  Outcome       `json:"outcome,omitempty"`
	Logon    int           `json:"logon_type,omitempty"` // Windows logon type
	Session  string        `json:"session,omitempty"`    // LogonId, Zeek uid, Suricata flow_id
	Message  string        `json:"message,omitempty"`    // alert name, service name, query, URL: what a person reads first
	BytesOut int64         `json:"bytes_out,omitempty"`  // from Src to Dst
	BytesIn  int64         `json:"bytes_in,omitempty"`
	Duration time.Duration `json:"duration,omitempty"`

	Start   time.Time `json:"start,omitzero"`     // when what the record tells began, if it was written at the end
	Answer  string    `json:"answer,omitempty"`   // addresses a DNS answer gives, joined with ", "
	Trust   string    `json:"trust,omitempty"`    // what a sensor said of a TLS certificate: "ok", "self signed certificate"
	SrcSide string    `json:"src_side,omitempty"` // role of the firewall's interface: lan, wan, dmz
	DstSide string    `json:"dst_side,omitempty"`

	Share    string `json:"share,omitempty"`    // name of an SMB share without its machine: ADMIN$
	Sampling int64  `json:"sampling,omitempty"` // one packet in so many was seen: BytesOut and BytesIn are of those; 0 or 1 of all
}
