// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"io"
	"strconv"
	"time"

	"citywall/audit"
	"citywall/detect"
	"citywall/duty"
	"citywall/eventstore"
	"citywall/eventstore/keep"
	"citywall/eventstore/keep/keepdb"
	"citywall/internal/disk"
	"citywall/internal/fault"
	"citywall/internal/queue"
	"citywall/internal/text"
	"citywall/web/desk"
)

// storeRoom lets the store go on a while after senders are told that there is
// no more room: what they were told was accepted must find its place.
func (a *App) storeRoom() func() error {
	w := &disk.Watch{Dir: a.data.dir, Keep: a.cfg.Queue.MinFree / 4, Config: disk.Defaults(), Now: a.now}
	return w.Check
}

// publish puts messages on the queue while the data folder has room. The queue
// looks at the disk by itself; the budget is looked at here.
func (a *App) publish(ctx context.Context, ms ...queue.Message) error {
	if err := a.room.Check(); err != nil {
		return err
	}
	return a.queue.Publish(ctx, ms...)
}

func (a *App) putBlob(ctx context.Context, r io.Reader) (queue.Blob, error) {
	if err := a.room.Check(); err != nil {
		return queue.Blob{}, err
	}
	return a.queue.PutBlob(ctx, r)
}

// newKeeper joins the store with what decides how long events are kept. What
// opening found amiss is recorded at once: a command that only asks a question
// may have been the one that opened the folder first.
func (a *App) newKeeper(ctx context.Context) (*keep.Keeper, error) {
	store, ok := a.events.(eventstore.Keeper)
	if !ok {
		return nil, fault.New(fault.Unavailable, "the event store of this build cannot say what it keeps")
	}
	records, err := keepdb.Open(ctx, a.city.db, a.now)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	k, err := keep.New(a.cfg.Keep, keep.Parts{
		Store: store, Records: records, Room: a.room, Others: a.queue.Mishaps, Stamp: a.data.path("clock"), Now: a.now,
		Elapsed: func() time.Duration { return time.Since(began) }, Log: a.log,
		Act: func(ctx context.Context, action, object, reason string, detail map[string]string, f func(context.Context) error) error {
			return a.city.audit.Do(ctx, audit.Act{Actor: self, Action: action, Object: object, Reason: reason, Detail: detail}, f)
		},
	})
	if err != nil {
		return nil, err
	}
	return k, k.Record(ctx)
}

// self is the actor of what Citywall does on its own.
const self = "citywall"

// troubles is what the way of events waits for.
func (a *App) troubles() []desk.Trouble {
	var out []desk.Trouble
	for _, t := range a.pipeline.Health().Trouble {
		out = append(out, desk.Trouble{Stage: t.Stage, Since: t.Since, Error: t.Error})
	}
	return out
}

// storageCauses is what somebody must look at of what is kept.
func (a *App) storageCauses(ctx context.Context) ([]duty.Cause, error) {
	b, err := a.keeper.Brief(ctx)
	if err != nil {
		return nil, err
	}
	var out []duty.Cause
	add := func(subject string, l detect.Level, title map[text.Lang]string) {
		out = append(out, duty.Cause{Subject: "storage/" + subject, Severity: l, Title: title, Path: "/storage"})
	}
	switch b.Room.Level {
	case disk.Full:
		add("room", detect.Critical, inBoth("storage.full"))
	case disk.Warn:
		add("room", detect.Medium, inBoth("storage.warn", "left", strconv.FormatInt(b.Room.Left>>20, 10)))
	}
	if b.Loss {
		add("loss", detect.High, inBoth("storage.loss", "n", strconv.Itoa(b.Unseen)))
	}
	if b.Trouble != "" {
		add("keep", detect.Medium, inBoth("storage.trouble", "error", b.Trouble))
	}
	return out, nil
}
