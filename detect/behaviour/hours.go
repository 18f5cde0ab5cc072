// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"strings"
	"time"

	"citywall/detect"
	"citywall/event"
)

const (
	hoursBaseline = 3   // days on which an account (or a machine) was administered before it is judged
	hoursRare     = 0.1 // share of those days up to which an hour is unusual
	hoursHalve    = 60  // days from which on old ones count half
	hoursEnds     = 4   // days of weekends in the baseline before one without any is judged
	hoursPause    = 12 * time.Hour
	hoursEntities = 40_000
)

// taipei has no summer time since 1979.
var taipei = time.FixedZone("Asia/Taipei", 8*60*60)

var hoursKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1801", Detector: "hours", Title: "Administration at an hour at which it is never done", Level: detect.Low,
	Formula: "A privileged logon or use of privileges at an hour h (Asia/Taipei) for which d(h)/n ≤ 0.1: n ≥ 3 earlier days with administration by the account, d(h) of them with any within an hour of h; or on a weekend, after at least 4 days of weekends without any. An account with fewer days is judged by the machine's days",
	Meaning: detect.Meaning{Step: detect.StepLateral, Technique: "T1078", Techniques: []string{"T1078"}, Subject: "user"},
	Tags:    []string{"attack.defense-evasion", "attack.persistence", "attack.privilege-escalation", "attack.initial-access", "attack.t1078"},
}

// hours learns at which hours accounts administer, and machines are administered.
type hours struct {
	Accounts table[string, habit] `json:"accounts"`
	Machines table[string, habit] `json:"machines"`
	names    *names
}

// habit is the hours of one account or machine. Its last day is not judged by
// itself: it is learned when another begins.
type habit struct {
	Day   int32      `json:"day"`            // the last with administration, local
	Today uint32     `json:"today"`          // its hours, one bit each
	Days  int        `json:"days,omitempty"` // earlier ones
	First int32      `json:"first"`          // of them
	Ends  int        `json:"ends,omitempty"` // of them on weekends
	Near  [24]uint16 `json:"near"`           // days with administration within an hour of each
	Spoke int64      `json:"spoke,omitempty"`
	Admin bool       `json:"admin,omitempty"` // has used privileges
}

func newHours(n *names) *hours {
	return &hours{Accounts: newTable[string, habit](hoursEntities), Machines: newTable[string, habit](hoursEntities), names: n}
}

func (*hours) name() string       { return "hours" }
func (s *hours) forgotten() int64 { return s.Accounts.Gone + s.Machines.Gone }

func (s *hours) observe(r *report, e *event.Event, v *event.View) {
	var account string
	switch {
	case v.Action == event.Privilege && v.Outcome != event.Failure:
		account = s.names.of(v.User)
	case v.Action == event.Logon && (v.Logon == 0 || v.Logon == 2 || v.Logon == 10):
		account = s.names.used(v)
	}
	if account == "" || strings.HasSuffix(account, "$") || v.Host == "" || serviceAccount(account) {
		return
	}
	x := s.Accounts.get(account)
	if v.Action == event.Privilege {
		if x == nil {
			x = s.Accounts.make(account)
		}
		x.Admin = true
	} else if (x == nil || !x.Admin) && !powerful(v, e) {
		return
	}
	if x == nil {
		x = s.Accounts.make(account)
	}
	m := s.Machines.make(v.Host)
	local := e.Time.In(taipei)
	day, hour := localDay(e.Time), local.Hour()
	x.turn(day)
	m.turn(day)
	who, judge := account, x
	if x.Days < hoursBaseline {
		who, judge = v.Host, m
	}
	why := judge.odd(day, hour)
	x.mark(day, hour)
	m.mark(day, hour)
	if now := e.Time.Unix(); why == "" || x.Spoke != 0 && apart(now, x.Spoke) < hoursPause {
		return
	}
	x.Spoke = e.Time.Unix()
	r.find(&hoursKind, v.Host, nil, []detect.Matched{{Field: "account", Value: account}, {Field: "machine", Value: v.Host}, {Field: "hour", Value: local.Format("Mon 15:04")}},
		fmt.Sprintf("%s at %s in Taipei: %s", who, local.Format("Mon 15:04"), why))
}

// serviceAccount reports accounts that the system itself works as, at all hours.
func serviceAccount(account string) bool {
	domain, name, ok := strings.Cut(account, `\`)
	if !ok {
		name = domain
	}
	switch {
	case strings.HasPrefix(name, "dwm-"), strings.HasPrefix(name, "umfd-"), domain == "nt authority", domain == "nt service", domain == "window manager",
		domain == "font driver host", name == "system", name == "local service", name == "network service", name == "anonymous logon":
		return true
	}
	return false
}

// powerful reports a logon that is administration whoever it is: as root or the
// built-in administrator, or at a device's own management.
func powerful(v *event.View, e *event.Event) bool {
	switch v.User.Name {
	case "root", "administrator":
		return true
	}
	return e.Category == "firewall" && v.Service != "vpn"
}

// turn learns the last day when another has begun. A day that comes late is
// taken for the last one.
func (x *habit) turn(day int32) {
	if day <= x.Day || x.Today == 0 {
		x.Day = max(x.Day, day)
		return
	}
	if x.Days == 0 {
		x.First = x.Day
	}
	if x.Days >= hoursHalve {
		x.Days /= 2
		x.Ends /= 2
		for h := range x.Near {
			x.Near[h] /= 2
		}
	}
	x.Days++
	if weekend(x.Day) {
		x.Ends++
	}
	for h := range x.Near {
		if x.Today&around(h) != 0 {
			x.Near[h]++
		}
	}
	x.Day, x.Today = day, 0
}

// mark notes an hour of the last day.
func (x *habit) mark(day int32, hour int) {
	if day == x.Day {
		x.Today |= 1 << hour
	}
}

// odd says why an hour is unusual, "" when it is not.
func (x *habit) odd(day int32, hour int) string {
	if x.Days < hoursBaseline || day != x.Day {
		return ""
	}
	if d := x.Near[hour]; float64(d) <= hoursRare*float64(x.Days) {
		return fmt.Sprintf("on %d of %d earlier days anything was administered within an hour of this one; it was at %s", d, x.Days, x.usual())
	}
	if !weekend(day) || x.Ends > 0 {
		return ""
	}
	passed := 0
	for d := x.First; d < day && passed < hoursEnds; d++ {
		if weekend(d) {
			passed++
		}
	}
	if passed < hoursEnds {
		return ""
	}
	return fmt.Sprintf("a weekend, and none of %d earlier days was one, though at least %d went by", x.Days, passed)
}

// usual lists the hours that are not unusual, as 08-18.
func (x *habit) usual() string {
	var list []string
	for h := 0; h < 24; h++ {
		from := h
		for h < 24 && float64(x.Near[h]) > hoursRare*float64(x.Days) {
			h++
		}
		if h > from {
			list = append(list, fmt.Sprintf("%02d-%02d", from, h))
		}
	}
	return strings.Join(list, ", ")
}

// around is the hours within one of h, round the clock.
func around(h int) uint32 {
	return 1<<h | 1<<((h+1)%24) | 1<<((h+23)%24)
}

// weekend reports whether a day since 1970, a Thursday, is a Saturday or Sunday.
// Days that the government makes up for are taken for what the calendar says.
func weekend(day int32) bool { return (day+4)%7 == 0 || (day+4)%7 == 6 }
