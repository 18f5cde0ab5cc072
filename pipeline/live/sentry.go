// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"citywall/internal/queue"
)

// A blind sensor is an attack's first friend. When a source falls silent, comes
// late, has a wrong clock, sends far more or far less than usual, or begins to
// write something else, Citywall writes a record of its own about it and
// publishes it on the queue: from there it goes the way of every record.

// Condition is something wrong with a source.
type Condition string

// Conditions.
const (
	Silent   Condition = "silent" // nothing for much longer than usual
	Late     Condition = "late"   // records are old when they arrive
	Clock    Condition = "clock"  // the sender's clock is wrong
	Volume   Condition = "volume" // far more or far fewer records than usual
	Format   Condition = "format" // records of a kind that this source did not send before
	Damage   Condition = "damage" // many records cannot be read
	ownName            = "citywall"
	ownFrame           = 10 * time.Minute // a condition that ended is not announced again sooner
)

// Limits of the conditions.
const (
	clockWrong    = 2 * time.Minute // of the offset; what the network needs is far less
	volumeTimes   = 10              // more or fewer than usual
	volumeLeast   = 600             // records of difference in an hour
	volumeDays    = 3               // of the same hour, before anything is said
	newFormatFrom = 1000            // records of a source, before a new kind is news
	damageFrom    = 200             // records since the last look at which damage is judged
	damagePercent = 20
)

func newSaid(on []Condition, formats []string) *said {
	w := &said{on: map[Condition]bool{}, off: map[Condition]time.Time{}, formats: map[string]bool{}}
	for _, c := range on {
		w.on[c] = true
	}
	for _, f := range formats {
		w.formats[f] = true
	}
	return w
}

// said is what was last announced about a source.
type said struct {
	on      map[Condition]bool
	off     map[Condition]time.Time // when it ended
	formats map[string]bool         // kinds that are known
	records int64                   // at the last look at damage
	damaged int64
}

// record is what Citywall writes about a source. Numbers are texts, as in every
// record that is read back.
type record struct {
	Citywall  string            `json:"citywall"`
	Time      string            `json:"time"`
	Condition Condition         `json:"condition"`
	Change    string            `json:"change"`
	Source    string            `json:"source"`
	Agency    string            `json:"agency,omitempty"`
	Transport string            `json:"transport"`
	More      map[string]string `json:"-"`
}

