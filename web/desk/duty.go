// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"context"
	"time"

	"citywall/duty"
	"citywall/duty/dutydb"
	"citywall/identity"
	"citywall/internal/fault"
)

// Duty is the watch: who is on duty, what calls them, and how it is handed on.
type Duty struct {
	Store  DutyStore
	Policy duty.Policy
	Broken func() error // why the watch does not work at the moment, nil when it does
}

// DutyStore is *dutydb.Store.
type DutyStore interface {
	List(ctx context.Context, q dutydb.Query) (dutydb.Page, error)
	Alarm(ctx context.Context, id string) (duty.Alarm, []duty.Call, error)
	Ack(ctx context.Context, actor, id string, version int64) (duty.Alarm, error)
	Counts(ctx context.Context) (open, acked int, err error)
	Trouble(ctx context.Context, since int) ([]duty.Call, error)
	Roster(ctx context.Context, from, to time.Time) (duty.Roster, error)
	PutPerson(ctx context.Context, p duty.Person) error
	DropPerson(ctx context.Context, id string) error
	AddShifts(ctx context.Context, shifts []duty.Shift) error
	DropShift(ctx context.Context, id string) error
	AddNote(ctx context.Context, author, body string) (duty.Note, error)
	TakeNote(ctx context.Context, reader, id string) (duty.Note, error)
	Notes(ctx context.Context, n int, before string) ([]duty.Note, error)
}

// duty returns the watch for an asker who may do a.
func (d *Desk) duty(who Who, a identity.Action) (*Duty, error) {
	city, err := d.city(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, a); err != nil {
		return nil, err
	}
	if city.Duty == nil {
		return nil, fault.New(fault.Unavailable, "this installation keeps no watch")
	}
	return city.Duty, nil
}

// ListAlarms returns one page of alarms.
func (d *Desk) ListAlarms(ctx context.Context, who Who, q dutydb.Query) (dutydb.Page, error) {
	w, err := d.duty(who, identity.AlarmRead)
	if err != nil {
		return dutydb.Page{}, err
	}
	return w.Store.List(ctx, q)
}

// Alarm is an alarm with everybody it called.
type Alarm struct {
	duty.Alarm
	State     duty.State  `json:"state"`
	Unreached bool        `json:"unreached"` // it should have called somebody by now and found nobody
	Calls     []duty.Call `json:"calls"`
}

// Alarm returns one alarm.
func (d *Desk) Alarm(ctx context.Context, who Who, id string) (Alarm, error) {
	w, err := d.duty(who, identity.AlarmRead)
	if err != nil {
		return Alarm{}, err
	}
	a, calls, err := w.Store.Alarm(ctx, id)
	return Alarm{a, a.State(), duty.Unreached(w.Policy, a, d.now()), calls}, err
}

// AckAlarm takes an alarm for the asker.
func (d *Desk) AckAlarm(ctx context.Context, who Who, id string, version int64) (Alarm, error) {
	w, err := d.duty(who, identity.AlarmAck)
	if err != nil {
		return Alarm{}, err
	}
	err = d.act(ctx, who, identity.AlarmAck, "alarm/"+id, "", nil, func(ctx context.Context) error {
		_, err := w.Store.Ack(ctx, who.User, id, version)
		return err
	})
	if err != nil {
		return Alarm{}, err
	}
	return d.Alarm(ctx, who, id)
}

// Watch is who is on duty, who comes next, and what is wrong with the watch
// itself.
type Watch struct {
	Time    time.Time     `json:"time"`
	OnDuty  []duty.Person `json:"on_duty"`
	Leads   []duty.Person `json:"leads"`
	Next    []duty.Person `json:"next"`
	Open    int           `json:"open"`  // alarms nobody has taken
	Acked   int           `json:"acked"` // alarms somebody has
	Gaps    []duty.Shift  `json:"gaps"`  // of the coming week: nobody on duty
	Trouble []duty.Call   `json:"trouble"`
	Broken  string        `json:"broken,omitempty"`
}

// failedOften is after how many attempts a call that waits is trouble.
const failedOften = 2

