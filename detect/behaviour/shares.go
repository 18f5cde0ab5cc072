// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
)

const (
	shareWindow  = 10 * time.Minute
	shareNew     = 3  // machines reached so for the first time, within a window
	shareMemory  = 30 // days
	shareDays    = 2  // that the detector must have looked on before first times are judged
	shareLambda  = 0.3
	shareSources = 20_000
	shareMost    = 512 // machines remembered of one source
	shareHeavy   = 1 << 19
	sharePause   = time.Hour
)

var shareKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1503", Detector: "admin-shares", Title: "A host opens administration shares of machines on which it never did", Level: detect.Medium,
	Formula: "Within 10 minutes one source opens ADMIN$, the share of a drive (C$), or by IPC$ the pipes of the service or task manager (svcctl, atsvc, winreg) on n ≥ 3 machines on none of which it did in the 30 days before, and n > 2μ, where μ is how many such machines its earlier days had, exponentially weighted with λ=0.3",
	Meaning: detect.Meaning{Step: detect.StepLateral, Technique: "T1021.002", Techniques: []string{"T1021.002", "T1569.002"}, Subject: "src"},
	Tags:    []string{"attack.lateral-movement", "attack.t1021.002", "attack.execution", "attack.t1569.002"},
}

// shares looks at administration shares and pipes.
type shares struct {
	Sources table[string, opener]     `json:"sources"`
	Named   table[netip.Addr, string] `json:"named"` // machines by address: sensors write both, machines their name
	First   int32                     `json:"first"` // day of the first record of a share, local
	names   *names
}

// opener is one source.
type opener struct {
	Known map[string]int32 `json:"known"` // machines, with the day last opened
	Day   int32            `json:"day"`   // the last with new machines, or on which one was opened
	Today int              `json:"today"` // new machines of that day
	Days  int              `json:"days"`  // earlier ones
	Mean  float64          `json:"mean"`  // new machines of them
	Lanes lanes[opening]   `json:"lanes"`
	Spoke int64            `json:"spoke,omitempty"`
}

// opening is what it opened first in the newest ten minutes.
type opening struct {
	New  sliding[string] `json:"new"`
	Refs []ref           `json:"refs,omitempty"`
}

func newShares(n *names) *shares {
	return &shares{Sources: newHeavy[string](shareSources, shareHeavy, func(x *opener) int { return len(x.Known) }), Named: newTable[netip.Addr, string](shareSources), names: n}
}

func (*shares) name() string       { return "admin-shares" }
func (s *shares) forgotten() int64 { return s.Sources.Gone + s.Named.Gone }

func (s *shares) observe(r *report, e *event.Event, v *event.View) {
	what := ""
	switch v.Action {
	case event.Share:
		if s.First == 0 {
			s.First = localDay(e.Time)
		}
		what = adminShare(v.Share, v.File)
	case event.RPC:
		what = adminPipe(v.Message)
	}
	if what == "" || v.Outcome == event.Failure {
		return
	}
	source, target := subject("", v.Src), s.target(v)
	if source == "" {
		source = v.SrcHost
	}
	if source == "" || target == "" || source == target || target == v.SrcHost {
		return
	}
	x, had := s.Sources.load(source)
	defer s.Sources.settle(x, had)
	now, today := e.Time.Unix(), localDay(e.Time)
	x.turn(today)
	at, known := x.Known[target]
	if known {
		x.Known[target] = max(at, today)
		if today-at <= shareMemory {
			return
		}
	}
	if len(x.Known) >= shareMost {
		for k, d := range x.Known {
			if today-d > shareMemory {
				delete(x.Known, k)
			}
		}
		if len(x.Known) >= shareMost {
			return // it administers all machines there are
		}
	}
	if x.Known == nil {
		x.Known = map[string]int32{}
	}
	x.Known[target] = today
	x.Today++
	part, y := partOf(now, shareWindow), x.Lanes.pick(now, shareWindow)
	if !y.New.add(target, part, shareMost) {
		return
	}
	y.Refs = keepRef(recent(y.Refs, now, shareWindow), e)
	n, days := len(y.New.M), today-s.First
	if n < shareNew || float64(n) <= 2*x.Mean || s.First == 0 || days < shareDays || x.Spoke != 0 && apart(now, x.Spoke) < sharePause {
		return
	}
	x.Spoke = now
	r.find(&shareKind, subject(v.SrcHost, v.Src), y.Refs, []detect.Matched{{Field: "src", Value: source}, {Field: "share", Value: what}, {Field: "account", Value: s.names.of(v.User)}, {Field: "machine", Value: target}},
		fmt.Sprintf("%d machines for the first time within 10 minutes, the last over %s; %d others are known of it; μ = %.1f on %d earlier days of its own; the baseline rests on %d days", n, what, len(x.Known)-n, x.Mean, x.Days, days))
}

// turn learns how many new machines the last day had when another has begun.
func (x *opener) turn(day int32) {
	if day <= x.Day {
		return
	}
	switch {
	case x.Day == 0:
	case x.Days == 0:
		x.Mean, x.Days = float64(x.Today), 1
	default:
		x.Mean += shareLambda * (float64(x.Today) - x.Mean)
		x.Days++
	}
	x.Day, x.Today = day, 0
}

// target is the machine whose share it is, by name where one is known: what the
// machine writes itself has no address of it.
func (s *shares) target(v *event.View) string {
	name := v.DstHost
	if name == "" {
		if unc, ok := strings.CutPrefix(v.Message, `\\`); ok && v.Share != "" {
			host, _, _ := strings.Cut(unc, `\`)
			name = asset.HostName(host)
		}
	}
	if name == "*" || name == "" {
		name = v.Host
	}
	if !v.Dst.IsValid() {
		return name
	}
	if name != "" && name != v.Dst.String() {
		*s.Named.make(v.Dst) = name
		return name
	}
	if known := s.Named.get(v.Dst); known != nil {
		return *known
	}
	return v.Dst.String()
}

// adminShare is the share or pipe when only administration opens it, else "".
func adminShare(share, file string) string {
	switch {
	case strings.EqualFold(share, "ADMIN$"), len(share) == 2 && share[1] == '$':
		return share
	case strings.EqualFold(share, "IPC$"):
		return adminPipe(file)
	}
	return ""
}

// adminPipe is the pipe or endpoint by which services, tasks and the registry of
// another machine are changed, else "".
func adminPipe(name string) string {
	name, _, _ = strings.Cut(strings.TrimPrefix(strings.ToLower(name), `\`), "::")
	switch name {
	case "svcctl", "atsvc", "winreg", "itaskschedulerservice":
		return name
	}
	return ""
}
