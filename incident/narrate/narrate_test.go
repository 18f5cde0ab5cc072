// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package narrate

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/incident"
	"citywall/internal/text"
)

var update = flag.Bool("update", false, "rewrite the golden file; read it afterwards")

func hop() incident.Hop {
	at := time.Date(2020, 4, 30, 0, 33, 26, 283442000, time.UTC)
	return incident.Hop{
		N: 4, Time: at, Last: at.Add(90 * time.Second), Count: 4,
		Src: incident.Endpoint{Addr: netip.MustParseAddr("10.0.1.4"), Host: "scranton"}, Dst: incident.Endpoint{Addr: netip.MustParseAddr("10.0.1.6")},
		DstPort: 5985, User: asset.Account{Domain: "dmevals", Name: "pbeesly"}, Kind: "winrm", Grade: incident.Observed, BytesOut: 56752, BytesIn: 27653,
		Evidence: []incident.Pointer{{Origin: event.Origin{File: "conn.log", Line: 812, Offset: 99}}, {}},
	}
}

func TestHop(t *testing.T) {
	for l, want := range map[text.Lang]string{
		text.En:   `At 2020-04-30 00:33:26.283442 UTC (08:33:26 Taipei), scranton (10.0.1.4) ran commands on 10.0.1.6:5985 over WinRM as dmevals\pbeesly; 56,752 bytes out, 27,653 bytes in; 4 connections within 1 min 30 s. Observed: conn.log, line 812, byte 99, and 1 more.`,
		text.ZhTW: `於 UTC 2020-04-30 00:33:26.283442（臺北時間 08:33:26），自 scranton（10.0.1.4） 以帳號 dmevals\pbeesly 經 WinRM 連入 10.0.1.6:5985 執行命令；送出 56,752 位元組，收到 27,653 位元組；1 分 30 秒內共 4 次連線。直接觀察，依據：conn.log 第 812 行（位移 99），另有 1 筆。`,
	} {
		if got := Hop(l, hop()); got != want {
			t.Errorf("%s:\n got %s\nwant %s", l, got, want)
		}
	}
}

func TestFirstCompromise(t *testing.T) {
	f := &incident.FirstCompromise{Host: "a", Latest: time.Date(2026, 1, 1, 20, 0, 0, 0, time.UTC), LogsBegin: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), LowerOpen: true}
	want := "a was compromised at the latest at 2026-01-01 20:00:00.000 UTC (01-02 04:00:00 Taipei). The logs begin at 2026-01-01 00:00:00.000 UTC (08:00:00 Taipei); entry may be earlier."
	if got := FirstCompromise(text.En, f); got != want {
		t.Errorf("got %s", got)
	}
}

// TestIsolate: advice to cut off names the segment and whom to call, and says
// what to do when either is not known. Oracle: the golden file, read by people.
func TestIsolate(t *testing.T) {
	a := netip.MustParseAddr
	h := func(host, how, agency string, as ...netip.Addr) incident.HostState {
		return incident.HostState{Host: host, Isolate: how, Agency: agency, Addresses: as}
	}
	drawn := asset.Topology{
		Segments: []asset.Segment{
			{Name: "wards", Prefix: netip.MustParsePrefix("10.1.0.0/16"), Agency: "hospital", Contact: "wards 02-0000-0001"},
			{Name: "server room", Prefix: netip.MustParsePrefix("10.2.0.0/24"), Agency: "hospital"},
			{Name: "lobby", Prefix: netip.MustParsePrefix("10.4.0.0/24")},
		},
		Hosts: []asset.Host{{Name: "fs01", Addresses: []netip.Addr{a("10.2.0.5")}, Contact: "storage 0900-000-002"}},
	}.Places()
	var b strings.Builder
	for _, l := range []text.Lang{text.En, text.ZhTW} {
		for _, x := range []incident.HostState{
			h("pc1", "now", "", a("10.1.0.9")), h("fs01", "now", "", a("10.2.0.5")), h("fs01", "two_people", "", a("10.2.0.5"), a("10.1.0.5")),
			h("bk01", "now", "", a("10.2.0.9")), h("tv", "now", "", a("10.4.0.9")), h("pc7", "now", "A07", a("10.7.0.1")), h("pc7", "now", "", a("10.7.0.1")), h("pc1", "no", "", a("10.1.0.9")), h("pc1", "", ""),
		} {
			fmt.Fprintln(&b, Isolate(l, x, map[string][]asset.Place{x.Host: drawn.Of(x.Host, x.Addresses)}))
		}
		fmt.Fprintln(&b, Isolate(l, h("pc1", "now", "", a("10.1.0.9")), nil))
	}
	golden(t, "testdata/isolate.golden", b.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("not as %s says (read the difference, then -update):\n%s", file, got)
	}
}

// TestUnknownCodeIsShown: a code without a text must not vanish.
func TestUnknownCodeIsShown(t *testing.T) {
	if got := Reason(text.En, incident.Reason{Code: "no_such_code", Args: map[string]string{"b": "2", "a": "1"}}); got != "no_such_code (a=1, b=2)" {
		t.Errorf("got %q", got)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := Number(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	for d, want := range map[time.Duration]string{83 * time.Second: "1 min 23 s", 26 * time.Hour: "1 d 2 h", 1500 * time.Microsecond: "1 ms", 59 * time.Minute: "59 min"} {
		if got := Duration(text.En, d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
