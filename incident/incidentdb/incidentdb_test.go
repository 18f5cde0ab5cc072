// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package incidentdb

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"citywall/asset"
	"citywall/detect"
	"citywall/event"
	"citywall/identity"
	"citywall/incident"
	"citywall/incident/incidenttest"
	"citywall/internal/db/dbtest"
	"citywall/internal/fault"
	"citywall/internal/text"
)

var (
	city = identity.Scope{Realm: asset.City}
	zero = time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
	same = gocmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})}
)

func TestPostgres(t *testing.T) { dbtest.OnPostgres(t) }

func begin(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), dbtest.Open(t), asset.City)
	if err != nil {
		t.Fatal(err)
	}
	var tick atomic.Int64
	s.now = func() time.Time { return zero.Add(time.Duration(tick.Add(1)) * time.Second) }
	return s
}

// chain makes an incident in which the intruder goes from host to host, a
// minute each; finding and record ids follow from the hosts' names.
func chain(id string, severity detect.Level, hosts ...string) incident.Incident {
	in := incident.Incident{ID: id, Realm: asset.City, Severity: severity, Title: incident.Reason{Code: "ransomware", Args: map[string]string{"entry": hosts[0]}},
		Entry: incident.Entry{Kind: "web", Vector: "https://" + hosts[0]}, Parameters: map[string]string{"k": "5"}}
	for i, h := range hosts {
		at := zero.Add(time.Duration(hash(h)%1000) * time.Minute)
		agency := strings.ToUpper(h[:1])
		f := detect.NewID("rule", event.NewID(h, "s", 1))
		in.Findings = append(in.Findings, f)
		in.Hosts = append(in.Hosts, incident.HostState{Host: h, Agency: agency, Compromised: true, First: at, Last: at.Add(time.Minute)})
		in.Steps = append(in.Steps, incident.StepEvent{Time: at, Last: at, Host: h, Step: detect.StepExecution, What: "ran on " + h, Findings: []string{f}})
		if i > 0 {
			in.Hops = append(in.Hops, incident.Hop{N: i, Time: at, Last: at, Src: incident.Endpoint{Host: hosts[i-1]}, Dst: incident.Endpoint{Host: h}, Kind: "smb",
				Grade: incident.Observed, Evidence: []incident.Pointer{{Event: event.NewID(h, "s", 2)}}})
		}
		if !slices.Contains(in.Agencies, agency) {
			in.Agencies = append(in.Agencies, agency)
		}
	}
	slices.Sort(in.Agencies)
	first := in.Hosts[0]
	in.FirstCompromise = &incident.FirstCompromise{Host: first.Host, Latest: first.First}
	in.First, in.Last = first.First, first.Last
	for _, h := range in.Hosts {
		if h.First.Before(in.First) {
			in.First = h.First
		}
		if h.Last.After(in.Last) {
			in.Last = h.Last
		}
	}
	return in
}

func hash(s string) (n uint32) {
	for _, c := range s {
		n = n*31 + uint32(c)
	}
	return n
}

func save(t *testing.T, s *Store, is ...incident.Incident) Saved {
	t.Helper()
	sv, err := s.Save(t.Context(), is)
	if err != nil {
		t.Fatal(err)
	}
	return sv
}

