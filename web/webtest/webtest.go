// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package webtest stands up the web side over real parts in a temporary
// folder, with a city that is under attack: the hospital of incidenttest, three
// smaller incidents, a day of ordinary records, sources that deliver and some
// that do not, users of every role.
//
// It promises that what a page shows in a test came through the same stores
// that production uses. Only tests import it.
package webtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"citywall/asset"
	"citywall/audit"
	"citywall/casework"
	"citywall/casework/casedb"
	"citywall/casework/docket"
	"citywall/casework/exhibit"
	"citywall/casework/handover"
	"citywall/detect"
	"citywall/detect/detectdb"
	"citywall/duty"
	"citywall/duty/dutydb"
	"citywall/eventstore"
	"citywall/eventstore/query"
	"citywall/identity"
	"citywall/identity/identitydb"
	"citywall/incident"
	"citywall/incident/incidentdb"
	"citywall/incident/incidenttest"
	"citywall/ingest/sender"
	"citywall/ingest/senderdb"
	"citywall/internal/db"
	"citywall/internal/fault"
	"citywall/internal/keys"
	"citywall/internal/text"
	"citywall/web"
	"citywall/web/desk"
)

// Now is the moment the site shows: the encryption has just run through.
var Now = incidenttest.At(20, "19:21:30")

// Password is everybody's.
const Password = "correct horse 7 battery"

// Person is a user of the site.
type Person struct {
	Name     string
	Shown    string
	Realm    asset.Realm
	Role     identity.Role
	Agencies []string
}

// People has one of each role and realm.
var People = []Person{
	{"chen.yj", "陳怡君", asset.City, identity.SOCLead, nil},
	{"lin.zh", "林志豪", asset.City, identity.SOCAnalyst, nil},
	{"wu.mf", "吳美芳", asset.City, identity.AgencyAdmin, []string{"hospital"}},
	{"hsu.admin", "許文彬", asset.City, identity.SystemAdmin, nil},
	{"kao.audit", "高淑惠", asset.City, identity.Auditor, nil},
	{"chang.kh", "張國華", asset.Police, identity.Investigator, nil},
	{"huang.st", "黃世東", asset.Police, identity.Supervisor, nil},
	{"lee.admin", "李俊傑", asset.Police, identity.SystemAdmin, nil},
	{"tsai.audit", "蔡佩珊", asset.Police, identity.Auditor, nil},
}

// Site is a web side that serves.
type Site struct {
	URL      string
	Config   web.Config
	Handler  http.Handler
	Incident string            // record id of the hospital's incident
	Device   string            // id of the hospital's domain controller in the inventory
	Drawing  string            // id of a drawing that waits to be accepted
	Counted  string            // id of a finding of a rule that counts records
	Missing  string            // a file of the community's rules that is not there when rules are read
	IDs      map[string]string // engine's id → record id
	Dir      string
	ahead    atomic.Int64 // how far the site's clock is ahead of Now, ns
}

// Forward moves the site's clock.
func (s *Site) Forward(d time.Duration) { s.ahead.Add(int64(d)) }

// New stands a site up; it is taken down with the test.
func New(t testing.TB) *Site {
	t.Helper()
	return Build(t, t.TempDir())
}

