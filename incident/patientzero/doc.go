// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package patientzero states the first compromise: an interval, and how they
// came in (attackpath.md §4.4).
//
// The upper end is the first observed bad moment of the host that was entered
// first. The lower end is the latest moment at which the host is known to have
// been good, and a known-good needs a reason:
//
//   - attempts only: somebody was still trying (a scan, refused logons), so he
//     was not in yet; the lower end is the beginning of those attempts when quiet
//     records precede them;
//   - quiet: records of at least Quiet before the first bad moment show no sign;
//     the lower end is then one Step before the first bad moment that the
//     records can tell apart: the last ordinary record of the host.
//
// With less than Quiet of records before, nothing is known to be good: the lower
// end stays open, "logs begin at X; entry may be earlier".
//
// It never takes the earliest bad event in the data for the first compromise:
// which host and which incident is the caller's finding.
package patientzero