func get(t *testing.T, s *Store, id string) Record {
	t.Helper()
	r, err := s.Get(t.Context(), city, id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func hostsOf(in incident.Incident) string {
	var hs []string
	for _, h := range in.Hosts {
		hs = append(hs, h.Host)
	}
	slices.Sort(hs)
	return strings.Join(hs, " ")
}

func listed(t *testing.T, s *Store, sc identity.Scope, q ListQuery) string {
	t.Helper()
	var ids []string
	for {
		p, err := s.List(t.Context(), sc, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Rows {
			ids = append(ids, r.ID)
		}
		if p.Next == "" {
			return strings.Join(ids, " ")
		}
		q.After = p.Next
	}
}

func TestSaveTwiceChangesNothing(t *testing.T) {
	s := begin(t)
	in := incidenttest.Hospital()
	other := chain("x", detect.Low, "a1", "a2")
	if sv := save(t, s, in, other); len(sv.New) != 2 || len(sv.Changed) != 0 {
		t.Fatalf("%+v", sv)
	}
	before := get(t, s, in.ID)
	want := in
	if d := gocmp.Diff(want, before.Incident, same); d != "" {
		t.Errorf("came back changed:\n%s", d)
	}
	if before.State != incident.New || before.Version != 1 || before.Revision != 1 {
		t.Errorf("%+v", before)
	}
	if sv := save(t, s, other, in); len(sv.New)+len(sv.Changed) != 0 {
		t.Errorf("again: %+v", sv)
	}
	if after := get(t, s, in.ID); !gocmp.Equal(before, after, same) {
		t.Error("saving again changed it")
	}
	h, err := s.History(t.Context(), city, in.ID)
	if err != nil || len(h) != 1 || h[0].What != "found" {
		t.Errorf("%+v, %v", h, err)
	}
	if sv := save(t, s); len(sv.New)+len(sv.Changed) != 0 {
		t.Errorf("nothing: %+v", sv)
	}
	for _, bad := range []incident.Incident{{Realm: asset.City}, {ID: "y", Realm: asset.Police}} {
		if _, err := s.Save(t.Context(), []incident.Incident{other, bad}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v", err)
		}
	}
}

// TestDecisionsSurvive: the engine finds an earlier beginning, and with it
// another id; what people decided stays where it was.
func TestDecisionsSurvive(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	save(t, s, chain("old", detect.High, "b2", "b3", "b4"))
	r, err := s.SetState(ctx, "chen", "old", 1, incident.Triaged, "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err = s.SetOwner(ctx, "chen", "old", r.Version, "lin"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddNote(ctx, "lin", "old", " asked the hospital "); err != nil {
		t.Fatal(err)
	}
	sv := save(t, s, chain("new", detect.Critical, "b1", "b2", "b3", "b4", "b5"), chain("else", detect.Low, "z1", "z2"))
	if len(sv.New) != 1 || sv.New[0] != "else" || len(sv.Changed) != 1 || sv.Changed[0] != "old" {
		t.Errorf("%+v", sv)
	}
	r = get(t, s, "new") // an id the engine gave it leads there too
	if r.ID != "old" || r.Incident.ID != "old" || r.State != incident.Triaged || r.Owner != "lin" || len(r.Notes) != 1 || r.Notes[0].Text != "asked the hospital" ||
		r.Version != 3 || r.Revision != 2 || r.Incident.Severity != detect.Critical || hostsOf(r.Incident) != "b1 b2 b3 b4 b5" {
		t.Errorf("%+v", r)
	}
	// And back: the earlier beginning proves to be noise.
	save(t, s, chain("old", detect.High, "b2", "b3", "b4", "b5"))
	if r := get(t, s, "old"); r.Owner != "lin" || hostsOf(r.Incident) != "b2 b3 b4 b5" {
		t.Errorf("%+v", r)
	}
}

func TestMovesAndLock(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	save(t, s, chain("i", detect.High, "b1", "b2"))
	allowed := map[string]bool{"new>triaged": true, "new>contained": true, "new>closed": true, "triaged>contained": true, "triaged>closed": true,
		"contained>triaged": true, "contained>closed": true, "closed>triaged": true}
	way := map[incident.State][]incident.State{incident.New: nil, incident.Triaged: {incident.Triaged}, incident.Contained: {incident.Contained}, incident.Closed: {incident.Closed}}
	for _, from := range States() {
		for _, to := range States() {
			id := string(from) + string(to)
			save(t, s, chain(id, detect.High, id+"1", id+"2"))
			r := get(t, s, id)
			for _, w := range way[from] {
				var err error
				if r, err = s.SetState(ctx, "chen", id, r.Version, w, "so it is"); err != nil {
					t.Fatal(err)
				}
			}
			_, err := s.SetState(ctx, "chen", id, r.Version, to, "because")
			if ok := allowed[string(from)+">"+string(to)]; (err == nil) != ok || err != nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("%s to %s: %v", from, to, err)
			}
		}
	}
	if _, err := s.SetState(ctx, "chen", "i", 1, incident.Closed, " "); !fault.Is(err, fault.Invalid) {
		t.Errorf("closing without a reason: %v", err)
	}
	if _, err := s.SetState(ctx, "chen", "i", 7, incident.Triaged, ""); !fault.Is(err, fault.Conflict) {
		t.Errorf("stale: %v", err)
	}
	if _, err := s.SetState(ctx, "", "i", 1, incident.Triaged, ""); !fault.Is(err, fault.Invalid) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := s.SetState(ctx, "chen", "nothing", 1, incident.Triaged, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("nothing: %v", err)
	}
	for _, n := range []string{"", " \n", strings.Repeat("x", maxText+1)} {
		if _, err := s.AddNote(ctx, "chen", "i", n); !fault.Is(err, fault.Invalid) {
			t.Errorf("note %.5q: %v", n, err)
		}
	}
	// Of many who change one incident at once, one does, and the others know.
	var won, lost atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := s.SetOwner(ctx, "chen", "i", 1, fmt.Sprint("user", i))
			switch {
			case err == nil:
				won.Add(1)
			case fault.Is(err, fault.Conflict):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 7 {
		t.Errorf("%d won, %d lost", won.Load(), lost.Load())
	}
}

func TestClosedAndGrown(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	in := chain("i", detect.Medium, "b1", "b2")
	save(t, s, in)
	closeIt := func() {
		t.Helper()
		r := get(t, s, "i")
		if _, err := s.SetState(ctx, "chen", "i", r.Version, incident.Closed, "a drill"); err != nil {
			t.Fatal(err)
		}
	}
	closeIt()
	in.Findings = append(in.Findings, "one more of the same")
	save(t, s, in)
	if r := get(t, s, "i"); r.State != incident.Closed || r.Revision != 2 {
		t.Errorf("another finding opens it: %+v", r)
	}
	in.Severity = detect.High
	save(t, s, in)
	if r := get(t, s, "i"); r.State != incident.Triaged {
		t.Error("more severe, and it stays closed")
	}
	closeIt()
	save(t, s, chain("i", detect.High, "b1", "b2", "b3"))
	if r := get(t, s, "i"); r.State != incident.Triaged {
		t.Error("another host, and it stays closed")
	}
	h, err := s.History(ctx, city, "i")
	if err != nil {
		t.Fatal(err)
	}
	var what []string
	for _, c := range h {
		what = append(what, c.What)
	}
	if got := strings.Join(what, " "); got != "found state_because opened_again_severity state_because opened_again_host" {
		t.Errorf("history %s", got)
	}
	if got := h[1].Text(text.En); got != "chen moved it from new to closed: a drill" {
		t.Error(got)
	}
	if got := h[1].Text(text.ZhTW); got != "chen 將狀態由新進改為已結案：a drill" {
		t.Error(got)
	}
}

func TestLinkCase(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	save(t, s, chain("i", detect.High, "a1", "a2"))
	l := CaseLink{Package: "p1", SHA256: "ff", Time: zero, By: "chen"}
	if err := s.LinkCase(ctx, "i", l); err != nil {
		t.Fatal(err)
	}
	if err := s.LinkCase(ctx, "i", l); !fault.Is(err, fault.Conflict) {
		t.Errorf("twice: %v", err)
	}
	if r := get(t, s, "i"); len(r.Cases) != 1 || r.Cases[0] != l {
		t.Errorf("%+v", r.Cases)
	}
	if err := s.LinkCase(ctx, "nothing", l); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	if err := s.LinkCase(ctx, "i", CaseLink{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
}

func TestList(t *testing.T) {
	s := begin(t)
	var all []incident.Incident
	for i := range 40 {
		all = append(all, chain(fmt.Sprintf("i%02d", i), detect.Level(i%5), fmt.Sprintf("%c%02d", 'a'+i%3, i), fmt.Sprintf("%cx%02d", 'a'+i%2, i)))
	}
	save(t, s, all...)
	if _, err := s.SetOwner(t.Context(), "chen", "i07", 1, "lin"); err != nil {
		t.Fatal(err)
	}
	order := func(keep func(incident.Incident) bool, less func(a, b incident.Incident) int) string {
		var sel []incident.Incident
		for _, in := range all {
			if keep(in) {
				sel = append(sel, in)
			}
		}
		slices.SortFunc(sel, less)
		var ids []string
		for _, in := range sel {
			ids = append(ids, in.ID)
		}
		return strings.Join(ids, " ")
	}
	byLast := func(a, b incident.Incident) int {
		if c := a.Last.Compare(b.Last); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	}
	newest := func(a, b incident.Incident) int { return -byLast(a, b) }
	severest := func(a, b incident.Incident) int {
		if a.Severity != b.Severity {
			return int(b.Severity) - int(a.Severity)
		}
		return newest(a, b)
	}
	any := func(incident.Incident) bool { return true }
	has := func(agency string) func(incident.Incident) bool {
		return func(in incident.Incident) bool { return slices.Contains(in.Agencies, agency) }
	}
	mid := zero.Add(500 * time.Minute)
	for _, c := range []struct {
		name string
		sc   identity.Scope
		q    ListQuery
		want string
	}{
		{"newest", city, ListQuery{}, order(any, newest)},
		{"oldest", city, ListQuery{Sort: Oldest}, order(any, byLast)},
		{"severest", city, ListQuery{Sort: Severest}, order(any, severest)},
		{"severe", city, ListQuery{MinSeverity: detect.High}, order(func(in incident.Incident) bool { return in.Severity >= detect.High }, newest)},
		{"text", city, ListQuery{Text: "I07 RAN"}, "i07"},
		{"owner", city, ListQuery{Owner: "lin"}, "i07"},
		{"agency", city, ListQuery{Agency: "C"}, order(has("C"), newest)},
		{"scope of an agency", identity.Scope{Realm: asset.City, Agencies: []string{"C"}}, ListQuery{}, order(has("C"), newest)},
		{"scope of two", identity.Scope{Realm: asset.City, Agencies: []string{"C", "B"}}, ListQuery{Sort: Oldest},
			order(func(in incident.Incident) bool { return has("C")(in) || has("B")(in) }, byLast)},
		{"active", city, ListQuery{From: mid, To: mid.Add(100 * time.Minute)},
			order(func(in incident.Incident) bool {
				return !in.Last.Before(mid) && in.First.Before(mid.Add(100*time.Minute))
			}, newest)},
		{"closed", city, ListQuery{States: []incident.State{incident.Closed}}, ""},
		{"hostile", city, ListQuery{Text: "%' OR 1=1 --", Agency: "%"}, ""},
		{"nobody's scope", identity.Scope{}, ListQuery{}, ""},
		{"police", identity.Scope{Realm: asset.Police}, ListQuery{}, ""},
		{"a case", identity.Scope{Realm: asset.City, Case: "c"}, ListQuery{}, ""},
	} {
		for _, limit := range []int{7, 500} {
			c.q.Limit = limit
			if got := listed(t, s, c.sc, c.q); got != c.want {
				t.Errorf("%s, %d a page:\n got %s\nwant %s", c.name, limit, got, c.want)
			}
		}
	}
	n, err := s.Count(t.Context(), identity.Scope{Realm: asset.City, Agencies: []string{"C"}})
	if err != nil || n[incident.New] != len(strings.Fields(order(has("C"), newest))) {
		t.Errorf("%v %v", n, err)
	}
	for _, q := range []ListQuery{{Limit: -1}, {Limit: 501}, {Sort: "x"}, {After: "x"}, {After: "1.x.y"}} {
		if _, err := s.List(t.Context(), city, q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// TestAgencySeesItsPart: what concerns another agency only is not in what an
// agency administrator gets, in any form.
func TestAgencySeesItsPart(t *testing.T) {
	s := begin(t)
	ctx := t.Context()
	in := chain("i", detect.High, "a-web", "a-file", "bsecret1", "a-dc", "bsecret2")
	secret := netip.MustParseAddr("10.77.7.7")
	in.Hosts[2].Addresses = []netip.Addr{secret}
	in.Hosts[1].Reasons = []incident.Reason{{Code: "hop_out", Args: map[string]string{"to": "bsecret1"}}, {Code: "step"}}
	in.Hops = append(in.Hops, incident.Hop{N: 5, Time: in.Last, Last: in.Last, Src: incident.Endpoint{Host: "a-dc"}, Dst: incident.Endpoint{Addr: secret}, Kind: "rdp", Sensors: []string{"bsecret1"}})
	in.Accounts = []incident.AccountState{{Account: asset.Account{Name: "shared"}, Hosts: []string{"a-web", "bsecret1"}}, {Account: asset.Account{Name: "theirs"}, Hosts: []string{"bsecret2"}}}
	in.Suspicious = []incident.Suspect{{Addr: netip.MustParseAddr("203.0.113.9"), Hosts: []string{"a-web", "bsecret2"}}, {Addr: netip.MustParseAddr("203.0.113.10"), Hosts: []string{"bsecret2"}}}
	in.Breakpoints = []incident.Breakpoint{{Code: "BP-1", Hop: 1}, {Code: "BP-2", Hop: 4, Dst: incident.Endpoint{Host: "bsecret2"}}}
	in.Title.Args["worst"] = "bsecret2"
	save(t, s, in)
	if _, err := s.AddNote(ctx, "chen", "i", "bsecret1 called us"); err != nil {
		t.Fatal(err)
	}
	sc := identity.Scope{Realm: asset.City, Agencies: []string{"A"}}
	r, err := s.Get(ctx, sc, "i")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.List(ctx, sc, ListQuery{})
	if err != nil || len(p.Rows) != 1 {
		t.Fatal(p, err)
	}
	h, err := s.History(ctx, sc, "i")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal([]any{r, p, h})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"bsecret", secret.String(), "theirs", "203.0.113.10", `"B"`} {
		if strings.Contains(string(b), s) {
			t.Errorf("%s is in what agency A gets:\n%s", s, b)
		}
	}
	if hostsOf(r.Incident) != "a-dc a-file a-web" || len(r.Incident.Hops) != 5 || len(r.Incident.Breakpoints) != 1 || len(r.Incident.Accounts) != 1 || p.Rows[0].Hosts != 3 {
		t.Errorf("%+v", r.Incident)
	}
	if got := listed(t, s, sc, ListQuery{Text: "bsecret1"}); got != "" {
		t.Errorf("a search tells what the line does not: %s", got)
	}
	if got := listed(t, s, sc, ListQuery{Text: "a-file"}); got != "i" {
		t.Errorf("%q", got)
	}
	if _, err := s.Get(ctx, identity.Scope{Realm: asset.City, Agencies: []string{"C"}}, "i"); !fault.Is(err, fault.NotFound) {
		t.Errorf("agency C: %v", err)
	}
	if _, err := s.History(ctx, identity.Scope{}, "i"); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func BenchmarkSaveOneOf100Changed(b *testing.B) {
	s := begin(b)
	var all []incident.Incident
	for i := range 100 {
		in := incidenttest.Hospital()
		in.ID = fmt.Sprintf("i%03d", i)
		for j := range in.Findings {
			in.Findings[j] = fmt.Sprintf("%s-%03d", in.Findings[j], i)
		}
		for j := range in.Hops {
			in.Hops[j].Evidence = []incident.Pointer{{Event: event.NewID(in.ID, "s", uint64(j))}}
		}
		for j := range in.Steps {
			in.Steps[j].Findings = []string{fmt.Sprintf("%s-%d", in.ID, j)}
		}
		all = append(all, in)
	}
	if _, err := s.Save(b.Context(), all); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		all[n%100].Findings = append(all[n%100].Findings, fmt.Sprint("more", n))
		if sv, err := s.Save(b.Context(), all); err != nil || len(sv.Changed) != 1 {
			b.Fatal(sv, err)
		}
	}
}
