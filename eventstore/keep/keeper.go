// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package keep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"citywall/eventstore"
	"citywall/internal/disk"
	"citywall/internal/durable"
	"citywall/internal/fault"
	"citywall/internal/mishap"
)

// Parts are what a keeper works on.
type Parts struct {
	Store   eventstore.Keeper
	Records Records
	Room    *disk.Watch
	// Act writes an act of Citywall itself into the audit log and does it.
	Act func(ctx context.Context, action, object, reason string, detail map[string]string, f func(context.Context) error) error
	// Others lists mishaps of other parts since start, the queue's.
	Others func() []mishap.Mishap
	Stamp  string // file that remembers the clock over restarts
	Now    func() time.Time
	// Elapsed is the time since some moment, by a clock that nobody sets.
	Elapsed func() time.Duration
	Log     *slog.Logger
}

// Keeper runs one store.
type Keeper struct {
	cfg Config
	p   Parts

	mu      sync.Mutex // held while a hold is made or a day deleted: never both at once
	lastGo  time.Duration
	checks  time.Duration // by Elapsed: no sealed file is compared before
	went    bool
	paused  time.Duration // by Elapsed: no deletion before
	wall    time.Time     // at the last look at the clock
	elapsed time.Duration

	stMu    sync.Mutex
	trouble error

	ticking sync.Mutex

	recMu  sync.Mutex
	told   int // mishaps of the store that are recorded
	others int // and of other parts
}

// How often it looks, and how far deletions lie apart.
const (
	every      = time.Minute
	betweenGo  = 10 * time.Minute
	jump       = 10 * time.Minute // of the clock ahead of what elapsed
	back       = 2 * time.Minute
	longOff    = 7 * 24 * time.Hour // longer since the last look: perhaps the clock is wrong
	pauseAfter = 24 * time.Hour
	checkEvery = 24 * time.Hour // from the end of a round of Store.Check to the next
)

// New returns a keeper that does not run yet.
func New(cfg Config, p Parts) (*Keeper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if p.Store == nil || p.Records == nil || p.Act == nil || p.Room == nil || p.Now == nil || p.Elapsed == nil || p.Log == nil {
		return nil, errors.New("keep: store, records, audit, disk, clocks and log are all needed")
	}
	return &Keeper{cfg: cfg, p: p}, nil
}

// Run looks after the store until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		k.Tick(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Tick does once what is due. What fails is logged, shown, and tried again at
// the next tick. One at a time does it.
func (k *Keeper) Tick(ctx context.Context) {
	k.ticking.Lock()
	defer k.ticking.Unlock()
	err := errors.Join(k.clock(ctx), k.Record(ctx), k.seal(ctx), k.retain(ctx), k.check(ctx))
	if ctx.Err() != nil {
		return
	}
	k.stMu.Lock()
	known := k.trouble != nil
	k.trouble = err
	k.stMu.Unlock()
	if err != nil && !known {
		k.p.Log.Error("keep", "err", err)
	}
}

func (k *Keeper) seal(ctx context.Context) error {
	sealed, err := k.p.Store.Seal(ctx, k.p.Now().Add(-k.cfg.SealAfter))
	for _, s := range sealed {
		k.p.Log.Info("keep: sealed a day", "day", s.ID, "events", s.Events, "files", len(s.Files), "bytes", s.Bytes)
	}
	return err
}

// check compares one sealed file with what was sealed: a round of all of them
// begins at start, and again a day after the last ended.
func (k *Keeper) check(ctx context.Context) error {
	e := k.p.Elapsed()
	if e < k.checks {
		return nil
	}
	more, err := k.p.Store.Check(ctx)
	if !more {
		k.checks = e + checkEvery
	}
	return err
}

