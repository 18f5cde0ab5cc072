// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package dutydb keeps the watch of one realm: people, shifts, alarms, the
// calls they make, and the notes between shifts.
//
// It promises that an alarm and the calls it plans are written together, that a
// call is taken by one sender only, that what waits to be sent outlives any
// stop, and that a note is never changed. It never decides whom to call (duty)
// and never sends (duty/call).
package dutydb

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citywall/detect"
	"citywall/duty"
	"citywall/internal/db"
	"citywall/internal/fault"
)

//go:embed migrations
var migrations embed.FS

// Store is the watch of one realm. It is safe for concurrent use.
type Store struct {
	d   *db.DB
	now func() time.Time
}

// Open migrates and opens the tables of the watch in d.
func Open(ctx context.Context, d *db.DB, now func() time.Time) (*Store, error) {
	if err := d.Migrate(ctx, "duty", migrations); err != nil {
		return nil, err
	}
	return &Store{d: d, now: now}, nil
}

type alarmRow struct {
	bun.BaseModel `bun:"table:duty_alarm,alias:a"`

	ID       string `bun:"id,pk"`
	Subject  string `bun:"subject"`
	Round    int    `bun:"round"`
	Severity uint8  `bun:"severity"`
	Title    string `bun:"title"`
	Path     string `bun:"path"`
	Agencies string `bun:"agencies"`
	RaisedUS int64  `bun:"raised_us"`
	AckedBy  string `bun:"acked_by"`
	AckedUS  int64  `bun:"acked_us"`
	EndedUS  int64  `bun:"ended_us"`
	Planned  int    `bun:"planned"`
	Reached  int    `bun:"reached"`
	Version  int64  `bun:"version"`
}

type callRow struct {
	bun.BaseModel `bun:"table:duty_call,alias:c"`

	ID       string `bun:"id,pk"`
	Alarm    string `bun:"alarm"`
	Round    int    `bun:"round"`
	Step     int    `bun:"step"`
	Person   string `bun:"person"`
	Channel  string `bun:"channel"`
	Addr     string `bun:"addr"`
	DueUS    int64  `bun:"due_us"`
	State    string `bun:"state"`
	Attempts int    `bun:"attempts"`
	NextUS   int64  `bun:"next_us"`
	AtUS     int64  `bun:"at_us"`
	Error    string `bun:"error"`
}

func us(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func at(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func rowOf(a duty.Alarm) (alarmRow, error) {
	title, err := json.Marshal(a.Title)
	if err != nil {
		return alarmRow{}, fmt.Errorf("alarm %s: %w", a.ID, err)
	}
	agencies, err := json.Marshal(a.Agencies)
	if err != nil {
		return alarmRow{}, fmt.Errorf("alarm %s: %w", a.ID, err)
	}
	return alarmRow{
		ID: a.ID, Subject: db.Text(a.Subject), Round: a.Round, Severity: uint8(a.Severity), Title: db.Text(string(title)), Path: db.Text(a.Path),
		Agencies: db.Text(string(agencies)), RaisedUS: us(a.Raised), AckedBy: a.AckedBy, AckedUS: us(a.AckedAt), EndedUS: us(a.Ended),
		Planned: a.Planned, Reached: a.Reached, Version: a.Version,
	}, nil
}

func (r alarmRow) alarm() (duty.Alarm, error) {
	a := duty.Alarm{
		ID: r.ID, Subject: r.Subject, Round: r.Round, Severity: detect.Level(r.Severity), Path: r.Path, Raised: at(r.RaisedUS), AckedBy: r.AckedBy,
		AckedAt: at(r.AckedUS), Ended: at(r.EndedUS), Planned: r.Planned, Reached: r.Reached, Version: r.Version,
	}
	if err := json.Unmarshal([]byte(r.Title), &a.Title); err != nil {
		return a, fmt.Errorf("alarm %s: title: %w", r.ID, err)
	}
	if err := json.Unmarshal([]byte(r.Agencies), &a.Agencies); err != nil {
		return a, fmt.Errorf("alarm %s: agencies: %w", r.ID, err)
	}
	return a, nil
}

func callOf(c duty.Call) callRow {
	return callRow{
		ID: c.ID, Alarm: c.Alarm, Round: c.Round, Step: c.Step, Person: c.Person, Channel: string(c.Channel), Addr: db.Text(c.To), DueUS: us(c.Due),
		State: string(c.State), Attempts: c.Attempts, NextUS: us(c.Next), AtUS: us(c.At), Error: db.Text(c.Error),
	}
}

func (r callRow) call() duty.Call {
	return duty.Call{
		ID: r.ID, Alarm: r.Alarm, Round: r.Round, Step: r.Step, Person: r.Person, Channel: duty.Channel(r.Channel), To: r.Addr, Due: at(r.DueUS),
		State: duty.CallState(r.State), Attempts: r.Attempts, Next: at(r.NextUS), At: at(r.AtUS), Error: r.Error,
	}
}

// Watch brings the alarms up to the causes that exist now: new and worse ones
// are raised, those whose cause is gone end, and the calls that fell due are
// planned; all in one transaction. It returns the alarms that were raised.
func (s *Store) Watch(ctx context.Context, causes []duty.Cause, p duty.Policy) ([]duty.Alarm, error) {
	var raised []duty.Alarm
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		raised = nil
		now := s.now().UTC()
		var rows []alarmRow
		// Ended alarms of subjects that are here again begin a new round.
		subjects := []string{""}
		for _, c := range causes {
			subjects = append(subjects, db.Text(c.Subject))
		}
		if err := tx.NewSelect().Model(&rows).Where("ended_us = 0 OR subject IN ?", bun.Tuple(subjects)).Scan(ctx); err != nil {
			return err
		}
		have := map[string]duty.Alarm{}
		for _, r := range rows {
			a, err := r.alarm()
			if err != nil {
				return err
			}
			have[a.Subject] = a
		}
		r, err := s.roster(ctx, tx, now)
		if err != nil {
			return err
		}
		here := map[string]bool{}
		for _, c := range causes {
			c.Subject = db.Text(c.Subject)
			here[c.Subject] = true
			old := have[c.Subject]
			a, changed := duty.Raise(old, c, now)
			if a.Round != old.Round {
				raised = append(raised, a)
			}
			a, calls := duty.Plan(p, r, a, now)
			if changed || a.Planned != old.Planned {
				if err := put(ctx, tx, a, old.ID != ""); err != nil {
					return err
				}
			}
			if err := plan(ctx, tx, calls); err != nil {
				return err
			}
		}
		for _, a := range have {
			if here[a.Subject] || !a.Ended.IsZero() {
				continue
			}
			a.Ended = now
			if err := put(ctx, tx, a, true); err != nil {
				return err
			}
			if err := drop(ctx, tx, a.ID, now, "ended"); err != nil {
				return err
			}
		}
		return nil
	})
	return raised, db.Err("watch", err)
}

