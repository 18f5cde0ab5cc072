// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package audit keeps one append-only log per realm of every act of a person
// or of Citywall: an entry before the act, its outcome after it.
//
// It promises that an act whose entry could not be made durable does not
// happen, that the entries form an RFC 6962 tree whose heads are signed, that
// every change of a byte, and every entry taken out that a signed head counts,
// is found by Verify, and that an act whose outcome nobody saw is marked so
// when the log is opened again. It never deletes or rewrites an entry, and it
// does not decide who may act: that is identity.
//
// A log is a folder:
//
//	entries       one entry a line, canonical JSON; the log itself
//	heads         a signed note after every entry
//	hashes        tree hashes, 32 bytes each, in the order of package merkle
//	offsets       where each line ends, 8 bytes each, big-endian
//	torn-*        what a kill left half written, moved aside at the next start
//
// hashes and offsets follow from entries and are rebuilt when they do not fit.
// Somebody with the folder and without the key can only cut off the end of
// both entries and heads together; Verify finds that too when it is given a
// head that was printed or mailed before.
package audit

import (
	"context"
	"time"

	"citywall/internal/fault"
)

// Act is what somebody is about to do.
type Act struct {
	Actor  string            // login name, "citywall" for the program itself
	Action string            // as identity.Action, or an own dotted word
	Object string            // what it is done to: "incident/018f…", "user/chen"
	Reason string            // in the actor's words, "" when none was asked for
	Detail map[string]string // parameters worth keeping; never a secret
}

// Do writes the intent durably, then calls f, then writes its outcome, also
// when f panics. When the intent cannot be written f is not called. The error
// is f's; when f succeeded and only the outcome could not be written it is an
// unavailable error that says so.
func (l *Log) Do(ctx context.Context, a Act, f func(context.Context) error) error {
	return l.DoDetail(ctx, a, func(ctx context.Context) (map[string]string, error) { return nil, f(ctx) })
}

// DoDetail is Do for acts whose outcome has details worth keeping: what was
// created, how many rows left the house.
func (l *Log) DoDetail(ctx context.Context, a Act, f func(context.Context) (map[string]string, error)) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch {
	case a.Actor == "" || a.Action == "":
		return fault.New(fault.Invalid, "audit: an act needs an actor and an action")
	case len(a.Reason) > maxReason:
		return fault.New(fault.Invalid, "the reason is longer than %d bytes", maxReason)
	}
	e := Entry{Actor: a.Actor, Action: a.Action, Object: a.Object, Reason: a.Reason, Detail: a.Detail, Phase: Intent}
	seq, err := l.append(e)
	if err != nil {
		return fault.New(fault.Unavailable, "nothing was done, because it could not be written to the audit log: %w", err)
	}
	out := Entry{Actor: a.Actor, Action: a.Action, Object: a.Object, Phase: Outcome, Ref: &seq}
	ended := false
	defer func() {
		if !ended { // f panicked, and goes on panicking after this
			out.Result, out.Error = Panic, "the act broke off; the program's own log has the place"
			if _, werr := l.append(out); werr != nil {
				return // the missing outcome is itself found when the log is opened again
			}
		}
	}()
	detail, ferr := f(ctx)
	ended = true
	out.Detail, out.Result = detail, Done
	if ferr != nil {
		out.Result, out.Error = Failed, cut(ferr.Error(), maxError)
	}
	if _, err := l.outcome(out); err != nil && ferr == nil {
		return fault.New(fault.Unavailable, "it was done, but its outcome could not be written to the audit log: %w", err)
	}
	return ferr
}

// outcome appends an outcome; one that is too long is written without its
// details rather than not at all.
func (l *Log) outcome(e Entry) (uint64, error) {
	if _, err := e.line(); fault.Is(err, fault.Invalid) {
		e.Detail = map[string]string{"detail": "left out: too long"}
	}
	return l.append(e)
}

// append makes one entry durable and signs the head above it.
func (l *Log) append(e Entry) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return 0, l.broken
	}
	e.Seq, e.Realm, e.Time = l.size.Load(), l.realm, l.now().UTC().Truncate(time.Microsecond)
	line, err := e.line()
	if err != nil {
		return 0, err
	}
	if err := l.write(line); err != nil {
		// What reached the disk is not known. The next start looks.
		l.broken = fault.New(fault.Unavailable, "audit log of realm %s: %w", l.realm, err)
		return 0, l.broken
	}
	return e.Seq, nil
}
