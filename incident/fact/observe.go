// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"hash/fnv"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/event"
)

// event keeps the facts of one record by its verb and returns who wrote it.
func (s *Store) event(ev *event.Event, v *event.View) ID {
	src := s.source(ev, v)
	t := ev.Time.UnixNano()
	if !v.Start.IsZero() {
		t = v.Start.UnixNano()
	}
	r := row{ev: ev, v: v, t: t, sensor: src, ptr: s.ptr(ev.ID, ev.Origin)}
	if v.Host != "" {
		s.about(ev, s.nodes.id(Node{Name: v.Host}))
		if v.Observer == "" && v.Action != event.Lease {
			s.bind(v.HostAddr, v.Host, ByOwnLog, t)
		}
	}
	switch v.Action {
	case event.Flow, event.FlowRefused:
		s.flow(r)
	case event.Logon, event.LogonFailed:
		s.logon(r)
	case event.Logoff:
		s.logoff(r)
	case event.Credential:
		s.credential(r)
	case event.Ticket:
		s.ticket(r)
	case event.Share:
		s.share(r)
	case event.RPC:
		s.rpc(r)
	case event.HTTP:
		s.http(r)
	case event.DNS:
		s.dns(r)
	case event.Alert:
		s.alert(r)
	case event.File:
		s.file(r)
	case event.Lease:
		s.lease(r)
	default:
		s.host(r)
	}
	if v.Trust != "" || v.Service == "ssl" && v.Action == "" {
		s.tls(r)
	}
	return src
}

// row is a record on its way into the store.
type row struct {
	ev     *event.Event
	v      *event.View
	t      int64
	sensor ID
	ptr    Ptr
}

func (r row) conn() Conn {
	return Conn{
		T: r.t, Dur: int64(r.v.Duration), Out: r.v.BytesOut, In: r.v.BytesIn, Sess: number(r.v.Session),
		Sensor: r.sensor, Unc: int32(min(r.ev.Uncertainty.Milliseconds(), 1<<30)), SPort: r.v.SrcPort, Type: uint8(min(r.v.Logon, 255)), Ptr: r.ptr,
	}
}

// note marks with the time, the sensor and the pointer of r.
func (s *Store) note(r row, n note) {
	n.sensor = r.sensor
	s.mark(r.t, n, r.ptr)
}

func (s *Store) about(ev *event.Event, n ID) {
	if old, ok := s.agency[n]; !ok || ev.Agency != "" && (old == "" || ev.Agency < old) {
		s.agency[n] = ev.Agency
	}
}

// number folds a session's text; the same text gives the same number. The
// sessions of Windows itself (SYSTEM, LOCAL SERVICE, NETWORK SERVICE) are
// nobody's: what is done in them may have come from anywhere.
func number(sess string) uint64 {
	switch sess {
	case "", "0x0", "0x3e7", "0x3e5", "0x3e4":
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(sess))
	return h.Sum64()
}

func protoNumber(p string) uint8 {
	switch p {
	case "tcp":
		return 6
	case "udp":
		return 17
	case "icmp":
		return 1
	}
	return 0
}

// everybody reports addresses that stand for no single host. A directed
// broadcast cannot be told without the prefix; UDP to .255 is taken for one.
func everybody(a netip.Addr, proto string) bool {
	return a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) ||
		a.Is4() && proto == "udp" && a.As4()[3] == 255
}

func (s *Store) flow(r row) {
	v := r.v
	if everybody(v.Dst, v.Proto) || everybody(v.Src, v.Proto) || v.Proto == "icmp" {
		return
	}
	k := Key{Src: s.node(v.Src, v.SrcHost), Dst: s.node(v.Dst, v.DstHost), Port: v.DstPort, Proto: protoNumber(v.Proto), Act: Flow}
	if v.Action == event.FlowRefused {
		k.Act = Refused
	}
	c := r.conn()
	if firewall(r.ev) && v.Duration%time.Second == 0 {
		c.Unc = max(c.Unc, 1000) // written at the end; the duration has whole seconds
	}
	s.conn(k, c)
	s.translated(r.ev, k.Src, k.Dst, v.SrcPort, r.t)
	s.side(k.Src, v.SrcSide)
	s.side(k.Dst, v.DstSide)
	if firewall(r.ev) {
		s.bind(v.Src, v.SrcHost, ByDevice, r.t)
		s.bind(v.Dst, v.DstHost, ByDevice, r.t)
	}
}

// firewall reports a record of a device that lets connections pass or not;
// FortiOS calls its records of connections traffic.
func firewall(ev *event.Event) bool { return ev.Category == "firewall" || ev.Category == "traffic" }

