// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"citywall/audit"
	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/internal/fault"
	"citywall/web/desk"
)

func (s *Server) users(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	v, err := s.Desk.ListUsers(r.Context(), who)
	if err != nil {
		return err
	}
	return put(w, itemsOf(v))
}

func (s *Server) createUser(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Name     string        `json:"name"`
		Shown    string        `json:"shown"`
		Role     identity.Role `json:"role"`
		Agencies []string      `json:"agencies"`
		Password string        `json:"password"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	u, err := s.Desk.CreateUser(r.Context(), who, identitydb.User{Name: in.Name, Shown: in.Shown, Role: in.Role, Agencies: in.Agencies}, in.Password)
	if err != nil {
		return err
	}
	return put(w, u)
}

func (s *Server) updateUser(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Version  int64         `json:"version"`
		Shown    string        `json:"shown"`
		Role     identity.Role `json:"role"`
		Agencies []string      `json:"agencies"`
		Disabled bool          `json:"disabled"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	u, err := s.Desk.UpdateUser(r.Context(), who, identitydb.User{
		Name: r.PathValue("name"), Shown: in.Shown, Role: in.Role, Agencies: in.Agencies, Disabled: in.Disabled, Version: in.Version,
	})
	if err != nil {
		return err
	}
	return put(w, u)
}

func (s *Server) userLink(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	secret, expires, err := s.Desk.NewLink(r.Context(), who, r.PathValue("name"))
	if err != nil {
		return err
	}
	return put(w, struct {
		Link    string    `json:"link"`
		Expires time.Time `json:"expires"`
	}{secret, expires})
}

func (s *Server) endSessions(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	n, err := s.Desk.EndSessions(r.Context(), who, r.PathValue("name"))
	if err != nil {
		return err
	}
	return put(w, struct {
		Ended int `json:"ended"`
	}{n})
}

func (s *Server) tokens(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	v, err := s.Desk.ListTokens(r.Context(), who)
	if err != nil {
		return err
	}
	return put(w, itemsOf(v))
}

func (s *Server) createToken(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Kind    identitydb.TokenKind `json:"kind"`
		Name    string               `json:"name"`
		Source  string               `json:"source"`
		Agency  string               `json:"agency"`
		Zone    string               `json:"zone"`
		User    string               `json:"user"`
		Expires time.Time            `json:"expires"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	secret, t, err := s.Desk.CreateToken(r.Context(), who, identitydb.Token{
		Kind: in.Kind, Name: in.Name, Source: in.Source, Agency: in.Agency, Zone: in.Zone, User: in.User, Expires: in.Expires,
	})
	if err != nil {
		return err
	}
	return put(w, madeToken{t, secret})
}

func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	if err := s.Desk.RevokeToken(r.Context(), who, r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// AuditQuery reads what entries are asked for.
func AuditQuery(r *http.Request) (audit.Query, error) {
	v := r.URL.Query()
	q := audit.Query{Actor: v.Get("actor"), Action: v.Get("action"), Object: v.Get("object"), Text: v.Get("text"), Before: v.Get("after")}
	switch q.Phase = audit.Phase(v.Get("phase")); q.Phase {
	case "", audit.Intent, audit.Outcome:
	default:
		return q, fault.New(fault.Invalid, "phase=%q: want intent or outcome", q.Phase)
	}
	var err error
	if q.From, err = moment(r, "from"); err != nil {
		return q, err
	}
	if q.To, err = moment(r, "to"); err != nil {
		return q, err
	}
	q.Limit, err = number(r, "limit", 100, 1, 1000)
	return q, err
}

func (s *Server) auditList(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := AuditQuery(r)
	if err != nil {
		return err
	}
	p, err := s.Desk.ListAudit(r.Context(), who, q)
	if err != nil {
		return err
	}
	return put(w, pageOf(p.Entries, p.Next, same[audit.Entry]))
}

// auditHead is a signed tree head.
type auditHead struct {
	Size uint64    `json:"size"`
	Root string    `json:"root"` // hex
	Time time.Time `json:"time"`
	Note string    `json:"note"` // the signed note, to be printed or mailed
}

func newHead(h audit.Head) auditHead {
	return auditHead{h.Size, hex.EncodeToString(h.Root[:]), h.Time.UTC(), h.Note}
}

func (s *Server) auditHead(w http.ResponseWriter, _ *http.Request, who desk.Who) error {
	h, err := s.Desk.AuditHead(who)
	if err != nil {
		return err
	}
	return put(w, newHead(h))
}

func (s *Server) auditVerify(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Known []string `json:"known"` // notes of earlier heads kept elsewhere
	}
	if err := take(r, &in); err != nil {
		return err
	}
	rep, err := s.Desk.VerifyAudit(r.Context(), who, in.Known...)
	if err != nil {
		return err
	}
	return put(w, struct {
		OK         bool       `json:"ok"`
		Entries    uint64     `json:"entries"`
		Heads      int        `json:"heads"`
		Head       auditHead  `json:"head"`
		Unfinished []uint64   `json:"unfinished"`
		First      *time.Time `json:"first"`
		Last       *time.Time `json:"last"`
		Broken     []string   `json:"broken"`
		Warnings   []string   `json:"warnings"`
	}{
		rep.OK(), rep.Entries, rep.Heads, newHead(rep.Head), itemsOf(rep.Unfinished).Items, when(rep.First), when(rep.Last),
		itemsOf(rep.Broken).Items, itemsOf(rep.Warnings).Items,
	})
}

func (s *Server) auditProof(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
	if err != nil {
		return fault.New(fault.Invalid, "entry %q: want its number", r.PathValue("seq"))
	}
	p, err := s.Desk.ProveAudit(r.Context(), who, seq)
	if err != nil {
		return err
	}
	attach(w, "application/json", "audit-"+string(who.Realm)+"-"+strconv.FormatUint(seq, 10)+".proof.json")
	return put(w, p)
}
