// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package desk

import (
	"context"
	"slices"
	"strings"
	"time"

	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/ingest/sender"
	"citywall/internal/fault"
)

// Senders is the register of those who send, and what is needed to tell one how.
type Senders struct {
	Store   SenderStore
	Changed func(ctx context.Context) error                                          // the listeners and the watch over silence learn of it
	Places  func(ctx context.Context, transport string) (p sender.Places, err error) // where to send; unavailable when nothing listens that way
}

// SenderStore is *senderdb.Store.
type SenderStore interface {
	List(ctx context.Context) ([]sender.Sender, error)
	Get(ctx context.Context, name string) (sender.Sender, error)
	Put(ctx context.Context, actor string, x sender.Sender) (sender.Sender, error)
	Drop(ctx context.Context, name string) error
}

func (d *Desk) senders(who Who, a identity.Action) (*City, error) {
	city, err := d.city(who)
	if err != nil {
		return nil, err
	}
	if err := d.may(who, a); err != nil {
		return nil, err
	}
	if city.Senders == nil {
		return nil, fault.New(fault.Unavailable, "this installation keeps no register of senders")
	}
	return city, nil
}

// ListSenders returns the registered senders, as far as the asker's scope goes.
func (d *Desk) ListSenders(ctx context.Context, who Who) ([]sender.Sender, error) {
	city, err := d.senders(who, identity.SourceRead)
	if err != nil {
		return nil, err
	}
	all, err := city.Senders.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	sc := who.Scope()
	return slices.DeleteFunc(all, func(s sender.Sender) bool { return len(sc.Agencies) > 0 && !slices.Contains(sc.Agencies, s.Agency) }), nil
}

// Way is a recipe with its places filled in.
type Way struct {
	sender.Recipe
	Chosen  bool   `json:"chosen"`            // the way that the sender is registered with
	Text    string `json:"text"`              // the configuration, filled in
	Problem string `json:"problem,omitempty"` // why it would not work now: nothing listens that way
	Trouble string `json:"trouble,omitempty"` // the same as a code: sender.NoListener or sender.ThisMachine
	Listen  string `json:"listen,omitempty"`  // what mends it, for citywall.yaml
}

// SourcePage is all that is known of one source: what was registered, what
// arrives, and how it is told to send.
type SourcePage struct {
	Name       string         `json:"name"`
	Registered *sender.Sender `json:"registered,omitempty"` // nil: it sends, and nobody has registered it
	Source     *Source        `json:"source,omitempty"`     // nil: nothing has arrived yet
	Kind       *sender.Kind   `json:"kind,omitempty"`
	Ways       []Way          `json:"ways"`
}

// Unlike reports that records arrive, and none of them is one of the product that
// was registered: another format is switched on, or another device sends.
func (p SourcePage) Unlike() bool {
	if p.Kind == nil || p.Kind.Product == "" || p.Source == nil || p.Source.Records == 0 || len(p.Source.Products) == 0 {
		return false
	}
	for name := range p.Source.Products {
		if product, _, _ := strings.Cut(name, " "); product == p.Kind.Product {
			return false
		}
	}
	return true
}

// hidden stands for a secret that is shown once only.
const hidden = "TOKEN"

// SourcePage returns what is known of a source.
func (d *Desk) SourcePage(ctx context.Context, who Who, name string) (SourcePage, error) {
	return d.sourcePage(ctx, who, name, hidden)
}

