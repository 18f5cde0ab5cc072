// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import "citywall/asset"

// Action is one thing that a policy permits or refuses. The word before the
// dot is the kind of resource it acts on.
type Action string

// Actions. A new one is added here, to Actions, and to a policy file; until it
// stands in a policy nobody may do it.
const (
	EventSearch Action = "event.search" // search, histogram, facets, the original record
	EventExport Action = "event.export" // CSV, JSON, OCSF of a search

	IncidentRead     Action = "incident.read"
	IncidentNote     Action = "incident.note"
	IncidentTriage   Action = "incident.triage" // owner, state up to contained
	IncidentClose    Action = "incident.close"  // close and open again
	IncidentMerge    Action = "incident.merge"  // merge and split
	IncidentHandover Action = "incident.handover"

	FindingRead Action = "finding.read"

	AlarmRead   Action = "alarm.read"   // alarms, roster, hand-over notes
	AlarmAck    Action = "alarm.ack"    // acknowledge
	AlarmNote   Action = "alarm.note"   // write a hand-over note, take over
	AlarmRoster Action = "alarm.roster" // people and shifts

	SourceRead   Action = "source.read"
	SourceManage Action = "source.manage"
	AssetRead    Action = "asset.read"   // machines, segments, drawings, differences
	AssetNote    Action = "asset.note"   // whose a machine or segment is and whom to call
	AssetManage  Action = "asset.manage" // hand in, accept, refuse and retire drawings
	RuleRead     Action = "rule.read"
	RuleManage   Action = "rule.manage" // read the rules anew
	RuleSwitch   Action = "rule.switch" // switch rules off and on
	RuleTry      Action = "rule.try"    // hold a rule against one record

	CaseRead     Action = "case.read"
	CaseCreate   Action = "case.create" // by hand, from a package, from an investigation
	CaseEdit     Action = "case.edit"   // title, notes, status except closing
	CaseAssign   Action = "case.assign" // owner
	CaseClose    Action = "case.close"  // close and open again
	CaseEvidence Action = "case.evidence"
	CaseReport   Action = "case.report"

	UserRead    Action = "user.read"
	UserManage  Action = "user.manage"
	TokenManage Action = "token.manage"

	AuditRead  Action = "audit.read"
	AuditProve Action = "audit.prove"

	ConfigRead   Action = "config.read"
	ConfigManage Action = "config.manage"
	StatusRead   Action = "status.read" // is Citywall well: queues, lag, disk; no content

	StorageRead   Action = "storage.read"   // days kept, holds, disk, backups; counts, no content
	StorageHold   Action = "storage.hold"   // put a legal hold on days and release it
	StorageBackup Action = "storage.backup" // make a backup of the whole data folder

	ExerciseRun Action = "exercise.run"
)

// Actions lists every action, in the order people meet them.
func Actions() []Action {
	return []Action{
		EventSearch, EventExport,
		IncidentRead, IncidentNote, IncidentTriage, IncidentClose, IncidentMerge, IncidentHandover,
		FindingRead, AlarmRead, AlarmAck, AlarmNote, AlarmRoster, SourceRead, SourceManage, AssetRead, AssetNote, AssetManage, RuleRead, RuleManage, RuleSwitch, RuleTry,
		CaseRead, CaseCreate, CaseEdit, CaseAssign, CaseClose, CaseEvidence, CaseReport,
		UserRead, UserManage, TokenManage, AuditRead, AuditProve,
		ConfigRead, ConfigManage, StatusRead, StorageRead, StorageHold, StorageBackup, ExerciseRun,
	}
}

// Kind is the kind of a resource: the word before the dot of its actions.
type Kind string

// Kinds of resource.
const (
	KindEvent    Kind = "event"
	KindIncident Kind = "incident"
	KindFinding  Kind = "finding"
	KindAlarm    Kind = "alarm"
	KindSource   Kind = "source"
	KindAsset    Kind = "asset"
	KindRule     Kind = "rule"
	KindCase     Kind = "case"
	KindUser     Kind = "user"
	KindToken    Kind = "token"
	KindAudit    Kind = "audit"
	KindConfig   Kind = "config"
	KindStatus   Kind = "status"
	KindStorage  Kind = "storage"
	KindExercise Kind = "exercise"
)

// Resource is what an action is about.
//
// With neither ID nor Agencies it means the realm's collection of that kind,
// and the answer is bounded by the asker's Scope: an agency administrator may
// list incidents and sees those of the own agencies. With an ID it is that one
// thing, and Agencies says whose it is.
type Resource struct {
	Kind     Kind
	Realm    asset.Realm
	ID       string   // of one thing; "" for the collection
	Agencies []string // whose it is, when it is some agency's
	Case     string   // id of the case it belongs to; events and findings of exhibits
}
