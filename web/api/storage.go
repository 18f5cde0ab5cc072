// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/backup"
	"citywall/eventstore/keep"
	"citywall/internal/disk"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/desk"
)

// notice is a notice with its sentence.
type notice struct {
	keep.Notice
	Text string `json:"text"`
	Loss bool   `json:"loss"`
}

func (s *Server) storage(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	st, err := s.Desk.Storage(r.Context(), who)
	if err != nil {
		return err
	}
	l := lang(r)
	return put(w, struct {
		Room      disk.Room      `json:"room"`
		KeepDays  int            `json:"keep_days"`  // 0: for ever
		SealAfter float64        `json:"seal_after"` // seconds
		Paused    bool           `json:"paused"`
		Trouble   string         `json:"trouble"`
		Troubles  []desk.Trouble `json:"troubles"`
		Holds     []keep.Hold    `json:"holds"`
		Notices   []notice       `json:"notices"`
		Backups   []keep.Backup  `json:"backups"`
		BackupDir string         `json:"backup_dir"`
	}{
		st.Room, st.Keep, st.After.Seconds(), st.Paused, st.Trouble, itemsOf(st.Troubles).Items, itemsOf(st.Holds).Items,
		notices(l, st.Notices), itemsOf(st.Backups).Items, st.BackupDir,
	})
}

func notices(l text.Lang, in []keep.Notice) []notice {
	out := make([]notice, 0, len(in))
	for _, n := range in {
		out = append(out, notice{n, n.Mishap.Text(l), n.Loss()})
	}
	return out
}

// DayQuery reads which days are asked for.
func DayQuery(r *http.Request, limit int) (desk.DayQuery, error) {
	v := r.URL.Query()
	q := desk.DayQuery{State: desk.DayState(v.Get("state")), Text: v.Get("text"), Sort: v.Get("sort"), After: v.Get("after")}
	var err error
	q.Limit, err = number(r, "limit", limit, 1, 1000)
	return q, err
}

// dayRow is a day in a list.
type dayRow struct {
	keep.Day
	States []desk.DayState `json:"states"`
}

func newDayRow(d keep.Day) dayRow {
	if d.Held == nil {
		d.Held = []string{}
	}
	return dayRow{d, desk.StatesOf(d)}
}

func (s *Server) storageDays(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := DayQuery(r, 100)
	if err != nil {
		return err
	}
	p, err := s.Desk.ListDays(r.Context(), who, q)
	if err != nil {
		return err
	}
	return put(w, pageOf(p.Days, p.Next, newDayRow))
}

func (s *Server) storageDaysExport(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := DayQuery(r, 100)
	if err != nil {
		return err
	}
	format, err := sheetKind(r)
	if err != nil {
		return err
	}
	q.Limit, q.After = 0, ""
	p, err := s.Desk.ListDays(r.Context(), who, q)
	if err != nil {
		return err
	}
	n := func(i int64) string { return strconv.FormatInt(i, 10) }
	k := sheet[keep.Day]{
		name:    "days",
		columns: []string{"day", "first", "last", "states", "hot", "sealed", "hot_bytes", "bytes", "files", "unavailable", "exhibits", "held_for", "deleted_from"},
		cells: func(d keep.Day) []string {
			var states []string
			for _, s := range desk.StatesOf(d) {
				states = append(states, string(s))
			}
			return []string{
				d.ID, d.First.Format(time.DateOnly), d.Last.Format(time.DateOnly), strings.Join(states, " "), n(d.Hot), n(d.Sealed), n(d.HotBytes), n(d.Bytes),
				strconv.Itoa(d.Files), n(d.Unavailable), n(d.Cased), strings.Join(d.Held, "; "), stamp(d.Goes),
			}
		},
		object: func(d keep.Day) any { return newDayRow(d) },
	}
	return k.write(w, format, func(f func(keep.Day) error) error {
		for _, d := range p.Days {
			if err := f(d); err != nil {
				return err
			}
		}
		return nil
	})
}

