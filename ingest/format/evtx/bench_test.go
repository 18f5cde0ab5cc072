// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package evtx

import (
	"bytes"
	"context"
	"path"
	"syscall"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// BenchmarkDecode decodes the largest shared logs, bytes in memory, fields and
// canonical JSON made for every record.
func BenchmarkDecode(b *testing.B) {
	benchDecode(b, samplesForBench(b), false, 1)
}

// BenchmarkDecodeSlow is BenchmarkDecode by the slow way only.
func BenchmarkDecodeSlow(b *testing.B) {
	benchDecode(b, samplesForBench(b), true, 1)
}

// BenchmarkDecodeAttack decodes the 281 recorded attack logs: about a dozen
// records in a chunk, so that reading templates weighs more.
func BenchmarkDecodeAttack(b *testing.B) {
	benchDecode(b, attackForBench(b), false, 1)
}

// BenchmarkDecodeAttackSlow is BenchmarkDecodeAttack by the slow way only.
func BenchmarkDecodeAttackSlow(b *testing.B) {
	benchDecode(b, attackForBench(b), true, 1)
}

// BenchmarkDecodeCrew is BenchmarkDecode with a worker for each processor; its
// time by the clock is what counts.
func BenchmarkDecodeCrew(b *testing.B) {
	benchDecode(b, samplesForBench(b), false, 0)
}

func samplesForBench(b *testing.B) (logs [][]byte) {
	eachMember(b, "evtx/decode/evtx-samples.zip", func(name string, data []byte) {
		switch path.Base(name) {
		case "security.evtx", "system.evtx", "sample-with-irregular-bool-values.evtx", "sysmon.evtx":
			logs = append(logs, data)
		}
	})
	return logs
}

func attackForBench(b *testing.B) (logs [][]byte) {
	eachMember(b, "evtx/attack/evtx-to-mitre-attack.zip", func(name string, data []byte) {
		if path.Ext(name) == ".evtx" {
			logs = append(logs, data)
		}
	})
	return logs
}

// benchDecode reports processor time: the machine may have others to serve.
func benchDecode(b *testing.B, logs [][]byte, slow bool, workers int) {
	b.ReportAllocs()
	k := &shop{slow: slow, workers: workers}
	n := int64(0)
	begun := processorTime(b)
	for b.Loop() {
		for _, data := range logs {
			st, err := k.decode(context.Background(), bytes.NewReader(data), format.Source{SHA256: "x"}, func(*event.Event) error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			n += st.Decoded
		}
	}
	b.ReportMetric(float64((processorTime(b)-begun).Nanoseconds())/1000/float64(n), "cpu-us/record")
	b.ReportMetric(float64(n)/float64(b.N), "records/op")
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
