// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"citywall/detect"
	"citywall/detect/rulebook"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/desk"
)

// MaxTrial bounds the request that tries a rule: rule and record, as JSON or as a
// form writes their characters.
const MaxTrial = 4 << 20

// RuleTitle is the title of a rule as readers of l know it: that of the
// catalogue, which has one for each of Citywall's own rules, else the rule's own.
func RuleTitle(l text.Lang, r detect.Rule) string {
	if k := "rules." + r.ID; text.Has(l, k) {
		return text.T(l, k)
	}
	return r.Title
}

// RuleQuery reads which rules are asked for.
func RuleQuery(r *http.Request, l text.Lang) (rulebook.Query, error) {
	v := r.URL.Query()
	q := rulebook.Query{Sets: list(r, "set"), Text: v.Get("text"), Sort: v.Get("sort"), After: v.Get("after")}
	if l != text.En {
		q.Titles = func(id string) string { return RuleTitle(l, detect.Rule{ID: id}) }
	}
	for _, s := range list(r, "state") {
		q.States = append(q.States, rulebook.State(s))
	}
	for _, s := range list(r, "level") {
		x, ok := detect.ParseLevel(s)
		if !ok {
			return q, fault.New(fault.Invalid, "level=%q: want informational, low, medium, high or critical", s)
		}
		q.Levels = append(q.Levels, x)
	}
	if err := q.Validate(); err != nil {
		return q, err
	}
	var err error
	q.Limit, err = number(r, "limit", 0, 1, 10_000)
	return q, err
}

func (s *Server) rules(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	q, err := RuleQuery(r, lang(r))
	if err != nil {
		return err
	}
	v, err := s.Desk.ListRules(r.Context(), who, q)
	if err != nil {
		return err
	}
	v.Sets, v.Rules = itemsOf(v.Sets).Items, itemsOf(v.Rules).Items
	return put(w, v)
}

func (s *Server) ruleExport(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	l := lang(r)
	q, err := RuleQuery(r, l)
	if err != nil {
		return err
	}
	format, err := sheetKind(r)
	if err != nil {
		return err
	}
	q.Limit, q.After = 0, ""
	all, err := s.Desk.ListRules(r.Context(), who, q)
	if err != nil {
		return err
	}
	n := func(i int64) string { return strconv.FormatInt(i, 10) }
	k := sheet[rulebook.Rule]{
		name: "rules",
		columns: []string{"state", "level", "title", "id", "set", "file", "line", "author", "status", "logsource", "step", "tags", "why",
			"off_by", "off_at", "off_reason", "fired_30d", "last_hit", "matches", "per_10k_events", "counted_since", "warnings"},
		cells: func(x rulebook.Rule) []string {
			level, per := x.Level.String(), ""
			if x.State == rulebook.Refused || x.State == rulebook.Waiting {
				level = ""
			}
			if !x.Counted.IsZero() {
				per = strconv.FormatFloat(x.Per10k, 'g', 4, 64)
			}
			var off rulebook.SwitchOff
			if x.Off != nil {
				off = *x.Off
			}
			return []string{
				string(x.State), level, RuleTitle(l, x.Rule), x.ID, x.Set, x.File, strconv.Itoa(x.Line), x.Author, x.Status, x.Source, x.Step, strings.Join(x.Tags, " "), x.Why,
				off.By, stamp(off.At), off.Reason, n(x.Fired), stamp(x.LastHit), n(x.Matches), per, stamp(x.Counted), strings.Join(x.Warnings, "; "),
			}
		},
		object: func(x rulebook.Rule) any { return x },
	}
	return k.write(w, format, func(f func(rulebook.Rule) error) error {
		for _, x := range all.Rules {
			if err := f(x); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Server) rule(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	d, err := s.Desk.Rule(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return put(w, d)
}

func (s *Server) switchRuleOff(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	return s.switchRule(w, r, who, s.Desk.SwitchRuleOff)
}

func (s *Server) switchRuleOn(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	return s.switchRule(w, r, who, s.Desk.SwitchRuleOn)
}

func (s *Server) switchRule(w http.ResponseWriter, r *http.Request, who desk.Who, do func(ctx context.Context, who desk.Who, id, reason string) error) error {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	if err := do(r.Context(), who, r.PathValue("id"), in.Reason); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) reloadRules(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	v, err := s.Desk.ReloadRules(r.Context(), who)
	if err != nil {
		return err
	}
	return put(w, v)
}

// trial is the answer to a try.
type trial struct {
	Matched bool `json:"matched"`
	rulebook.Trial
}

func (s *Server) tryRule(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	var in struct {
		Rule     string `json:"rule"`
		ID       string `json:"id"`
		Record   string `json:"record"`
		Event    string `json:"event"`
		Product  string `json:"product"`
		Category string `json:"category"`
		Service  string `json:"service"`
	}
	if err := take(r, &in); err != nil {
		return err
	}
	t, err := s.Desk.TryRule(r.Context(), who, desk.RuleTrial{
		Rule: in.Rule, ID: in.ID, Record: in.Record, Event: in.Event, About: rulebook.About{Product: in.Product, Category: in.Category, Service: in.Service},
	})
	if err != nil {
		return err
	}
	return put(w, trial{t.Matched(), t})
}

// support is a page of the records of a finding.
type support struct {
	Known bool           `json:"known"`
	Items []desk.Support `json:"items"`
	Next  string         `json:"next"`
}

func (s *Server) findingRecords(w http.ResponseWriter, r *http.Request, who desk.Who) error {
	after, err := number(r, "after", 0, 0, 1_000_000)
	if err != nil {
		return err
	}
	v, err := s.Desk.Supports(r.Context(), who, r.PathValue("id"), after)
	if err != nil {
		return err
	}
	out := support{Known: v.Known, Items: itemsOf(v.Records).Items}
	if v.Next > 0 {
		out.Next = strconv.Itoa(v.Next)
	}
	return put(w, out)
}
