// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"citywall/identity"
	"citywall/ingest/sender"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

// The wizard has three steps: what do you have, what shall it be called, and
// here is the configuration to paste and the first record arriving.

type catalogueData struct {
	Groups []catalogueGroup
	Text   string
	Kind   *sender.Kind // chosen: the form
}

type catalogueGroup struct {
	Key   string
	Kinds []sender.Kind
}

func (s *Server) newSource(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	all, err := s.Desk.Catalogue(c.Who)
	if err != nil {
		return err
	}
	d := catalogueData{Text: strings.TrimSpace(r.URL.Query().Get("text"))}
	key := r.URL.Query().Get("kind")
	for _, k := range all {
		if k.Key == key {
			d.Kind = &k
		}
		if d.Text != "" && !strings.Contains(strings.ToLower(k.Name+" "+k.Key), strings.ToLower(d.Text)) {
			continue
		}
		if n := len(d.Groups); n == 0 || d.Groups[n-1].Key != k.Group {
			d.Groups = append(d.Groups, catalogueGroup{Key: k.Group})
		}
		d.Groups[len(d.Groups)-1].Kinds = append(d.Groups[len(d.Groups)-1].Kinds, k)
	}
	if key != "" && d.Kind == nil {
		return fault.New(fault.NotFound, "the catalogue has no product %q", key)
	}
	return s.render(w, r, c, http.StatusOK, "newsource", text.T(Lang(r), "console.newsource.title"), d)
}

type sourceData struct {
	desk.SourcePage
	Secret string // shown once, in the answer that made it
	Manage bool
	Wait   string // address of the part that shows what arrives
	JSON   string
	Search string // the source's records
}

func (s *Server) source(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	p, err := s.Desk.SourcePage(r.Context(), c.Who, r.PathValue("name"))
	if err != nil {
		return err
	}
	return s.showSource(w, r, c, p, "")
}

func (s *Server) showSource(w http.ResponseWriter, r *http.Request, c door.Caller, p desk.SourcePage, secret string) error {
	at := "/sources/" + url.PathEscape(p.Name)
	d := sourceData{SourcePage: p, Secret: secret, Manage: s.Desk.Allowed(c.Who, identity.SourceManage), Wait: at + "?part=1", JSON: api.Prefix + at}
	if s.Desk.Allowed(c.Who, identity.EventSearch) {
		d.Search = "/search?" + url.Values{"q": {`source:"` + strings.ReplaceAll(p.Name, `"`, `\"`) + `"`}, "span": {"24h"}}.Encode()
	}
	return s.render(w, r, c, http.StatusOK, "source", p.Name, d)
}

func senderForm(r *http.Request) (sender.Sender, error) {
	if err := form(r); err != nil {
		return sender.Sender{}, err
	}
	f := r.PostForm
	x := sender.Sender{
		Name: strings.TrimSpace(f.Get("name")), Kind: f.Get("kind"), Transport: f.Get("transport"), Agency: strings.TrimSpace(f.Get("agency")), Zone: strings.TrimSpace(f.Get("zone")),
		Contact: strings.TrimSpace(f.Get("contact")), Note: strings.TrimSpace(f.Get("note")),
	}
	var err error
	if a := strings.TrimSpace(f.Get("address")); a != "" {
		if x.Address, err = sender.ParseAddress(a); err != nil {
			return x, err
		}
	}
	if v := strings.TrimSpace(f.Get("silence")); v != "" {
		if x.Silence, err = time.ParseDuration(v); err != nil {
			return x, fault.New(fault.Invalid, "the span of silence %q: want 15m, 2h or 26h", v)
		}
	}
	return x, nil
}

func (s *Server) registerSource(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	x, err := senderForm(r)
	if err != nil {
		return err
	}
	p, secret, err := s.Desk.RegisterSender(r.Context(), c.Who, x)
	if err != nil {
		return err
	}
	if secret == "" {
		return back(w, r, "/sources/"+url.PathEscape(p.Name), "source_registered")
	}
	return s.showSource(w, r, c, p, secret)
}

func (s *Server) changeSource(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v, err := version(r)
	if err != nil {
		return err
	}
	x, err := senderForm(r)
	if err != nil {
		return err
	}
	x.Name, x.Version = r.PathValue("name"), v
	if _, err := s.Desk.ChangeSender(r.Context(), c.Who, x); err != nil {
		return err
	}
	return back(w, r, "/sources/"+url.PathEscape(x.Name), "source_changed")
}

func (s *Server) dropSource(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := s.Desk.DropSender(r.Context(), c.Who, r.PathValue("name")); err != nil {
		return err
	}
	return back(w, r, "/sources", "source_dropped")
}

// addressed reports whether any way of a product tells senders apart by their
// address.
func addressed(k *sender.Kind) bool {
	return slices.ContainsFunc(k.Recipes, func(r sender.Recipe) bool { return r.Transport != sender.HTTP && r.Transport != sender.Watch })
}
