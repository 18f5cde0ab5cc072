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
//   - quiet, and the way in is on record: records of at least Quiet before the
//     first bad moment show no sign; the lower end is the last ordinary record of
//     the host before he came;
//   - an ordinary day: where nothing shows how he came, an ordinary record proves
//     little, because he may have been there and kept still. The lower end is
//     then the end of the last whole day without any sign, Margin or more before
//     the first bad moment.
//
// Where the way in is one of several visits that look alike (the same account from
// the same place) and no record ties it to a deed, the upper end is the first
// moment that is beyond doubt, and the lower end lies before the earliest of those
// visits; where they go back to the beginning of the logs, it stays open.
//
// With less than Quiet of records before, nothing is known to be good: the lower
// end stays open, "logs begin at X; entry may be earlier".
//
// It never takes the earliest bad event in the data for the first compromise:
// which host and which incident is the caller's finding.
package patientzero
