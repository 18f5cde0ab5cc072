// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package auditd_test

import (
	"testing"

	"citywall/ingest/format"
	"citywall/ingest/format/auditd"
	"citywall/ingest/format/recordtest"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "linux") }

// TestPlaso: the oracle is the number of records that plaso's own tests assert;
// ours are joined, so the records of all events are counted.
func TestPlaso(t *testing.T) {
	for _, name := range []string{"audit_enriched.log", "selinux.log"} {
		r := recordtest.Plaso(t, name)
		var n int64
		for _, e := range r.Events {
			v, _ := e.Fields.Get("type")
			n += int64(max(1, len(v.List)))
		}
		if r.Format != "auditd" || n != r.Expected.Data || r.Stats.Damaged != r.Expected.Warnings {
			t.Errorf("%s: read as %s, %d records in %d events, %d damaged; want %d and %d\n%v", name, r.Format, n, len(r.Events), r.Stats.Damaged, r.Expected.Data, r.Expected.Warnings, r.Stats.Notes)
		}
		for _, e := range r.Events {
			if e.Fields.Str("msg") != "audit(1783414661.350:487)" {
				continue
			}
			if v := e.View(); v.Command != "/bin/sh -c grep -c . /etc/hostname" || v.Process != "/usr/bin/bash" || v.User.Name != "root" || e.Category != "process_creation" {
				t.Errorf("%s: %+v", name, v)
			}
		}
	}
}

// BenchmarkRecord: one SYSCALL line, the longest that is common.
func BenchmarkRecord(b *testing.B) {
	line := []byte(`type=SYSCALL msg=audit(1773398400.123:501): arch=c000003e syscall=59 success=yes exit=0 a0=55f a1=56a a2=57b a3=8 items=2 ppid=1201 pid=1288 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts1 ses=7 comm="sh" exe="/usr/bin/dash" subj=unconfined key="exec"`)
	f := auditd.Format()
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Record(line, format.Pos{}, recordtest.Source); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, auditd.Format()) }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, auditd.Dialect()) }
