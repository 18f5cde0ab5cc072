// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"citywall/incident"
	"citywall/incident/narrate"
	"citywall/internal/fault"
	"citywall/internal/text"
)

// Ids of the Attack Flow 2.0 extension (attack-flow-extension-2.0.0.json of the
// Center for Threat-Informed Defense).
const (
	flowExtension = "extension-definition--fb9c968a-745b-4ade-9b25-c324172197f4"
	flowAuthor    = "identity--d673f8cb-c168-42da-8ed4-0cb26725f86c"
	flowSchema    = "https://center-for-threat-informed-defense.github.io/attack-flow/stix/attack-flow-schema-2.0.0.json"
)

// namespace is the UUIDv5 name space of ids in exported flows.
var namespace = uuid.NewSHA1(uuid.NameSpaceDNS, []byte("citywall.attackflow"))

type object = map[string]any

// AttackFlow writes a STIX 2.1 bundle with exactly one attack-flow, as the
// schema asks; each incident is a branch that begins at its start_ref. Hops and
// steps are attack-actions in order of time, hosts are attack-assets, the
// first-compromise statement is an attack-condition. Grade and pointers go into
// description and external_references, confidence is 90, 60 or 30
// (attackpath.md §7). A result without incidents has no flow: invalid.
func AttackFlow(w io.Writer, r incident.Result, l text.Lang) error {
	if len(r.Incidents) == 0 {
		return fault.New(fault.Invalid, "no incident was found, so there is no attack flow to write; use --format text or json")
	}
	at := generated(r)
	if at.IsZero() {
		at = time.Unix(0, 0).UTC()
	}
	f := flow{l: l, at: at.Format("2006-01-02T15:04:05.000Z")}
	f.objects = []object{
		{"type": "extension-definition", "id": flowExtension, "spec_version": "2.1", "created": "2022-08-02T19:34:35.143Z", "modified": "2022-08-02T19:34:35.143Z",
			"name": "Attack Flow", "description": "Extends STIX 2.1 with features to create Attack Flows.", "created_by_ref": flowAuthor,
			"schema": flowSchema, "version": "2.0.0", "extension_types": []string{"new-sdo"}},
		{"type": "identity", "id": flowAuthor, "spec_version": "2.1", "created": "2022-08-02T19:34:35.143Z", "modified": "2022-08-02T19:34:35.143Z",
			"name": "MITRE Center for Threat-Informed Defense", "identity_class": "organization"},
		{"type": "identity", "id": f.id("identity", "author"), "spec_version": "2.1", "created": f.at, "modified": f.at, "name": "Citywall", "identity_class": "system"},
	}
	var names, starts []string
	for _, inc := range r.Incidents {
		names = append(names, narrate.Title(l, inc))
		starts = append(starts, f.incident(inc))
	}
	o := f.sdo("attack-flow", r.Incidents[0].ID)
	o["name"] = strings.Join(names, " · ")
	o["description"] = narrate.Entry(l, r.Incidents[0].Entry)
	o["scope"] = "incident"
	o["start_refs"] = starts
	f.objects = append(f.objects, o)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(object{"type": "bundle", "id": f.id("bundle", f.at), "objects": f.objects})
}

type flow struct {
	l       text.Lang
	at      string
	objects []object
}

func (f *flow) id(kind, name string) string {
	return kind + "--" + uuid.NewSHA1(namespace, []byte(kind+" "+name)).String()
}

// sdo starts an object of the extension.
func (f *flow) sdo(kind, name string) object {
	return object{
		"type": kind, "id": f.id(kind, name), "spec_version": "2.1", "created": f.at, "modified": f.at, "created_by_ref": f.id("identity", "author"),
		"extensions": object{flowExtension: object{"extension_type": "new-sdo"}},
	}
}

// incident appends the objects of one incident and returns the id to start at.
func (f *flow) incident(inc incident.Incident) string {
	type action struct {
		at  time.Time
		obj object
	}
	var acts []action
	assets := map[string]string{}
	asset := func(host string) string {
		if host == "" {
			return ""
		}
		if id, ok := assets[host]; ok {
			return id
		}
		o := f.sdo("attack-asset", inc.ID+" "+host)
		o["name"] = host
		f.objects = append(f.objects, o)
		id, _ := o["id"].(string)
		assets[host] = id
		return id
	}
	for _, h := range inc.Hops {
		o := f.sdo("attack-action", inc.ID+" hop "+strconv.Itoa(h.N))
		o["name"] = narrate.Kind(f.l, h.Kind)
		o["description"] = narrate.Hop(f.l, h)
		o["confidence"] = map[incident.Grade]int{incident.Observed: 90, incident.Inferred: 60, incident.Assumed: 30}[h.Grade]
		f.timed(o, h.Technique, h.Time, h.Last, h.Evidence)
		if a := asset(h.Dst.Key()); a != "" {
			o["asset_refs"] = []string{a}
		}
		acts = append(acts, action{h.Time, o})
	}
	for i, s := range inc.Steps {
		o := f.sdo("attack-action", inc.ID+" step "+strconv.Itoa(i))
		o["name"] = s.What
		o["description"] = narrate.Step(f.l, s)
		o["confidence"] = 90
		f.timed(o, s.Technique, s.Time, s.Last, s.Evidence)
		if a := asset(s.Host); a != "" {
			o["asset_refs"] = []string{a}
		}
		acts = append(acts, action{s.Time, o})
	}
	slices.SortStableFunc(acts, func(a, b action) int { return a.at.Compare(b.at) })
	start := f.sdo("attack-condition", inc.ID+" first")
	start["description"] = narrate.FirstCompromise(f.l, inc.FirstCompromise)
	prev := start
	key := "on_true_refs"
	for _, a := range acts {
		prev[key] = []any{a.obj["id"]}
		prev, key = a.obj, "effect_refs"
	}
	f.objects = append(f.objects, start)
	for _, a := range acts {
		f.objects = append(f.objects, a.obj)
	}
	id, _ := start["id"].(string)
	return id
}

func (f *flow) timed(o object, technique string, first, last time.Time, ev []incident.Pointer) {
	if technique != "" {
		o["technique_id"] = technique
	}
	o["execution_start"] = Stamp(first).String()
	if last.After(first) {
		o["execution_end"] = Stamp(last).String()
	}
	var refs []object
	for _, p := range ev {
		ref := object{"source_name": "citywall", "external_id": p.Event.String(), "description": narrate.Pointer(f.l, p)}
		if p.Origin.SHA256 != "" {
			ref["hashes"] = object{"SHA-256": p.Origin.SHA256}
			ref["url"] = "urn:sha256:" + p.Origin.SHA256
		}
		refs = append(refs, ref)
	}
	if len(refs) > 0 {
		o["external_references"] = refs
	}
}