// Hold reads a hold as people write it: days as 2026-10-20.
func Hold(caseNo, from, to, reason string) (keep.Hold, error) {
	h := keep.Hold{Case: strings.TrimSpace(caseNo), Reason: strings.TrimSpace(reason)}
	var err error
	if h.From, err = time.Parse(time.DateOnly, strings.TrimSpace(from)); err != nil {
		return h, fault.New(fault.Invalid, "from=%q: want a day like 2026-10-20", from)
	}
	if to = strings.TrimSpace(to); to != "" {
		if h.To, err = time.Parse(time.DateOnly, to); err != nil {
			return h, fault.New(fault.Invalid, "to=%q: want a day like 2026-10-20, or nothing for no end", to)
		}
	}
	return h, nil
}

func (s *Server) addHold(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Case   string `json:"case"`
		From   string `json:"from"`
		To     string `json:"to"`
		Reason string `json:"reason"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	h, err := Hold(in.Case, in.From, in.To, in.Reason)
	if err != nil {
		return err
	}
	if h, err = s.Desk.AddHold(r.Context(), who, h); err != nil {
		return err
	}
	return put(w, h)
}

func (s *Server) releaseHold(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	h, err := s.Desk.ReleaseHold(r.Context(), who, r.PathValue("id"), in.Reason)
	if err != nil {
		return err
	}
	return put(w, h)
}

func (s *Server) seeNotice(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	if err := take(r, &struct{}{}); err != nil {
		return err
	}
	return done(w, s.Desk.SeeNotice(r.Context(), who, r.PathValue("id")))
}

// backupLine is one line of the answer to a backup: how far it is, and at last
// what it is or why it failed.
type backupLine struct {
	Progress *backup.Progress `json:"progress,omitempty"`
	Backup   *keep.Backup     `json:"backup,omitempty"`
	Error    *Problem         `json:"error,omitempty"`
}

// sayEvery keeps progress from being more than a person can read.
const sayEvery = 500 * time.Millisecond

// makeBackup answers with JSON lines while the backup is made. An error before
// the first line is an ordinary one.
func (s *Server) makeBackup(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Dir string `json:"dir"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	rc := http.NewResponseController(w)
	enc, begun, said := json.NewEncoder(w), false, time.Now()
	line := func(l backupLine) {
		if !begun {
			begun = true
			_ = rc.SetWriteDeadline(time.Time{}) // without deadlines it is as good
			w.Header().Set("Content-Type", "application/jsonl")
		}
		_ = enc.Encode(l) // the backup goes on when nobody listens
		_ = rc.Flush()
	}
	b, err := s.Desk.MakeBackup(r.Context(), who, in.Dir, func(p backup.Progress) {
		if time.Since(said) >= sayEvery {
			said = time.Now()
			line(backupLine{Progress: &p})
		}
	})
	if err != nil {
		if !begun {
			return err
		}
		_, p := Explain(r.Context(), s.Log, err)
		line(backupLine{Error: &p})
		return nil
	}
	line(backupLine{Backup: &b})
	return nil
}

// Sentences words what is wrong with the storage, for a page.
func Sentences(l text.Lang, st *desk.LiveStorage) []string {
	if st == nil {
		return nil
	}
	var out []string
	switch st.Room.Level {
	case disk.Full:
		out = append(out, text.T(l, "storage.full"))
	case disk.Warn:
		out = append(out, text.T(l, "storage.warn", "left", strconv.FormatInt(st.Room.Left>>20, 10)))
	}
	stages := []string{}
	for _, t := range st.Troubles {
		if !slices.Contains(stages, t.Stage) {
			stages = append(stages, t.Stage)
			out = append(out, text.T(l, "storage.waits", "stage", t.Stage, "error", t.Error))
		}
	}
	if st.Trouble != "" {
		out = append(out, text.T(l, "storage.trouble", "error", st.Trouble))
	}
	switch {
	case st.Loss:
		out = append(out, text.T(l, "storage.loss", "n", strconv.Itoa(st.Unseen)))
	case st.Unseen > 0:
		out = append(out, text.T(l, "storage.unseen", "n", strconv.Itoa(st.Unseen)))
	}
	return out
}
