// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package evtx reads Windows event logs.
//
// It promises to miss nothing and to alter nothing: every live record of every
// chunk is read whatever the headers claim, hex stays hex, text keeps its
// trailing spaces, times keep their 100 ns, and null, empty and absent stay
// apart. What cannot be read is counted and named with its place. Deleted
// records are looked for only when asked, and marked.
//
// It never trusts a count or an offset of the file, never follows a chain
// without an end, and never guesses at a value it cannot read: that becomes
// its bytes in hex, and is noted.
//
// Regular templates are compiled to programs that make events without a tree;
// all else goes the slow way, whose answer is the same to the byte.
//
// README.md in this folder draws the bytes and the two ways.
package evtx