// Build is New in a folder of the caller's choice.
func Build(t testing.TB, dir string) *Site {
	t.Helper()
	s := &Site{Dir: dir, IDs: map[string]string{}}
	ctx := t.Context()
	policy, err := identity.NewPolicy()
	must(t, err)
	inbox := filepath.Join(dir, "inbox")
	must(t, os.MkdirAll(inbox, 0o700))
	cityKeys, err := keys.Open(filepath.Join(dir, "keys"), "city")
	must(t, err)
	policeKeys, err := keys.Open(filepath.Join(dir, "keys"), "police")
	must(t, err)
	s.Config = web.Config{LiveEvery: 300 * time.Millisecond, Desk: desk.Config{
		Policy: policy, Now: func() time.Time { return Now.Add(time.Duration(s.ahead.Load())) }, Version: desk.Version{Version: "test", Go: "go"}, Query: query.Parse,
		City:   s.city(t, ctx, cityKeys, policeKeys, inbox),
		Police: police(t, ctx, dir, cityKeys, policeKeys, inbox),
	}}
	var logged bytes.Buffer
	s.Config.Log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelError}))
	t.Cleanup(func() {
		if logged.Len() > 0 {
			t.Errorf("the server logged errors:\n%s", logged.String())
		}
	})
	s.Handler, err = web.New(s.Config)
	must(t, err)
	srv := httptest.NewServer(s.Handler)
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// realm opens what both realms have and makes their users.
func realm(t testing.TB, ctx context.Context, dir string, r asset.Realm, k *keys.Ring) (*db.DB, desk.Realm) {
	t.Helper()
	d, err := db.Open(ctx, filepath.Join(dir, string(r)+".db"))
	must(t, err)
	t.Cleanup(func() { d.Close() })
	users, err := identitydb.Open(ctx, d, r, identitydb.Options{Argon2: identity.Argon2{Memory: 64, Passes: 1, Lanes: 1}})
	must(t, err)
	for _, p := range People {
		if p.Realm == r {
			_, err := users.CreateUser(ctx, identitydb.User{Name: p.Name, Shown: p.Shown, Realm: r, Role: p.Role, Agencies: p.Agencies}, Password)
			must(t, err)
		}
	}
	must(t, os.MkdirAll(filepath.Join(dir, "audit"), 0o700))
	log, err := audit.Open(filepath.Join(dir, "audit", string(r)), r, k.Sign)
	must(t, err)
	t.Cleanup(func() { log.Close() })
	return d, desk.Realm{Users: users, Audit: log}
}

func (s *Site) city(t testing.TB, ctx context.Context, own, police *keys.Ring, inbox string) *desk.City {
	t.Helper()
	d, side := realm(t, ctx, s.Dir, asset.City, own)
	events := s.store(t, ctx)
	t.Cleanup(func() { events.Close() })
	seeded := append(incidenttest.Events(), background()...)
	must(t, events.Append(ctx, eventstore.Batch{MsgID: "seed", Events: seeded}))
	findings, err := detectdb.Open(ctx, d, asset.City)
	must(t, err)
	_, err = findings.Save(ctx, append(incidenttest.Findings(), noise()...))
	must(t, err)
	incidents, err := incidentdb.Open(ctx, d, asset.City)
	must(t, err)
	all := append([]incident.Incident{incidenttest.Hospital()}, incidenttest.Others()...)
	_, err = incidents.Save(ctx, all)
	must(t, err)
	for _, in := range all {
		r, err := incidents.Get(ctx, identity.Scope{Realm: asset.City}, in.ID)
		must(t, err)
		s.IDs[in.ID] = r.ID
	}
	s.Incident = s.IDs[all[0].ID]
	s.progress(t, ctx, incidents, all)
	watch, err := dutydb.Open(ctx, d, func() time.Time { return Now.Add(time.Duration(s.ahead.Load())) })
	must(t, err)
	s.watch(t, ctx, watch)
	recipient, err := police.Public().Recipient()
	must(t, err)
	return &desk.City{
		Realm: side, Events: events, Findings: findings, Incidents: incidents,
		Sources: func(context.Context) ([]desk.Source, error) { return sources(), nil },
		Rules:   s.rules(t, ctx, findings, seeded),
		Senders: s.senders(t, ctx, d),
		Storage: s.storage(t, ctx, d, events, own),
		Assets:  s.assets(t, ctx, d),
		Duty:    &desk.Duty{Store: watch, Policy: duty.DefaultPolicy()},
		Handover: &desk.Handover{Inbox: inbox, Export: func(ctx context.Context, w io.Writer, env handover.Envelope, c handover.Content) (handover.Manifest, error) {
			return handover.Export(ctx, w, env, c, own.Sign, recipient)
		}},
	}
}

// senders registers one that delivers and one that does not yet.
func (s *Site) senders(t testing.TB, ctx context.Context, d *db.DB) *desk.Senders {
	t.Helper()
	st, err := senderdb.Open(ctx, d, func() time.Time { return Now })
	must(t, err)
	for _, x := range []sender.Sender{
		{Name: "edge-fw", Kind: "fortigate", Transport: sender.SyslogTLS, Address: netip.MustParsePrefix("10.0.0.1/32"), Agency: "bureau", Silence: 15 * time.Minute, Contact: "林志豪"},
		{Name: "school-fw", Kind: "zyxel", Transport: sender.SyslogUDP, Address: netip.MustParsePrefix("10.40.0.1/32"), Agency: "education", Silence: 30 * time.Minute},
	} {
		_, err := st.Put(ctx, "hsu.admin", x)
		must(t, err)
	}
	return &desk.Senders{
		Store: st, Changed: func(context.Context) error { return nil },
		Places: func(_ context.Context, transport string) (sender.Places, error) {
			if transport == sender.SyslogTLS {
				return sender.Places{Host: "ADDRESS", Port: "PORT"}, fault.New(fault.Unavailable, "nothing listens for %s", transport)
			}
			return sender.Places{Host: "citywall.city.example", Port: "514", URL: "https://citywall.city.example/api/v1/ingest", Folder: "/srv/logs"}, nil
		},
	}
}

