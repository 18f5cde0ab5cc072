// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package patientzero

import (
	"net/netip"
	"strconv"
	"time"

	"citywall/incident"
)

// Facts are what the interval rests on. Zero times are unknown.
type Facts struct {
	Host      string
	Addr      netip.Addr
	LogsBegin time.Time // of the sources that see the host
	FirstBad  time.Time
	Bad       incident.Reason
	Evidence  []incident.Pointer

	Attempts     int       // refused or failed before the first bad moment
	AttemptFirst time.Time // when they began
	LastGood     time.Time // last ordinary record of the host before anything of the incident
	Seen         bool      // the way in is on record: FirstBad is when he came, not the first that he did
	OrdinaryDay  time.Time // end of the last whole day of the host without any sign, Margin before FirstBad; zero when there is none
	Surely       time.Time // from when on he was there beyond doubt, where the way in is only one of several visits that look alike
	SameWay      time.Time // the earliest visit of the same account from the same place before FirstBad
	SameWayOpen  bool      // such visits go back to where the logs begin
	Stopped      bool      // the first bad moment is the end of something that had been running
	Quiet        time.Duration
}

// Interval returns the statement.
func Interval(f Facts) incident.FirstCompromise {
	out := incident.FirstCompromise{
		Host: f.Host, Addr: f.Addr, Latest: f.FirstBad, LogsBegin: f.LogsBegin, FirstBad: f.Bad, Evidence: f.Evidence,
	}
	if f.Surely.After(f.FirstBad) {
		out.Latest = f.Surely
		out.FirstBad = reason(incident.BeyondDoubt, "time", stamp(f.FirstBad))
	}
	quietUntil := f.FirstBad
	if !f.SameWay.IsZero() && f.SameWay.Before(quietUntil) {
		quietUntil = f.SameWay
	}
	if !f.AttemptFirst.IsZero() && f.AttemptFirst.Before(quietUntil) {
		quietUntil = f.AttemptFirst
	}
	quiet := quietUntil.Sub(f.LogsBegin)
	switch {
	case f.Stopped:
		out.LowerOpen = true
		out.KnownGood = reason(incident.RanBefore, "time", stamp(f.FirstBad))
	case quiet < f.Quiet:
		out.LowerOpen = true
		out.KnownGood = reason(incident.LogsBeginAt, "time", stamp(f.LogsBegin), "before_s", seconds(f.FirstBad.Sub(f.LogsBegin)))
	case f.SameWayOpen:
		out.LowerOpen = true
		out.KnownGood = reason(incident.CameBefore, "time", stamp(f.SameWay))
	case !f.AttemptFirst.IsZero() && f.AttemptFirst.Before(f.FirstBad):
		out.Earliest = f.AttemptFirst
		out.KnownGood = reason(incident.OnlyAttempts, "until", stamp(f.AttemptFirst), "attempts", strconv.Itoa(f.Attempts))
	case !f.Seen && f.OrdinaryDay.IsZero():
		out.LowerOpen = true
		out.KnownGood = reason(incident.NoOrdinaryDay, "time", stamp(f.LogsBegin))
	case !f.Seen:
		out.Earliest = f.OrdinaryDay
		out.KnownGood = reason(incident.OrdinaryDay, "until", stamp(out.Earliest))
	default:
		out.Earliest = quietUntil
		if !f.LastGood.IsZero() && f.LastGood.Before(quietUntil) {
			out.Earliest = f.LastGood
		}
		out.KnownGood = reason(incident.QuietBefore, "days", strconv.FormatFloat(quiet.Hours()/24, 'f', 1, 64), "until", stamp(out.Earliest))
	}
	return out
}

// Margin is how long before the first bad moment a day must have ended to count
// as ordinary.
const Margin = 6 * time.Hour

func reason(code string, pairs ...string) incident.Reason {
	r := incident.Reason{Code: code, Args: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Args[pairs[i]] = pairs[i+1]
	}
	return r
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) }