// Watch returns the state of the watch.
func (d *Desk) Watch(ctx context.Context, who Who) (Watch, error) {
	w, err := d.duty(who, identity.AlarmRead)
	if err != nil {
		return Watch{}, err
	}
	now := d.now().UTC()
	out := Watch{Time: now}
	r, err := w.Store.Roster(ctx, now.AddDate(0, 0, -1), now.AddDate(0, 0, 8))
	if err != nil {
		return out, err
	}
	out.OnDuty, out.Leads, out.Next, out.Gaps = r.At(now, duty.OnDuty), r.At(now, duty.Lead), r.Next(now), r.Gaps(now, now.AddDate(0, 0, 7))
	if out.Open, out.Acked, err = w.Store.Counts(ctx); err != nil {
		return out, err
	}
	if out.Trouble, err = w.Store.Trouble(ctx, failedOften); err != nil {
		return out, err
	}
	if w.Broken != nil {
		if err := w.Broken(); err != nil {
			out.Broken = err.Error()
		}
	}
	return out, nil
}

// OpenAlarms counts the alarms nobody has taken, for every page's head.
func (d *Desk) OpenAlarms(ctx context.Context, who Who) (int, error) {
	w, err := d.duty(who, identity.AlarmRead)
	if err != nil {
		return 0, err
	}
	open, _, err := w.Store.Counts(ctx)
	return open, err
}

// Roster returns all people and the shifts that touch [from, to).
func (d *Desk) Roster(ctx context.Context, who Who, from, to time.Time) (duty.Roster, error) {
	w, err := d.duty(who, identity.AlarmRead)
	if err != nil {
		return duty.Roster{}, err
	}
	return w.Store.Roster(ctx, from, to)
}

// PutPerson adds or changes somebody who can be called.
func (d *Desk) PutPerson(ctx context.Context, who Who, p duty.Person) error {
	return d.roster(ctx, who, "person/"+p.ID, map[string]string{"person": "written"}, func(ctx context.Context, s DutyStore) error { return s.PutPerson(ctx, p) })
}

// DropPerson removes somebody who stands on no coming shift.
func (d *Desk) DropPerson(ctx context.Context, who Who, id string) error {
	return d.roster(ctx, who, "person/"+id, map[string]string{"person": "removed"}, func(ctx context.Context, s DutyStore) error { return s.DropPerson(ctx, id) })
}

// AddShifts adds shifts, all or none.
func (d *Desk) AddShifts(ctx context.Context, who Who, shifts []duty.Shift) error {
	detail := map[string]string{}
	if len(shifts) > 0 {
		detail["from"], detail["person"] = shifts[0].Begin.UTC().Format(time.RFC3339), shifts[0].Person
	}
	return d.roster(ctx, who, "shift", detail, func(ctx context.Context, s DutyStore) error { return s.AddShifts(ctx, shifts) })
}

// DropShift removes a shift.
func (d *Desk) DropShift(ctx context.Context, who Who, id string) error {
	return d.roster(ctx, who, "shift/"+id, map[string]string{"shift": "removed"}, func(ctx context.Context, s DutyStore) error { return s.DropShift(ctx, id) })
}

func (d *Desk) roster(ctx context.Context, who Who, object string, detail map[string]string, f func(context.Context, DutyStore) error) error {
	w, err := d.duty(who, identity.AlarmRoster)
	if err != nil {
		return err
	}
	return d.act(ctx, who, identity.AlarmRoster, object, "", detail, func(ctx context.Context) error { return f(ctx, w.Store) })
}

// Notes returns hand-over notes, newest first.
func (d *Desk) Notes(ctx context.Context, who Who, n int, before string) ([]duty.Note, error) {
	w, err := d.duty(who, identity.AlarmRead)
	if err != nil {
		return nil, err
	}
	return w.Store.Notes(ctx, n, before)
}

// AddHandover leaves a note for the next shift.
func (d *Desk) AddHandover(ctx context.Context, who Who, text string) (duty.Note, error) {
	w, err := d.duty(who, identity.AlarmNote)
	if err != nil {
		return duty.Note{}, err
	}
	var n duty.Note
	err = d.act(ctx, who, identity.AlarmNote, "note", "", map[string]string{"note": "written"}, func(ctx context.Context) error {
		n, err = w.Store.AddNote(ctx, who.User, text)
		return err
	})
	return n, err
}

// TakeOver signs a hand-over note.
func (d *Desk) TakeOver(ctx context.Context, who Who, id string) (duty.Note, error) {
	w, err := d.duty(who, identity.AlarmNote)
	if err != nil {
		return duty.Note{}, err
	}
	var n duty.Note
	err = d.act(ctx, who, identity.AlarmNote, "note/"+id, "", map[string]string{"note": "taken over"}, func(ctx context.Context) error {
		n, err = w.Store.TakeNote(ctx, who.User, id)
		return err
	})
	return n, err
}
