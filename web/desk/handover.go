// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"citywall/asset"
	"citywall/casework"
	"citywall/casework/handover"
	"citywall/detect"
	"citywall/event"
	"citywall/identity"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/incident/report"
	"citywall/internal/durable"
	"citywall/internal/fault"
	"citywall/internal/text"
)

// PackageSuffix ends the name of a hand-over package.
const PackageSuffix = ".citywall"

// Given is a package that was made.
type Given struct {
	Manifest handover.Manifest
	SHA256   string // of the file
	Size     int64
	Sent     bool   // it lies in the inbox of the police realm
	File     string // path of the file, when it was not sent; the caller removes it
	Missing  int    // original records that the store no longer has
}

// CanSend reports whether the police realm is in this installation.
func (d *Desk) CanSend() bool {
	return d.cfg.City != nil && d.cfg.City.Handover != nil && d.cfg.City.Handover.Inbox != ""
}

// CanHandOver reports whether packages can be made at all.
func (d *Desk) CanHandOver() bool { return d.cfg.City != nil && d.cfg.City.Handover != nil }

// HandOver makes a package of an incident with its findings, original records
// and reports. It goes into the police realm's inbox, or to the caller to be
// carried there.
func (d *Desk) HandOver(ctx context.Context, who Who, id, reason string, send bool) (Given, error) {
	var g Given
	r, err := d.incident(ctx, who, identity.IncidentHandover, id)
	if err != nil {
		return g, err
	}
	h := d.cfg.City.Handover
	switch {
	case h == nil:
		return g, fault.New(fault.Unavailable, "no key of the police realm is known here; ask the administrator to trust one")
	case send && h.Inbox == "":
		return g, fault.New(fault.Invalid, "the police realm is not in this installation; download the package and carry it there")
	case strings.TrimSpace(reason) == "":
		return g, fault.New(fault.Invalid, "say why the incident is handed over; it stands in the package and in the log")
	}
	err = d.actDetail(ctx, who, identity.IncidentHandover, "incident/"+r.ID, reason, map[string]string{"sent": strconv.FormatBool(send)}, func(ctx context.Context) (map[string]string, error) {
		if err := d.makePackage(ctx, who, r, reason, send, &g); err != nil {
			return nil, err
		}
		link := incidentdb.CaseLink{Package: g.Manifest.ID, SHA256: g.SHA256, Time: g.Manifest.Time, By: who.User}
		if err := d.cfg.City.Incidents.LinkCase(ctx, r.ID, link); err != nil {
			return nil, err
		}
		return map[string]string{
			"package": g.Manifest.ID, "sha256": g.SHA256, "events": strconv.FormatInt(g.Manifest.Events, 10),
			"findings": strconv.FormatInt(g.Manifest.Findings, 10), "missing": strconv.Itoa(g.Missing),
		}, nil
	})
	return g, err
}

