// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/detect"
	"citywall/duty"
	"citywall/duty/dutydb"
	"citywall/identity"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

type dutyData struct {
	Watch  desk.Watch
	Alarms []duty.Alarm
	Query  dutydb.Query
	Any    bool
	States []duty.State
	Levels []detect.Level
	Pager  pager
	Notes  []duty.Note
	More   string // address of older notes
	Roster duty.Roster
	Names  map[string]string // person id -> name
	Days   []rosterDay
	Manage bool
	JSON   string
}

// rosterDay is the shifts that begin on one day in Taipei.
type rosterDay struct {
	Day    time.Time
	Shifts []duty.Shift
}

// Chosen reports whether a state is in the filter.
func (d dutyData) Chosen(s duty.State) bool { return slices.Contains(d.Query.States, s) }

// Name returns the name of a person, or the id when they are gone.
func (d dutyData) Name(id string) string {
	if n := d.Names[id]; n != "" {
		return n
	}
	return id
}

// Empty is nobody yet, for the form that adds somebody.
func (d dutyData) Empty() duty.Person { return duty.Person{} }

// shownDays is how far ahead the page shows the roster.
const shownDays = 14

func (s *Server) duty(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	q, err := api.AlarmQuery(r)
	if err != nil {
		return err
	}
	d := dutyData{Any: len(q.States) > 0 || q.Text != "" || q.MinSeverity > 0, States: []duty.State{duty.Open, duty.Acked, duty.Ended},
		Levels: []detect.Level{detect.Low, detect.Medium, detect.High, detect.Critical}, Names: map[string]string{}, Manage: s.Desk.Allowed(c.Who, identity.AlarmRoster)}
	if q.Sort == "" {
		q.Sort = dutydb.Severest
	}
	d.Query = q
	if len(q.States) == 0 {
		q.States = []duty.State{duty.Open, duty.Acked} // what is over is asked for
	}
	if d.Watch, err = s.Desk.Watch(r.Context(), c.Who); err != nil {
		return err
	}
	p, err := s.Desk.ListAlarms(r.Context(), c.Who, q)
	if err != nil {
		return err
	}
	d.Alarms, d.Pager = p.Alarms, newPager(r, p.Next, "")
	d.Pager.CSV, d.Pager.JSON = exportLink(r.URL, api.Prefix+"/alarms/export", "csv", Lang(r)), exportLink(r.URL, api.Prefix+"/alarms/export", "jsonl", Lang(r))
	before := r.URL.Query().Get("note")
	if d.Notes, err = s.Desk.Notes(r.Context(), c.Who, shownNotes, before); err != nil {
		return err
	}
	if len(d.Notes) == shownNotes {
		d.More = "/watch?note=" + d.Notes[shownNotes-1].ID + "#notes"
	}
	today := s.Desk.Now().In(duty.Taipei)
	from := time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, duty.Taipei)
	if d.Roster, err = s.Desk.Roster(r.Context(), c.Who, from, from.AddDate(0, 0, shownDays)); err != nil {
		return err
	}
	d.JSON = api.Prefix + "/roster"
	for _, x := range d.Roster.People {
		d.Names[x.ID] = x.Name
	}
	for _, x := range d.Roster.Shifts {
		b := x.Begin.In(duty.Taipei)
		day := time.Date(b.Year(), b.Month(), b.Day(), 0, 0, 0, 0, duty.Taipei)
		if n := len(d.Days); n == 0 || !d.Days[n-1].Day.Equal(day) {
			d.Days = append(d.Days, rosterDay{Day: day})
		}
		d.Days[len(d.Days)-1].Shifts = append(d.Days[len(d.Days)-1].Shifts, x)
	}
	return s.render(w, r, c, http.StatusOK, "watch", text.T(Lang(r), "console.nav.watch"), d)
}

// shownNotes is how many hand-over notes a page shows.
const shownNotes = 5

