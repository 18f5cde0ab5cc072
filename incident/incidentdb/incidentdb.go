// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package incidentdb keeps the incidents of one realm: what the engine
// computed, and beside it what people decided.
//
// It promises that saving the same computation twice changes nothing, that
// state, owner, notes, merges and splits survive every later computation, also
// when the engine gives an incident another id, that two people who change one
// incident at once are told so, and that every change is in the history. It
// never computes: that is correlate.
//
// A record keeps its id for good. A computation belongs to the record with
// which it shares findings and hops (see Save). A merge is a link: the merged
// record goes on being computed, and is shown in the other. A split is a rule:
// it is applied to every later computation of the record.
package incidentdb

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"citywall/asset"
	"citywall/detect"
	"citywall/incident"
	"citywall/internal/db"
	"citywall/internal/fault"
	"citywall/internal/text"
)

//go:embed migrations
var migrations embed.FS

// Record is an incident as people meet it.
type Record struct {
	ID         string            `json:"id"` // stays, whatever the engine calls it later
	Incident   incident.Incident `json:"incident"`
	State      incident.State    `json:"state"`
	StateSince time.Time         `json:"state_since"`
	Owner      string            `json:"owner,omitempty"` // login name
	Version    int64             `json:"version"`         // of people's changes: the change lock
	Revision   int64             `json:"revision"`        // of computations that changed something
	Parts      []string          `json:"parts,omitempty"` // records merged into this one
	SplitFrom  string            `json:"split_from,omitempty"`
	MergedInto string            `json:"merged_into,omitempty"`
	Notes      []Note            `json:"notes"` // those of its parts too, oldest first
	Cases      []CaseLink        `json:"cases,omitempty"`
	Created    time.Time         `json:"created"`
	Computed   time.Time         `json:"computed"` // last computation that changed it
}

// Note is a remark of a person.
type Note struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Author string    `json:"author"`
	Text   string    `json:"text"`
}

// CaseLink says that the incident was handed over.
type CaseLink struct {
	Package string    `json:"package"` // id of the hand-over package
	SHA256  string    `json:"sha256"`  // of the package file
	Time    time.Time `json:"time"`
	By      string    `json:"by"`
}

// Change is one entry of an incident's history. What is a text key below
// "incidentdb.change.", Args fill its places.
type Change struct {
	Time  time.Time         `json:"time"`
	Actor string            `json:"actor"` // login name, or "citywall"
	What  string            `json:"what"`
	Args  map[string]string `json:"args,omitempty"`
}

// Text words the change.
func (c Change) Text(l text.Lang) string {
	pairs := []string{"actor", c.Actor}
	for k, v := range c.Args {
		if k == "from" || k == "to" {
			v = StateText(l, incident.State(v))
		}
		pairs = append(pairs, k, v)
	}
	return text.T(l, "incidentdb.change."+c.What, pairs...)
}

// StateText returns the name of a state for people.
func StateText(l text.Lang, s incident.State) string { return text.T(l, "incidentdb.state."+string(s)) }

// States lists the states in the order of an incident's life.
func States() []incident.State {
	return []incident.State{incident.New, incident.Triaged, incident.Contained, incident.Closed}
}

// Moves returns the states a person may move an incident to from s.
func Moves(s incident.State) []incident.State {
	switch s {
	case incident.New:
		return []incident.State{incident.Triaged, incident.Contained, incident.Closed}
	case incident.Triaged:
		return []incident.State{incident.Contained, incident.Closed}
	case incident.Contained:
		return []incident.State{incident.Triaged, incident.Closed} // it spreads again
	case incident.Closed:
		return []incident.State{incident.Triaged} // opened again
	}
	return nil
}

// self is the actor of what the engine's results bring about.
const self = "citywall"

// Store is the incidents of one realm. It is safe for concurrent use.
type Store struct {
	d     *db.DB
	realm asset.Realm
	now   func() time.Time
}

// Open migrates and opens the tables of incidents in d.
func Open(ctx context.Context, d *db.DB, realm asset.Realm) (*Store, error) {
	if !realm.Valid() {
		return nil, fault.New(fault.Invalid, "incidents: %q is no realm", realm)
	}
	if err := d.Migrate(ctx, "incident", migrations); err != nil {
		return nil, err
	}
	if err := d.TextIndex(ctx, "incident_record", "search"); err != nil {
		return nil, err
	}
	return &Store{d: d, realm: realm, now: time.Now}, nil
}

type recordRow struct {
	bun.BaseModel `bun:"table:incident_record,alias:r"`

	ID         string `bun:"id,pk"`
	EngineID   string `bun:"engine_id"`
	EngineSum  string `bun:"engine_sum"`
	Own        string `bun:"own"`
	Doc        string `bun:"doc"`
	Head       string `bun:"head"`
	Search     string `bun:"search"`
	Severity   uint8  `bun:"severity"`
	Agencies   string `bun:"agencies"`
	FirstUS    int64  `bun:"first_us"`
	LastUS     int64  `bun:"last_us"`
	State      string `bun:"state"`
	StateUS    int64  `bun:"state_us"`
	Owner      string `bun:"owner"`
	Version    int64  `bun:"version"`
	Revision   int64  `bun:"revision"`
	MergedInto string `bun:"merged_into"`
	MergedBy   string `bun:"merged_by"`
	Absorbed   bool   `bun:"absorbed"`
	SplitFrom  string `bun:"split_from"`
	Split      string `bun:"split"`
	CreatedUS  int64  `bun:"created_us"`
	ComputedUS int64  `bun:"computed_us"`
}

type noteRow struct {
	bun.BaseModel `bun:"table:incident_note,alias:n"`

	ID       string `bun:"id,pk"`
	RecordID string `bun:"record_id"`
	TimeUS   int64  `bun:"time_us"`
	Author   string `bun:"author"`
	Text     string `bun:"text"`
}