// watch puts people on duty, raises alarms of which one is answered and one
// does not get through, and leaves notes.
func (s *Site) watch(t testing.TB, ctx context.Context, st *dutydb.Store) {
	t.Helper()
	for _, p := range []duty.Person{
		{ID: "chen.yj", Name: "陳怡君", Mail: "chen.yj@city.example", Phone: "0900-000-001"}, {ID: "lin.zh", Name: "林志豪", Mail: "lin.zh@city.example", Phone: "0900-000-002"},
		{ID: "hospital", Name: "市立醫院資訊室", Phone: "02-0000-0000 轉 119", Agencies: []string{"hospital"}, Note: "夜間請打總機"},
	} {
		must(t, st.PutPerson(ctx, p))
	}
	morning := Now.In(duty.Taipei).Truncate(time.Hour).Add(-12 * time.Hour)
	var shifts []duty.Shift
	for d := range 4 {
		b := morning.AddDate(0, 0, d)
		shifts = append(shifts, duty.Shift{Person: "lin.zh", Post: duty.OnDuty, Begin: b, End: b.Add(24 * time.Hour)}, duty.Shift{Person: "chen.yj", Post: duty.Lead, Begin: b, End: b.Add(24 * time.Hour)})
	}
	must(t, st.AddShifts(ctx, shifts))
	_, err := st.AddNote(ctx, "chen.yj", "白班無重大事件。hosp-fw01 下午韌體更新，可能有數分鐘無紀錄，已與醫院確認。")
	must(t, err)
	causes := []duty.Cause{
		{Subject: "incident/" + s.Incident, Severity: detect.Critical, Path: "/incidents/" + s.Incident, Agencies: []string{"hospital"},
			Title: map[text.Lang]string{text.ZhTW: "市立醫院：43 台主機遭入侵並加密", text.En: "City hospital: 43 hosts compromised and encrypted"}},
		{Subject: "source/hosp-fw01", Severity: detect.Medium, Path: "/sources?text=hosp-fw01", Agencies: []string{"hospital"},
			Title: map[text.Lang]string{text.ZhTW: "資料來源 hosp-fw01 已無紀錄傳入", text.En: "The source hosp-fw01 has fallen silent"}},
	}
	raised, err := st.Watch(ctx, causes, duty.DefaultPolicy())
	must(t, err)
	_, err = st.Ack(ctx, "lin.zh", raised[1].ID, 1)
	must(t, err)
	calls, err := st.Take(ctx, 10, false)
	must(t, err)
	for _, c := range calls {
		for range 3 {
			c = c.Failed(Now, "mail to lin.zh@city.example over mail.city.example:587: connection refused", false)
		}
		must(t, st.Done(ctx, c))
	}
}

// progress gives the smaller incidents a life, so that lists show every state.
func (s *Site) progress(t testing.TB, ctx context.Context, st *incidentdb.Store, all []incident.Incident) {
	t.Helper()
	move := func(in incident.Incident, owner string, to ...incident.State) {
		r, err := st.Get(ctx, identity.Scope{Realm: asset.City}, in.ID)
		must(t, err)
		r, err = st.SetOwner(ctx, owner, r.ID, r.Version, owner)
		must(t, err)
		for _, x := range to {
			r, err = st.SetState(ctx, owner, r.ID, r.Version, x, "密碼已重設，無登入成功紀錄")
			must(t, err)
		}
	}
	move(all[1], "lin.zh", incident.Triaged)
	move(all[2], "chen.yj", incident.Triaged, incident.Contained)
	move(all[3], "lin.zh", incident.Triaged, incident.Contained, incident.Closed)
	_, err := st.AddNote(ctx, "lin.zh", s.Incident, "已電話通知醫院資訊室值班人員，核心交換器待命。\n備份主機 bk01 紀錄中斷 22 分鐘，請調閱虛擬化平台紀錄。")
	must(t, err)
}

