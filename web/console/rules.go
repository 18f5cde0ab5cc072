// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"citywall/detect"
	"citywall/detect/coverage"
	"citywall/detect/rulebook"
	"citywall/detect/sigma"
	"citywall/identity"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/api"
	"citywall/web/desk"
	"citywall/web/door"
)

type rulesData struct {
	rulebook.List
	Query  rulebook.Query
	States []rulebook.State
	Levels []detect.Level
	Orders []string
	Any    bool // the list is narrowed
	Pager  pager
	JSON   string

	Coverage coverage.Coverage
	Picture  template.HTML // of it; "" on narrowed and later pages

	CanTry, CanReload bool
}

// Chosen reports whether a state, a level or a set is in the filter.
func (d rulesData) Chosen(v any) bool {
	switch x := v.(type) {
	case rulebook.State:
		return slices.Contains(d.Query.States, x)
	case detect.Level:
		return slices.Contains(d.Query.Levels, x)
	case string:
		return slices.Contains(d.Query.Sets, x)
	}
	return false
}

func (s *Server) rules(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	l := Lang(r)
	q, err := api.RuleQuery(r, l)
	if err != nil {
		return err
	}
	if q.Limit == 0 || q.Limit > perPage {
		q.Limit = perPage
	}
	d := rulesData{
		Query: q, States: rulebook.States(), Orders: []string{rulebook.ByNoise, rulebook.ByLevel, rulebook.ByTitle, rulebook.ByLastHit},
		Levels: []detect.Level{detect.Critical, detect.High, detect.Medium, detect.Low, detect.Informational},
		Any:    len(q.States)+len(q.Levels)+len(q.Sets) > 0 || q.Text != "", JSON: api.Prefix + "/rules",
		CanTry: s.Desk.Allowed(c.Who, identity.RuleTry), CanReload: s.Desk.Allowed(c.Who, identity.RuleManage),
	}
	q.Cover = !d.Any && q.After == ""
	if d.List, err = s.Desk.ListRules(r.Context(), c.Who, q); err != nil {
		return err
	}
	d.Pager = newPager(r, d.Next, "")
	d.Pager.CSV, d.Pager.JSON = exportLink(r.URL, d.JSON+"/export", "csv", l), exportLink(r.URL, d.JSON+"/export", "jsonl", l)
	if q.Cover {
		if d.Coverage = d.Covered; d.Coverage.Rules > 0 {
			svg, err := d.Coverage.Draw(l, "/rules?text=")
			if err != nil {
				return err
			}
			d.Picture = template.HTML(svg)
		}
	}
	return s.render(w, r, c, http.StatusOK, "rules", text.T(l, "console.nav.rules"), d)
}

func (s *Server) reloadRules(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if _, err := s.Desk.ReloadRules(r.Context(), c.Who); err != nil {
		return err
	}
	return back(w, r, "/rules", "rules_read")
}

type ruleData struct {
	rulebook.Detail
	JSON              string
	CanSwitch, CanTry bool
}

func (s *Server) rule(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	x, err := s.Desk.Rule(r.Context(), c.Who, r.PathValue("id"))
	if err != nil {
		return err
	}
	d := ruleData{
		Detail: x, JSON: api.Prefix + "/rules/" + url.PathEscape(x.ID),
		CanSwitch: s.Desk.Allowed(c.Who, identity.RuleSwitch), CanTry: s.Desk.Allowed(c.Who, identity.RuleTry) && x.Kind != "detector",
	}
	return s.render(w, r, c, http.StatusOK, "rule", api.RuleTitle(Lang(r), x.Rule.Rule), d)
}

func (s *Server) switchRuleOff(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	return s.switchRule(w, r, c, s.Desk.SwitchRuleOff, "rule_off")
}

func (s *Server) switchRuleOn(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	return s.switchRule(w, r, c, s.Desk.SwitchRuleOn, "rule_on")
}

func (s *Server) switchRule(w http.ResponseWriter, r *http.Request, c door.Caller, do func(ctx context.Context, who desk.Who, id, reason string) error, done string) error {
	if err := form(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	if err := do(r.Context(), c.Who, id, r.PostForm.Get("reason")); err != nil {
		return err
	}
	if _, err := s.Desk.Rule(r.Context(), c.Who, id); fault.Is(err, fault.NotFound) { // only its switch was left of it
		return back(w, r, "/rules", done)
	}
	return back(w, r, "/rules/"+url.PathEscape(id), done)
}

type tryData struct {
	desk.RuleTrial
	Rules  []rulebook.Rule // that can be chosen
	Trial  *rulebook.Trial // nil: nothing was tried
	Wrong  string          // why not
	Back   string          // page of the rule that was chosen
	MaxKiB [2]int          // of a rule and a record
}

func (s *Server) tryForm(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	v := r.URL.Query()
	return s.showTry(w, r, c, http.StatusOK, tryData{RuleTrial: desk.RuleTrial{ID: v.Get("id"), Event: v.Get("event")}})
}

func (s *Server) tryRule(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	if err := form(r); err != nil {
		return err
	}
	v := r.PostForm
	d := tryData{RuleTrial: desk.RuleTrial{
		Rule: v.Get("rule"), ID: v.Get("id"), Record: v.Get("record"), Event: v.Get("event"),
		About: rulebook.About{Product: strings.TrimSpace(v.Get("product")), Category: strings.TrimSpace(v.Get("category")), Service: strings.TrimSpace(v.Get("service"))},
	}}
	t, err := s.Desk.TryRule(r.Context(), c.Who, d.RuleTrial)
	status := http.StatusOK
	switch {
	case err == nil:
		d.Trial = &t
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.NotFound): // what was written is still there, to be mended
		d.Wrong, status = wording(Lang(r), err), http.StatusBadRequest
	default:
		return err
	}
	return s.showTry(w, r, c, status, d)
}

