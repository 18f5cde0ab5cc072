// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package call runs the watch: it looks for causes, lets the store raise alarms
// and plan calls, and sends what is due.
//
// It promises that a call is sent until the other side has it, refuses it, or
// somebody has acknowledged the alarm; that a mail server that is down for days
// delays calls and loses none; that no call is sent a second time after the
// other side took it, except one whose sending a stop interrupted (dutydb.Take
// says why); and that one recipient who hangs does not hold up the others. It
// words nothing but the message around an alarm's own title.
package call

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"citywall/detect"
	"citywall/duty"
	"citywall/duty/dutydb"
	"citywall/internal/text"
	"citywall/notify"
)

// Config is what the watch needs.
type Config struct {
	Store    *dutydb.Store
	Policy   duty.Policy
	Causes   func(context.Context) ([]duty.Cause, error) // all there are now
	Mail     Sender                                      // nil: no mail can be sent
	Webhooks map[string]Sender
	Lang     text.Lang // of the messages
	URL      func() string
	Every    time.Duration // between looks; 0 means 5 s
	Now      func() time.Time
	Log      *slog.Logger
}

// Sender is notify.Mail or notify.Webhook.
type Sender interface {
	Send(context.Context, notify.Message) error
}

// urgent is the severity from which the first mail is marked urgent.
const urgent = detect.High

func minutes(d time.Duration) string { return strconv.Itoa(int(d.Round(time.Minute).Minutes())) }

// atOnce bounds the calls under way together.
const atOnce = 8

// Watch runs the watch.
type Watch struct {
	cfg Config
	mu  sync.Mutex // guards err
	err error      // of the last look, nil when it went well
}

// New returns a watch.
func New(c Config) *Watch {
	if c.Every == 0 {
		c.Every = 5 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Watch{cfg: c}
}

// Run looks and sends until ctx ends. A call under way is finished or cut off by
// its own time limit; its outcome is written.
func (w *Watch) Run(ctx context.Context) error {
	t := time.NewTicker(w.cfg.Every)
	defer t.Stop()
	again := true
	for {
		if err := w.Tick(ctx, again); err != nil && ctx.Err() == nil {
			w.cfg.Log.Error("the watch", "err", err)
		} else {
			again = false
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Err is what the last look failed with: the watch must not be silent because
// it is broken.
func (w *Watch) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Tick looks once and sends what is due. With again, calls whose sending a stop
// interrupted are due too.
func (w *Watch) Tick(ctx context.Context, again bool) error {
	err := w.tick(ctx, again)
	w.mu.Lock()
	w.err = err
	w.mu.Unlock()
	return err
}

func (w *Watch) tick(ctx context.Context, again bool) error {
	causes, err := w.cfg.Causes(ctx)
	if err == nil {
		// Without the causes nothing may end; what waits is still sent.
		var raised []duty.Alarm
		raised, err = w.cfg.Store.Watch(ctx, causes, w.cfg.Policy)
		for _, a := range raised {
			w.cfg.Log.Info("alarm", "severity", a.Severity.String(), "subject", a.Subject, "round", a.Round)
		}
	}
	return errors.Join(err, w.send(ctx, again))
}

func (w *Watch) send(ctx context.Context, again bool) error {
	var all error
	for {
		calls, err := w.cfg.Store.Take(ctx, atOnce, again)
		if err != nil || len(calls) == 0 {
			return errors.Join(all, err)
		}
		again = false
		errs := make([]error, len(calls))
		var wg sync.WaitGroup
		for i, c := range calls {
			wg.Go(func() { errs[i] = w.one(ctx, c) })
		}
		wg.Wait()
		all = errors.Join(append(errs, all)...)
	}
}

// one sends a call and writes how it ended, also when ctx has ended meanwhile.
func (w *Watch) one(ctx context.Context, c duty.Call) error {
	a, _, err := w.cfg.Store.Alarm(ctx, c.Alarm)
	if err != nil {
		return err
	}
	err = w.deliver(ctx, c, a)
	now := w.cfg.Now().UTC()
	if err == nil {
		c.State, c.At, c.Error = duty.Sent, now, ""
		c.Attempts++
	} else {
		w.cfg.Log.Warn("a call was not delivered", "channel", string(c.Channel), "to", c.To, "attempt", c.Attempts+1, "err", err)
		c = c.Failed(now, err.Error(), notify.Permanent(err))
	}
	return w.cfg.Store.Done(context.WithoutCancel(ctx), c)
}

// errNoMail is what a call gets while no mail server is configured.
var errNoMail = errors.New("no mail server is configured: set alarm.mail in citywall.yaml")

func (w *Watch) deliver(ctx context.Context, c duty.Call, a duty.Alarm) error {
	l := w.cfg.Lang
	severity := text.T(l, "narrate.level."+a.Severity.String())
	link := w.cfg.URL() + a.Path
	title := strings.Join(strings.Fields(a.Title[l]), " ") // one line whatever a record put into it
	key := "duty.mail.first"
	if c.Step > 0 {
		key = "duty.mail.again"
	}
	m := notify.Message{
		ID: c.ID, To: c.To, Time: a.Raised, Urgent: c.Step > 0 || a.Severity >= urgent,
		Subject: text.T(l, "duty.mail.subject", "severity", severity, "title", title),
		Text: text.T(l, key, "severity", severity, "title", title, "time", a.Raised.In(duty.Taipei).Format("2006-01-02 15:04:05"), "link", link,
			"minutes", minutes(w.cfg.Now().Sub(a.Raised))),
		Data: map[string]string{"alarm": a.ID, "subject": a.Subject, "severity": a.Severity.String(), "title": title, "link": link},
	}
	if c.Channel == duty.Webhook {
		s := w.cfg.Webhooks[c.To]
		if s == nil {
			return errors.New("there is no webhook of that name any more")
		}
		return s.Send(ctx, m)
	}
	if w.cfg.Mail == nil {
		return errNoMail
	}
	return w.cfg.Mail.Send(ctx, m)
}
