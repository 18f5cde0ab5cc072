// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
)

// warmMax bounds the events that are matched again after a restart. It lies
// below recentEvents: all of them are known when they are delivered again.
const warmMax = 200_000

// warm holds the rules against the last stored events before new ones come, so
// that rules that count over time, and detectors of behaviour, go on where a
// killed process left, and findings of events that were kept and not yet judged
// are made up for. What is found is saved; most of it is there already. Without
// it detection works all the same, so an error is told and passed over.
func (l *Live) warm(ctx context.Context) {
	set := l.rules.Load()
	if set.engine == nil && l.behaving.set == nil || l.cfg.Warm == 0 {
		return
	}
	scope := identity.Scope{Realm: l.cfg.Realm}
	now := l.now().UTC()
	q := eventstore.Query{From: now.Add(-l.cfg.Warm), To: now.Add(24 * time.Hour), Sort: eventstore.Oldest}
	for span := l.cfg.Warm; ; span /= 2 {
		q.From = now.Add(-span)
		n, err := l.p.Store.Count(ctx, scope, q)
		if err != nil {
			l.log.Error("pipeline: rules that count over time begin anew", "err", err)
			return
		}
		if n <= warmMax || span < time.Second {
			break
		}
	}
	var m *sigma.Matcher
	if set.engine != nil {
		m = set.engine.NewMatcher()
	}
	var found []detect.Finding
	n := 0
	err := l.p.Store.Each(ctx, scope, q, func(e *event.Event) error {
		if n++; n > warmMax {
			return errEnough
		}
		l.recent.add(e.ID)
		if m != nil {
			found = append(found, l.match(m, e)...)
		}
		if l.behaving.set != nil && e.Received.After(l.behaving.taken.Received) {
			found = append(found, l.watch(e)...)
		}
		if len(found) < l.cfg.MaxEvents {
			return nil
		}
		err := l.saveFindings(ctx, "warm", found)
		found = nil
		return err
	})
	if err == nil || errors.Is(err, errEnough) {
		err = nil
		if len(found) > 0 {
			err = l.saveFindings(ctx, "warm", found)
		}
	}
	if err != nil && ctx.Err() == nil {
		l.log.Error("pipeline: rules that count over time may miss what was before the restart", "err", err)
	}
}
