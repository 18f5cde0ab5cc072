// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"citywall/detect"
)

// LogSource says what a rule is about (specification, "LogSource").
type LogSource struct {
	Category   string `json:"category,omitempty"`
	Product    string `json:"product,omitempty"`
	Service    string `json:"service,omitempty"`
	Definition string `json:"definition,omitempty"`
}

// String names what is set: "product windows, service security".
func (l LogSource) String() string {
	var w []string
	for _, x := range [...][2]string{{"product", l.Product}, {"category", l.Category}, {"service", l.Service}} {
		if x[1] != "" {
			w = append(w, x[0]+" "+x[1])
		}
	}
	return strings.Join(w, ", ")
}

// Related is a reference to another rule.
type Related struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// Rule is what a person wants to know of a rule; how it is evaluated stays
// inside.
type Rule struct {
	detect.Rule
	Set            string               `json:"set"`            // name of the Set it came from
	Name           string               `json:"name,omitempty"` // by which correlations may refer to it
	Line           int                  `json:"line"`           // where its document begins, 1-based
	Description    string               `json:"description,omitempty"`
	License        string               `json:"license,omitempty"`
	Date           string               `json:"date,omitempty"`
	Modified       string               `json:"modified,omitempty"`
	References     []string             `json:"references,omitempty"`
	Tags           []string             `json:"tags,omitempty"`
	FalsePositives []string             `json:"falsepositives,omitempty"`
	Fields         []string             `json:"fields,omitempty"`
	Scope          []string             `json:"scope,omitempty"`
	Related        []Related            `json:"related,omitempty"`
	LogSource      LogSource            `json:"logsource"`
	Meaning        detect.Meaning       `json:"meaning"`
	Routed         bool                 `json:"routed"`         // a known source feeds it
	Kind           string               `json:"kind,omitempty"` // "" for a rule, "correlation" for one over rules
	Link           bool                 `json:"link,omitempty"` // its hits only feed correlations: it gives no findings
	Custom         map[string]yaml.Node `json:"-"`              // keys that the specification does not know

	logic    *expr
	noLevel  bool
	warnings []string
	tally    *tally
}

// knownKeys are the specification's; anything else is kept in Rule.Custom.
var knownKeys = map[string]bool{
	"title": true, "id": true, "name": true, "related": true, "taxonomy": true, "status": true, "description": true,
	"license": true, "references": true, "author": true, "date": true, "modified": true, "logsource": true, "detection": true,
	"fields": true, "falsepositives": true, "level": true, "tags": true, "scope": true,
	"correlation": true, "filter": true, "citywall": true,
}

var statuses = map[string]bool{"": true, "stable": true, "test": true, "experimental": true, "deprecated": true, "unsupported": true}

// errNoRule says that a document is something else, such as a pipeline
// configuration that lies beside rules.
var errNoRule = errors.New("not a rule")

// ruleNamespace makes ids for rules that have none, from the hash of their
// document.
var ruleNamespace = uuid.MustParse("b1f6f0a4-3a0c-5d0e-9f57-6b3f1f0d2c11")

// header reads what rules, filters and correlations have in common.
func header(doc document) (*Rule, error) {
	r := &Rule{Line: doc.line, Custom: map[string]yaml.Node{}}
	r.Hash = doc.hash
	n := doc.root
	isRule := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch k := n.Content[i].Value; {
		case k == "detection" || k == "correlation" || k == "filter" || k == "logsource":
			isRule = true
		case k == "action":
			if t := n.Content[i+1].Value; t == "global" || t == "reset" || t == "repeat" {
				return nil, fmt.Errorf("action: %s is from before Sigma 2: write every rule out", t)
			}
			fallthrough
		case !knownKeys[k]:
			r.Custom[k] = *n.Content[i+1]
		}
	}
	if !isRule {
		return nil, errNoRule
	}
	if err := r.texts(n); err != nil {
		return r, err
	}
	if r.ID == "" {
		r.ID = uuid.NewSHA1(ruleNamespace, []byte(doc.hash)).String()
	}
	return r, nil
}

// texts fills the describing attributes.
func (r *Rule) texts(n *yaml.Node) error {
	var level, taxonomy string
	for _, x := range []struct {
		key string
		to  *string
	}{
		{"id", &r.ID},
		{"title", &r.Title},
		{"name", &r.Name},
		{"status", &r.Status},
		{"description", &r.Description},
		{"license", &r.License},
		{"author", &r.Author},
		{"date", &r.Date},
		{"modified", &r.Modified},
		{"level", &level},
		{"taxonomy", &taxonomy},
	} {
		s, err := str(n, x.key)
		if err != nil {
			return err
		}
		*x.to = s
	}
	for _, x := range []struct {
		key string
		to  *[]string
	}{
		{"references", &r.References},
		{"tags", &r.Tags},
		{"falsepositives", &r.FalsePositives},
		{"fields", &r.Fields},
		{"scope", &r.Scope},
	} {
		s, err := strs(n, x.key)
		if err != nil {
			return err
		}
		*x.to = s
	}
	if rel := child(n, "related"); rel != nil && rel.Kind == yaml.SequenceNode {
		for _, c := range rel.Content {
			id, err := str(c, "id")
			if err != nil {
				return fmt.Errorf("related: %w", err)
			}
			typ, err := str(c, "type")
			if err != nil {
				return fmt.Errorf("related: %w", err)
			}
			r.Related = append(r.Related, Related{id, typ})
		}
	}
	switch {
	case r.Title == "":
		return errors.New("title is missing")
	case !statuses[r.Status]:
		return fmt.Errorf("status %q is none of the specification's", r.Status)
	case taxonomy != "" && taxonomy != "sigma":
		return fmt.Errorf("taxonomy %q: only sigma's own field names are understood", taxonomy)
	}
	if r.noLevel = level == ""; !r.noLevel { // optional; a rule without one informs
		var ok bool
		if r.Level, ok = detect.ParseLevel(strings.ToLower(level)); !ok {
			return fmt.Errorf("level %q is none of the specification's", level)
		}
	}
	return nil
}

// parseLogSource reads the section; every rule and filter has one.
func parseLogSource(doc document) (LogSource, error) {
	n := child(doc.root, "logsource")
	if n == nil || n.Kind != yaml.MappingNode {
		return LogSource{}, errors.New("logsource is missing")
	}
	var l LogSource
	for _, x := range []struct {
		key string
		to  *string
	}{{"category", &l.Category}, {"product", &l.Product}, {"service", &l.Service}, {"definition", &l.Definition}} {
		s, err := str(n, x.key)
		if err != nil {
			return l, fmt.Errorf("logsource: %w", err)
		}
		*x.to = s
	}
	l.Category, l.Product, l.Service = strings.ToLower(l.Category), strings.ToLower(l.Product), strings.ToLower(l.Service)
	if l.Category == "" && l.Product == "" && l.Service == "" {
		return l, errors.New("logsource names no category, product or service")
	}
	return l, nil
}

// parseRule reads a detection rule.
func parseRule(doc document, r *Rule, opt *Options) error {
	var err error
	if r.LogSource, err = parseLogSource(doc); err != nil {
		return err
	}
	if r.Status == "unsupported" {
		return errors.New("its author marks it unsupported")
	}
	n := child(doc.root, "detection")
	if n == nil {
		return errors.New("detection is missing")
	}
	if r.logic, r.warnings, err = parseDetection(doc, n, opt); err != nil {
		return err
	}
	r.Meaning, err = meaning(doc, r)
	return err
}
