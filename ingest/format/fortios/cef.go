// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fortios

import (
	"strings"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/cef"
)

// names are what FortiOS calls the fields that its CEF writes under CEF's keys
// ("CEF support" in the log reference). Its other keys have a prefix.
var names = map[string]string{
	"deviceExternalId": "devid", "dvchost": "devname", "deviceCustomDate1": "eventtime",
	"src": "srcip", "shost": "srcname", "spt": "srcport", "smac": "srcmac", "deviceInboundInterface": "srcintf",
	"dst": "dstip", "dhost": "dstname", "dpt": "dstport", "dmac": "dstmac", "deviceOutboundInterface": "dstintf",
	"sourceTranslatedAddress": "transip", "sourceTranslatedPort": "transport",
	"destinationTranslatedAddress": "tranip", "destinationTranslatedPort": "tranport",
	"externalId": "sessionid", "act": "action", "app": "service", "out": "sentbyte", "in": "rcvdbyte",
	"suser": "user", "duser": "user", "sproc": "ui", "outcome": "status", "request": "url", "fname": "filename", "fsize": "filesize",
	"requestClientApplication": "agent", "requestContext": "referralurl", "requestMethod": "httpmethod", "deviceDirection": "direction",
	"custom.Policy Id": "policyid", "custom.Duration": "duration", "custom.Packets Sent": "sentpkt", "custom.Packets Received": "rcvdpkt",
	"custom.Virus": "virus", "custom.Reference": "ref", "custom.Source IPv6 Address": "srcip", "custom.Destination IPv6 Address": "dstip",
}

// prefixes of keys that CEF has no name for.
var prefixes = [...]string{"FTNTFGT", "FortinetFortiGate"}

// restore reads a CEF record and gives its fields FortiOS's names. The header's
// parts and the labels of custom keys keep theirs.
func restore(msg string, f *event.Fields) error {
	var all event.Fields
	if err := cef.Parse(msg, &all); err != nil {
		return err
	}
	b := format.NewBody(f, len(all)+2)
	typ, subtype, _ := strings.Cut(all.Str("cat"), ":")
	b.Add("type", typ)
	known := map[string]bool{}
	for _, x := range all {
		name := x.Name
		own := false
		for _, p := range prefixes {
			if n, ok := strings.CutPrefix(name, p); ok && n != "" {
				name, own = n, true
			}
		}
		if n, ok := names[name]; ok && !own {
			switch {
			case n == "dstip" && subtype == "vpn" && typ == "event": // the peer of a tunnel
				n = "remip"
			case n == "dstname" && (typ == "utm" || subtype == "system"): // the host of a request, or of a lease
				n = "hostname"
			}
			name = n
		}
		if known[name] || name == "cat" {
			continue // the key of its own and CEF's say the same
		}
		known[name] = true
		b.Add(name, x.Value.String())
	}
	if !known["subtype"] {
		b.Add("subtype", subtype)
	}
	return nil
}
