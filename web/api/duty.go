// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"citywall/detect"
	"citywall/duty"
	"citywall/duty/dutydb"
	"citywall/internal/fault"
	"citywall/web/desk"
)

func (s *Server) watch(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	v, err := s.Desk.Watch(r.Context(), who)
	if err != nil {
		return err
	}
	v.OnDuty, v.Leads, v.Next = itemsOf(v.OnDuty).Items, itemsOf(v.Leads).Items, itemsOf(v.Next).Items
	v.Gaps, v.Trouble = itemsOf(v.Gaps).Items, itemsOf(v.Trouble).Items
	return put(w, v)
}

// AlarmQuery reads what alarms are asked for.
func AlarmQuery(r *http.Request) (dutydb.Query, error) {
	v := r.URL.Query()
	q := dutydb.Query{Text: v.Get("text"), After: v.Get("after"), Sort: dutydb.Sort(v.Get("sort"))}
	for _, x := range list(r, "state") {
		switch st := duty.State(x); st {
		case duty.Open, duty.Acked, duty.Ended:
			q.States = append(q.States, st)
		default:
			return q, fault.New(fault.Invalid, "state=%q: want open, acked or ended", x)
		}
	}
	if x := v.Get("severity"); x != "" {
		l, ok := detect.ParseLevel(x)
		if !ok {
			return q, fault.New(fault.Invalid, "severity=%q: want informational, low, medium, high or critical", x)
		}
		q.MinSeverity = l
	}
	var err error
	q.Limit, err = number(r, "limit", 50, 1, 500)
	return q, err
}

// alarmRow is an alarm in a list.
type alarmRow struct {
	duty.Alarm
	State duty.State `json:"state"`
}

func newAlarmRow(a duty.Alarm) alarmRow { return alarmRow{a, a.State()} }

func (s *Server) alarms(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := AlarmQuery(r)
	if err != nil {
		return err
	}
	p, err := s.Desk.ListAlarms(r.Context(), who, q)
	if err != nil {
		return err
	}
	return put(w, pageOf(p.Alarms, p.Next, newAlarmRow))
}

func (s *Server) alarmExport(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := AlarmQuery(r)
	if err != nil {
		return err
	}
	format, err := sheetKind(r)
	if err != nil {
		return err
	}
	l := lang(r)
	k := sheet[duty.Alarm]{
		name: "alarms", columns: []string{"id", "severity", "state", "title", "subject", "raised", "round", "acked_by", "acked_at", "ended", "called"},
		cells: func(a duty.Alarm) []string {
			return []string{
				a.ID, a.Severity.String(), string(a.State()), a.Title[l], a.Subject, stamp(a.Raised), strconv.Itoa(a.Round), a.AckedBy, stamp(a.AckedAt), stamp(a.Ended),
				strconv.Itoa(a.Reached),
			}
		},
		object: func(a duty.Alarm) any { return newAlarmRow(a) },
	}
	q.Limit = 500
	return k.write(w, format, func(f func(duty.Alarm) error) error {
		for {
			p, err := s.Desk.ListAlarms(r.Context(), who, q)
			if err != nil {
				return err
			}
			for _, a := range p.Alarms {
				if err := f(a); err != nil {
					return err
				}
			}
			if q.After = p.Next; q.After == "" {
				return nil
			}
		}
	})
}

func putAlarm(w http.ResponseWriter, a desk.Alarm, err error) error {
	if err != nil {
		return err
	}
	a.Calls = itemsOf(a.Calls).Items
	return put(w, a)
}

func (s *Server) alarm(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	a, err := s.Desk.Alarm(r.Context(), who, r.PathValue("id"))
	return putAlarm(w, a, err)
}

func (s *Server) alarmAck(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Version int64 `json:"version"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	a, err := s.Desk.AckAlarm(r.Context(), who, r.PathValue("id"), in.Version)
	return putAlarm(w, a, err)
}

// maxRoster bounds the span of one look at the roster.
const maxRoster = 400 * 24 * time.Hour

func (s *Server) roster(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	from, err := moment(r, "from")
	if err != nil {
		return err
	}
	to, err := moment(r, "to")
	if err != nil {
		return err
	}
	if from.IsZero() {
		from = s.Desk.Now()
	}
	if to.IsZero() {
		to = from.AddDate(0, 0, 14)
	}
	if to.Sub(from) > maxRoster || !to.After(from) {
		return fault.New(fault.Invalid, "ask for a span of 1 to 400 days")
	}
	v, err := s.Desk.Roster(r.Context(), who, from, to)
	if err != nil {
		return err
	}
	return put(w, struct {
		People []duty.Person `json:"people"`
		Shifts []duty.Shift  `json:"shifts"`
		Gaps   []duty.Shift  `json:"gaps"`
	}{itemsOf(v.People).Items, itemsOf(v.Shifts).Items, itemsOf(v.Gaps(from, to)).Items})
}

func (s *Server) putPerson(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var p duty.Person
	if err := take(r, &p); err != nil {
		return err
	}
	return done(w, s.Desk.PutPerson(r.Context(), who, p))
}

func (s *Server) dropPerson(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	return done(w, s.Desk.DropPerson(r.Context(), who, r.PathValue("id")))
}

func (s *Server) addShifts(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Shifts []duty.Shift `json:"shifts"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	return done(w, s.Desk.AddShifts(r.Context(), who, in.Shifts))
}

func (s *Server) dropShift(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	return done(w, s.Desk.DropShift(r.Context(), who, r.PathValue("id")))
}

func (s *Server) notes(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	n, err := number(r, "limit", 50, 1, 500)
	if err != nil {
		return err
	}
	v, err := s.Desk.Notes(r.Context(), who, n, r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	next := ""
	if len(v) == n {
		next = v[n-1].ID
	}
	return put(w, pageOf(v, next, same[duty.Note]))
}

func (s *Server) addHandover(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Text string `json:"text"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	n, err := s.Desk.AddHandover(r.Context(), who, strings.TrimSpace(in.Text))
	if err != nil {
		return err
	}
	return put(w, n)
}

func (s *Server) takeOver(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	n, err := s.Desk.TakeOver(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return put(w, n)
}

// done answers 204, or the error.
func done(w http.ResponseWriter, err error) error {
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
