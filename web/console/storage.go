// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"html/template"
	"net/http"
	"time"

	"citywall/eventstore/keep"
	"citywall/identity"
	"citywall/internal/disk"
	"citywall/internal/draw"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

type storageData struct {
	desk.StorageState
	Page                     desk.DayPage
	Query                    desk.DayQuery
	States                   []desk.DayState
	Pager                    pager
	Chart                    template.HTML
	Events, Hot, Bytes       int64 // of all days
	Unseen                   []keep.Notice
	Seen                     []keep.Notice
	InForce, Over            []keep.Hold
	Last                     *keep.Backup // that succeeded
	Failed                   *keep.Backup // newer than Last
	Days                     int
	HoldManage, BackupManage bool
	Today                    string
	JSON                     string
}

// Full and Warn say how much room there is.
func (d storageData) Full() bool { return d.Room.Level == disk.Full }

// Warn reports whether room runs low.
func (d storageData) Warn() bool { return d.Room.Level == disk.Warn }

// StatesOf returns the states of a day.
func (d storageData) StatesOf(x keep.Day) []desk.DayState { return desk.StatesOf(x) }

func (s *Server) storage(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	q, err := api.DayQuery(r, perPage)
	if err != nil {
		return err
	}
	st, err := s.Desk.Storage(r.Context(), c.Who)
	if err != nil {
		return err
	}
	l := Lang(r)
	d := storageData{
		StorageState: st, Query: q, States: desk.DayStates(), Days: len(st.State.Days), Today: s.Desk.Now().UTC().Format(time.DateOnly), JSON: api.Prefix + "/storage",
		HoldManage: s.Desk.Allowed(c.Who, identity.StorageHold), BackupManage: s.Desk.Allowed(c.Who, identity.StorageBackup),
	}
	if d.Page, err = s.Desk.ListDays(r.Context(), c.Who, q); err != nil {
		return err
	}
	d.Pager = newPager(r, d.Page.Next, "")
	d.Pager.CSV, d.Pager.JSON = exportLink(r.URL, api.Prefix+"/storage/days/export", "csv", l), exportLink(r.URL, api.Prefix+"/storage/days/export", "jsonl", l)
	for _, x := range st.State.Days {
		d.Events, d.Hot, d.Bytes = d.Events+x.Hot+x.Sealed, d.Hot+x.Hot, d.Bytes+x.Bytes+x.HotBytes
	}
	for _, n := range st.Notices {
		if n.Seen.IsZero() {
			d.Unseen = append(d.Unseen, n)
		} else {
			d.Seen = append(d.Seen, n)
		}
	}
	for _, h := range st.Holds {
		if h.Released.IsZero() {
			d.InForce = append(d.InForce, h)
		} else {
			d.Over = append(d.Over, h)
		}
	}
	for i := range st.Backups {
		if b := &st.Backups[i]; b.Error == "" {
			d.Last = b
			break
		} else if d.Failed == nil {
			d.Failed = b
		}
	}
	if d.Chart, err = dayChart(l, st.State.Days); err != nil {
		return err
	}
	return s.render(w, r, c, http.StatusOK, "storage", text.T(l, "console.nav.storage"), d)
}

// chartDays is how many days the picture shows; the table has all.
const chartDays = 60

// dayChart draws the events of the newest days, sealed and not.
func dayChart(l text.Lang, days []keep.Day) (template.HTML, error) {
	c := draw.Chart{ID: "storage-days", Title: text.T(l, "console.storage.chart"), Desc: text.T(l, "console.chart.twin"), Width: 900, Height: 150}
	days = days[max(0, len(days)-chartDays):]
	for i, d := range days {
		bar := draw.Bar{
			Value: float64(d.Hot + d.Sealed),
			Parts: []draw.Part{
				{Value: float64(d.Sealed), Class: "kept-sealed", Fill: "#5b86ad"},
				{Value: float64(d.Hot), Class: "kept-hot", Fill: "#b08a1e"},
			},
			Tip: fmt.Sprintf("%s · %s %d · %s %d", d.ID, text.T(l, "console.day.sealed"), d.Sealed, text.T(l, "console.day.hot"), d.Hot),
		}
		if i%max(1, len(days)/6) == 0 {
			bar.Label = d.First.Format("01-02")
		}
		c.Bars = append(c.Bars, bar)
	}
	b, err := c.Bytes()
	return template.HTML(b), err
}

func (s *Server) addHold(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	h, err := api.Hold(r.PostForm.Get("case"), r.PostForm.Get("from"), r.PostForm.Get("to"), r.PostForm.Get("reason"))
	if err != nil {
		return err
	}
	if _, err := s.Desk.AddHold(r.Context(), c.Who, h); err != nil {
		return err
	}
	return back(w, r, "/storage", "hold_added")
}

func (s *Server) releaseHold(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	if _, err := s.Desk.ReleaseHold(r.Context(), c.Who, r.PathValue("id"), r.PostForm.Get("reason")); err != nil {
		return err
	}
	return back(w, r, "/storage", "hold_released")
}

func (s *Server) seeNotice(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := s.Desk.SeeNotice(r.Context(), c.Who, r.PathValue("id")); err != nil {
		return err
	}
	return back(w, r, "/storage", "notice_seen")
}

func (s *Server) makeBackup(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if _, err := s.Desk.MakeBackup(r.Context(), c.Who, "", nil); err != nil {
		return err
	}
	return back(w, r, "/storage", "backup_made")
}