func (s *Store) side(n ID, side string) {
	if side == "" || n == 0 {
		return
	}
	c := s.sides[n]
	if c == nil {
		c = &sideCount{}
		s.sides[n] = c
	}
	switch side {
	case "lan":
		c.lan++
	case "wan":
		c.wan++
	case "dmz":
		c.dmz++
	}
}

func (s *Store) logon(r row) {
	v := r.v
	c := r.conn()
	k := Key{Src: s.node(v.Src, v.SrcHost), User: s.account(v.User), Port: v.DstPort, Proto: 6, Act: Logon}
	if v.Action == event.LogonFailed || v.Outcome == event.Failure {
		k.Act = BadLogon
	}
	c.Target = s.account(v.Target)
	if strings.Contains(strings.ToLower(v.Channel), "terminalservices") {
		c.Sess = 0 // its numbers are small and used again the same day
	}
	if v.Service == "vpn" {
		if k.Act == Logon {
			k.Act = VPN
		}
		k.Port, k.Proto = 0, 0
		if k.Dst = s.node(v.Dst, ""); k.Dst == 0 {
			k.Dst = s.node(netip.Addr{}, v.Observer)
		}
		s.conn(k, c)
		return
	}
	host := v.DstHost
	if host == "" {
		host = v.Host
	}
	k.Dst = s.node(netip.Addr{}, host)
	if host == "" {
		k.Dst = s.node(v.Dst, "")
	}
	switch {
	case v.Logon == 4 || v.Logon == 5 || v.Logon == 0 && v.Channel != "":
		return // batch, service, boot: nobody came
	case v.Logon == 10 && k.Port == 0:
		k.Port = 3389
	}
	switch v.Service {
	case "ntlm":
		s.bind(v.Src, v.SrcHost, ByClient, r.t)
		s.bind(v.Dst, v.DstHost, ByServer, r.t)
		if v.Dst.IsValid() { // the sensor saw the connection: keep its address
			k.Dst = s.node(v.Dst, "")
		}
		k.Port = v.DstPort
	default:
		if v.Logon == 3 && v.SrcHost != host { // others write their own name there
			s.bind(v.Src, v.SrcHost, ByClient, r.t)
		}
	}
	if k.User == 0 && !(v.Logon == 3 && v.Src.IsValid() && v.User.Name == "anonymous logon") {
		return
	}
	s.machine(v, r.t)
	if k.Src == 0 || s.Node(k.Src).Name == host && host != "" {
		s.local(k, c)
		return
	}
	s.conn(k, c)
}

// machine binds the address that a computer's own account came from to that
// computer.
func (s *Store) machine(v *event.View, t int64) {
	if name, ok := strings.CutSuffix(v.User.Name, "$"); ok && v.Src.IsValid() && !v.Src.IsLinkLocalUnicast() && v.Outcome != event.Failure {
		s.bind(v.Src, asset.HostName(name), ByMachine, t)
	}
}

// local keeps a logon at the machine itself: no edge, but somebody sat there.
func (s *Store) local(k Key, c Conn) {
	if k.Dst == 0 || k.Act != Logon || c.Type == 3 {
		return
	}
	k.Src, k.Port = k.Dst, 0
	x := s.series[k]
	if x == nil {
		x = &Series{}
		s.series[k] = x
	}
	x.add(c)
}

func (s *Store) logoff(r row) {
	v := r.v
	if v.Service == "vpn" {
		c := r.conn()
		c.Type = VPNEnd
		s.conn(Key{Src: s.node(v.Src, ""), Dst: s.node(v.Dst, ""), User: s.account(v.User), Act: VPN}, c)
		return
	}
	k := session{s.node(netip.Addr{}, v.Host), number(v.Session)}
	if k.host != 0 && k.id != 0 {
		s.logoffs[k] = max(s.logoffs[k], r.t)
	}
}

// VPNEnd in Conn.Type marks the end of a tunnel.
const VPNEnd = 255

func (s *Store) credential(r row) {
	v := r.v
	c := r.conn()
	c.Target = s.account(v.Target)
	if c.Target == 0 {
		return
	}
	s.conn(Key{Src: s.node(netip.Addr{}, v.Host), Dst: s.node(v.Dst, v.DstHost), User: s.account(v.User), Act: Credential}, c)
}

