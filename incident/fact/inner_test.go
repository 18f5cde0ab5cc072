// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package fact

import "testing"

func TestExtension(t *testing.T) {
	for _, c := range []struct {
		path, ext string
		inner     bool
	}{
		{`C:\Users\chen\report.docx.hunter`, "hunter", true},
		{`D:\data\scan.pdf.id[1A2B].[mail@example.org].lock5`, "lock5", true},
		{`C:\Windows\Temp\setup.exe`, "exe", false},
		{`C:\app\foo.abcd`, "abcd", false},
		{`/srv/data/a.tar.gz`, "gz", true},
		{`C:\noext`, "", false},
		{`C:\.hidden`, "", false},
	} {
		if ext, inner := extension(c.path); ext != c.ext || inner != c.inner {
			t.Errorf("%s: %q %v", c.path, ext, inner)
		}
	}
}

func TestSensorOf(t *testing.T) {
	for path, want := range map[string]string{
		"SCRANTON_conn.log": "scranton", "logs/SCRANTON_dns.log": "scranton", `C:\x\nashua-conn.2026.log`: "nashua", "a.zip!conn.log": "conn", "fw.log": "fw",
	} {
		if got := sensorOf(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