func (s *Server) alarm(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	a, err := s.Desk.Alarm(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.render(w, r, c, http.StatusOK, "alarm", a.Title[Lang(r)], struct {
		A    desk.Alarm
		JSON string
	}{a, api.Prefix + "/alarms/" + a.ID})
}

func (s *Server) alarmAck(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, err := version(r)
	if err != nil {
		return err
	}
	a, err := s.Desk.AckAlarm(r.Context(), c.Who, r.PathValue("id"), v)
	if err != nil {
		return err
	}
	if r.PostForm.Get("open") != "" && a.Path != "" {
		return back(w, r, local(a.Path), "alarm_acked")
	}
	return back(w, r, "/watch", "alarm_acked")
}

func (s *Server) handoverNote(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	if _, err := s.Desk.AddHandover(r.Context(), c.Who, r.PostForm.Get("text")); err != nil {
		return err
	}
	return back(w, r, "/watch", "note_left")
}

func (s *Server) takeOver(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if _, err := s.Desk.TakeOver(r.Context(), c.Who, r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/watch", "taken_over")
}

func (s *Server) putPerson(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	f := r.PostForm
	err := s.Desk.PutPerson(r.Context(), c.Who, duty.Person{
		ID: strings.TrimSpace(f.Get("id")), Name: f.Get("name"), Mail: f.Get("mail"), Phone: f.Get("phone"), Agencies: words(f.Get("agencies")), Note: f.Get("note"),
	})
	if err != nil {
		return err
	}
	return back(w, r, "/watch", "person_saved")
}

func (s *Server) dropPerson(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := s.Desk.DropPerson(r.Context(), c.Who, r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/watch", "person_removed")
}

func (s *Server) addShifts(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	f := r.PostForm
	shifts, err := repeat(f.Get("person"), duty.Post(f.Get("post")), f.Get("begin"), f.Get("hours"), f.Get("repeat"), f.Get("until"))
	if err != nil {
		return err
	}
	if err := s.Desk.AddShifts(r.Context(), c.Who, shifts); err != nil {
		return err
	}
	return back(w, r, "/watch", "shifts_added")
}

// repeat makes the shifts of a form: one, or one each day, working day or week
// until a day in Taipei, that day included.
func repeat(person string, post duty.Post, begin, hours, every, until string) ([]duty.Shift, error) {
	b, err := time.ParseInLocation("2006-01-02T15:04", begin, duty.Taipei)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the begin of the shift must be a date and a time")
	}
	h, err := strconv.Atoi(hours)
	if err != nil || h < 1 || h > 48 {
		return nil, fault.New(fault.Invalid, "a shift has 1 to 48 hours")
	}
	end := b
	step := 1
	switch every {
	case "":
	case "daily", "weekdays", "weekly":
		if end, err = time.ParseInLocation("2006-01-02", until, duty.Taipei); err != nil {
			return nil, fault.New(fault.Invalid, "a shift that repeats needs the last day")
		}
		end = end.Add(24*time.Hour - time.Nanosecond)
		if every == "weekly" {
			step = 7
		}
	default:
		return nil, fault.New(fault.Invalid, "a shift repeats daily, on weekdays, weekly or not at all")
	}
	var out []duty.Shift
	for d := b; !d.After(end) && len(out) <= 1000; d = d.AddDate(0, 0, step) {
		if w := d.Weekday(); every == "weekdays" && (w == time.Saturday || w == time.Sunday) {
			continue
		}
		out = append(out, duty.Shift{Person: person, Post: post, Begin: d, End: d.Add(time.Duration(h) * time.Hour)})
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Invalid, "no shift lies between the two days")
	}
	return out, nil
}

func (s *Server) dropShift(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := s.Desk.DropShift(r.Context(), c.Who, r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/watch", "shift_removed")
}

// callWhy words why a call was not delivered: Citywall's own reasons by their
// code, the other side's as it said them.
func callWhy(l text.Lang, why string) string {
	if key := "console.callwhy." + why; why != "" && text.Has(l, key) {
		return text.T(l, key)
	}
	return why
}