func (s *Server) showTry(w http.ResponseWriter, r *http.Request, c door.Caller, status int, d tryData) error {
	l := Lang(r)
	if !s.Desk.Allowed(c.Who, identity.RuleTry) {
		_, err := s.Desk.TryRule(r.Context(), c.Who, desk.RuleTrial{}) // the refusal, in its words
		return err
	}
	q := rulebook.Query{Quick: true, States: []rulebook.State{rulebook.Loaded, rulebook.Off, rulebook.Unrouted}, Sort: rulebook.ByTitle, Titles: func(id string) string { return api.RuleTitle(l, detect.Rule{ID: id}) }}
	all, err := s.Desk.ListRules(r.Context(), c.Who, q)
	if err != nil {
		return err
	}
	for _, x := range all.Rules {
		if x.Kind == "" && x.Class == "" {
			d.Rules = append(d.Rules, x)
		}
		if x.ID == d.ID {
			d.Back = "/rules/" + url.PathEscape(x.ID)
		}
	}
	d.MaxKiB = [2]int{rulebook.MaxRule >> 10, rulebook.MaxRecord >> 10}
	return s.render(w, r, c, status, "try", text.T(l, "console.try.title"), d)
}

// Taken and Other are the sources of an explanation that the record is of, and
// those that it is not of.
func (tryData) Taken(x sigma.Explanation) []sigma.SourceVerdict { return sourcesOf(x, true) }

// Other: see Taken.
func (tryData) Other(x sigma.Explanation) []sigma.SourceVerdict { return sourcesOf(x, false) }

func sourcesOf(x sigma.Explanation, taken bool) (out []sigma.SourceVerdict) {
	for _, s := range x.Sources {
		if s.Taken == taken {
			out = append(out, s)
		}
	}
	return out
}

// verdictView is a comparison, or several, in words.
type verdictView struct {
	*sigma.Verdict
	Words string
	Whole []verdictView
}

func newVerdict(l text.Lang, v *sigma.Verdict) verdictView {
	out := verdictView{Verdict: v}
	words := strings.Fields(v.Op)
	say := func(key string, pairs ...string) string { return text.T(l, "console.op."+key, pairs...) }
	switch {
	case len(words) == 2 && words[1] == "of":
		out.Words = say("atleast", "n", words[0])
	case len(words) > 0:
		out.Words = say(words[0])
		for _, w := range words[1:] {
			out.Words += " · " + text.T(l, "console.opwith."+w)
		}
	}
	for i := range v.Kids {
		out.Whole = append(out.Whole, newVerdict(l, &v.Kids[i]))
	}
	return out
}

// rate writes how many of 10,000 events met a rule: three figures that matter.
func rate(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x < 0.01:
		return "< 0.01"
	case x < 10:
		return strconv.FormatFloat(x, 'f', 2, 64)
	case x < 100:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return number(int64(x + 0.5))
}

type findingData struct {
	F       detect.Finding
	JSON    string
	Records *desk.Supports // nil: the asker may not see records
	From    int            // place of the first one shown
	Next    string
	First   string
	CanTry  bool
	CanRule bool
}

// Counts reports whether the finding rests on the hits of other rules.
func (d findingData) Counts() bool { return len(d.F.Events) > 1 && !d.F.Behaviour }

func (s *Server) finding(w http.ResponseWriter, r *http.Request, c door.Caller) error {
	id := r.PathValue("id")
	f, err := s.Desk.Finding(r.Context(), c.Who, id)
	if err != nil {
		return err
	}
	d := findingData{F: f, JSON: api.Prefix + "/findings/" + f.ID, CanTry: s.Desk.Allowed(c.Who, identity.RuleTry) && !f.Behaviour, CanRule: s.Desk.Allowed(c.Who, identity.RuleRead)}
	if v := r.URL.Query().Get("after"); v != "" {
		if d.From, err = strconv.Atoi(v); err != nil {
			return fault.New(fault.Invalid, "after=%q: want a whole number", v)
		}
		d.First = with(r.URL)
	}
	switch v, err := s.Desk.Supports(r.Context(), c.Who, id, d.From); {
	case err == nil:
		d.Records = &v
		d.CanTry, d.CanRule = d.CanTry && v.Known, d.CanRule && v.Listed
		if v.Next > 0 {
			d.Next = newPager(r, strconv.Itoa(v.Next), "").Next
		}
	case !fault.Is(err, fault.Forbidden):
		return err
	}
	return s.render(w, r, c, http.StatusOK, "finding", api.RuleTitle(Lang(r), f.Rule), d)
}
