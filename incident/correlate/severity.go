// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package correlate

import (
	"net/netip"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/incident"
)

// cgnat is the space of carrier-grade NAT (RFC 6598).
var cgnat = netip.MustParsePrefix("100.64.0.0/10")

// severity is the highest level that a reason gives; the reasons stand beside
// it.
func (a *analysis) severity(t *thread, in *incident.Incident) (detect.Level, []incident.Reason) {
	level := detect.Low
	rs := []incident.Reason{}
	give := func(l detect.Level, code string, args ...string) {
		level = max(level, l)
		s := 0.0
		plus(&s, &rs, float64(l), code, args...)
	}
	if t.covert != nil {
		if t.covert.grade == incident.Observed {
			give(detect.Medium, incident.SteadyStream)
		} else {
			give(detect.Low, incident.SevAssumed)
		}
		return level, rs
	}
	hosts := map[detect.Step]map[string]bool{}
	for _, s := range in.Steps {
		if s.Observer != "" {
			continue
		}
		if hosts[s.Step] == nil {
			hosts[s.Step] = map[string]bool{}
		}
		hosts[s.Step][s.Host] = true
	}
	n := func(s detect.Step) int { return len(hosts[s]) }
	if k := max(n(detect.StepEncrypt), n(detect.StepNote)); k > 0 {
		give(detect.Critical, incident.SevEncryption, "hosts", itoa(int64(k)))
	}
	if k := n(detect.StepInhibit); k > 0 {
		give(detect.Critical, incident.SevInhibit, "hosts", itoa(int64(k)))
	}
	compromised := 0
	for _, h := range in.Hosts {
		if !h.Compromised {
			continue
		}
		compromised++
		i := a.hosts.ByKey(h.Host)
		if a.hosts.List[i].Has(asset.RoleDC) {
			give(detect.Critical, incident.SevController, "host", h.Host)
		} else if r, ok := a.isProtected(i); ok && len(rs) < 12 {
			give(detect.High, incident.SevProtected, "host", h.Host, "role", string(r))
		}
	}
	var bytes int64
	control := map[string]bool{}
	for _, h := range in.Hops {
		switch h.Kind {
		case "exfiltration":
			bytes += h.BytesOut
		case "c2":
			control[h.Dst.Key()] = true
		}
	}
	if bytes > 0 {
		give(detect.High, incident.SevExfil, "bytes", itoa(bytes))
	}
	if len(control) > 0 {
		give(detect.High, incident.SevControl, "addresses", itoa(int64(len(control))))
	}
	if compromised > 1 {
		give(detect.High, incident.SevSpread, "hosts", itoa(int64(compromised)))
	}
	if k := n(detect.StepPrivilege); k > 0 {
		give(detect.High, incident.SevPrivilege, "hosts", itoa(int64(k)))
	}
	if k := n(detect.StepWebShell); k > 0 {
		give(detect.High, incident.SevWebShell, "hosts", itoa(int64(k)))
	}
	a.strongest(t, give)
	if t.anomaly {
		sum := 0.0
		for i := range t.moves {
			sum += a.moves[i].Score
		}
		rs = append(rs, incident.Reason{Code: incident.SevAnomaly, Args: map[string]string{"score": decimal(round(sum, 2))}})
	}
	if end := a.end(t); a.last-end < int64(time.Hour) {
		rs = append(rs, incident.Reason{Code: incident.SevOngoing, Args: map[string]string{"last": stamp(end)}})
	}
	return level, rs
}

func (a *analysis) strongest(t *thread, give func(detect.Level, string, ...string)) {
	var best *sign
	for h, since := range t.comp {
		for i := range a.signs[h] {
			s := &a.signs[h][i]
			if s.t < since || attempt(s.step) || s.observer != "" {
				continue
			}
			if best == nil || s.level > best.level || s.level == best.level && (s.t < best.t || s.t == best.t && s.what < best.what) {
				best = s
			}
		}
	}
	if best != nil && best.level > detect.Informational {
		give(best.level, incident.SevFinding, "what", best.what, "level", best.level.String())
	}
}
