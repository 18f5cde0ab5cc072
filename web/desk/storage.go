// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/backup"
	"citywall/eventstore/keep"
	"citywall/identity"
	"citywall/internal/fault"
)

// Storage is what the city keeps, and for how long.
type Storage struct {
	Keeper Keeper
	// Backup copies the whole data folder into dir, "" for the configured one.
	Backup    func(ctx context.Context, dir, by string, say func(backup.Progress)) (keep.Backup, error)
	BackupDir string           // that is configured
	Troubles  func() []Trouble // what the way of events waits for
}

// Keeper is *keep.Keeper.
type Keeper interface {
	State(ctx context.Context) (keep.State, error)
	Brief(ctx context.Context) (keep.Brief, error)
	AddHold(ctx context.Context, h keep.Hold) (keep.Hold, error)
	ReleaseHold(ctx context.Context, id, by, reason string) (keep.Hold, error)
	SeeNotice(ctx context.Context, id, by string) error
}

// Trouble is a stage of the way of events that waits for another part.
type Trouble struct {
	Stage string    `json:"stage"`
	Since time.Time `json:"since"`
	Error string    `json:"error"`
}

// storage returns the city's storage for an asker who may do a.
func (d *Desk) storage(who Who, a identity.Action) (*Storage, error) {
	city, err := d.city(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, a); err != nil {
		return nil, err
	}
	if city.Storage == nil {
		return nil, fault.New(fault.Unavailable, "the events of this installation are kept elsewhere")
	}
	return city.Storage, nil
}

// StorageState is all about what is kept.
type StorageState struct {
	keep.State
	BackupDir string    `json:"backup_dir"` // where backups go, "" when every one names its own
	Troubles  []Trouble `json:"troubles"`   // what the way of events waits for
}

// Storage returns what is kept.
func (d *Desk) Storage(ctx context.Context, who Who) (StorageState, error) {
	s, err := d.storage(who, identity.StorageRead)
	if err != nil {
		return StorageState{}, err
	}
	st, err := s.Keeper.State(ctx)
	return StorageState{st, s.BackupDir, s.troubles()}, err
}

func (s *Storage) troubles() []Trouble {
	if s.Troubles == nil {
		return nil
	}
	return s.Troubles()
}

// DayState narrows a list of days.
type DayState string

// States of a day.
const (
	DayHot     DayState = "hot"     // has events that are not sealed
	DaySealed  DayState = "sealed"  // has none
	DayHeld    DayState = "held"    // a hold or an exhibit keeps it
	DayGoing   DayState = "going"   // the retention will delete it
	DayDamaged DayState = "damaged" // sealed events of it cannot be read
)

// DayStates lists them.
func DayStates() []DayState { return []DayState{DayHot, DaySealed, DayHeld, DayGoing, DayDamaged} }

// Orders of a list of days; "" is the newest first.
const (
	DaysOldest = "oldest"
	DaysEvents = "events"
	DaysBytes  = "bytes"
)

// DayQuery asks for days.
type DayQuery struct {
	State DayState // "" all
	Text  string   // in the day or the cases that hold it
	Sort  string
	After string // id of the last day before
	Limit int    // 0: all
}

// DayPage is one page of days.
type DayPage struct {
	Days  []keep.Day
	Next  string // "" at the end
	Total int    // that match
	All   int    // that are kept
}

// ListDays returns one page of the days that are kept.
func (d *Desk) ListDays(ctx context.Context, who Who, q DayQuery) (DayPage, error) {
	s, err := d.storage(who, identity.StorageRead)
	if err != nil {
		return DayPage{}, err
	}
	switch q.Sort {
	case "", DaysOldest, DaysEvents, DaysBytes:
	default:
		return DayPage{}, fault.New(fault.Invalid, "sort=%q: want %s, %s or %s", q.Sort, DaysOldest, DaysEvents, DaysBytes)
	}
	if q.State != "" && !slices.Contains(DayStates(), q.State) {
		return DayPage{}, fault.New(fault.Invalid, "state=%q: want hot, sealed, held, going or damaged", q.State)
	}
	st, err := s.Keeper.State(ctx)
	if err != nil {
		return DayPage{}, err
	}
	return q.page(st.Days), nil
}

func (q DayQuery) page(days []keep.Day) DayPage {
	p := DayPage{All: len(days)}
	text := strings.ToLower(q.Text)
	for _, x := range slices.Backward(days) { // newest first
		if q.State != "" && !slices.Contains(StatesOf(x), q.State) || !strings.Contains(strings.ToLower(x.ID+" "+strings.Join(x.Held, " ")), text) {
			continue
		}
		p.Days = append(p.Days, x)
	}
	switch q.Sort {
	case DaysOldest:
		slices.Reverse(p.Days)
	case DaysEvents:
		slices.SortStableFunc(p.Days, func(a, b keep.Day) int { return cmp.Compare(b.Hot+b.Sealed, a.Hot+a.Sealed) })
	case DaysBytes:
		slices.SortStableFunc(p.Days, func(a, b keep.Day) int { return cmp.Compare(b.Bytes+b.HotBytes, a.Bytes+a.HotBytes) })
	}
	p.Total = len(p.Days)
	if q.After != "" {
		i := slices.IndexFunc(p.Days, func(x keep.Day) bool { return x.ID == q.After })
		p.Days = p.Days[i+1:] // from the beginning when that day has gone
	}
	if q.Limit > 0 && len(p.Days) > q.Limit {
		p.Days = p.Days[:q.Limit]
		p.Next = p.Days[q.Limit-1].ID
	}
	return p
}