// retain lets the oldest day go that may.
func (k *Keeper) retain(ctx context.Context) error {
	if k.cfg.Days == 0 {
		return nil
	}
	days, err := k.p.Store.Days(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.p.Elapsed()
	if e < k.paused || k.went && e-k.lastGo < betweenGo {
		return nil
	}
	for _, d := range days {
		gone, err := k.letGo(ctx, d)
		if err != nil {
			return err
		}
		if gone {
			k.lastGo, k.went = e, true
			return nil
		}
	}
	return nil
}

// letGo deletes one whole day when it may go. Nothing else deletes events. The
// caller holds mu, so that no hold is made meanwhile.
func (k *Keeper) letGo(ctx context.Context, d eventstore.Day) (gone bool, err error) {
	goes := k.goes(d)
	if goes.IsZero() || k.p.Now().Before(goes) {
		return false, nil
	}
	holds, err := k.p.Records.Holds(ctx)
	if err != nil {
		return false, fmt.Errorf("let %s go: its holds cannot be read: %w", d.ID, err)
	}
	for _, h := range holds {
		if h.Covers(d) {
			return false, nil
		}
	}
	detail := map[string]string{
		"events": fmt.Sprint(d.Sealed), "bytes": fmt.Sprint(d.Bytes), "first": d.First.Format(time.DateOnly), "last": d.Last.Format(time.DateOnly),
		"last_sealed": d.LastSealed.UTC().Format(time.RFC3339),
	}
	reason := fmt.Sprintf("older than %d days, held by nobody", k.cfg.Days)
	err = k.p.Act(ctx, "storage.letgo", "day/"+d.ID, reason, detail, func(ctx context.Context) error { return k.p.Store.LetGo(ctx, d.ID) })
	if err != nil {
		return false, err
	}
	k.p.Log.Info("keep: let a day go", "day", d.ID, "events", d.Sealed)
	return true, nil
}

// goes is when the retention lets a day go, zero for never. A day to which
// events were added later stays as long after that: a log that was brought in
// today is not old, whatever its records say.
func (k *Keeper) goes(d eventstore.Day) time.Time {
	if k.cfg.Days == 0 || d.Cased > 0 || d.Hot > 0 || d.Files == 0 {
		return time.Time{}
	}
	keep := time.Duration(k.cfg.Days) * 24 * time.Hour
	goes := d.Last.Add(24 * time.Hour).Add(keep)
	if added := d.LastSealed.Add(keep); added.After(goes) {
		goes = added
	}
	return goes
}

// clock compares the clock with one that nobody sets.
func (k *Keeper) clock(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, e := k.p.Now(), k.p.Elapsed()
	tell := func(kind mishap.Kind, by time.Duration) {
		m := mishap.New(kind, "citywall", now, "by", by.Round(time.Second).String())
		k.p.Log.Error("keep: " + m.Text("en"))
		if err := k.p.Records.AddNotice(ctx, m); err != nil {
			k.p.Log.Error("keep: record a notice", "err", err)
		}
	}
	if k.wall.IsZero() {
		last, err := k.readStamp()
		if err != nil {
			return err
		}
		switch {
		case last.IsZero():
		case last.Sub(now) > back:
			tell(mishap.ClockBack, last.Sub(now))
		case now.Sub(last) > longOff:
			k.paused = e + pauseAfter
		}
	} else {
		switch off := now.Sub(k.wall) - (e - k.elapsed); {
		case off < -back:
			tell(mishap.ClockBack, -off)
		case off > jump:
			tell(mishap.ClockAhead, off)
			k.paused = e + pauseAfter
		}
	}
	k.wall, k.elapsed = now, e
	if k.p.Stamp == "" {
		return nil
	}
	return durable.Replace(k.p.Stamp, 0o600, []byte(now.UTC().Format(time.RFC3339)+"\n"))
}

func (k *Keeper) readStamp() (time.Time, error) {
	if k.p.Stamp == "" {
		return time.Time{}, nil
	}
	b, err := os.ReadFile(k.p.Stamp)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read when the clock was last looked at: %w", err)
	}
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(string(b)))
	if err != nil {
		return time.Time{}, nil // torn; the next look writes it anew
	}
	return t, nil
}