type changeRow struct {
	bun.BaseModel `bun:"table:incident_change,alias:c"`

	ID       string `bun:"id,pk"` // UUIDv7: in order of time
	RecordID string `bun:"record_id"`
	TimeUS   int64  `bun:"time_us"`
	Actor    string `bun:"actor"`
	What     string `bun:"what"`
	Args     string `bun:"args"`
}

type caseRow struct {
	bun.BaseModel `bun:"table:incident_case,alias:k"`

	Package  string `bun:"package,pk"`
	RecordID string `bun:"record_id"`
	SHA256   string `bun:"sha256"`
	TimeUS   int64  `bun:"time_us"`
	ByUser   string `bun:"by_user"`
}

func at(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// own returns the record's own computation.
func (r *recordRow) own() (incident.Incident, error) { return decode(r.ID, r.Own) }

// shown returns what people see: with what was merged in.
func (r *recordRow) shown() (incident.Incident, error) {
	if r.Doc != "" {
		return decode(r.ID, r.Doc)
	}
	return decode(r.ID, r.Own)
}

func decode(id, doc string) (incident.Incident, error) {
	var in incident.Incident
	if err := json.Unmarshal([]byte(doc), &in); err != nil {
		return in, fmt.Errorf("read incident %s: %w", id, err)
	}
	in.ID = id
	return in, nil
}

func recordOf(ctx context.Context, q bun.IDB, id string) (recordRow, error) {
	var r recordRow
	err := q.NewSelect().Model(&r).Where("id = ?", db.Text(id)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = q.NewSelect().Model(&r).Where("id = (SELECT record_id FROM incident_alias WHERE engine_id = ?)", db.Text(id)).Scan(ctx)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return r, notFound(id)
	}
	return r, err
}

func notFound(id string) error {
	return fault.New(fault.NotFound, "there is no incident %q, or it is not of yours", id)
}

// partsOf returns the records merged into id, those merged into them too, by
// the time of their creation.
func partsOf(ctx context.Context, q bun.IDB, id string) ([]recordRow, error) {
	var out []recordRow
	for next := []string{id}; len(next) > 0; {
		var rs []recordRow
		if err := q.NewSelect().Model(&rs).Where("merged_into IN (?)", bun.List(next)).Order("created_us", "id").Scan(ctx); err != nil {
			return nil, err
		}
		next = nil
		for _, r := range rs {
			if !slices.ContainsFunc(out, func(o recordRow) bool { return o.ID == r.ID }) { // a ring cannot arise, and would not end
				out = append(out, r)
				next = append(next, r.ID)
			}
		}
	}
	return out, nil
}

// rootOf follows the merges up.
func rootOf(ctx context.Context, q bun.IDB, r recordRow) (recordRow, error) {
	for range 1000 {
		if r.MergedInto == "" {
			return r, nil
		}
		var up recordRow
		if err := q.NewSelect().Model(&up).Where("id = ?", r.MergedInto).Scan(ctx); err != nil {
			return r, err
		}
		r = up
	}
	return r, fmt.Errorf("incident %s is merged in a ring", r.ID)
}

// note writes an entry of the history.
func (s *Store) note(ctx context.Context, tx bun.Tx, id, actor, what string, pairs ...string) error {
	args := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i]] = db.Text(pairs[i+1])
	}
	b, err := json.Marshal(args)
	if err != nil {
		return err
	}
	u, err := uuid.NewV7()
	if err != nil {
		return err
	}
	_, err = tx.NewInsert().Model(&changeRow{ID: u.String(), RecordID: id, TimeUS: s.now().UnixMicro(), Actor: db.Text(actor), What: what, Args: string(b)}).Exec(ctx)
	return err
}

// Row is an incident in a list: what fits on one line.
type Row struct {
	ID              string                    `json:"id"`
	Title           incident.Reason           `json:"title"`
	Severity        detect.Level              `json:"severity"`
	State           incident.State            `json:"state"`
	Owner           string                    `json:"owner,omitempty"`
	First           time.Time                 `json:"first"`
	Last            time.Time                 `json:"last"`
	FirstCompromise *incident.FirstCompromise `json:"first_compromise,omitempty"`
	Agencies        []string                  `json:"agencies"`
	Hosts           int                       `json:"hosts"` // compromised
	Hops            int                       `json:"hops"`
	Steps           int                       `json:"steps"`
	Findings        int                       `json:"findings"`
	Encrypting      bool                      `json:"encrypting"` // a step of encryption, inhibition or note
	Version         int64                     `json:"version"`
	Revision        int64                     `json:"revision"`
	Created         time.Time                 `json:"created"`
	Computed        time.Time                 `json:"computed"`
}

// head is the part of a Row that follows from the computation.
func head(in incident.Incident) Row {
	r := Row{Title: in.Title, Severity: in.Severity, First: in.First, Last: in.Last, FirstCompromise: in.FirstCompromise,
		Agencies: in.Agencies, Hops: len(in.Hops), Steps: len(in.Steps), Findings: len(in.Findings)}
	for _, h := range in.Hosts {
		if h.Compromised {
			r.Hosts++
		}
	}
	for _, s := range in.Steps {
		switch s.Step {
		case detect.StepEncrypt, detect.StepInhibit, detect.StepNote:
			r.Encrypting = true
		}
	}
	return r
}

// fill puts into a row what people decided.
func (r *recordRow) fill(row *Row) {
	row.ID, row.State, row.Owner, row.Version, row.Revision = r.ID, incident.State(r.State), r.Owner, r.Version, r.Revision
	row.Created, row.Computed = at(r.CreatedUS), at(r.ComputedUS)
}