func (r record) line() ([]byte, error) {
	type plain record
	b, err := json.Marshal(plain(r))
	if err != nil {
		return nil, err
	}
	m, err := json.Marshal(r.More)
	if err != nil || len(r.More) == 0 {
		return b, err
	}
	return append(append(b[:len(b)-1], ','), m[1:]...), nil
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// judge returns the conditions of a source with what proves each. Usual and
// days are of the hour that ended last.
func (s *sources) judge(x Source, limit time.Duration, w *said, now time.Time, hour, usual float64, days int) map[Condition]map[string]string {
	out := map[Condition]map[string]string{}
	if x.State == SourceSilent {
		out[Silent] = map[string]string{"last_seen": x.LastSeen.UTC().Format(time.RFC3339Nano), "silent_seconds": seconds(now.Sub(x.LastSeen).Round(time.Second)), "limit_seconds": seconds(limit)}
	} else if x.Lag > s.cfg.LateAfter {
		out[Late] = map[string]string{"lag_seconds": seconds(x.Lag)}
	}
	if c := x.Clock; c != nil && c.Offset.Abs() > max(clockWrong, 3*c.Uncertainty) {
		out[Clock] = map[string]string{"offset_seconds": seconds(c.Offset), "uncertainty_seconds": seconds(c.Uncertainty)}
	}
	if x.State != SourceSilent && days >= volumeDays && (hour > volumeTimes*usual && hour-usual > volumeLeast || hour*volumeTimes < usual && usual-hour > volumeLeast) {
		out[Volume] = map[string]string{"hour": strconv.FormatFloat(hour, 'f', 0, 64), "usual": strconv.FormatFloat(usual, 'f', 0, 64), "days": strconv.Itoa(days)}
	}
	for f := range x.Formats {
		if f != Undecoded && !w.formats[f] {
			if len(w.formats) > 0 && x.Records >= newFormatFrom {
				out[Format] = map[string]string{"formats": f}
			}
			w.formats[f] = true
		}
	}
	if n := x.Records - w.records; n >= damageFrom {
		if p := 100 * (x.Damaged - w.damaged) / n; p >= damagePercent {
			out[Damage] = map[string]string{"damaged_percent": strconv.FormatInt(p, 10)}
		}
		w.records, w.damaged = x.Records, x.Damaged
	} else if w.on[Damage] {
		out[Damage] = nil // as before: too few to say
	}
	return out
}

// watch compares what is wrong with a source now with what was said of it, and
// returns the records that are due.
func (s *sources) watch(x Source, m *meter, now time.Time) []record {
	w := m.said
	hour, usual, days := m.tally.volume(now)
	is := s.judge(x, m.silence(), w, now, hour, usual, days)
	var out []record
	add := func(c Condition, change string, more map[string]string) {
		out = append(out, record{"source", now.UTC().Format(time.RFC3339Nano), c, change, x.Name, x.Agency, x.Transport, more})
	}
	for _, c := range []Condition{Silent, Late, Clock, Volume, Format, Damage} {
		more, on := is[c]
		switch {
		case on && c == Format:
			add(c, "begin", more) // news, not a state
		case on && !w.on[c] && now.Sub(w.off[c]) >= ownFrame:
			w.on[c] = true
			add(c, "begin", more)
		case !on && w.on[c]:
			w.on[c], w.off[c] = false, now
			add(c, "end", nil)
		}
	}
	return out
}

// announce publishes records about sources.
func (l *Live) announce(ctx context.Context, rs []record) error {
	now := l.now()
	m := queue.Message{
		ID: fmt.Sprintf("citywall-sources-%d", now.UnixNano()), Listener: ownName, Source: ownName, Realm: string(l.cfg.Realm), Stream: fmt.Sprintf("sources-%d", now.UnixNano()),
		Format: "own", Received: now,
	}
	for i, r := range rs {
		b, err := r.line()
		if err != nil {
			return err
		}
		m.Records = append(m.Records, queue.Record{Seq: uint64(i), Line: int64(i + 1), Data: b})
	}
	return l.p.Queue.Publish(ctx, m)
}

// tally counts records by hour of arrival over the last weeks.
type tally struct {
	Hours [keptHours]uint32 `json:"hours"` // by hour number modulo keptHours
	Last  int64             `json:"last"`  // the latest hour counted, hours since 1970
}

// keptHours are three weeks.
const keptHours = 21 * 24

func (t *tally) add(at time.Time) {
	t.to(at)
	if h := at.Unix() / 3600; h > t.Last-keptHours {
		t.Hours[h%keptHours]++
	}
}

// to empties the hours between the latest and at.
func (t *tally) to(at time.Time) {
	h := at.Unix() / 3600
	if t.Last == 0 {
		t.Last = h
	}
	for k := max(t.Last+1, h-keptHours+1); k <= h; k++ {
		t.Hours[k%keptHours] = 0
	}
	t.Last = max(t.Last, h)
}

// volume returns the records of the last full hour, the median of the same hour
// on earlier days of the same kind (working day or not), and on how many days
// that rests. Days before the first record are none.
func (t *tally) volume(now time.Time) (hour, usual float64, days int) {
	t.to(now)
	at := now.Unix()/3600 - 1
	first := int64(-1)
	for h := at - keptHours + 2; h <= at; h++ {
		if t.Hours[h%keptHours] > 0 {
			first = h
			break
		}
	}
	if first < 0 {
		return 0, 0, 0
	}
	weekend := func(h int64) bool {
		d := time.Unix(h*3600, 0).In(taipei).Weekday()
		return d == time.Saturday || d == time.Sunday
	}
	var seen []float64
	for h := at - 24; h >= first && h > at-keptHours+1; h -= 24 {
		if weekend(h) == weekend(at) {
			seen = append(seen, float64(t.Hours[h%keptHours]))
		}
	}
	hour = float64(t.Hours[at%keptHours])
	if len(seen) == 0 {
		return hour, 0, 0
	}
	slices.Sort(seen)
	return hour, seen[len(seen)/2], len(seen)
}

var taipei = time.FixedZone("Asia/Taipei", 8*3600)
