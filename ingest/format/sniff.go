// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import "bytes"

// SniffLines reports whether head holds lines of a format: most of its first
// lines that are not blank are, and at least one. A line that head cuts off is
// not asked, unless it is the only one.
func SniffLines(head []byte, is func(line []byte) bool) bool {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	yes, no := 0, 0
	for len(head) > 0 && yes+no < 8 {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		head = rest
		if line = bytes.TrimRight(line, "\r"); len(bytes.TrimSpace(line)) == 0 || !whole && yes+no > 0 {
			continue
		}
		if is(line) {
			yes++
		} else {
			no++
		}
	}
	return yes > no
}
