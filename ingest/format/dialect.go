// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import "citywall/event"

// Dialect reads what one product writes as the message of a syslog line. The
// syslog decoder has read the header by then: facility, severity, hostname,
// appname, procid, msgid and structured data are fields of e, and its time is
// the header's. A dialect lives in a package of its own, like a format, and
// stands in the list of package syslog.
type Dialect struct {
	Name string

	// Match says whether the message is of this dialect. It must be sure, and
	// cheap: it runs on every line. App is the header's appname as written, ""
	// without one.
	Match func(app, msg string) bool

	// Headless dialects also stand alone, without any syslog header, in files
	// and datagrams.
	Headless bool

	// Read adds the native fields, sets product, category and service, and puts
	// a better time in place of the header's when the message has one. An error
	// counts the line as damaged.
	Read func(msg string, e *event.Event, p Pos, src Source) error
}
