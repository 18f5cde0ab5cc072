// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package patientzero

import (
	"strconv"
	"strings"

	"citywall/incident"
)

// Way is the move by which the first host was entered, as far as it is known.
type Way struct {
	Kind      string // of the move: vpn, rdp, ssh, web, c2, ...; "" none
	From      string // outside address or machine
	Account   string
	Port      uint16
	Technique string
	Grade     incident.Grade
	Finding   string // title of a finding that says how, "" none
	FindTech  string // its technique
	Loose     bool   // the finding lies too far from the first bad moment to decide
	NoSource  bool   // the records never name who calls: alerts about machines only
}

// Entry says how they came in, or that it is not determined. A call to the
// outside is a sign of control, not a way in.
func Entry(w Way) incident.Entry {
	switch w.Kind {
	case "":
	case "c2":
		return incident.Entry{Kind: "c2", Vector: w.From + port(w.Port), Technique: "", Reasons: []incident.Reason{
			reason(incident.FirstSignIsChannel, "address", w.From, "port", strconv.Itoa(int(w.Port)))}}
	default:
		e := incident.Entry{Kind: w.Kind, Vector: vector(w), Technique: w.Technique, Determined: w.Grade != incident.Assumed}
		e.Reasons = []incident.Reason{reason(incident.EntryByMove, "kind", w.Kind, "from", w.From, "account", w.Account)}
		return e
	}
	if kind := byTechnique(w.FindTech); kind != "" && w.Finding != "" {
		return incident.Entry{Kind: kind, Vector: w.Finding, Technique: w.FindTech, Determined: !w.Loose,
			Reasons: []incident.Reason{reason(incident.EntryByFinding, "what", w.Finding)}}
	}
	e := incident.Entry{Kind: "unknown", Reasons: []incident.Reason{reason(incident.EntryNotSeen)}}
	if w.NoSource {
		e.Reasons = append(e.Reasons, reason(incident.AttackerPlaceUnknown))
	}
	return e
}

func vector(w Way) string {
	if w.Kind == "vpn" && w.Account != "" {
		return w.Account // whose credentials were used; the address is in the reasons
	}
	return w.From
}

func port(p uint16) string {
	if p == 0 {
		return ""
	}
	return ":" + strconv.Itoa(int(p))
}

// Names reports a technique that by itself says how somebody came in: a letter, a
// stick, a supplier.
func Names(technique string) bool { return byTechnique(technique) != "" }

// byTechnique tells the kind of entry from a technique that names one.
func byTechnique(t string) string {
	for _, x := range [...]struct{ prefix, kind string }{{"T1566", "mail"}, {"T1091", "usb"}, {"T1200", "usb"}, {"T1195", "supplier"}, {"T1199", "supplier"}} {
		if strings.HasPrefix(t, x.prefix) {
			return x.kind
		}
	}
	return ""
}
