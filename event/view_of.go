// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
)

// View returns the normalised reading of e. What a product's mapping does not
// know stays empty; it is never guessed from another product's names.
func (e *Event) View() View {
	var v View
	switch e.Product {
	case "windows":
		viewWindows(e, &v)
	case "zeek":
		viewZeek(e, &v)
	case "suricata":
		viewSuricata(e, &v)
	case "alert":
		viewAlert(e, &v)
	default:
		if m := mappings()[e.Product]; m != nil {
			m.apply(e, &v)
		} else {
			viewGeneric(e, &v)
		}
	}
	return v
}

func addr(s string) netip.Addr {
	a, _ := asset.Addr(s)
	return a
}

func port(s string) uint16 {
	n, _ := strconv.ParseUint(s, 10, 16)
	return uint16(n)
}

func count(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// seconds reads a decimal number of seconds.
func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || f > 1e9 {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

// hashOf takes one hash out of Sysmon's "MD5=..,SHA256=..", the strongest
// there is.
func hashOf(s string) string {
	for _, k := range [...]string{"SHA256=", "SHA1=", "MD5="} {
		if i := strings.Index(strings.ToUpper(s), k); i >= 0 {
			h, _, _ := strings.Cut(s[i+len(k):], ",")
			return strings.ToLower(h)
		}
	}
	return ""
}

// viewAlert reads a row of another product's alerts: time,name,ip,host,short.
func viewAlert(e *Event, v *View) {
	v.Action = Alert
	v.Host = asset.HostName(e.Fields.Str("host"))
	v.HostAddr = addr(e.Fields.Str("ip"))
	v.Message = e.Fields.Str("name")
}

// viewGeneric reads the names that ECS and common exporters use.
func viewGeneric(e *Event, v *View) {
	f := e.Fields
	v.Host = asset.HostName(f.First("host.name", "host.hostname", "hostname", "Hostname", "computer", "Computer", "host", "agent.name"))
	v.HostAddr = addr(f.First("host.ip", "agent.ip"))
	v.Src = addr(f.First("source.ip", "src_ip", "srcip", "SourceIp", "client.ip"))
	v.Dst = addr(f.First("destination.ip", "dst_ip", "dest_ip", "dstip", "DestinationIp", "server.ip"))
	v.SrcPort = port(f.First("source.port", "src_port", "srcport"))
	v.DstPort = port(f.First("destination.port", "dst_port", "dest_port", "dstport"))
	v.Proto = strings.ToLower(f.First("network.transport", "proto", "protocol"))
	v.User = asset.ParseAccount(f.Str("user.domain"), f.First("user.name", "username", "user", "User", "srcuser"))
	v.Process = f.First("process.executable", "process.name", "Image")
	v.Parent = f.First("process.parent.executable", "process.parent.name", "ParentImage")
	v.Command = f.First("process.command_line", "CommandLine")
	v.File = f.First("file.path", "TargetFilename")
	v.Hash = f.First("file.hash.sha256", "process.hash.sha256", "sha256")
	v.EventID = f.First("event.code", "EventID")
	v.Message = f.First("message", "Message", "msg", "rule.description")
	v.BytesOut = count(f.First("source.bytes", "bytes_out"))
	v.BytesIn = count(f.First("destination.bytes", "bytes_in"))
	if e.Category == "alert" {
		v.Action = Alert
	}
	switch f.Str("event.outcome") {
	case "success":
		v.Outcome = Success
	case "failure":
		v.Outcome = Failure
	}
}
