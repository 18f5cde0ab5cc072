// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb && linux

package duck

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"citywall/event"
	"citywall/eventstore"
	"citywall/eventstore/storetest"
)

// BenchmarkSeal seals a day of a million events as they arrive: what it costs,
// and what an event takes before and after.
func BenchmarkSeal(b *testing.B) {
	const n = 1_000_000
	var used time.Duration
	for b.Loop() {
		b.StopTimer()
		s, err := Open(b.Context(), Options{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		tr := storetest.NewTraffic(1, noon.Truncate(24*time.Hour), 85*time.Millisecond)
		for i := range n / 20_000 {
			if err := s.Append(b.Context(), tr.Batch(fmt.Sprint(i), 20_000)); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := s.w.ExecContext(b.Context(), "CHECKPOINT"); err != nil {
			b.Fatal(err)
		}
		hot, err := hotSize(s.dir)
		if err != nil {
			b.Fatal(err)
		}
		c := cpu(b)
		b.StartTimer()
		x, err := s.Seal(b.Context(), farFuture)
		if err != nil || len(x) != 1 || x[0].Events != n {
			b.Fatal(x, err)
		}
		b.StopTimer()
		used += cpu(b) - c
		b.ReportMetric(float64(hot)/n, "hot-B/event")
		b.ReportMetric(float64(x[0].Bytes)/n, "sealed-B/event")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	perMillion(b, n*b.N, used)
}

// synthetic fills a hot table with a day of events without leaving DuckDB, some
// forty times as fast as Append: 45 % firewall, 30 % Sysmon, 20 % Windows
// Security, 5 % Linux, of 18,000 hosts with a long tail, about 420 bytes of
// JSON each. What matters to the seven questions is as in the traffic of the
// tests; ids, users and addresses repeat in no order.
func (s *Store) synthetic(b *testing.B, day time.Time, n int, seed int) {
	b.Helper()
	col := map[string]string{
		"day": "DATE '" + day.Format(time.DateOnly) + "'", "ts": timeText(day) + " + to_microseconds((i * " + fmt.Sprint(86_400_000_000/int64(n)) + ")::BIGINT)", "ns": "0", "timed": "TRUE",
		"id": "md5(i || '/" + fmt.Sprint(seed) + "')::UUID", "realm": "'city'", "case_id": "''", "agency": "'agency' || (w % 30)", "received": "ts0", "received_ns": "0",
		"source": "host0", "product": "CASE WHEN k < 45 THEN 'fortinet' WHEN k < 95 THEN 'windows' ELSE 'linux' END",
		"category": "CASE WHEN k < 45 THEN 'firewall' WHEN k < 75 THEN 'process_creation' END", "service": "CASE WHEN k < 45 THEN 'traffic' WHEN k < 75 THEN 'sysmon' WHEN k < 95 THEN 'security' ELSE 'sshd' END",
		"host": "host0", "user": "CASE WHEN k >= 45 THEN 'city\\user' || (w % 15000) END", "src_ip": "CASE WHEN k < 75 THEN '10.' || (1 + w // 62500) || '.' || (w // 250 % 250) || '.' || (w % 250) END",
		"src_port": "CASE WHEN k < 45 THEN (1024 + h % 60000)::INTEGER END", "dst_ip": "CASE WHEN k < 45 THEN '203.0.' || (113 + h % 4) || '.' || (h // 7 % 250) END",
		"dst_host": "CASE WHEN k < 45 THEN 'site' || (h % 5000) || '.example' END", "dst_port": "CASE WHEN k < 45 THEN 443 END", "proto": "CASE WHEN k < 45 THEN 'tcp' END",
		"event_id": "CASE WHEN k < 45 THEN NULL WHEN k < 75 THEN '1' WHEN k < 95 THEN (4624 + h % 4)::VARCHAR END", "channel": "CASE WHEN k BETWEEN 45 AND 94 THEN 'Security' END",
		"action": "CASE WHEN k < 45 THEN 'connect' WHEN k < 75 THEN 'process_start' ELSE 'logon' END", "outcome": "'success'",
		"process": "CASE WHEN k BETWEEN 45 AND 74 THEN 'C:\\Windows\\System32\\svchost.exe' END", "command": "CASE WHEN k BETWEEN 45 AND 74 THEN cmd END",
		"bytes_out": "CASE WHEN k < 45 THEN (h % 1048576)::BIGINT END", "bytes_in": "CASE WHEN k < 45 THEN (h // 3 % 4194304)::BIGINT END",
		"format": "'jsonl'", "time_raw": "ts0::VARCHAR", "uncertainty": "1000000", "zone_assumed": "FALSE", "origin": `'{"format":"jsonl","stream":"tcp/1","offset":0}'`,
		"origin_offset": "i * 420", "origin_line": "0", "origin_record": "0", "origin_chunk": "0", "size": "(2 * length(js))::INTEGER", "fields": "js", "raw": "encode(js)",
	}
	exprs := make([]string, len(columns))
	for i, c := range columns {
		exprs[i] = "NULL"
		if e := col[c.name]; e != "" {
			exprs[i] = e
		}
		exprs[i] += ` AS "` + c.name + `"`
	}
	q := fmt.Sprintf(`INSERT INTO "%[1]s" SELECT %[2]s FROM (SELECT *, CASE
		WHEN k < 45 THEN '{"devname":"fw' || (w %% 12) || '","type":"traffic","subtype":"forward","srcip":"10.' || (1 + w // 62500) || '.' || (w // 250 %% 250) || '.' || (w %% 250) || '","srcport":"' || (1024 + h %% 60000)
			|| '","dstip":"203.0.' || (113 + h %% 4) || '.' || (h // 7 %% 250) || '","dstport":"443","proto":"6","action":"close","policyid":"' || (h %% 60) || '","service":"HTTPS","sentbyte":"' || (h %% 1048576)
			|| '","rcvdbyte":"' || (h // 3 %% 4194304) || '","duration":"' || (h %% 300) || '","sessionid":"' || i || '","level":"notice","vd":"root","logid":"0000000013","srcintf":"port3","dstintf":"wan1"}'
		WHEN k < 75 THEN '{"EventID":"1","Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"' || host0 || '.city.example","ProcessGuid":"{' || md5(h::VARCHAR) || '}","ProcessId":"' || (h %% 30000)
			|| '","Image":"C:\\Windows\\System32\\svchost.exe","CommandLine":"' || replace(replace(cmd, '\', '\\'), '"', '\"') || '","User":"CITY\\user' || (w %% 15000) || '","IntegrityLevel":"Medium","Hashes":"SHA256=' || md5((h %% 200)::VARCHAR) || md5((h %% 200 + 1)::VARCHAR)
			|| '","ParentImage":"C:\\Windows\\explorer.exe"}'
		WHEN k < 95 THEN '{"EventID":"' || (4624 + h %% 4) || '","Channel":"Security","Computer":"' || host0 || '.city.example","SubjectUserSid":"S-1-5-18","TargetUserName":"user' || (w %% 15000) || '","TargetDomainName":"CITY","TargetLogonId":"0x'
			|| to_hex(h %% 4294967296) || '","LogonType":"3","IpAddress":"10.1.2.' || (h %% 250) || '","IpPort":"' || (1024 + h %% 60000) || '","WorkstationName":"' || host0 || '","LogonProcessName":"NtLmSsp ","AuthenticationPackageName":"NTLM","KeyLength":"128"}'
		ELSE '{"hostname":"srv' || (w %% 200) || '","appname":"sshd","message":"Accepted publickey for user' || (w %% 15000) || ' from 10.1.2.' || (h %% 250) || ' port ' || (1024 + h %% 60000) || ' ssh2"}' END AS js
		FROM (SELECT *, 'pc' || lpad(w::VARCHAR, 5, '0') AS host0, %[3]s + to_microseconds((i * %[4]d)::BIGINT) AS ts0,
			CASE WHEN h %% 430 = 0 THEN 'vssadmin.exe delete shadows /all /quiet' ELSE '"C:\Windows\System32\svchost.exe" -k ' || (h %% 1000) || ' --type=renderer /prefetch:' || (h %% 9) END AS cmd
		FROM (SELECT i, hash(i, %[5]d) AS h, (hash(i, %[5]d, 1) %% 100)::INTEGER AS k, floor(18000 * pow((hash(i, %[5]d, 2) %% 1000000) / 1e6, 3))::INTEGER AS w FROM range(%[6]d) t(i))))`,
		tableOf(day), strings.Join(exprs, ", "), timeText(day), 86_400_000_000/int64(n), seed, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.makeTable(b.Context(), tableOf(day), day); err != nil {
		b.Fatal(err)
	}
	if _, err := s.w.ExecContext(b.Context(), q); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSeven asks the seven questions of the design on a month of events,
// 23 days of it sealed: 5,000,000 of them, or as many as CITYWALL_BENCH_EVENTS
// says. With CITYWALL_BENCH_DIR the store stays there for the next run.
func BenchmarkSeven(b *testing.B) {
	total := 5_000_000
	if v := os.Getenv("CITYWALL_BENCH_EVENTS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 30_000 {
			b.Fatalf("CITYWALL_BENCH_EVENTS is %q: want a number from 30000 on", v)
		}
		total = n
	}
	const month = 30
	dir := os.Getenv("CITYWALL_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	} else {
		dir = filepath.Join(dir, fmt.Sprint("events-", total))
	}
	s, err := Open(b.Context(), Options{Dir: dir, Threads: 2})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	first := noon.Truncate(24 * time.Hour)
	have, err := s.Days(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	began, c := time.Now(), cpu(b)
	for d := len(have); d < month; d++ {
		s.synthetic(b, first.AddDate(0, 0, d), total/month, d)
		if d < 23 {
			if _, err := s.Seal(b.Context(), farFuture); err != nil {
				b.Fatal(err)
			}
		}
	}
	if len(have) < month {
		if _, err := s.w.ExecContext(b.Context(), "CHECKPOINT"); err != nil {
			b.Fatal(err)
		}
		b.Logf("made and sealed %d events in %v, %v of processor", total, time.Since(began).Round(time.Second), (cpu(b) - c).Round(time.Second))
	}
	s.mu.Lock()
	err = s.readTables(b.Context())
	s.mu.Unlock()
	if err != nil {
		b.Fatal(err)
	}
	ds, err := s.Days(b.Context())
	if err != nil || len(ds) != month {
		b.Fatal(len(ds), err)
	}
	var sealed, sealedBytes, hot, hotBytes int64
	for _, d := range ds {
		sealed, sealedBytes, hot, hotBytes = sealed+d.Sealed, sealedBytes+d.Bytes, hot+d.Hot, hotBytes+d.HotBytes
	}
	b.Logf("%d events sealed at %.0f bytes, %d hot at %.0f bytes", sealed, float64(sealedBytes)/float64(max(1, sealed)), hot, float64(hotBytes)/float64(max(1, hot)))

	at := func(from, to int) eventstore.Query {
		return eventstore.Query{From: first.AddDate(0, 0, from), To: first.AddDate(0, 0, to)}
	}
	is := func(field, v string) eventstore.Filter {
		return eventstore.Cond{Field: field, Op: eventstore.Eq, Value: v}
	}
	with := func(q eventstore.Query, f eventstore.Filter) eventstore.Query { q.Filter = f; return q }
	var some event.ID
	page, err := s.Search(b.Context(), city, at(10, 11))
	if err != nil || len(page.Events) == 0 {
		b.Fatal(err)
	}
	some = page.Events[0].ID
	for _, ask := range []struct {
		name string
		f    func() (int, error)
	}{
		{"Q1 a day, host and event id, latest 50", func() (int, error) {
			q := with(at(10, 11), eventstore.And{is("host", "pc00000"), is("event_id", "4625")})
			q.Limit = 50
			p, err := s.Search(b.Context(), city, q)
			return len(p.Events), err
		}},
		{"Q2 substring of commands, 30 days", func() (int, error) {
			n, err := s.Count(b.Context(), city, with(at(0, month), eventstore.Cond{Field: "command", Op: eventstore.Contains, Value: "delete shadows"}))
			return int(n), err
		}},
		{"Q3 top 20 src_ip, 7 days", func() (int, error) {
			x, err := s.Top(b.Context(), city, at(10, 17), "src_ip", 20)
			return len(x), err
		}},
		{"Q4 count per hour, 30 days, one product", func() (int, error) {
			h, err := s.Histogram(b.Context(), city, with(at(0, month), is("product", "linux")), time.Hour)
			return len(h), err
		}},
		{"Q5 top dst_host of a host, 1 day", func() (int, error) {
			x, err := s.Top(b.Context(), city, with(at(10, 11), is("host", "pc00000")), "dst_host", 1000)
			return len(x), err
		}},
		{"Q6 all of a user's events, 7 days", func() (int, error) {
			n := 0
			err := s.Each(b.Context(), city, with(at(10, 17), is("user", `city\user14999`)), func(*event.Event) error { n++; return nil })
			return n, err
		}},
		{"Q7 by id", func() (int, error) { _, err := s.Get(b.Context(), city, some); return 1, err }},
	} {
		b.Run(ask.name, func(b *testing.B) {
			rows := 0
			var warm []time.Duration
			measure := func() (d time.Duration) {
				begun := time.Now()
				if rows, err = ask.f(); err != nil {
					b.Fatal(err)
				}
				return time.Since(begun)
			}
			chill(b, dir)
			cold := measure()
			b.ResetTimer()
			c := cpu(b)
			for b.Loop() {
				warm = append(warm, measure())
			}
			slices.Sort(warm)
			b.ReportMetric(float64(rows), "rows")
			b.ReportMetric(float64(cold.Milliseconds()), "cold-ms")
			b.ReportMetric(float64(warm[len(warm)/2].Microseconds())/1000, "median-ms")
			b.ReportMetric(float64((cpu(b)-c).Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	b.Logf("%.2f GB of memory at most", float64(use.Maxrss)/(1<<20))
}

// chill puts the store's files out of the system's memory, so that the next
// question reads the disk. What DuckDB itself holds of the hot file stays.
func chill(b *testing.B, dir string) {
	b.Helper()
	unix.Sync()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
	if err != nil {
		b.Fatal(err)
	}
}
