// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package citywall is the map of the house. It holds no code.
//
// Citywall (護城) is one program with which a city defends itself against
// ransomware and investigates it afterwards. The top folders are the words of
// one sentence, and data walks one way through them:
//
//	Bytes arrive (ingest), become events (event), are kept (eventstore), raise
//	findings (detect), gather into incidents (incident), lead to orders
//	(respond) and cases (casework), and are learned from (governance, score).
//
// Imports point the other way: a package knows what came before it, never what
// comes after. Floors, from the ground up:
//
//	internal    durable, merkle, db, queue, draw, text, fault: single ideas
//	0           asset identity notify rules
//	1           event audit
//	2           ingest eventstore intel ledger backup
//	3           detect exposure exercise
//	4           incident agent duty
//	5           casework respond pipeline
//	6           governance score
//	7           web
//	8           app
//	9           cmd
//
// Between top folders imports go strictly down; inside one, any acyclic import.
// arch_test.go in this folder holds the code to that.
//
// Start with docs/ARCHITECTURE.md (one real event, followed through file and
// function), then app/app.go (every part, built once, in order), then
// event/event.go.
package citywall