func (d *Desk) sourcePage(ctx context.Context, who Who, name, token string) (SourcePage, error) {
	p := SourcePage{Name: name, Ways: []Way{}}
	city, err := d.senders(who, identity.SourceRead)
	if err != nil {
		return p, err
	}
	sources, err := visibleSources(ctx, city, who.Scope())
	if err != nil {
		return p, err
	}
	for _, s := range sources {
		if s.Name == name {
			p.Source = &s
		}
	}
	s, err := city.Senders.Store.Get(ctx, name)
	agencies := who.Scope().Agencies
	switch {
	case fault.Is(err, fault.NotFound) || err == nil && len(agencies) > 0 && !slices.Contains(agencies, s.Agency):
		if p.Source == nil {
			return p, fault.New(fault.NotFound, "there is no source %q", name)
		}
		return p, nil
	case err != nil:
		return p, err
	}
	p.Registered = &s
	if s.Kind == "" {
		return p, nil
	}
	k, err := sender.KindOf(s.Kind)
	if err != nil {
		return p, err
	}
	p.Kind = &k
	for _, r := range k.Recipes {
		w := Way{Recipe: r, Chosen: r.Transport == s.Transport}
		places, err := city.Senders.Places(ctx, r.Transport)
		if err != nil {
			w.Problem, w.Trouble, w.Listen = err.Error(), places.Trouble, sender.Listener(r.Transport)
		}
		places.Name, places.Token = s.Name, token
		w.Text = r.Fill(places)
		p.Ways = append(p.Ways, w)
	}
	return p, nil
}

// RegisterSender registers a sender and says how it is told to send. For one
// that sends over HTTP it makes the token, which is in the answer this once.
func (d *Desk) RegisterSender(ctx context.Context, who Who, s sender.Sender) (page SourcePage, secret string, err error) {
	city, err := d.senders(who, identity.SourceManage)
	if err != nil {
		return page, "", err
	}
	s.Name = strings.TrimSpace(s.Name)
	if s.Kind != "" {
		k, err := sender.KindOf(s.Kind)
		if err != nil {
			return page, "", err
		}
		if s.Silence == 0 && k.Silence != "" {
			if s.Silence, err = time.ParseDuration(k.Silence); err != nil {
				return page, "", err
			}
		}
	}
	s.Version = 0
	if err := s.Check(); err != nil {
		return page, "", err
	}
	if s.Transport == sender.HTTP {
		if err := d.may(who, identity.TokenManage); err != nil {
			return page, "", err
		}
	}
	err = d.act(ctx, who, identity.SourceManage, "source/"+s.Name, "", map[string]string{"kind": s.Kind, "transport": s.Transport, "agency": s.Agency}, func(ctx context.Context) error {
		if _, err := city.Senders.Store.Put(ctx, who.User, s); err != nil {
			return err
		}
		return city.Senders.Changed(ctx)
	})
	if err != nil {
		return page, "", err
	}
	token := hidden
	if s.Transport == sender.HTTP {
		secret, _, err = d.CreateToken(ctx, who, identitydb.Token{Kind: identitydb.TokenIngest, Name: s.Name, Source: s.Name, Agency: s.Agency, Zone: s.Zone})
		if err != nil {
			return page, "", err
		}
		token = secret
	}
	page, err = d.sourcePage(ctx, who, s.Name, token)
	return page, secret, err
}

// ChangeSender changes what is registered of a sender.
func (d *Desk) ChangeSender(ctx context.Context, who Who, s sender.Sender) (sender.Sender, error) {
	city, err := d.senders(who, identity.SourceManage)
	if err != nil {
		return s, err
	}
	if s.Version == 0 {
		return s, fault.New(fault.Invalid, "say which version of the sender is changed")
	}
	err = d.act(ctx, who, identity.SourceManage, "source/"+s.Name, "", map[string]string{"transport": s.Transport, "agency": s.Agency}, func(ctx context.Context) error {
		if s, err = city.Senders.Store.Put(ctx, who.User, s); err != nil {
			return err
		}
		return city.Senders.Changed(ctx)
	})
	return s, err
}

// DropSender takes a sender off the register. What it sent stays.
func (d *Desk) DropSender(ctx context.Context, who Who, name string) error {
	city, err := d.senders(who, identity.SourceManage)
	if err != nil {
		return err
	}
	return d.act(ctx, who, identity.SourceManage, "source/"+name, "", map[string]string{"sender": "removed"}, func(ctx context.Context) error {
		if err := city.Senders.Store.Drop(ctx, name); err != nil {
			return err
		}
		return city.Senders.Changed(ctx)
	})
}

// Catalogue returns the products that Citywall knows how to listen to.
func (d *Desk) Catalogue(who Who) ([]sender.Kind, error) {
	if _, err := d.senders(who, identity.SourceRead); err != nil {
		return nil, err
	}
	return sender.Catalogue()
}
