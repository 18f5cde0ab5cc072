// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"context"
	"fmt"
	"io"
	"strings"

	"citywall/casework"
	"citywall/casework/casedb"
	"citywall/casework/docket"
	"citywall/detect"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

// ListCases returns one page of cases.
func (d *Desk) ListCases(ctx context.Context, who Who, q casedb.Query) (casedb.Page, error) {
	p, err := d.police(who)
	if err != nil {
		return casedb.Page{}, err
	}
	if err := d.may(who, identity.CaseRead); err != nil {
		return casedb.Page{}, err
	}
	return p.Cases.List(ctx, q)
}

// Case returns a case with everything in it. Opening its file is an act.
func (d *Desk) Case(ctx context.Context, who Who, id string) (casework.File, error) {
	var f casework.File
	p, err := d.police(who)
	if err != nil {
		return f, err
	}
	if err := d.mayOne(who, identity.CaseRead, id); err != nil {
		return f, err
	}
	err = d.act(ctx, who, identity.CaseRead, "case/"+id, "", nil, func(ctx context.Context) error {
		f, err = p.Cases.Get(ctx, id)
		return err
	})
	return f, err
}

// caseFile returns a case for an act on it.
func (d *Desk) caseFile(ctx context.Context, who Who, a identity.Action, id string) (*Police, casework.File, error) {
	p, err := d.police(who)
	if err != nil {
		return nil, casework.File{}, err
	}
	if err := d.mayOne(who, a, id); err != nil {
		return nil, casework.File{}, err
	}
	f, err := p.Cases.Get(ctx, id)
	return p, f, err
}

// StatusAction is the action that moving a case between statuses needs.
func StatusAction(from, to casework.Status) identity.Action {
	if from == casework.Closed || to == casework.Closed {
		return identity.CaseClose
	}
	return identity.CaseEdit
}

// SetCaseStatus moves a case.
func (d *Desk) SetCaseStatus(ctx context.Context, who Who, id string, version int64, to casework.Status, reason string) (casework.Case, error) {
	p, f, err := d.caseFile(ctx, who, identity.CaseRead, id)
	if err != nil {
		return casework.Case{}, err
	}
	a := StatusAction(f.Status, to)
	if err := d.mayOne(who, a, f.ID); err != nil {
		return casework.Case{}, err
	}
	var c casework.Case
	err = d.act(ctx, who, a, "case/"+f.ID, reason, map[string]string{"from": string(f.Status), "to": string(to)}, func(ctx context.Context) error {
		c, err = p.Cases.SetStatus(ctx, who.User, f.ID, version, to, reason)
		return err
	})
	return c, err
}

// ChangeCase edits title or owner; the owner is the supervisor's to change.
func (d *Desk) ChangeCase(ctx context.Context, who Who, id string, version int64, e casedb.Edit) (casework.Case, error) {
	a := identity.CaseEdit
	if e.Owner != nil {
		a = identity.CaseAssign
	}
	p, f, err := d.caseFile(ctx, who, a, id)
	if err != nil {
		return casework.Case{}, err
	}
	detail := map[string]string{}
	if e.Owner != nil {
		detail["owner"] = *e.Owner
		if *e.Owner != "" {
			if _, err := p.Users.User(ctx, *e.Owner); err != nil {
				if fault.Is(err, fault.NotFound) {
					return casework.Case{}, fault.New(fault.Invalid, "there is no user %q in this realm", *e.Owner)
				}
				return casework.Case{}, err
			}
		}
	}
	if e.Title != nil {
		detail["title"] = *e.Title
	}
	var c casework.Case
	err = d.act(ctx, who, a, "case/"+f.ID, "", detail, func(ctx context.Context) error {
		c, err = p.Cases.Change(ctx, who.User, f.ID, version, e)
		return err
	})
	return c, err
}

// AddCaseNote adds a remark to a case.
func (d *Desk) AddCaseNote(ctx context.Context, who Who, id, text string) (casework.Note, error) {
	p, f, err := d.caseFile(ctx, who, identity.CaseEdit, id)
	if err != nil {
		return casework.Note{}, err
	}
	var n casework.Note
	err = d.act(ctx, who, identity.CaseEdit, "case/"+f.ID, "", map[string]string{"note": "added"}, func(ctx context.Context) error {
		n, err = p.Cases.AddNote(ctx, who.User, f.ID, text)
		return err
	})
	return n, err
}

// OpenCase opens a case by hand, from a victim's report.
func (d *Desk) OpenCase(ctx context.Context, who Who, title, owner, receipt string) (casework.File, error) {
	p, err := d.police(who)
	if err != nil {
		return casework.File{}, err
	}
	if err := d.may(who, identity.CaseCreate); err != nil {
		return casework.File{}, err
	}
	if strings.TrimSpace(title) == "" {
		return casework.File{}, fault.New(fault.Invalid, "a case needs a title")
	}
	var f casework.File
	err = d.actDetail(ctx, who, identity.CaseCreate, "case", "", map[string]string{"title": title, "receipt": receipt}, func(ctx context.Context) (map[string]string, error) {
		var err error
		f, err = p.Cases.Open(ctx, docket.New{
			Title: title, Owner: owner, OpenedBy: who.User, Source: casework.Source{Kind: casework.FromReport, Report: receipt},
		})
		return map[string]string{"case": f.ID, "number": f.Number}, err
	})
	return f, err
}

