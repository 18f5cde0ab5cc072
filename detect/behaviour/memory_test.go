// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"citywall/asset"
	"citywall/event"
)

// floods fill the tables of each detector: entity i, part k of it.
var floods = map[string]struct {
	entities, parts int
	view            func(i, k int) event.View
	every           time.Duration
}{
	"names": {120000, 1, func(i, _ int) event.View {
		return event.View{Action: event.Logon, User: asset.Account{Domain: "city", Name: fmt.Sprint("somebody.", i)}}
	}, time.Second},
	"house": {60_000, 1, func(i, _ int) event.View {
		return event.View{Action: event.Flow, Src: host4(192, i), SrcSide: "lan"}
	}, time.Second},
	"scan": {50000, 32, func(i, k int) event.View {
		src := host4(10, i/2)
		if i%2 == 0 {
			src = host4(198, i/2)
		}
		v := event.View{Action: event.FlowRefused, Src: src, Dst: host4(10, k), DstPort: uint16(k)} //nolint:gosec // few
		if k%4 < 3 {
			v.Action = event.Flow
		}
		return v
	}, time.Second},
	"fan-out": {100000, 30, func(i, k int) event.View {
		return event.View{Action: event.Flow, Src: host4(10, i/4), Dst: host4(10, k), DstPort: []uint16{445, 3389, 5985, 22}[i%4]}
	}, 20 * time.Second},
	"admin-shares": {25000, 60, func(i, k int) event.View {
		return event.View{Action: event.Share, Src: host4(10, i), Host: fmt.Sprint("machine-", k), Share: "ADMIN$"}
	}, time.Second},
	"edge": {25000, 40, func(i, k int) event.View {
		return event.View{Action: event.Logon, Logon: 3, User: asset.Account{Domain: "city", Name: fmt.Sprint("somebody.", i)}, SrcHost: fmt.Sprint("pc-", k), Host: fmt.Sprint("machine-", (i*64+k)%60_000)}
	}, time.Second},
	"hours": {90000, 1, func(i, _ int) event.View {
		return event.View{Action: event.Privilege, User: asset.Account{Domain: "city", Name: fmt.Sprint("somebody.", i)}, Host: fmt.Sprint("machine-", i)}
	}, time.Second},
	"spray": {50000, 30, func(i, k int) event.View {
		src := host4(10, i/2)
		if i%2 == 0 {
			src = host4(198, i/2)
		}
		return event.View{Action: event.LogonFailed, Src: src, Host: "dc01", User: asset.Account{Domain: "city", Name: fmt.Sprint("somebody.", i*40+k)}}
	}, time.Second},
	"beacon": {60000, 70, func(i, k int) event.View {
		return event.View{Action: event.Flow, Src: host4(10, i), Dst: host4(198, i), DstPort: 443, Observer: "fw"}
	}, time.Minute},
	"exfil": {50000, 60, func(i, k int) event.View {
		return event.View{Action: event.Flow, Src: host4(10, i), Dst: host4(198, k), DstPort: 443, BytesOut: 3 * mb, Observer: fmt.Sprint("fw", k%3)}
	}, 12 * time.Hour},
	"alerts": {50000, 30, func(i, k int) event.View {
		return event.View{Action: event.Alert, Host: fmt.Sprint("machine-", i), Message: fmt.Sprint("alert ", (i*30+k)%80_000)}
	}, time.Second},
	"tunnel": {25000, 60, func(i, k int) event.View {
		return event.View{Action: event.DNS, Src: host4(10, i), Message: code(i*100+k, 30) + ".example.com"}
	}, time.Second},
	"mass-file": {25000, 60, func(i, k int) event.View {
		return event.View{Action: event.File, Host: fmt.Sprint("machine-", i), Process: `C:\Windows\System32\program.exe`, File: fmt.Sprintf(`D:\share\%d\report-%d-%d.docx.locked`, k%7, i, k)}
	}, 500 * time.Millisecond},
}

// host4 is the i-th address below a first byte.
func host4(a, i int) netip.Addr { return ip(a, i>>16, i>>8&255, i&255) }

// What a flood of entities makes a detector hold is bounded, and what it lets go
// is counted. Bound: what the package comment says.
func TestFlood(t *testing.T) {
	if os.Getenv("CITYWALL_FULL") == "" {
		t.Skip("fills all tables, which takes minutes: set CITYWALL_FULL")
	}
	total := int64(0)
	for _, d := range detectors(nil) {
		f, ok := floods[d.name()]
		if !ok {
			t.Errorf("%s: nothing fills it", d.name())
			continue
		}
		t.Run(d.name(), func(t *testing.T) {
			before := inUse()
			var r report
			seq := uint64(0)
			for i := range f.entities {
				for k := range f.parts {
					v := f.view(i, k)
					seq++
					e := &event.Event{Realm: asset.City, Product: "made", Time: t0.Add(time.Duration(k) * f.every), Origin: event.Origin{Format: "made", File: "stream", Offset: int64(seq)}} //nolint:gosec // small
					binary.LittleEndian.PutUint64(e.ID[:], seq)
					r = report{e: e, v: &v}
					d.observe(&r, e, &v)
				}
			}
			held := inUse() - before
			total += held
			t.Logf("%9d events: %6.1f MiB, %d entities let go", seq, float64(held)/mb, d.forgotten())
			if d.forgotten() == 0 {
				t.Error("its tables are not full")
			}
			runtime.KeepAlive(d)
		})
	}
	t.Logf("all together %.0f MiB", float64(total)/mb)
	if total > 1<<30 {
		t.Errorf("%d bytes are held, at most 1 GiB is promised", total)
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far below
}
