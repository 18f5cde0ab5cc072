// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package fact keeps what path inference needs of events, and nothing else:
// connections and logons by their ends, short notes on a connection or a host,
// findings counted by minute, which name held which address when, and from
// when to when each source was writing.
//
// It promises that what is kept does not depend on the order in which events
// arrive: every merge is a sum, a smallest, a largest or a set. Floods collapse
// to count, first and last (more than Flood rows of one kind between two ends
// in an hour; findings of one rule on one host in a minute), so that four
// hundred thousand scanner hits cost as much as forty. A few pointers, the
// earliest, lead from each fact back to bytes.
//
// It never keeps an event, never judges, and is not safe for concurrent use:
// the caller hands events over one at a time.
package fact
