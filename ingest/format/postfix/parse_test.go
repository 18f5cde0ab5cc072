// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package postfix

import "testing"

func TestQueueID(t *testing.T) {
	for in, want := range map[string]string{
		"5A1B2C3D4E: x": "5A1B2C3D4E", "4XkZ3B1Lz2z9vNq: x": "4XkZ3B1Lz2z9vNq", "NOQUEUE: x": "NOQUEUE",
		"removed: x": "", "warning: x": "", "ABCDEF: x": "", "unknown[1.2.3.4]: x": "", "5A1: x": "", "5A1B2C3D4E": "",
	} {
		if got, _, _ := queueID(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for app, want := range map[string]bool{"postfix/smtpd": true, "postfix/submission/smtpd": true, "postfix-out/qmgr": true, "postfix": false, "postfixadmin/x": false, "dovecot": false, "postfix/": false} {
		if got := match(app, ""); got != want {
			t.Errorf("%s: %v", app, got)
		}
	}
}