// CaseReport notes that a report of a case was taken and returns the case. A
// case without an incident has nothing to report on yet.
func (d *Desk) CaseReport(ctx context.Context, who Who, id, format string) (casework.File, error) {
	_, f, err := d.caseFile(ctx, who, identity.CaseReport, id)
	if err != nil {
		return f, err
	}
	if f.Incident == nil {
		return f, fault.New(fault.NotFound, "case %s has no incident to report on", f.Number)
	}
	return f, d.act(ctx, who, identity.CaseReport, "case/"+f.ID, "", map[string]string{"report": format}, func(context.Context) error { return nil })
}

// Exhibit opens the n-th exhibit of a case for reading; the caller closes it.
func (d *Desk) Exhibit(ctx context.Context, who Who, id string, n int) (casework.Exhibit, io.ReadCloser, error) {
	p, f, err := d.caseFile(ctx, who, identity.CaseEvidence, id)
	if err != nil {
		return casework.Exhibit{}, nil, err
	}
	for _, x := range f.Exhibits {
		if x.N != n {
			continue
		}
		var r io.ReadCloser
		err := d.act(ctx, who, identity.CaseEvidence, fmt.Sprintf("case/%s/exhibit/%d", f.ID, n), "", map[string]string{"sha256": x.SHA256}, func(ctx context.Context) error {
			r, err = p.Vault.File(ctx, f.ID, x)
			return err
		})
		return x, r, err
	}
	return casework.Exhibit{}, nil, fault.New(fault.NotFound, "case %s has no exhibit %d", f.Number, n)
}

// VerifyCase reads every exhibit of a case again and says what is wrong.
func (d *Desk) VerifyCase(ctx context.Context, who Who, id string) ([]Problem, error) {
	p, f, err := d.caseFile(ctx, who, identity.CaseEvidence, id)
	if err != nil {
		return nil, err
	}
	var out []Problem
	err = d.actDetail(ctx, who, identity.CaseEvidence, "case/"+f.ID, "", map[string]string{"verify": "all"}, func(ctx context.Context) (map[string]string, error) {
		ps, err := p.Vault.Verify(ctx, f.ID, f.Exhibits)
		if err != nil {
			return nil, err
		}
		for _, x := range ps {
			out = append(out, Problem{File: x.File, What: x.What})
		}
		return map[string]string{"problems": fmt.Sprint(len(out))}, nil
	})
	return out, err
}

// caseScope is what a case's own records are read with. It names the case: the
// city's estate is not in it.
func (d *Desk) caseScope(ctx context.Context, who Who, a identity.Action, id string) (*Police, identity.Scope, error) {
	p, f, err := d.caseFile(ctx, who, identity.CaseRead, id)
	if err != nil {
		return nil, identity.Scope{}, err
	}
	if err := d.cfg.Policy.Allow(who.Principal, a, identity.Resource{Kind: kindOf(a), Realm: who.Realm, Case: f.ID}); err != nil {
		return nil, identity.Scope{}, err
	}
	return p, identity.Scope{Realm: who.Realm, Case: f.ID}, nil
}

// CaseEvent returns one original record of a case.
func (d *Desk) CaseEvent(ctx context.Context, who Who, id string, ev event.ID) (*event.Event, error) {
	p, sc, err := d.caseScope(ctx, who, identity.EventSearch, id)
	if err != nil {
		return nil, err
	}
	var e *event.Event
	err = d.act(ctx, who, identity.EventSearch, "case/"+sc.Case+"/event/"+ev.String(), "", nil, func(ctx context.Context) error {
		e, err = p.Vault.Event(ctx, sc, ev)
		return err
	})
	return e, err
}

// SearchCase returns a page of a case's records.
func (d *Desk) SearchCase(ctx context.Context, who Who, id, text string, q eventstore.Query) (eventstore.Page, error) {
	p, sc, err := d.caseScope(ctx, who, identity.EventSearch, id)
	if err != nil {
		return eventstore.Page{}, err
	}
	var page eventstore.Page
	err = d.act(ctx, who, identity.EventSearch, "case/"+sc.Case+"/events", "", searchDetail(text, q), func(ctx context.Context) error {
		page, err = p.Vault.Search(ctx, sc, q)
		return err
	})
	return page, err
}

// CaseFindings returns the findings that came with a case.
func (d *Desk) CaseFindings(ctx context.Context, who Who, id string) ([]detect.Finding, error) {
	p, sc, err := d.caseScope(ctx, who, identity.FindingRead, id)
	if err != nil {
		return nil, err
	}
	return p.Vault.Findings(ctx, sc)
}