// Record keeps what was found amiss, until somebody has seen it.
func (k *Keeper) Record(ctx context.Context) error {
	k.recMu.Lock()
	defer k.recMu.Unlock()
	save := func(all []mishap.Mishap, done *int) error {
		for _, m := range all[min(*done, len(all)):] {
			k.p.Log.Error("keep: " + m.Text("en"))
			if err := k.p.Records.AddNotice(ctx, m); err != nil {
				return err
			}
			*done++
		}
		return nil
	}
	if err := save(k.p.Store.Mishaps(), &k.told); err != nil {
		return err
	}
	if k.p.Others == nil {
		return nil
	}
	return save(k.p.Others(), &k.others)
}

// State returns everything about what is kept.
func (k *Keeper) State(ctx context.Context) (State, error) {
	st := State{Keep: k.cfg.Days, After: k.cfg.SealAfter}
	st.Room, _ = k.p.Room.Look() // its error says again what Room says
	days, err := k.p.Store.Days(ctx)
	if err != nil {
		return st, err
	}
	if st.Holds, err = k.p.Records.Holds(ctx); err != nil {
		return st, err
	}
	if st.Notices, err = k.p.Records.Notices(ctx); err != nil {
		return st, err
	}
	if st.Backups, err = k.p.Records.Backups(ctx); err != nil {
		return st, err
	}
	for _, d := range days {
		x := Day{Day: d, Held: []string{}, Goes: k.goes(d)}
		for _, h := range st.Holds {
			if h.Covers(d) {
				x.Held = append(x.Held, h.Case)
			}
		}
		if len(x.Held) > 0 {
			x.Goes = time.Time{}
		}
		if d.Hot > 0 {
			x.Seal = d.Last.Add(24 * time.Hour).Add(k.cfg.SealAfter)
		}
		st.Days = append(st.Days, x)
	}
	k.stMu.Lock()
	if k.trouble != nil {
		st.Trouble = k.trouble.Error()
	}
	k.stMu.Unlock()
	k.mu.Lock()
	st.Paused = k.p.Elapsed() < k.paused
	k.mu.Unlock()
	return st, nil
}

// Brief is what the other pages show of it.
type Brief struct {
	Room    disk.Room `json:"room"`
	Unseen  int       `json:"unseen"` // notices that nobody has seen
	Loss    bool      `json:"loss"`   // one of them tells of a loss
	Trouble string    `json:"trouble,omitempty"`
}

// Brief returns it.
func (k *Keeper) Brief(ctx context.Context) (Brief, error) {
	var b Brief
	b.Room, _ = k.p.Room.Look()
	ns, err := k.p.Records.Notices(ctx)
	if err != nil {
		return b, err
	}
	for _, n := range ns {
		if n.Seen.IsZero() {
			b.Unseen++
			b.Loss = b.Loss || n.Loss()
		}
	}
	k.stMu.Lock()
	defer k.stMu.Unlock()
	if k.trouble != nil {
		b.Trouble = k.trouble.Error()
	}
	return b, nil
}

// AddHold puts a hold in force. No day it covers is deleted once it returns.
func (k *Keeper) AddHold(ctx context.Context, h Hold) (Hold, error) {
	if err := h.Validate(); err != nil {
		return h, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.p.Records.AddHold(ctx, h)
}

// ReleaseHold ends a hold. Days that it alone kept may be deleted from the next
// tick on.
func (k *Keeper) ReleaseHold(ctx context.Context, id, by, reason string) (Hold, error) {
	if strings.TrimSpace(reason) == "" || len(reason) > maxReason {
		return Hold{}, fault.New(fault.Invalid, "releasing a hold needs a reason, in at most %d bytes", maxReason)
	}
	return k.p.Records.ReleaseHold(ctx, id, by, reason)
}

// SeeNotice notes that somebody has read a notice.
func (k *Keeper) SeeNotice(ctx context.Context, id, by string) error {
	return k.p.Records.SeeNotice(ctx, id, by)
}

// AddBackup notes a backup that was made or tried.
func (k *Keeper) AddBackup(ctx context.Context, b Backup) error {
	return k.p.Records.AddBackup(ctx, b)
}