func police(t testing.TB, ctx context.Context, dir string, city, own *keys.Ring, inbox string) *desk.Police {
	t.Helper()
	d, side := realm(t, ctx, dir, asset.Police, own)
	cases, err := casedb.Open(ctx, d, casework.Scheme{})
	must(t, err)
	vault, err := exhibit.Open(filepath.Join(dir, "cases"))
	must(t, err)
	book := &docket.Docket{Store: cases, Vault: vault}
	trusted := []handover.Trusted{{Name: "資訊局", Key: city.Verifier()}}
	return &desk.Police{Realm: side, Cases: book, Vault: vault, Packages: &desk.Packages{
		Inbox: inbox,
		Open: func(ctx context.Context, file string) (*handover.Package, error) {
			return handover.Open(ctx, file, trusted, own.Seal)
		},
		Import: func(ctx context.Context, p *handover.Package, actor, owner, title string) (casework.File, error) {
			return handover.Import(ctx, book, p, actor, owner, title)
		},
	}}
}

// Handed hands the hospital's incident and a smaller one over to the police and
// returns the ids of the packages.
func (s *Site) Handed(t testing.TB) []string {
	t.Helper()
	c := s.As(t, "chen.yj")
	var out []string
	for _, id := range []string{s.Incident, s.IDs[incidenttest.Others()[1].ID]} {
		a := c.Send("/api/v1/incidents/"+id+"/handover", `{"reason":"市立醫院遭勒索軟體攻擊，影響門診，請協助偵辦。","send":true}`)
		var g struct{ Package string }
		if err := json.Unmarshal([]byte(a.Body), &g); err != nil || a.Status != http.StatusOK {
			t.Fatalf("hand over: %d %s", a.Status, a.Body)
		}
		out = append(out, g.Package)
	}
	return out
}

// Opened opens a case from a package and returns its id.
func (s *Site) Opened(t testing.TB, pkg string) string {
	t.Helper()
	a := s.As(t, "chang.kh").Send("/api/v1/inbox/"+pkg+"/open", `{"title":"市立醫院遭勒索軟體攻擊案","owner":"chang.kh"}`)
	var f struct{ ID string }
	if err := json.Unmarshal([]byte(a.Body), &f); err != nil || a.Status != http.StatusOK {
		t.Fatalf("open a case: %d %s", a.Status, a.Body)
	}
	return f.ID
}

// Client is a browser without script: it keeps cookies and does not follow
// redirects.
func (s *Site) Client(t testing.TB) *Client {
	t.Helper()
	return &Client{t: t, site: s, cookies: map[string]string{}}
}

// As is a client that is signed in.
func (s *Site) As(t testing.TB, name string) *Client {
	t.Helper()
	c := s.Client(t)
	for _, p := range People {
		if p.Name == name {
			res := c.Post("/login", url.Values{"realm": {string(p.Realm)}, "user": {name}, "password": {Password}, "to": {"/"}})
			if res.Status != http.StatusSeeOther {
				t.Fatalf("sign in as %s: %d %s", name, res.Status, res.Body)
			}
			return c
		}
	}
	t.Fatalf("nobody is called %s", name)
	return nil
}

// Client sends requests.
type Client struct {
	t       testing.TB
	site    *Site
	cookies map[string]string
	Lang    string
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Get asks for a path.
func (c *Client) Get(path string) Answer { return c.Do("GET", path, "", nil) }

// Post sends a form.
func (c *Client) Post(path string, form url.Values) Answer {
	return c.Do("POST", path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// Send posts JSON.
func (c *Client) Send(path, body string) Answer {
	return c.Do("POST", path, "application/json", strings.NewReader(body))
}

// Do sends any request.
func (c *Client) Do(method, path, kind string, body io.Reader) Answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.site.URL+path, body)
	must(c.t, err)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.Lang != "" {
		req.Header.Set("Accept-Language", c.Lang)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	for k, v := range c.cookies {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	must(c.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(c.t, err)
	for _, ck := range res.Cookies() {
		if ck.MaxAge < 0 {
			delete(c.cookies, ck.Name)
			continue
		}
		c.cookies[ck.Name] = ck.Value
	}
	return Answer{res.StatusCode, res.Header, string(b)}
}

// Cookie returns the value of a cookie.
func (c *Client) Cookie(name string) string { return c.cookies[name] }