// StatesOf returns all states that a day is in.
func StatesOf(x keep.Day) []DayState {
	var out []DayState
	if x.Hot > 0 {
		out = append(out, DayHot)
	} else {
		out = append(out, DaySealed)
	}
	if len(x.Held) > 0 || x.Cased > 0 {
		out = append(out, DayHeld)
	}
	if !x.Goes.IsZero() {
		out = append(out, DayGoing)
	}
	if x.Unavailable > 0 {
		out = append(out, DayDamaged)
	}
	return out
}

// AddHold forbids the deletion of days.
func (d *Desk) AddHold(ctx context.Context, who Who, h keep.Hold) (keep.Hold, error) {
	s, err := d.storage(who, identity.StorageHold)
	if err != nil {
		return h, err
	}
	h.By = who.User
	if err := h.Validate(); err != nil { // no entry for a slip
		return h, err
	}
	to := "without end"
	if !h.To.IsZero() {
		to = h.To.Format(time.DateOnly)
	}
	detail := map[string]string{"case": h.Case, "from": h.From.Format(time.DateOnly), "to": to}
	err = d.actDetail(ctx, who, identity.StorageHold, "hold", h.Reason, detail, func(ctx context.Context) (map[string]string, error) {
		var err error
		h, err = s.Keeper.AddHold(ctx, h)
		return map[string]string{"id": h.ID}, err
	})
	return h, err
}

// ReleaseHold allows the deletion again.
func (d *Desk) ReleaseHold(ctx context.Context, who Who, id, reason string) (h keep.Hold, err error) {
	s, err := d.storage(who, identity.StorageHold)
	if err != nil {
		return h, err
	}
	if strings.TrimSpace(reason) == "" {
		return h, fault.New(fault.Invalid, "releasing a hold needs a reason")
	}
	err = d.actDetail(ctx, who, identity.StorageHold, "hold/"+id, reason, map[string]string{"released": "true"}, func(ctx context.Context) (map[string]string, error) {
		var err error
		h, err = s.Keeper.ReleaseHold(ctx, id, who.User, reason)
		return map[string]string{"case": h.Case}, err
	})
	return h, err
}

// SeeNotice notes that the asker has read what was found amiss.
func (d *Desk) SeeNotice(ctx context.Context, who Who, id string) error {
	s, err := d.storage(who, identity.StorageRead)
	if err != nil {
		return err
	}
	return d.act(ctx, who, identity.StorageRead, "notice/"+id, "", map[string]string{"seen": "true"}, func(ctx context.Context) error {
		return s.Keeper.SeeNotice(ctx, id, who.User)
	})
}

// MakeBackup copies the whole data folder. Only somebody on the machine itself
// may name a folder; others get the configured one.
func (d *Desk) MakeBackup(ctx context.Context, who Who, dir string, say func(backup.Progress)) (b keep.Backup, err error) {
	s, err := d.storage(who, identity.StorageBackup)
	if err != nil {
		return b, err
	}
	if s.Backup == nil {
		return b, fault.New(fault.Unavailable, "this installation makes no backups by itself")
	}
	if dir != "" && who.Via != "socket" {
		return b, fault.New(fault.Forbidden, "a folder of the server's can be named on the server itself only (citywall backup create); here the backup goes to backup.dir")
	}
	err = d.actDetail(ctx, who, identity.StorageBackup, "backup", "", map[string]string{"dir": cmp.Or(dir, s.BackupDir)}, func(ctx context.Context) (map[string]string, error) {
		var err error
		b, err = s.Backup(ctx, dir, who.User, say)
		return map[string]string{"dir": b.Dir, "bytes": strconv.FormatInt(b.Bytes, 10), "files": strconv.Itoa(b.Files)}, err
	})
	return b, err
}

// LiveStorage is what the live page shows of it.
type LiveStorage struct {
	keep.Brief
	Troubles []Trouble `json:"troubles"` // what the way of events waits for
}

// Health says whether what is kept is well, for an asker who may see how
// Citywall is doing.
func (d *Desk) Health(ctx context.Context, who Who) (*LiveStorage, error) {
	city, err := d.city(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, identity.StatusRead); err != nil {
		return nil, err
	}
	return city.health(ctx)
}

func (c *City) health(ctx context.Context) (*LiveStorage, error) {
	if c.Storage == nil {
		return nil, nil
	}
	b, err := c.Storage.Keeper.Brief(ctx)
	if err != nil {
		return nil, err
	}
	b.Room.At = time.Time{} // or a live page would be new every second
	return &LiveStorage{b, c.Storage.troubles()}, nil
}
