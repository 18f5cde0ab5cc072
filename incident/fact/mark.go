// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact

import "time"

// Label names a note on a connection or a host.
type Label string

// Notes on a connection (Src, Dst, Port).
const (
	HTTPUpload  Label = "http_upload"   // PUT or POST with a body; bytes are the body's
	HTTPBinary  Label = "http_binary"   // an executable or archive was fetched by name
	BadCert     Label = "bad_cert"      // self signed or not valid; Detail: the sensor's words
	BareSNI     Label = "bare_sni"      // TLS to an address instead of a name
	AdminShare  Label = "admin_share"   // ADMIN$, C$ opened; Detail: share and file
	AdminWrite  Label = "admin_write"   // the same, and something was written there
	RemotePipe  Label = "remote_pipe"   // svcctl, atsvc and their like by SMB or RPC; Detail: which
	DomainShare Label = "domain_share"  // SYSVOL, NETLOGON
	DomainRPC   Label = "domain_rpc"    // samr, lsarpc, netlogon, drsuapi: what members ask a DC
	RPCMapper   Label = "rpc_mapper"    // endpoint mapper only
	RemoteAlert Label = "foreign_alert" // another product's verdict on this connection; Detail: its name
)

// Notes on a host (Src only).
const (
	ServiceNew    Label = "service_new"    // 7045, 4697
	TaskNew       Label = "task_new"       // 4698, 106
	WinRMChild    Label = "winrm_child"    // process started by wsmprovhost or winrshost
	WMIChild      Label = "wmi_child"      // process started by WmiPrvSE
	ServiceChild  Label = "service_child"  // process started by services.exe from an odd place
	PolicyChanged Label = "policy_changed" // group policy object written (5136, 5137)
	PolicyApplied Label = "policy_applied" // process or file from SYSVOL
	LogCleared    Label = "log_cleared"    // 1102, 104
	PrivSession   Label = "priv_session"   // 4672
	Lookup        Label = "dns_client"     // asked a resolver: names are visible for this host
	Issues        Label = "issues_tickets" // answers as a domain controller
)

// MarkKey is one note in one minute.
type MarkKey struct {
	Src, Dst ID
	Port     uint16
	Label    Label
	User     ID
	Sensor   ID // who wrote it
	Minute   int64
}

// Mark says how often a note was made and when.
type Mark struct {
	First, Last int64
	Count       int64
	Bytes       int64
	Sess        uint64 // smallest session number, for joining with a logon
	Detail      ID     // smallest text, so that the order of arrival does not matter
	Earliest    []At
}

const minute = int64(time.Minute)

func floorMinute(t int64) int64 {
	m := t / minute
	if t < 0 && t%minute != 0 {
		m--
	}
	return m
}

type note struct {
	src, dst ID
	port     uint16
	label    Label
	user     ID
	bytes    int64
	detail   string
	sess     uint64
	sensor   ID
}

func (s *Store) mark(t int64, n note, p Ptr) {
	if n.src == 0 {
		return
	}
	k := MarkKey{n.src, n.dst, n.port, n.label, n.user, n.sensor, floorMinute(t)}
	m := s.marks[k]
	if m == nil {
		m = &Mark{First: t, Last: t, Sess: n.sess, Detail: s.strings.id(clip(n.detail))}
		s.marks[k] = m
	}
	m.First, m.Last = min(m.First, t), max(m.Last, t)
	m.Count++
	m.Bytes += n.bytes
	if n.sess != 0 && (m.Sess == 0 || n.sess < m.Sess) {
		m.Sess = n.sess
	}
	if d := clip(n.detail); d != "" && (m.Detail == 0 || d < s.String(m.Detail)) {
		m.Detail = s.strings.id(d)
	}
	m.Earliest = keep(m.Earliest, At{t, p}, 2)
}

// clip bounds what a record can make us keep.
func clip(s string) string {
	if len(s) > 160 {
		return s[:160]
	}
	return s
}

// Marks returns every note, in no particular order.
func (s *Store) Marks(yield func(MarkKey, *Mark) bool) {
	for k, m := range s.marks {
		if !yield(k, m) {
			return
		}
	}
}

// FileKey is files of one extension touched on one host in one second.
type FileKey struct {
	Host   ID
	Ext    ID
	Second int64
}

// FileSum counts them.
type FileSum struct {
	Count    int64
	Earliest []At
}

// Files returns the file counts, in no particular order.
func (s *Store) Files(yield func(FileKey, *FileSum) bool) {
	for k, f := range s.files {
		if !yield(k, f) {
			return
		}
	}
}
