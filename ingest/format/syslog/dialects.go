// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"sync"

	"citywall/ingest/format"
	"citywall/ingest/format/eve"
	"citywall/ingest/format/fortios"
)

// dialects lists what a message may be, the more particular before the general.
// The first that matches reads it.
var dialects = sync.OnceValue(func() []format.Dialect {
	return []format.Dialect{
		fortios.Dialect(),
		eve.Dialect(),
	}
})

// headless reports whether the line is a message that stands without a syslog
// header.
func headless(line []byte) bool {
	msg := string(line)
	for _, d := range dialects() {
		if d.Headless && d.Match("", msg) {
			return true
		}
	}
	return false
}