func (d *Desk) makePackage(ctx context.Context, who Who, r incidentdb.Record, reason string, send bool, g *Given) (err error) {
	h := d.cfg.City.Handover
	fs, err := d.cfg.City.Findings.GetAll(ctx, who.Scope(), r.Incident.Findings)
	if err != nil {
		return err
	}
	c := handover.Content{
		Incident: r.Incident, Record: r.ID, Findings: values(fs), Reports: map[string][]byte{},
		Events: d.originals(ctx, who.Scope(), r.Incident, fs, h.MaxEvents, &g.Missing),
	}
	for _, l := range []text.Lang{text.ZhTW, text.En} {
		var b bytes.Buffer
		if err := report.Write(&b, One(r.Incident, d.ToCut(who, r.Incident)), l, "html"); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
		c.Reports["report."+string(l)+".html"] = b.Bytes()
	}
	tmp, err := os.CreateTemp(h.Inbox, ".making-*")
	if err != nil {
		return fmt.Errorf("make package: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	sum := sha256.New()
	env := handover.Envelope{From: asset.City, To: asset.Police, Sender: who.Name + " (" + who.User + ")", Reason: reason, Time: d.now()}
	g.Manifest, err = h.Export(ctx, io.MultiWriter(tmp, sum), env, c)
	if err != nil {
		tmp.Close()
		return err
	}
	if g.Size, err = tmp.Seek(0, io.SeekCurrent); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("make package: %w", err)
	}
	g.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if !send {
		g.File = tmp.Name()
		return nil
	}
	g.Sent = true
	return durable.Publish(tmp.Name(), filepath.Join(h.Inbox, g.Manifest.ID+PackageSuffix))
}

// One is an investigation that found one incident: what a report is made from.
// places are what ToCut says, nil where that is not known.
func One(in incident.Incident, places map[string][]asset.Place) incident.Result {
	return incident.Result{Places: places, Incidents: []incident.Incident{in}, Findings: int64(len(in.Findings)), Baseline: incident.Baseline{Days: in.BaselineDays}}
}

func values[T any](xs []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range xs {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// originals yields every record that a statement of the incident or one of its
// findings rests on, once, in a fixed order. A record that retention has taken
// is counted, not an error: the pointers still say what it was.
func (d *Desk) originals(ctx context.Context, sc identity.Scope, in incident.Incident, fs []detect.Finding, most int, missing *int) iter.Seq2[*event.Event, error] {
	if most == 0 {
		most = 200_000
	}
	ids := Evidence(in)
	for _, f := range fs {
		ids = append(ids, f.Events...)
	}
	seen := map[event.ID]bool{}
	ids = slices.DeleteFunc(ids, func(id event.ID) bool {
		dup := seen[id]
		seen[id] = true
		return dup
	})
	return func(yield func(*event.Event, error) bool) {
		if len(ids) > most {
			yield(nil, fault.New(fault.Invalid, "the incident rests on %d records, more than the %d that one package may hold; split it first", len(ids), most))
			return
		}
		for _, id := range ids {
			e, err := d.cfg.City.Events.Get(ctx, sc, id)
			if fault.Is(err, fault.NotFound) {
				*missing++
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Evidence lists the records that an incident's statements point to, with
// repeats, in the order of the statements.
func Evidence(in incident.Incident) []event.ID {
	var ids []event.ID
	add := func(ps []incident.Pointer) {
		for _, p := range ps {
			ids = append(ids, p.Event)
		}
	}
	if in.FirstCompromise != nil {
		add(in.FirstCompromise.Evidence)
	}
	for _, h := range in.Hops {
		add(h.Evidence)
	}
	for _, s := range in.Steps {
		add(s.Evidence)
	}
	for _, s := range in.Suspicious {
		add(s.Evidence)
	}
	for _, b := range in.Breakpoints {
		add(b.Evidence)
	}
	return ids
}

// Waiting is a package in the inbox.
type Waiting struct {
	ID       string    `json:"id"`
	Size     int64     `json:"size"`
	Received time.Time `json:"received"`
}

// Inbox lists the packages that wait, newest first.
func (d *Desk) Inbox(ctx context.Context, who Who) ([]Waiting, error) {
	p, err := d.packages(who)
	if err != nil {
		return nil, err
	}
	es, err := os.ReadDir(p.Inbox)
	if err != nil {
		return nil, fmt.Errorf("read inbox: %w", err)
	}
	var out []Waiting
	for _, e := range es {
		id, ok := strings.CutSuffix(e.Name(), PackageSuffix)
		if _, err := uuid.Parse(id); err != nil || !ok {
			continue
		}
		st, err := e.Info()
		if err != nil {
			continue // taken in between
		}
		out = append(out, Waiting{ID: id, Size: st.Size(), Received: st.ModTime().UTC()})
	}
	slices.SortFunc(out, func(a, b Waiting) int {
		if c := b.Received.Compare(a.Received); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out, nil
}

func (d *Desk) packages(who Who) (*Packages, error) {
	p, err := d.police(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, identity.CaseCreate); err != nil {
		return nil, err
	}
	if p.Packages == nil {
		return nil, fault.New(fault.Unavailable, "this installation cannot open packages: it has no key of the police realm")
	}
	return p.Packages, nil
}

// Receive takes an uploaded package: it is verified before it counts as
// waiting.
func (d *Desk) Receive(ctx context.Context, who Who, r io.Reader) (id string, err error) {
	p, err := d.packages(who)
	if err != nil {
		return "", err
	}
	most := p.MaxSize
	if most == 0 {
		most = 1 << 30
	}
	err = d.actDetail(ctx, who, identity.CaseCreate, "package", "", map[string]string{"received": "upload"}, func(ctx context.Context) (map[string]string, error) {
		tmp, err := os.CreateTemp(p.Inbox, ".upload-*")
		if err != nil {
			return nil, fmt.Errorf("receive package: %w", err)
		}
		defer os.Remove(tmp.Name())
		n, err := io.Copy(tmp, io.LimitReader(r, most+1))
		if cerr := tmp.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return nil, fmt.Errorf("receive package: %w", err)
		}
		if n > most {
			return nil, fault.New(fault.Invalid, "the package is larger than the %d bytes allowed here", most)
		}
		pk, err := p.Open(ctx, tmp.Name())
		if err != nil {
			return nil, err
		}
		id = pk.Manifest.ID
		if err := pk.Close(); err != nil {
			return nil, err
		}
		if _, err := uuid.Parse(id); err != nil {
			return nil, fault.New(fault.Invalid, "the package's id is not one that Citywall makes")
		}
		err = durable.Publish(tmp.Name(), filepath.Join(p.Inbox, id+PackageSuffix))
		if errors.Is(err, fs.ErrExist) {
			err = nil // it was received before and still waits
		}
		return map[string]string{"package": id}, err
	})
	return id, err
}

// OpenPackage opens and verifies a waiting package; the caller closes it.
func (d *Desk) OpenPackage(ctx context.Context, who Who, id string) (*handover.Package, error) {
	p, err := d.packages(who)
	if err != nil {
		return nil, err
	}
	var pk *handover.Package
	err = d.act(ctx, who, identity.CaseCreate, "package/"+id, "", map[string]string{"opened": "to look"}, func(ctx context.Context) error {
		pk, err = openWaiting(ctx, p, id)
		return err
	})
	return pk, err
}

func openWaiting(ctx context.Context, p *Packages, id string) (*handover.Package, error) {
	file, err := p.path(id)
	if err != nil {
		return nil, err
	}
	return p.Open(ctx, file)
}

// path is where a waiting package lies. The id is checked to be one, so that no
// id becomes a path.
func (p *Packages) path(id string) (string, error) {
	if u, err := uuid.Parse(id); err != nil || u.String() != id {
		return "", fault.New(fault.NotFound, "no package %q waits", id)
	}
	file := filepath.Join(p.Inbox, id+PackageSuffix)
	if _, err := os.Stat(file); err != nil {
		return "", fault.New(fault.NotFound, "no package %q waits; perhaps a colleague has opened it", id)
	}
	return file, nil
}

// OpenCaseFrom opens a case from a waiting package.
func (d *Desk) OpenCaseFrom(ctx context.Context, who Who, id, title, owner string) (casework.File, error) {
	p, err := d.packages(who)
	if err != nil {
		return casework.File{}, err
	}
	var f casework.File
	err = d.actDetail(ctx, who, identity.CaseCreate, "package/"+id, "", map[string]string{"title": title, "owner": owner}, func(ctx context.Context) (map[string]string, error) {
		pk, err := openWaiting(ctx, p, id)
		if err != nil {
			return nil, err
		}
		defer pk.Close()
		if f, err = p.Import(ctx, pk, who.User, owner, title); err != nil {
			return nil, err
		}
		// The package lies with the case now; left here it would be opened twice.
		if err := os.Remove(filepath.Join(p.Inbox, id+PackageSuffix)); err != nil {
			d.log.WarnContext(ctx, "remove opened package", "package", id, "err", err)
		}
		return map[string]string{"case": f.ID, "number": f.Number}, nil
	})
	return f, err
}
