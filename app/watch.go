// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"net/url"
	"time"

	"citywall/detect"
	"citywall/duty"
	"citywall/duty/call"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/incident/narrate"
	"citywall/internal/text"
	"citywall/notify"
	"citywall/pipeline/live"
)

// Alarm says who is called, and how.
type Alarm struct {
	Mail     notify.MailConfig      `yaml:"mail"`
	Webhooks []notify.WebhookConfig `yaml:"webhooks"`
	Policy   duty.Policy            `yaml:"policy"`
}

// Validate returns an invalid error that says what to mend.
func (c Alarm) Validate() error {
	if err := c.Mail.Validate(); err != nil {
		return err
	}
	var names []string
	for _, w := range c.Webhooks {
		if err := w.Validate(); err != nil {
			return err
		}
		names = append(names, w.Name)
	}
	return c.Policy.Validate(names)
}

func (a *App) newWatch() (*call.Watch, error) {
	l, _ := text.ParseLang(a.cfg.Lang)
	c := call.Config{
		Store: a.watchRecords, Policy: a.cfg.Alarm.Policy, Causes: a.causes, Lang: l, URL: a.URL, Now: a.now, Log: a.log, Webhooks: map[string]call.Sender{},
	}
	if a.cfg.Alarm.Mail != (notify.MailConfig{}) {
		m, err := notify.NewMail(a.cfg.Alarm.Mail)
		if err != nil {
			return nil, err
		}
		c.Mail = m
	}
	for _, w := range a.cfg.Alarm.Webhooks {
		h, err := notify.NewWebhook(w)
		if err != nil {
			return nil, err
		}
		c.Webhooks[w.Name] = h
	}
	return call.New(c), nil
}

// causes is what somebody must look at now: incidents that nobody has triaged,
// sources that fell silent, trouble on the way of events and where they are kept.
func (a *App) causes(ctx context.Context) ([]duty.Cause, error) {
	var out []duty.Cause
	q := incidentdb.ListQuery{States: []incident.State{incident.New}, Limit: 500}
	for {
		p, err := a.incidents.List(ctx, cityScope, q)
		if err != nil {
			return nil, err
		}
		for _, r := range p.Rows {
			title := map[text.Lang]string{}
			for _, l := range langs() {
				title[l] = narrate.Title(l, incident.Incident{Title: r.Title})
			}
			out = append(out, duty.Cause{Subject: "incident/" + r.ID, Severity: r.Severity, Title: title, Path: "/incidents/" + r.ID, Agencies: r.Agencies})
		}
		if p.Next == "" {
			break
		}
		q.After = p.Next
	}
	for _, s := range a.pipeline.Sources() {
		if s.State == live.SourceSilent {
			out = append(out, duty.Cause{Subject: "source/" + s.Name, Severity: detect.Medium, Title: inBoth("duty.cause.source_silent", "name", s.Name),
				Path: "/sources?text=" + url.QueryEscape(s.Name), Agencies: one(s.Agency)})
		}
	}
	for _, t := range a.pipeline.Health().Trouble {
		if a.now().Sub(t.Since) >= lasting {
			out = append(out, duty.Cause{Subject: "trouble/" + t.Stage, Severity: detect.High, Title: inBoth("duty.cause.trouble", "part", t.Stage, "problem", t.Error), Path: "/sources"})
		}
	}
	kept, err := a.storageCauses(ctx)
	return append(out, kept...), err
}

// lasting is how long a stage must have waited before anybody is woken: a
// commit that has to be repeated is no alarm.
const lasting = time.Minute

// langs are the languages of an alarm's title.
func langs() []text.Lang { return []text.Lang{text.ZhTW, text.En} }

func inBoth(key string, pairs ...string) map[text.Lang]string {
	out := map[text.Lang]string{}
	for _, l := range langs() {
		out[l] = text.T(l, key, pairs...)
	}
	return out
}

func one(agency string) []string {
	if agency == "" {
		return nil
	}
	return []string{agency}
}
