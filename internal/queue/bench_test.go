// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// lines are records of about 420 bytes whose values differ as real ones do.
func lines(id string, seed, n int) Message {
	m := Message{ID: id, Source: "fw-1", Listener: "bench", Realm: "city", Stream: "s", Received: time.Unix(1_700_000_000, 0)}
	for i := range n {
		h := uint32(seed*n+i+1) * 2654435761
		m.Records = append(m.Records, Record{Seq: uint64(i), Line: int64(i), Data: fmt.Appendf(nil,
			`{"ts":"2026-10-20T08:%02d:%02d.%06dZ","host":"ws-%05d","event_id":%d,"src_ip":"10.%d.%d.%d","dst_ip":"192.168.%d.%d","dst_port":%d,"user":"CITY\\u%05d","image":"C:\\Windows\\System32\\svchost.exe","command":"svchost.exe -k netsvcs -p -s %08x","session":"0x%08x","action":"allow","bytes_out":%d,"bytes_in":%d,"rule":"segment-%d-to-servers","note":"policy 17 applied, state table entry created by the inspection engine"}`,
			h%60, (h>>6)%60, h%1000000, h%18000, h%5000, h%256, (h>>8)%256, (h>>16)%256, h%16, (h>>4)%256, h%65536, h%9000, h, h^0xffff, h%100000, h%7000, h%40)})
	}
	return m
}

const perMessage = 200

func BenchmarkPublish(b *testing.B) {
	for _, publishers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("publishers=%d", publishers), func(b *testing.B) {
			q := open(b, b.TempDir(), nil)
			var n atomic.Int64
			var ms [32]Message // different ones: equal ones in a pack would shrink to nothing
			for i := range ms {
				ms[i] = lines("", i, perMessage)
			}
			b.SetBytes(int64(ms[0].Size()))
			b.SetParallelism(publishers / 2) // times GOMAXPROCS, which is 2 on the machine of docs/BENCHMARKS.md
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					m := ms[i%int64(len(ms))]
					m.ID = fmt.Sprint("m", i)
					if err := q.Publish(b.Context(), m); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.StopTimer()
			st, err := q.Stats(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)*perMessage/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(st.Published)/float64(st.Packs), "messages/pack")
			b.ReportMetric(float64(st.Packed)/float64(st.Published*perMessage), "disk-B/event")
		})
	}
}

func BenchmarkConsume(b *testing.B) {
	q := open(b, b.TempDir(), nil)
	for i := range b.N {
		m := lines(fmt.Sprint("m", i), i, perMessage)
		if err := q.Publish(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	receive(b, q, b.N*perMessage, func(Delivery) bool { return true })
	waitEmpty(b, q)
	b.ReportMetric(float64(b.N)*perMessage/b.Elapsed().Seconds(), "events/s")
}
