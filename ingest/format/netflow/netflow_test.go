// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package netflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"citywall/event"
	"citywall/ingest"
	"citywall/ingest/format"
	"citywall/ingest/format/netflow"
	"citywall/ingest/format/recordtest"
)

var exporter = netip.MustParseAddr("192.0.2.1")

// flows decodes packets and returns the lines.
func flows(t *testing.T, d *netflow.Decoder, packets ...[]byte) []string {
	t.Helper()
	var out []string
	for i, p := range packets {
		if err := d.Packet(exporter, p, func(f *netflow.Flow) { out = append(out, string(f.AppendJSON(nil))) }); err != nil {
			t.Errorf("packet %d: %v", i, err)
		}
	}
	return out
}

// TestV5 asserts every field of a record of version 5 and its view.
func TestV5(t *testing.T) {
	d := netflow.NewDecoder()
	got := flows(t, d, v5(1000, v5Record("10.1.9.4", "203.0.113.9", 51514, 443, 5000), v5Record("203.0.113.9", "10.1.9.4", 443, 51514, 90000)), v5(1007, v5Record("10.1.9.4", "10.1.9.5", 5, 5, 1)))
	want := `{"netflow":"v5","exporter":"192.0.2.1","domain":3,"exportTime":"2026-03-13T10:40:00.250Z",` +
		`"sourceIPv4Address":"10.1.9.4","destinationIPv4Address":"203.0.113.9","ipNextHopIPv4Address":"0.0.0.0","ingressInterface":1,"egressInterface":2,` +
		`"packetDeltaCount":12,"octetDeltaCount":5000,"flowStartSysUpTime":3570000,"flowEndSysUpTime":3590000,"sourceTransportPort":51514,"destinationTransportPort":443,` +
		`"tcpControlBits":27,"protocolIdentifier":6,"ipClassOfService":0,"bgpSourceAsNumber":0,"bgpDestinationAsNumber":0,"sourceIPv4PrefixLength":24,"destinationIPv4PrefixLength":24,` +
		`"flowStart":"2026-03-13T10:39:30.250Z","flowDurationMilliseconds":20000,"flowEnd":"2026-03-13T10:39:50.250Z","samplingInterval":100}`
	if len(got) != 3 || got[0] != want {
		t.Fatalf("got  %s\nwant %s", got[0], want)
	}
	if st := d.Stats(); st.Missed != 5 || st.Flows != 3 || st.Packets != 2 {
		t.Errorf("sequence 1000 with two flows, then 1007: %+v", st)
	}
	// Both directions of the connection have the client as their source.
	wantViews := []string{
		`{"observer":"192.0.2.1","host_addr":"10.1.9.4","src":"10.1.9.4","dst":"203.0.113.9","src_port":51514,"dst_port":443,"proto":"tcp","action":"flow","outcome":"success","bytes_out":5000,"duration":20000000000,"start":"2026-03-13T10:39:30.25Z","sampling":100}`,
		`{"observer":"192.0.2.1","host_addr":"10.1.9.4","src":"10.1.9.4","dst":"203.0.113.9","src_port":51514,"dst_port":443,"proto":"tcp","action":"flow","outcome":"success","bytes_in":90000,"duration":20000000000,"start":"2026-03-13T10:39:30.25Z","sampling":100}`,
	}
	for i, w := range wantViews {
		e := one(t, got[i])
		if e.Product != "netflow" || e.Category != "flow" || e.Service != "v5" || e.Uncertainty != time.Millisecond || !e.Time.Equal(time.Date(2026, 3, 13, 10, 39, 50, 250e6, time.UTC)) {
			t.Errorf("labels: %+v", e)
		}
		if v := view(t, e); v != w {
			t.Errorf("view\n got  %s\n want %s", v, w)
		}
	}
}