func (s *Store) ticket(r row) {
	v := r.v
	k := Key{Src: s.node(v.Src, v.SrcHost), Dst: s.node(v.Dst, v.DstHost), User: s.account(v.User), Port: 88, Proto: 6, Act: Ticket}
	if v.DstHost != "" {
		k.Dst = s.node(netip.Addr{}, v.DstHost)
	}
	if k.Dst == 0 {
		k.Dst = s.node(netip.Addr{}, v.Observer)
	}
	if v.EventID != "" {
		s.mark(r.t-r.t%hour, note{src: s.node(netip.Addr{}, v.Observer), label: Issues, sensor: r.sensor}, r.ptr)
	} else if v.Dst.IsValid() {
		s.mark(r.t-r.t%hour, note{src: s.node(v.Dst, ""), label: Issues, sensor: r.sensor}, r.ptr)
	}
	if v.Outcome == event.Failure {
		if f := r.ev.Fields; f.Str("error_msg") == "KDC_ERR_PREAUTH_REQUIRED" || f.Str("Status") == "0x19" {
			return // the ordinary first round of a logon
		}
		k.Act = BadTicket
	}
	s.machine(v, r.t)
	if k.User == 0 || v.EventID == "4776" && k.Act == Ticket {
		return // 4776 names no destination
	}
	s.conn(k, r.conn())
}

