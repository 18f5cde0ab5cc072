// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package correlate gathers findings, connections and logons into incidents:
// one implementation for the live service and for an investigation of files.
//
// Observe keeps compact facts (package fact). Incidents runs the stages of one
// answer, in the order of analysis.go:
//
//	clean     one clock, one name per machine, inside and outside (package clean)
//	marks     notes of sensors and hosts, by host and by pair
//	meet      rows into contacts: one connection once, attempts apart, what ran
//	          on the other side apart
//	remember  what was usual when each contact began
//	judge     findings into signs of hosts; weak signs by their course
//	hidden    streams and services that no record explains
//	outward   channels to the outside, scored
//	bad       since when a host shows enough, and what led to it
//	sessions  the intruder's sessions, from what was done in them
//	waves     what one machine made many run
//	inward    ways in from outside
//	between   moves between machines, scored (attackpath.md §4.3)
//	policies  moves by group policy
//	trace     backward search from every seed (package attackpath), paths that
//	          share a host or an outside address united, forward from each start
//
// and writes each thread as an incident.Incident.
//
// A host counts as bad from one sign that says so (Meaning.Compromise), from
// signs of at least two steps whose weights add up to Params.Bad within
// Params.Course, from a sign of entry after a flood of attempts, or from a
// channel to the outside with two telling signs. Without any detection, the
// anomalous edges of one gathering are an incident when there are two and their
// scores add up to Params.Edges. So a quiet log gives none.
//
// What a record says was done in a session is stronger than any habit: deeds lead
// back over the logons that opened their sessions, and on to what was opened from
// them (session.go). Rarity, the time to the first sign of the destination and
// whether the same left others unharmed decide the rest.
//
// A move is reported when it lies on the best path to a seed, or when it leaves
// a host that is already held, makes the other side obey, and scores at least
// Weights.Hop. Ordinary access never is a move: file servers, mail, domain
// controllers, scanners, backups and administrators who do what they did on
// other days stay out.
//
// The same observations in any order give the same bytes. Parameters and
// weights stand in every incident. It never keeps an event, never reads a clock
// and knows no host, address or rule by name; of its own rules it reads tags
// ("citywall.session") that say what an alert of another product is about.
package correlate
