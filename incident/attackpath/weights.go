// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package attackpath

import (
	"strconv"
	"time"
)

// Weights are the log-odds of attackpath.md §4.3 and the parameters of the
// search. They are shown in every report. They may be tuned on generated cases
// only.
type Weights struct {
	// Any move.
	Bias       float64 // prior against any move being the intruder's
	FirstPair  float64 // source, destination and user together for the first time
	NewKind    float64 // this source never used this kind before
	Lone       float64 // no history: nobody else does this to the destination
	Alert      float64 // per step of severity of a finding on the move, from low
	Habit      float64 // scheduler, backup or management pair in the baseline
	Refused    float64 // nobody answered or it was turned away
	Scan       float64 // one of many probes
	SourceBad  float64 // the source showed signs of compromise before
	DestSign   float64 // the destination showed its first sign soon after
	Responder  float64 // one of the responders' own accounts or hosts
	QuietAfter float64 // the destination showed nothing for a day after it
	Session    float64 // what betrays the intruder was done in the session that it opened
	Harmless   float64 // the same was done to other machines, which show nothing

	// Moves between machines.
	Switch      float64 // other credentials than those of the person at the keyboard
	Privileged  float64 // the session got special privileges
	RemoteExec  float64 // remote service, WMI, WinRM, scheduled task
	AdminShare  float64 // administrative share used, or a large copy to a machine that serves nobody else
	OffHours    float64 // interactive session outside working hours
	AfterFails  float64 // refused attempts, then success
	Plain       float64 // an ordinary share or network logon, nothing run by it
	Domain      float64 // what every member asks of a domain controller
	FromOutside float64 // an administrative protocol accepted from outside
	NewMachine  float64 // the source has no name and was never seen before

	// Channels to the outside.
	OddPort   float64 // a port no common service has
	AltPort   float64 // a well-known second port of the web
	NoName    float64 // no name led there, though names are visible for the source
	BadCert   float64 // a certificate nobody vouches for
	BareSNI   float64 // TLS to a bare address
	Regular   float64 // even gaps
	Busy      float64 // very many connections in a short time
	Long      float64 // one connection held for very long
	Upload    float64 // much more went out than came in
	Binary    float64 // programs were fetched
	SharedBad float64 // the address is used by another suspicious channel
	AfterTool float64 // begins just after a program for control from afar showed on the source
	Popular   float64 // many of our machines speak to the address

	// Search.
	Open    float64 // start cost of a path that begins inside, unexplained
	Another float64 // more of that while other machines are held already
	Dwell   float64 // per ln(1 + hours) between two moves
	K       int     // paths kept
	MaxHops int
	Hop     float64 // a move off the paths is reported from this score on
	Channel float64 // a channel to the outside likewise
}

// Defaults returns the weights of attackpath.md §4.3; those it does not print
// are ours and marked [D] there.
func Defaults() Weights {
	return Weights{
		Bias: -2, FirstPair: 2, NewKind: 1.5, Lone: 1, Alert: 1, Habit: -3, Refused: -4, Scan: -2,
		SourceBad: 1.5, DestSign: 2, QuietAfter: -1.5, Session: 3, Harmless: -3, Responder: -4,
		Switch: 2, Privileged: 0.5, RemoteExec: 2, AdminShare: 1.5, OffHours: 1, AfterFails: 1.5,
		Plain: -1.5, Domain: -3, FromOutside: 1, NewMachine: 1.5,
		OddPort: 1.5, AltPort: 0.5, NoName: 1, BadCert: 1.5, BareSNI: 1, Regular: 1.5, Busy: 0.5, Long: 0.5,
		Upload: 1, Binary: 1, SharedBad: 2, AfterTool: 1.5, Popular: -2,
		Open: 0.5, Another: 1, Dwell: 0.05, K: 5, MaxHops: 12, Hop: 0.5, Channel: 0.5,
	}
}

// Map returns the weights by name, for the report.
func (w Weights) Map() map[string]string {
	f := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	return map[string]string{
		"bias": f(w.Bias), "first_time": f(w.FirstPair), "new_kind": f(w.NewKind), "lone_source": f(w.Lone), "alert": f(w.Alert),
		"habit": f(w.Habit), "refused": f(w.Refused), "scan": f(w.Scan), "source_bad": f(w.SourceBad), "dest_sign": f(w.DestSign), "quiet_after": f(w.QuietAfter), "session_deed": f(w.Session), "harmless_elsewhere": f(w.Harmless),
		"responder": f(w.Responder), "credential_switch": f(w.Switch), "privileged": f(w.Privileged), "remote_exec": f(w.RemoteExec),
		"admin_share": f(w.AdminShare), "off_hours": f(w.OffHours), "after_failures": f(w.AfterFails), "plain_access": f(w.Plain),
		"domain_service": f(w.Domain), "from_outside": f(w.FromOutside), "new_machine": f(w.NewMachine), "odd_port": f(w.OddPort), "alt_port": f(w.AltPort),
		"no_name": f(w.NoName), "bad_certificate": f(w.BadCert), "bare_sni": f(w.BareSNI), "regular": f(w.Regular), "busy": f(w.Busy),
		"long": f(w.Long), "upload": f(w.Upload), "binary": f(w.Binary), "shared_address": f(w.SharedBad), "after_tool": f(w.AfterTool), "popular": f(w.Popular), "open_start": f(w.Open), "another_start": f(w.Another),
		"dwell": f(w.Dwell), "k": strconv.Itoa(w.K), "max_hops": strconv.Itoa(w.MaxHops), "hop_from": f(w.Hop), "channel_from": f(w.Channel),
	}
}

const hourNS = float64(time.Hour)