// put writes an alarm with the next version.
func put(ctx context.Context, tx bun.Tx, a duty.Alarm, exists bool) error {
	a.Version++
	r, err := rowOf(a)
	if err != nil {
		return err
	}
	if exists {
		_, err = tx.NewUpdate().Model(&r).WherePK().Exec(ctx)
	} else {
		_, err = tx.NewInsert().Model(&r).Exec(ctx)
	}
	return err
}

func plan(ctx context.Context, tx bun.Tx, calls []duty.Call) error {
	if len(calls) == 0 {
		return nil
	}
	rows := make([]callRow, len(calls))
	for i, c := range calls {
		rows[i] = callOf(c)
	}
	_, err := tx.NewInsert().Model(&rows).On("CONFLICT (id) DO NOTHING").Exec(ctx)
	return err
}

// drop gives up what of an alarm was not sent yet; why is a code.
func drop(ctx context.Context, tx bun.Tx, alarm string, now time.Time, why string) error {
	_, err := tx.NewUpdate().Model((*callRow)(nil)).Set("state = ?", string(duty.Dropped)).Set("at_us = ?", us(now)).Set("error = ?", why).
		Where("alarm = ? AND state = ?", alarm, string(duty.Waiting)).Exec(ctx)
	return err
}

// Ack takes an alarm: its calls stop. Version is the one the actor saw; another
// one acknowledging first is a conflict that names them.
func (s *Store) Ack(ctx context.Context, actor, id string, version int64) (duty.Alarm, error) {
	var out duty.Alarm
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var r alarmRow
		if err := tx.NewSelect().Model(&r).Where("id = ?", id).Scan(ctx); err != nil {
			return err
		}
		a, err := r.alarm()
		switch {
		case err != nil:
			return err
		case a.State() == duty.Acked:
			return fault.New(fault.Conflict, "%s has acknowledged this alarm already", a.AckedBy)
		case a.State() == duty.Ended:
			return fault.New(fault.Conflict, "the cause of this alarm is gone already")
		case a.Version != version:
			return fault.New(fault.Conflict, "the alarm has changed meanwhile: look at it again")
		}
		now := s.now().UTC()
		a.AckedBy, a.AckedAt = actor, now
		if err := put(ctx, tx, a, true); err != nil {
			return err
		}
		a.Version++
		out = a
		return drop(ctx, tx, id, now, "acknowledged")
	})
	return out, db.Err("acknowledge the alarm", err)
}

// Take returns up to n calls whose time has come and marks them as being sent.
// A call that was being sent when Citywall stopped comes first when again is
// set, once after each start: nobody knows whether it arrived, and an alarm too
// many is better than one too few. Its id is the same, so that the other side
// can tell.
func (s *Store) Take(ctx context.Context, n int, again bool) ([]duty.Call, error) {
	var out []duty.Call
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		out = nil
		now := s.now().UTC()
		if again {
			if _, err := tx.NewUpdate().Model((*callRow)(nil)).Set("state = ?", string(duty.Waiting)).Set("next_us = ?", us(now)).Set("error = ?", "interrupted").
				Where("state = ?", string(duty.Sending)).Exec(ctx); err != nil {
				return err
			}
		}
		var rows []callRow
		if err := tx.NewSelect().Model(&rows).Where("state = ? AND (next_us <= ? OR next_us > ?)", string(duty.Waiting), us(now), us(now.Add(duty.LongestRetry))).Order("next_us", "id").Limit(int64(n)).Scan(ctx); err != nil {
			return err
		}
		for _, r := range rows {
			r.State, r.AtUS = string(duty.Sending), us(now)
			if _, err := tx.NewUpdate().Model(&r).Column("state", "at_us").WherePK().Exec(ctx); err != nil {
				return err
			}
			out = append(out, r.call())
		}
		return nil
	})
	return out, db.Err("take calls", err)
}

// Done writes how the sending of a call ended. What was acknowledged while it
// was under way and failed is not tried again.
func (s *Store) Done(ctx context.Context, c duty.Call) error {
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if c.State == duty.Waiting {
			var r alarmRow
			if err := tx.NewSelect().Model(&r).Where("id = ?", c.Alarm).Scan(ctx); err != nil {
				return err
			}
			if r.AckedBy != "" || r.EndedUS != 0 || r.Round != c.Round {
				c.State = duty.Dropped
			}
		}
		r := callOf(c)
		_, err := tx.NewUpdate().Model(&r).Column("state", "attempts", "next_us", "at_us", "error").WherePK().Exec(ctx)
		return err
	})
	return db.Err("write the outcome of a call", err)
}
