// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package sigma loads Sigma rules (specification 2.1) and says which of them an
// event meets.
//
// It promises that a rule is either evaluated whole or refused with a reason
// that is counted: an unknown modifier, a placeholder without values or an
// obsolete aggregation never narrows a rule in silence. Every rule keeps its
// author and the hash of its document, and a finding names the fields and
// values that made it fire. An Engine does not change after Load; each
// goroutine takes a Matcher of its own.
//
// It never rewrites a value before comparing: hexadecimal text stays text, and
// names of fields are those of the event, mapped only by the tables in
// routing/.
//
// # Decisions where the specification leaves room
//
//   - Case is folded rune by rune with unicode.ToLower on both sides. Bytes that
//     are not UTF-8 stay as they are. Names of fields compare exactly, after
//     spaces in the event's names are dropped ("Threat Name" is ThreatName).
//   - A comparison with an absent or null field is false, also for neq and for a
//     regular expression that matches the empty string. null means absent or
//     null; the empty string means present and empty; exists asks for presence
//     alone.
//   - neq is the complement of equality for a field that is there: different from
//     every listed value.
//   - A list in an event matches when one of its elements does. Elements are
//     never joined.
//   - Keywords are looked for in every value of the event, one value at a time.
//   - The date modifiers take the number as the text has it, without a time zone.
//   - "n of" takes any number, and means at least n.
//   - A filter's condition is joined with AND as it is written; a filter without
//     "not" gets a warning, because it then keeps only what it names.
package sigma
