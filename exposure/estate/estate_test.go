// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package estate

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
	"citywall/exposure/inventorydb"
	"citywall/identity"
	"citywall/internal/db/dbtest"
	"citywall/internal/fault"
)

var (
	t0   = time.Date(2026, 3, 10, 2, 0, 0, 0, time.UTC)
	city = identity.Scope{Realm: asset.City}
)

type house struct {
	*Estate
	where string
	now   time.Time
}

// open opens the estate in where, as a start of the program does.
func open(t testing.TB, where string, config asset.Topology) *house {
	t.Helper()
	h := &house{where: where, now: t0}
	clock := func() time.Time { return h.now }
	s, err := inventorydb.Open(t.Context(), dbtest.Again(t, where), clock)
	if err != nil {
		t.Fatal(err)
	}
	if h.Estate, err = Open(t.Context(), s, config, clock, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return h
}

func flow(agency, src, dst string, port int) *event.Event {
	e := &event.Event{ID: event.NewID(agency+src, dst, uint64(port)), Time: t0, Received: t0, Source: "fw-" + agency, Agency: agency, Product: "zeek", Service: "conn"}
	for _, f := range [][2]string{{"id.orig_h", src}, {"id.resp_h", dst}, {"id.resp_p", fmt.Sprint(port)}, {"proto", "tcp"}, {"conn_state", "SF"}} {
		e.Fields.Add(f[0], f[1])
	}
	return e
}

func list(csv ...string) []byte { return []byte(strings.Join(csv, "\n") + "\n") }

func (h *house) accept(t *testing.T, name string, b []byte) drawing.Version {
	t.Helper()
	v, err := drawing.NewVersion(name, name+".csv", b)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = h.Propose(t.Context(), "hsu", v); err != nil {
		t.Fatal(err)
	}
	if v, err = h.Decide(t.Context(), "hsu", v.ID, drawing.Accepted); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRestart: what was seen, drawn and written is there after a kill, when it
// was saved, and after a stop in any case.
func TestRestart(t *testing.T) {
	where := dbtest.Where(t)
	h := open(t, where, asset.Topology{})
	h.Observe([]*event.Event{flow("A01", "10.0.1.1", "10.0.0.5", 445), flow("A02", "10.0.1.1", "8.8.8.8", 443)})
	h.Save(t.Context(), false)
	h.Observe([]*event.Event{flow("A01", "10.0.1.2", "10.0.0.5", 445)})
	killed := open(t, where, asset.Topology{})
	p, err := killed.List(city, Query{Sort: ByAddress})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range p.Devices {
		got = append(got, d.ID)
	}
	if want := []string{"10.0.0.5@A01", "10.0.1.1@A01", "10.0.1.1@A02"}; !slices.Equal(got, want) {
		t.Errorf("after a kill %q, want %q: one address in two agencies is two machines, and the internet is nobody's", got, want)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err := open(t, where, asset.Topology{}).List(city, Query{}); err != nil || p.Total != 4 {
		t.Errorf("%v: after a stop %d, want 4", err, p.Total)
	}
}

// TestJoined: the configuration stands before a drawing, a drawing before what
// people wrote; whom to call comes from the nearest.
func TestJoined(t *testing.T) {
	config := asset.Topology{Segments: []asset.Segment{{Name: "office", Prefix: netip.MustParsePrefix("10.0.1.0/24"), Zone: asset.ZoneInside, Contact: "1999"}}}
	h := open(t, dbtest.Where(t), config)
	h.accept(t, "nets", list("segment,prefix,agency,contact", "desks,10.0.1.0/24,A01,0000", "servers,10.0.0.0/24,A01,"))
	h.accept(t, "machines", list("name,address,role,contact", "fs01,10.0.0.5,file,"))
	h.Observe([]*event.Event{flow("A09", "10.0.1.1", "10.0.0.5", 445)})
	pc, err := h.Device(city, "10.0.1.1@A09")
	if err != nil || pc.Segment.Name != "office" || pc.Of != "A01" || pc.Contact != "1999" || pc.ContactOf != "segment" || pc.Drawn != nil {
		t.Errorf("%v %+v", err, pc)
	}
	fs, err := h.Device(city, "10.0.0.5@A09")
	if err != nil || fs.Name != "fs01" || fs.Contact != "" || !slices.Contains(fs.Known, asset.RoleFile) {
		t.Errorf("%v %+v", err, fs)
	}
	fs.Note.Contact, fs.Note.Owner = "0912", "lin"
	if _, err := h.PutNote(t.Context(), "lin", fs.Note); err != nil {
		t.Fatal(err)
	}
	if fs, err = h.Device(city, fs.ID); err != nil || fs.Contact != "0912" || fs.ContactOf != "device" || fs.Owner != "lin" {
		t.Errorf("%v %+v", err, fs)
	}
	top, clash := h.Topology()
	if len(clash) != 0 || top.Hosts[0].Contact != "0912" {
		t.Errorf("%+v %q", top, clash)
	}
	if _, err := h.PutNote(t.Context(), "lin", inventory.Note{Subject: pc.Note.Subject, Contact: "110"}); err != nil {
		t.Fatal(err)
	}
	if top, _ := h.Topology(); len(top.Hosts) != 1 {
		t.Errorf("a note draws a machine: %+v", top.Hosts)
	}
	if top, _ := h.Known(); len(top.Hosts) != 2 || top.Hosts[0].Owner != "lin" || top.Hosts[1].Contact != "110" || top.Hosts[1].Name != "10.0.1.1" || top.Hosts[1].Agency != "A01" {
		t.Errorf("known: %+v", top.Hosts)
	}
	whom := h.Whom(city, []netip.Addr{netip.MustParseAddr("10.0.1.1"), netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.1.77"), netip.MustParseAddr("10.9.9.9")})
	if len(whom) != 3 || whom[0].Contact != "110" || whom[1].Contact != "0912" || whom[1].Segment != "servers" || whom[2].Contact != "1999" || whom[2].ContactOf != "segment" {
		t.Errorf("whom to call: %+v", whom)
	}
	if w := h.Whom(identity.Scope{Realm: asset.City, Agencies: []string{"A09"}}, []netip.Addr{netip.MustParseAddr("10.0.0.5")}); len(w) != 0 {
		t.Errorf("another agency's: %+v", w)
	}
	a09 := identity.Scope{Realm: asset.City, Agencies: []string{"A09"}}
	if p, err := h.List(a09, Query{}); err != nil || p.All != 0 {
		t.Errorf("%v: whoever sees A09 sees machines of A01: %+v", err, p)
	}
	for _, sc := range []identity.Scope{{}, {Realm: asset.Police}, a09} {
		if _, err := h.Device(sc, fs.ID); !fault.Is(err, fault.NotFound) || len(h.Segments(sc))+len(h.Differences(sc)) != 0 {
			t.Errorf("%+v sees it: %v", sc, err)
		}
	}
	if s := h.Segments(city); len(s) != 2 || s[0].Seen != 1 || s[1].Seen != 1 {
		t.Errorf("%+v", s)
	}
}

func TestPreview(t *testing.T) {
	h := open(t, dbtest.Where(t), asset.Topology{})
	h.Observe([]*event.Event{flow("A01", "10.0.1.1", "10.0.0.5", 445), flow("A01", "10.0.1.2", "10.0.0.5", 445)})
	h.accept(t, "all", list("name,segment,prefix,address", ",office,10.0.1.0/24,", ",servers,10.0.0.0/24,", "fs01,,,10.0.0.5", "gone,,,10.0.0.9"))
	before := h.Differences(city)
	v, err := drawing.NewVersion("all", "new.csv", list("name,segment,prefix,address", ",office,10.0.1.0/24,", ",servers,10.0.0.0/24,", "fs01,,,10.0.0.5", "pc1,,,10.0.1.1", "new,,,10.0.0.7"))
	if err != nil {
		t.Fatal(err)
	}
	if v, err = h.Propose(t.Context(), "hsu", v); err != nil {
		t.Fatal(err)
	}
	p, err := h.Preview(t.Context(), v.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Segments) != 0 || len(p.Hosts) != 2 || !slices.Equal(p.Gone, []string{"gone"}) || p.Solves != 2 || len(p.Adds) != 1 || p.Adds[0].Name != "new" {
		t.Errorf("%+v", p)
	}
	if after := h.Differences(city); len(after) != len(before) {
		t.Error("a preview counts already")
	}
	if _, err := h.Decide(t.Context(), "hsu", v.ID, drawing.Accepted); err != nil {
		t.Fatal(err)
	}
	var kinds []inventory.Kind
	for _, d := range h.Differences(city) {
		kinds = append(kinds, d.Kind)
	}
	if want := []inventory.Kind{inventory.UndrawnHost, inventory.UnseenHost}; !slices.Equal(kinds, want) {
		t.Errorf("%q, want %q (10.0.1.2 and new)", kinds, want)
	}
	ds, err := h.Drawings(t.Context())
	if err != nil || len(ds) != 2 || ds[0].State != drawing.Accepted || ds[1].State != drawing.Replaced {
		t.Errorf("%v %+v", err, ds)
	}
}

func TestList(t *testing.T) {
	h := open(t, dbtest.Where(t), asset.Topology{})
	var es []*event.Event
	for i := range 25 {
		es = append(es, flow("A01", fmt.Sprintf("10.0.1.%d", i+1), "10.0.0.5", 445))
	}
	h.Observe(es)
	q, n := Query{Sort: ByAddress, Limit: 10}, 0
	for range 10 {
		p, err := h.List(city, q)
		if err != nil || p.Total != 26 {
			t.Fatal(err, p.Total)
		}
		n += len(p.Devices)
		if q.After = p.Next; q.After == "" {
			break
		}
	}
	if n != 26 {
		t.Errorf("%d devices over all pages, want 26", n)
	}
	for q, want := range map[Query]int{{Text: "10.0.0"}: 1, {Role: "file"}: 1, {Drawn: "yes"}: 0, {Drawn: "no", Segment: "-"}: 26, {Agency: "A02"}: 0, {Text: "FW-a01"}: 26} {
		if p, err := h.List(city, q); err != nil || p.Total != want {
			t.Errorf("%+v: %d, %v; want %d", q, p.Total, err, want)
		}
	}
	for _, q := range []Query{{Sort: "weight"}, {Limit: -1}, {After: "x"}, {Drawn: "maybe"}} {
		if _, err := h.List(city, q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// TestForget: what was not seen for long is forgotten, in memory and on disk.
func TestForget(t *testing.T) {
	where := dbtest.Where(t)
	h := open(t, where, asset.Topology{})
	h.Observe([]*event.Event{flow("A01", "10.0.1.1", "10.0.0.5", 445)})
	h.Save(t.Context(), true)
	h.now = t0.Add(forgetAfter[0] + time.Hour)
	late := flow("A01", "10.0.1.2", "10.0.0.6", 445)
	late.Time, late.Received = h.now, h.now
	h.Observe([]*event.Event{late})
	h.Save(t.Context(), true)
	for _, x := range []*house{h, open(t, where, asset.Topology{})} {
		if p, err := x.List(city, Query{Sort: ByAddress}); err != nil || p.Total != 2 || p.Devices[0].Addr.String() != "10.0.0.6" {
			t.Errorf("%v %+v", err, p)
		}
	}
}

// TestFlood: a source that says too much is looked at in part, another is not
// overlooked because of it, and a reader does not hold events up.
func TestFlood(t *testing.T) {
	h := open(t, dbtest.Where(t), asset.Topology{})
	flood := make([]*event.Event, whole*2)
	for i := range flood {
		flood[i] = flow("A01", "10.0.1.1", "10.0.0.5", 445)
	}
	h.Observe(flood)
	h.Observe([]*event.Event{flow("A02", "10.0.1.2", "10.0.0.5", 445)})
	if s := h.Status(); s.Passed == 0 || s.Looked+s.Passed != int64(len(flood)+1) || s.Machines != 4 {
		t.Errorf("%+v", s)
	}
	h.mu.Lock() // somebody reads
	for range waiting + 1 {
		h.Observe([]*event.Event{flow("A03", "10.0.1.3", "10.0.0.5", 445)})
	}
	h.mu.Unlock()
	before := h.Status()
	if before.Machines != 6 || before.Looked+before.Passed != int64(len(flood)+1+waiting+1) {
		t.Errorf("%+v", before)
	}
}

// BenchmarkObserve is the observer's cost of one event at 50,000 a second, saved
// every ten seconds, of 10,000 machines behind 20 sources. cpu-ns/event is
// processor time of all that it does.
func BenchmarkObserve(b *testing.B) {
	h := open(b, dbtest.Where(b), asset.Topology{Segments: []asset.Segment{{Name: "all", Prefix: netip.MustParsePrefix("10.0.0.0/8")}}})
	const batch, perSave = 5000, 500_000
	events := make([]*event.Event, 200_000)
	for i := range events {
		events[i] = flow(fmt.Sprintf("A%02d", i%20), fmt.Sprintf("10.1.%d.%d", i/250%40, i%250), fmt.Sprintf("10.0.0.%d", i*7%200), 443)
	}
	cpu := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	n, since := 0, 0
	begin := cpu()
	for b.Loop() {
		at := n % len(events)
		h.Observe(events[at : at+batch])
		n += batch
		if since += batch; since >= perSave {
			since = 0
			h.now = h.now.Add(saveEvery)
			h.Save(b.Context(), false)
		}
	}
	b.ReportMetric(float64(cpu()-begin)/float64(n), "cpu-ns/event")
	s := h.Status()
	b.ReportMetric(float64(s.Looked)/float64(n), "looked/event")
	if s.Error != "" {
		b.Fatal(s.Error)
	}
}