// one decodes a line as the live path does.
func one(t *testing.T, line string) *event.Event {
	t.Helper()
	e, err := ingest.Record([]byte(line), format.Pos{}, recordtest.Source)
	if err != nil {
		t.Fatal(err)
	}
	if e.Origin.Format != "netflow" {
		t.Fatalf("read as %s: %s", e.Origin.Format, line)
	}
	return e
}

func view(t *testing.T, e *event.Event) string {
	t.Helper()
	b, err := json.Marshal(e.View())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// template 256: addresses, ports, protocol, flags, bytes, times by uptime.
var v9Template = set(0, words(256, 9, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 6, 1, 1, 4, 22, 4, 21, 4))

func v9Flow(sport, dport uint16, flags byte) []byte {
	return join(ip("10.1.9.4"), ip("10.1.2.3"), u16(sport), u16(dport), u8(6, flags), u32(700), u32(3_590_000), u32(3_598_000))
}

// TestV9 sends data before its template, a template, a sampler in an option, and
// the same template id from another domain.
func TestV9(t *testing.T) {
	d := netflow.NewDecoder()
	sampler := join(
		set(1, words(257, 4, 8, 1, 4, 48, 1, 50, 4)), // scope system, 4 bytes; sampler id, interval
		set(257, u32(0), u8(1), u32(1000)),
	)
	got := flows(t, d,
		v9(1, 7, set(256, v9Flow(1, 2, 2))),
		v9(2, 7, v9Template, set(256, v9Flow(40000, 445, 2), v9Flow(40001, 445, 0x1b))),
		v9(3, 7, sampler),
		v9(5, 7, set(256, v9Flow(40002, 445, 2))),
		v9(1, 8, set(256, v9Flow(1, 2, 2))),
	)
	if st := d.Stats(); st.NoTemplate != 2 || st.Flows != 3 || st.Options != 1 || st.Templates != 2 || st.Missed != 1 || st.Broken != 0 {
		t.Errorf("%+v", st)
	}
	if len(got) != 3 {
		t.Fatalf("%q", got)
	}
	if e := one(t, got[0]); e.View().Action != event.FlowRefused || e.Service != "v9" || e.Uncertainty != time.Second/2 || e.Fields.Str("samplingInterval") != "" {
		t.Errorf("a SYN that nobody answered: %+v %+v", e, e.View())
	}
	if v := one(t, got[1]).View(); v.Action != event.Flow || v.BytesOut != 700 || v.Start.IsZero() {
		t.Errorf("%+v", v)
	}
	// The rate is kept, the bytes are not multiplied, and one sampled SYN refuses nothing.
	if e := one(t, got[2]); e.Fields.Str("samplingInterval") != "1000" || e.View().BytesOut != 700 || e.View().Action != event.Flow {
		t.Errorf("sampled: %v %+v", e.Fields, e.View())
	}
}

// TestNAT: IPFIX with the translated addresses, a value of variable length, an
// enterprise's element, the reverse direction (RFC 5103), and a withdrawal.
func TestNAT(t *testing.T) {
	d := netflow.NewDecoder()
	tmpl := set(2, words(300, 13, 152, 8, 153, 8, 8, 4, 12, 4, 7, 2, 11, 2, 225, 4, 226, 4, 227, 2, 228, 2, 371, 65535),
		u16(0x8000|5), u16(2), u32(9), u16(0x8000|1), u16(4), u32(29305))
	data := set(300, u64(1773398390_000), u64(1773398399_500), ip("100.64.3.7"), ip("203.0.113.9"), u16(4000), u16(22),
		ip("198.51.100.1"), ip("203.0.113.9"), u16(61000), u16(22), u8(4), []byte("wang"), u16(258), u32(4321))
	got := flows(t, d, ipfix(0, 1, tmpl, data), ipfix(1, 1, set(2, words(300, 0))))
	want := `{"netflow":"ipfix","exporter":"192.0.2.1","domain":1,"exportTime":"2026-03-13T10:40:00.000Z","flowStartMilliseconds":1773398390000,"flowEndMilliseconds":1773398399500,` +
		`"sourceIPv4Address":"100.64.3.7","destinationIPv4Address":"203.0.113.9","sourceTransportPort":4000,"destinationTransportPort":22,` +
		`"postNATSourceIPv4Address":"198.51.100.1","postNATDestinationIPv4Address":"203.0.113.9","postNAPTSourceTransportPort":61000,"postNAPTDestinationTransportPort":22,` +
		`"userName":"wang","pen9.5":258,"reverseOctetDeltaCount":4321,"flowStart":"2026-03-13T10:39:50.000Z","flowDurationMilliseconds":9500,"flowEnd":"2026-03-13T10:39:59.500Z"}`
	if len(got) != 1 || got[0] != want {
		t.Fatalf("got  %v\nwant %s", got, want)
	}
	e := one(t, got[0])
	if v := e.View(); v.User.Name != "wang" || v.BytesIn != 4321 || v.Src.String() != "100.64.3.7" || v.Duration != 9500*time.Millisecond || e.Uncertainty != time.Millisecond {
		t.Errorf("%+v", v)
	}
	if flows(t, d, ipfix(1, 1, data)); d.Stats().NoTemplate != 1 {
		t.Errorf("the template was withdrawn: %+v", d.Stats())
	}
}

// TestLimits: what an exporter, or somebody who forges its address, cannot do.
func TestLimits(t *testing.T) {
	d := netflow.NewDecoder()
	for i := range 70000 {
		if err := d.Packet(exporter, v9(uint32(i), 1, set(0, words(uint16(256+i%65000), 1, 8, 4))), nil); err != nil {
			t.Fatal(err)
		}
	}
	if st := d.Stats(); st.Templates != 70000 || st.Refused < 60000 {
		t.Errorf("templates: %+v", st)
	}
	for i := range 5000 {
		flows(t, d, v9(1, uint32(i), v9Template))
	}
	if n := d.Domains(); n > 1024 {
		t.Errorf("%d domains are kept", n)
	}
	for what, p := range map[string][]byte{
		"short":              {0, 9},
		"version":            append([]byte{0, 7}, make([]byte, 40)...),
		"set beyond the end": v9(1, 1, u16(256), u16(400)),
		"no bytes":           v9(1, 1, set(0, words(256, 1, 8, 0))),
		"too many fields":    v9(1, 1, set(0, words(256, 999))),
		"v5 count":           v5(1)[:20],
		"IPFIX length":       join(u16(10), u16(9000), make([]byte, 30)),
	} {
		if err := d.Packet(exporter, p, func(*netflow.Flow) {}); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// TestFiles: packets one after another, and captures of them, are recognised by
// content and give the same flows.
func TestFiles(t *testing.T) {
	a, b, c := v9(1, 7, v9Template, set(256, v9Flow(40000, 445, 2))), v9(2, 7, set(256, v9Flow(40001, 445, 0x1b))), v5(1, v5Record("10.1.9.4", "203.0.113.9", 51514, 443, 5000))
	x := ipfix(0, 1, set(2, words(300, 3, 8, 4, 12, 4, 151, 4)), set(300, ip("10.0.0.1"), ip("10.0.0.2"), u32(exported)))
	all := join(a, b, c, x)
	for what, text := range map[string][]byte{"packets": all, "pcap": pcap(a, b, c, x), "pcapng": pcapng(a, b, c, x)} {
		f, ok := ingest.Recognise(text[:min(len(text), 4096)])
		if !ok || f.Name != "netflow" {
			t.Errorf("%s: recognised as %q", what, f.Name)
			continue
		}
		var got []*event.Event
		ids := map[event.ID]bool{}
		st, err := f.Decode(context.Background(), bytes.NewReader(text), recordtest.Source, func(e *event.Event) error {
			got = append(got, e)
			ids[e.ID] = true
			return nil
		})
		if err != nil || st.Decoded != 4 || st.Damaged != 0 || len(ids) != 4 {
			t.Fatalf("%s: %+v, %v, %d ids", what, st, err, len(ids))
		}
		services := ""
		for _, e := range got {
			services += e.Service + " "
		}
		if services != "v9 v9 v5 ipfix " || (got[0].Fields.Str("exporter") == "192.0.2.1") != (what != "packets") {
			t.Errorf("%s: %s, exporter %q", what, services, got[0].Fields.Str("exporter"))
		}
		// Cut anywhere it says so and loses nothing before the cut.
		st, err = f.Decode(context.Background(), bytes.NewReader(text[:len(text)-3]), recordtest.Source, func(*event.Event) error { return nil })
		if err != nil || st.Decoded != 3 || st.Damaged != 1 {
			t.Errorf("%s cut: %+v, %v", what, st, err)
		}
	}
	if _, ok := ingest.Recognise(pcap()); ok {
		t.Error("a capture without export packets is not ours")
	}
}

// TestPlasoCapture: a real capture of other traffic is not taken for flows.
func TestPlasoCapture(t *testing.T) {
	if r := recordtest.Plaso(t, "test.pcap"); r.Format != "" {
		t.Errorf("read as %s", r.Format)
	}
}

// TestSamples: lines as the listener writes them.
func TestSamples(t *testing.T) { recordtest.Run(t, "netflow") }

func FuzzDecode(f *testing.F) {
	f.Add(join(v9(1, 7, v9Template, set(256, v9Flow(40000, 445, 2))), v5(1, v5Record("10.1.9.4", "203.0.113.9", 51514, 443, 5000))))
	f.Add(pcap(v5(1, v5Record("10.1.9.4", "203.0.113.9", 51514, 443, 5000))))
	f.Add(pcapng(ipfix(0, 1, set(2, words(300, 3, 8, 4, 371, 65535, 151, 4)), set(300, ip("10.0.0.1"), u8(3), []byte("a\"\x01"), u32(exported)))))
	recordtest.Fuzz(f, netflow.Format())
}

// FuzzPacket: every line that a packet gives must be read as a record.
func FuzzPacket(f *testing.F) {
	f.Add(v9(1, 7, v9Template, set(256, v9Flow(40000, 445, 2))))
	f.Add(ipfix(0, 1, set(2, words(300, 4, 371, 65535, 154, 8, 311, 8, 70, 3)), set(300, u8(255, 0, 2), []byte("\xff\""), u64(1<<63), u64(1<<62), []byte("abc"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := netflow.NewDecoder()
		n := 0
		for range 2 {
			_ = d.Packet(exporter, b, func(fl *netflow.Flow) { // its errors are counted: Stats
				if n++; n > 100 {
					return
				}
				line := fl.AppendJSON(nil)
				if !json.Valid(line) {
					t.Fatalf("no JSON: %s", line)
				}
				e, err := netflow.Format().Record(line, format.Pos{}, recordtest.Source)
				if err != nil && !strings.Contains(err.Error(), "too many") {
					t.Fatalf("%v: %s", err, line)
				}
				if err == nil {
					e.View()
				}
			})
		}
	})
}

func BenchmarkV9(b *testing.B) {
	const n = 30
	var body [][]byte
	for i := range n {
		body = append(body, v9Flow(uint16(40000+i), 445, 0x1b))
	}
	d := netflow.NewDecoder()
	packet := v9(1, 7, v9Template, set(256, body...))
	var line []byte
	if err := d.Packet(exporter, packet, func(f *netflow.Flow) { line = f.AppendJSON(line[:0]) }); err != nil {
		b.Fatal(err)
	}
	b.Run("packet", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Packet(exporter, packet, func(*netflow.Flow) {}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/flow")
	})
	b.Run("packet to JSON", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Packet(exporter, packet, func(f *netflow.Flow) { line = f.AppendJSON(line[:0]) }); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/flow")
	})
	b.Run("JSON to event", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := netflow.Format().Record(line, format.Pos{}, recordtest.Source); err != nil {
				b.Fatal(err)
			}
		}
	})
}
