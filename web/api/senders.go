// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"time"

	"citywall/ingest/sender"
	"citywall/internal/fault"
	"citywall/web/desk"
)

func (s *Server) catalogue(w http.ResponseWriter, _ *http.Request, who desk.Who) error {
	v, err := s.Desk.Catalogue(who)
	if err != nil {
		return err
	}
	return put(w, itemsOf(v))
}

func (s *Server) senders(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	v, err := s.Desk.ListSenders(r.Context(), who)
	if err != nil {
		return err
	}
	return put(w, itemsOf(v))
}

func (s *Server) sourcePage(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	v, err := s.Desk.SourcePage(r.Context(), who, r.PathValue("name"))
	if err != nil {
		return err
	}
	return put(w, v)
}

// senderIn is what people write of a sender. Silence is a span of time as text,
// "15m".
type senderIn struct {
	Version   int64  `json:"version"`
	Name      string `json:"name"`
	Kind      string `json:"kind"`
	Transport string `json:"transport"`
	Address   string `json:"address"`
	Agency    string `json:"agency"`
	Zone      string `json:"zone"`
	Silence   string `json:"silence"`
	PerHour   int    `json:"per_hour"`
	Contact   string `json:"contact"`
	Note      string `json:"note"`
}

func (in senderIn) sender() (sender.Sender, error) {
	x := sender.Sender{
		Version: in.Version, Name: in.Name, Kind: in.Kind, Transport: in.Transport, Agency: in.Agency, Zone: in.Zone, PerHour: in.PerHour, Contact: in.Contact, Note: in.Note,
	}
	var err error
	if in.Address != "" {
		if x.Address, err = sender.ParseAddress(in.Address); err != nil {
			return x, err
		}
	}
	if in.Silence != "" {
		if x.Silence, err = time.ParseDuration(in.Silence); err != nil {
			return x, fault.New(fault.Invalid, "silence=%q: want a span of time such as 15m or 26h", in.Silence)
		}
	}
	return x, nil
}

func (s *Server) registerSender(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in senderIn
	if err := take(r, &in); err != nil {
		return err
	}
	x, err := in.sender()
	if err != nil {
		return err
	}
	page, secret, err := s.Desk.RegisterSender(r.Context(), who, x)
	if err != nil {
		return err
	}
	return put(w, struct {
		desk.SourcePage
		Secret string `json:"secret,omitempty"`
	}{page, secret})
}

func (s *Server) changeSender(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in senderIn
	if err := take(r, &in); err != nil {
		return err
	}
	in.Name = r.PathValue("name")
	x, err := in.sender()
	if err != nil {
		return err
	}
	if x, err = s.Desk.ChangeSender(r.Context(), who, x); err != nil {
		return err
	}
	return put(w, x)
}

func (s *Server) dropSender(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	return done(w, s.Desk.DropSender(r.Context(), who, r.PathValue("name")))
}
