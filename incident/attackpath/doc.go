// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package attackpath finds the way an intruder took through machines
// (attackpath.md §4): it scores moves, searches backwards in time from the
// anchors, and tells how usual a move is.
//
// Score. Each move has a sum of fixed log-odds s (Weights) and p = 1/(1+e^−s).
// Its cost is −ln p. The terms are those printed in attackpath.md §4.3 and some
// for channels to the outside; every term that counted is a Reason with its
// weight. "First time" and "kind never from this source" are scaled by
// n/(n+1), n the days of history before the move: a log of one hour cannot say
// that something never happened. Without history the back-off is whether any
// other machine does the same to the same destination (Weights.Lone).
//
// Search. One pass over the moves in falling time per anchor; a move u→v counts
// when t ≤ arrival(v) + uncertainty. Each node keeps the K best continuations
// that differ in hosts. The cost of a path is
//
//	Σ −ln p(move)  +  Σ 0.05·ln(1 + dwell hours)  +  Σ −ln(1 − p(left))  +  start
//
// A path may start outside (start = 0), or stay open inside (start =
// Weights.Open, and Weights.Another while other hosts are lost already). left, at every host of the path, is the strongest move into it
// before the way leads on that the path does not use: to say that one came in
// by this move is to say that the others were harmless, and to stop at a host
// is to say that whatever came in there was. So a path is carried on exactly
// while it is more likely that the next move belongs to it than not.
// A path may also join another: begin at a host that is known to be lost by
// then, at no cost.
//
// A call to the outside (Move.Effect) may begin a path, as the first thing seen,
// but needs no explanation where another move explains it.
//
// Rarity. Days, not rows:
//
//	M = (days with (src,dst,user,kind) + 0.5) / (days with (src,·,·,kind) + 1)
//	IN, OUT = share of days on which a host met no new peer
//	path = Π IN(src)·M·OUT(dst)      anomaly = 1 − path^(1/hops)
//
// It promises the same result for the same moves in any order, and no heap. It
// knows no names, files or clocks: hosts are numbers, times nanoseconds.
package attackpath