func (s *Store) share(r row) {
	v := r.v
	k := Key{Src: s.node(v.Src, v.SrcHost), User: s.account(v.User), Port: 445, Proto: 6, Act: Share}
	switch {
	case v.DstHost != "":
		k.Dst = s.node(netip.Addr{}, v.DstHost)
	case v.Dst.IsValid():
		k.Dst = s.node(v.Dst, "")
	default:
		k.Dst = s.node(netip.Addr{}, v.Host)
	}
	if k.Src == 0 || s.Node(k.Src) == s.Node(k.Dst) {
		return
	}
	s.conn(k, r.conn())
	n := note{src: k.Src, dst: k.Dst, port: 445, user: k.User, sess: number(v.Session)}
	share := strings.ToUpper(v.Message)
	share = share[strings.LastIndexByte(share, '\\')+1:]
	pipe := strings.ToLower(v.File)
	switch {
	case share == "SYSVOL" || share == "NETLOGON":
		n.label = DomainShare
	case share == "IPC$":
		if !remotePipe(pipe) {
			return
		}
		n.label, n.detail = RemotePipe, pipe
	case share == "ADMIN$" || len(share) == 2 && share[1] == '$':
		n.label, n.detail = AdminShare, share+`\`+v.File
		if writes(r.ev) {
			n.label = AdminWrite
		}
	default:
		return
	}
	s.note(r, n)
}

// writes reports that a share record tells of writing: Zeek's action, or in
// Windows' access mask the rights to write data, append, or write generally.
func writes(ev *event.Event) bool {
	if strings.HasPrefix(ev.Fields.Str("action"), "SMB::FILE_WRITE") {
		return true
	}
	if ev.Fields.Str("EventID") != "5145" {
		return false
	}
	mask, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(ev.Fields.Str("AccessMask")), "0x"), 16, 32)
	return err == nil && mask&(0x2|0x4|0x40000000|0x10000000) != 0
}

// remotePipe reports the named pipes by which another machine is made to run
// something.
func remotePipe(name string) bool {
	switch strings.TrimPrefix(name, `\`) {
	case "svcctl", "atsvc", "winreg", "psexesvc", "paexec", "remcom_communication", "csexecsvc":
		return true
	}
	return strings.Contains(name, "psexesvc")
}

func (s *Store) rpc(r row) {
	v := r.v
	n := note{src: s.node(v.Src, ""), dst: s.node(v.Dst, ""), port: v.DstPort}
	endpoint, _, _ := strings.Cut(v.Message, "::")
	switch e := strings.ToLower(endpoint); {
	case e == "svcctl" || e == "atsvc" || e == "winreg" || strings.Contains(e, "taskscheduler"):
		n.label, n.detail = RemotePipe, e
	case strings.HasPrefix(e, "iwbem"):
		n.label, n.detail = RemotePipe, "wmi"
	case e == "epmapper" || e == "epm":
		n.label = RPCMapper
	case e == "samr" || e == "lsarpc" || e == "lsass" || e == "netlogon" || e == "drsuapi" || e == "dnsserver":
		n.label = DomainRPC
	default:
		return
	}
	s.note(r, n)
}

// upload is how large a request body must be to count as data leaving.
const upload = 64 << 10

func (s *Store) http(r row) {
	v := r.v
	n := note{src: s.node(v.Src, ""), dst: s.node(v.Dst, ""), port: v.DstPort, detail: v.Message}
	method, url, _ := strings.Cut(v.Message, " ")
	if (method == "PUT" || method == "POST") && v.BytesOut >= upload {
		n.label, n.bytes = HTTPUpload, v.BytesOut
		s.note(r, n)
	}
	url, _, _ = strings.Cut(strings.ToLower(url), "?")
	if i := strings.LastIndexByte(url, '.'); i > 0 && v.BytesIn >= 1<<10 {
		switch url[i:] {
		case ".exe", ".dll", ".ps1", ".bat", ".hta", ".msi", ".scr", ".vbs", ".jar", ".bin", ".sh", ".elf":
			n.label, n.bytes = HTTPBinary, v.BytesIn
			s.note(r, n)
		}
	}
}

func (s *Store) tls(r row) {
	v := r.v
	n := note{src: s.node(v.Src, ""), dst: s.node(v.Dst, ""), port: v.DstPort}
	if v.Trust != "" && v.Trust != "ok" {
		n.label, n.detail = BadCert, v.Trust
		s.note(r, n)
	}
	if a, ok := asset.Addr(v.Message); ok && a == v.Dst {
		n.label, n.detail = BareSNI, v.Message
		s.note(r, n)
	}
}

func (s *Store) dns(r row) {
	v := r.v
	if n := s.node(v.Src, ""); n != 0 {
		s.mark(r.t-r.t%hour, note{src: n, label: Lookup, sensor: r.sensor}, r.ptr) // an hour is fine enough
	} else if v.Host != "" {
		s.mark(r.t-r.t%hour, note{src: s.node(netip.Addr{}, v.Host), label: Lookup, sensor: r.sensor}, r.ptr)
	}
	name := strings.ToLower(strings.TrimSuffix(v.Message, "."))
	for part := range strings.SplitSeq(v.Answer, ",") {
		a, ok := asset.Addr(part)
		if !ok {
			continue
		}
		if old, ok := s.names[a]; !ok || name < old {
			s.names[a] = strings.Clone(name)
		}
		if a.IsPrivate() {
			s.bind(a, asset.HostName(name), ByDNS, r.t)
		}
	}
}

func (s *Store) alert(r row) {
	v := r.v
	if !v.Src.IsValid() || !v.Dst.IsValid() {
		return
	}
	n := note{src: s.node(v.Src, ""), dst: s.node(v.Dst, ""), port: v.DstPort, label: RemoteAlert, detail: v.Message}
	if strings.HasPrefix(v.Message, "SSL::Invalid_Server_Cert") {
		n.label = BadCert
	}
	s.note(r, n)
}

func (s *Store) file(r row) {
	v := r.v
	host := s.node(netip.Addr{}, v.Host)
	if host == 0 {
		return
	}
	ext, inner := extension(v.File)
	if ext == "" || ordinary[ext] {
		return
	}
	if !inner {
		return
	}
	k := FileKey{host, s.strings.id(ext), r.t / 1e9}
	f := s.files[k]
	if f == nil {
		f = &FileSum{}
		s.files[k] = f
	}
	f.Count++
	f.Earliest = keep(f.Earliest, At{r.t, r.ptr}, 2)
}

func (s *Store) host(r row) {
	v := r.v
	h := s.node(netip.Addr{}, v.Host)
	if h == 0 {
		return
	}
	n := note{src: h, user: s.account(v.User), sess: number(v.Session)}
	switch v.Action {
	case event.Service:
		n.label, n.detail = ServiceNew, v.Message+" "+v.Command
	case event.Task:
		n.label, n.detail = TaskNew, v.Message
	case event.LogCleared:
		n.label, n.detail = LogCleared, v.Channel
	case event.Privilege:
		if v.Channel != "" {
			s.privilege(h, number(v.Session), r.t)
			return
		}
		return
	case event.Process:
		switch parent := base(v.Parent); parent {
		case "wsmprovhost.exe", "winrshost.exe":
			n.label = WinRMChild
		case "wmiprvse.exe":
			n.label = WMIChild
		default:
			if !strings.Contains(strings.ToLower(v.Command), `\sysvol\`) {
				return
			}
			n.label = PolicyApplied
		}
		n.detail = v.Command
	default:
		if (v.EventID == "5136" || v.EventID == "5137") && strings.Contains(strings.ToLower(v.Message), "cn=policies,cn=system") {
			n.label, n.detail = PolicyChanged, v.Message
			break
		}
		return
	}
	s.note(r, n)
}

func (s *Store) privilege(host ID, sess uint64, t int64) {
	k := session{host, sess}
	if old, ok := s.priv[k]; sess != 0 && (!ok || t < old) {
		s.priv[k] = t
	}
}

// Privileged reports whether session sess of host was given special
// privileges (4672).
func (s *Store) Privileged(host ID, sess uint64) bool {
	_, ok := s.priv[session{host, sess}]
	return ok && sess != 0
}

func base(path string) string {
	return strings.ToLower(path[strings.LastIndexAny(path, `\/`)+1:])
}
