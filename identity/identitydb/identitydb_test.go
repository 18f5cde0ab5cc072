// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identitydb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"citywall/asset"
	"citywall/identity"
	"citywall/internal/db/dbtest"
	"citywall/internal/fault"
)

func TestPostgres(t *testing.T) { dbtest.OnPostgres(t) }

var cheap = identity.Argon2{Memory: 64, Passes: 1, Lanes: 1}

type clock struct{ us atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.us.Store(time.Date(2026, 10, 20, 3, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time       { return time.UnixMicro(c.us.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.us.Add(d.Microseconds()) }

func begin(t *testing.T, realm asset.Realm) (*Store, *clock, string) {
	t.Helper()
	d := dbtest.Open(t)
	c := newClock()
	s, err := Open(t.Context(), d, realm, Options{Argon2: cheap, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return s, c, d.Path()
}

func add(t *testing.T, s *Store, name string, role identity.Role, pw string) User {
	t.Helper()
	u := User{Name: name, Shown: strings.ToUpper(name), Role: role}
	if role == identity.AgencyAdmin {
		u.Agencies = []string{"H02", "H01", "H02"}
	}
	u, err := s.CreateUser(t.Context(), u, pw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

const pw = "a long password"

func TestUsers(t *testing.T) {
	s, c, _ := begin(t, asset.City)
	ctx := t.Context()
	u := add(t, s, "agency.lin", identity.AgencyAdmin, pw)
	if !slices.Equal(u.Agencies, []string{"H01", "H02"}) || u.Version != 1 || !u.HasPassword || u.Realm != asset.City {
		t.Errorf("%+v", u)
	}
	add(t, s, "admin", identity.SystemAdmin, "")
	for name, bad := range map[string]User{
		"taken name":            {Name: "agency.lin", Role: identity.SOCLead},
		"no name":               {Role: identity.SOCLead},
		"odd name":              {Name: "Lin Mei", Role: identity.SOCLead},
		"police role":           {Name: "x1", Role: identity.Investigator},
		"no role":               {Name: "x2"},
		"other realm":           {Name: "x3", Role: identity.Auditor, Realm: asset.Police},
		"agencies of a lead":    {Name: "x4", Role: identity.SOCLead, Agencies: []string{"H01"}},
		"agency without a code": {Name: "x5", Role: identity.AgencyAdmin, Agencies: []string{" "}},
	} {
		want := fault.Invalid
		if name == "taken name" {
			want = fault.Conflict
		}
		if _, err := s.CreateUser(ctx, bad, pw); !fault.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.CreateUser(ctx, User{Name: "x6", Role: identity.SOCLead}, "short"); !fault.Is(err, fault.Invalid) {
		t.Errorf("short password: %v", err)
	}

	c.pass(time.Minute)
	mine, theirs := u, u
	mine.Role, mine.Agencies, mine.Shown = identity.SOCLead, nil, "林\x00美"
	got, err := s.UpdateUser(ctx, mine)
	if err != nil || got.Role != identity.SOCLead || got.Version != 2 || got.Shown != "林\ufffd美" || !got.Changed.After(got.Created) {
		t.Errorf("%+v, %v", got, err)
	}
	theirs.Disabled = true
	if _, err := s.UpdateUser(ctx, theirs); !fault.Is(err, fault.Conflict) {
		t.Errorf("stale change: %v", err)
	}
	if _, err := s.UpdateUser(ctx, User{Name: "nobody", Role: identity.SOCLead}); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody: %v", err)
	}
	us, err := s.Users(ctx)
	if err != nil || len(us) != 2 || us[0].Name != "admin" || us[1].Shown != "林\ufffd美" {
		t.Errorf("%+v, %v", us, err)
	}
}

func TestLastAdminStays(t *testing.T) {
	s, _, _ := begin(t, asset.Police)
	ctx := t.Context()
	a := add(t, s, "admin1", identity.SystemAdmin, "")
	a.Disabled = true
	if _, err := s.UpdateUser(ctx, a); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "last system administrator") {
		t.Errorf("disabling: %v", err)
	}
	a.Disabled, a.Role = false, identity.Auditor
	if _, err := s.UpdateUser(ctx, a); !fault.Is(err, fault.Conflict) {
		t.Errorf("demoting: %v", err)
	}
	add(t, s, "admin2", identity.SystemAdmin, "")
	if _, err := s.UpdateUser(ctx, a); err != nil {
		t.Errorf("with another one: %v", err)
	}
}

// TestRealmIsForGood: the file of one realm is not opened for the other.
func TestRealmIsForGood(t *testing.T) {
	s, _, _ := begin(t, asset.City)
	if _, err := Open(t.Context(), s.d, asset.Police, Options{Argon2: cheap}); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
	if _, err := Open(t.Context(), s.d, asset.City, Options{Argon2: cheap}); err != nil {
		t.Error(err)
	}
}

func TestLogin(t *testing.T) {
	s, _, _ := begin(t, asset.City)
	ctx := t.Context()
	add(t, s, "chen", identity.SOCLead, pw)
	add(t, s, "linkonly", identity.SOCLead, "")
	gone := add(t, s, "gone", identity.SOCLead, pw)
	gone.Disabled = true
	if _, err := s.UpdateUser(ctx, gone); err != nil {
		t.Fatal(err)
	}
	secret, ses, err := s.Login(ctx, " Chen ", pw, "10.0.0.1", "browser")
	if err != nil || ses.User.Name != "chen" || ses.Address != "10.0.0.1" || ses.CSRF == "" || ses.User.LastLogin.IsZero() {
		t.Fatalf("%+v, %v", ses, err)
	}
	back, err := s.Session(ctx, secret)
	if err != nil || back.ID != ses.ID || back.CSRF != ses.CSRF || back.User.Principal().Role != identity.SOCLead {
		t.Errorf("%+v, %v", back, err)
	}
	var sentence string
	for name, c := range map[string][2]string{
		"wrong password":    {"chen", "another password"},
		"no such user":      {"nobody", pw},
		"no password set":   {"linkonly", ""},
		"no password set 2": {"linkonly", pw},
		"disabled":          {"gone", pw},
		"hostile name":      {"'; drop table identity_user; --", pw},
	} {
		_, _, err := s.Login(ctx, c[0], c[1], "10.0.0.2", "")
		var r *identity.LoginRefusal
		if !fault.Is(err, fault.Forbidden) || !errors.As(err, &r) || r.Code != identity.LoginWrong {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if sentence == "" {
			sentence = err.Error()
		}
		if err.Error() != sentence {
			t.Errorf("%s: the answer %q tells it from %q", name, err, sentence)
		}
	}
	if _, err := s.Session(ctx, "cws_"+strings.Repeat("A", 43)); !fault.Is(err, fault.NotFound) {
		t.Errorf("made-up session: %v", err)
	}
	if err := s.EndSession(ctx, secret); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(ctx, secret); !fault.Is(err, fault.NotFound) {
		t.Errorf("after logout: %v", err)
	}
}

func TestGuessing(t *testing.T) {
	s, c, _ := begin(t, asset.City)
	ctx := t.Context()
	add(t, s, "chen", identity.SOCLead, pw)
	for range 5 {
		if _, _, err := s.Login(ctx, "chen", "a wrong password", "10.0.0.1", ""); !fault.Is(err, fault.Forbidden) {
			t.Fatal(err)
		}
	}
	_, _, err := s.Login(ctx, "chen", pw, "10.0.0.1", "")
	var r *identity.LoginRefusal
	if !fault.Is(err, fault.Busy) || !errors.As(err, &r) || r.Wait != time.Second || !strings.Contains(err.Error(), "Wait 1 s") {
		t.Fatalf("sixth try: %v", err)
	}
	if err := s.ChangePassword(ctx, "chen", pw, "another long password", "10.0.0.1"); !fault.Is(err, fault.Busy) {
		t.Errorf("another door: %v", err)
	}
	c.pass(time.Second)
	if _, _, err := s.Login(ctx, "chen", pw, "10.0.0.1", ""); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestSessionTimes(t *testing.T) {
	s, c, _ := begin(t, asset.City)
	ctx := t.Context()
	add(t, s, "chen", identity.SOCLead, pw)
	login := func() string {
		t.Helper()
		secret, _, err := s.Login(ctx, "chen", pw, "10.0.0.1", "")
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	secret := login()
	c.pass(29 * time.Minute)
	if _, err := s.Session(ctx, secret); err != nil {
		t.Fatal(err)
	}
	c.pass(29 * time.Minute) // it was seen in between
	if _, err := s.Session(ctx, secret); err != nil {
		t.Fatal(err)
	}
	c.pass(30 * time.Minute)
	if _, err := s.Session(ctx, secret); !fault.Is(err, fault.NotFound) {
		t.Errorf("idle: %v", err)
	}
	secret = login()
	for range 12*4 - 1 {
		c.pass(15 * time.Minute)
		if _, err := s.Session(ctx, secret); err != nil {
			t.Fatal(err)
		}
	}
	c.pass(15 * time.Minute)
	if _, err := s.Session(ctx, secret); !fault.Is(err, fault.NotFound) {
		t.Errorf("after twelve hours: %v", err)
	}
	login()
	if ss, err := s.Sessions(ctx, "chen"); err != nil || len(ss) != 1 {
		t.Errorf("%d sessions hold, %v", len(ss), err)
	}
	var n int
	if err := s.d.NewRaw("SELECT count(*) FROM identity_session").Scan(ctx, &n); err != nil || n != 1 {
		t.Errorf("%d sessions are kept, %v: the expired ones should be gone", n, err)
	}
}

// TestTakesEffectAtOnce: what an administrator changes holds at the next
// request of a session that is open.
func TestTakesEffectAtOnce(t *testing.T) {
	s, _, _ := begin(t, asset.City)
	ctx := t.Context()
	u := add(t, s, "chen", identity.SOCLead, pw)
	secret, _, err := s.Login(ctx, "chen", pw, "10.0.0.1", "")
	if err != nil {
		t.Fatal(err)
	}
	u, err = s.User(ctx, "chen")
	if err != nil {
		t.Fatal(err)
	}
	u.Role = identity.Auditor
	if u, err = s.UpdateUser(ctx, u); err != nil {
		t.Fatal(err)
	}
	if ses, err := s.Session(ctx, secret); err != nil || ses.User.Role != identity.Auditor {
		t.Errorf("%+v, %v", ses.User, err)
	}
	link, _, err := s.NewLink(ctx, "chen")
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := s.CreateToken(ctx, Token{Kind: TokenAPI, Name: "script", User: "chen"})
	if err != nil {
		t.Fatal(err)
	}
	u.Disabled = true
	if u, err = s.UpdateUser(ctx, u); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(ctx, secret); !fault.Is(err, fault.NotFound) {
		t.Errorf("session of a disabled user: %v", err)
	}
	if _, _, err := s.UseLink(ctx, link, "10.0.0.1", ""); !fault.Is(err, fault.Forbidden) {
		t.Errorf("link of a disabled user: %v", err)
	}
	if _, _, err := s.CheckToken(ctx, token); !fault.Is(err, fault.Forbidden) {
		t.Errorf("token of a disabled user: %v", err)
	}
	if _, _, err := s.NewLink(ctx, "chen"); !fault.Is(err, fault.Conflict) {
		t.Errorf("new link for a disabled user: %v", err)
	}
	u.Disabled = false
	if _, err = s.UpdateUser(ctx, u); err != nil {
		t.Fatal(err)
	}
	if secret, _, err = s.Login(ctx, "chen", pw, "10.0.0.1", ""); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPassword(ctx, "chen", "another long password"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(ctx, secret); !fault.Is(err, fault.NotFound) {
		t.Errorf("session after a new password: %v", err)
	}
	if _, _, err := s.Login(ctx, "chen", pw, "10.0.0.1", ""); !fault.Is(err, fault.Forbidden) {
		t.Errorf("old password: %v", err)
	}
}

func TestChangePassword(t *testing.T) {
	s, _, _ := begin(t, asset.City)
	ctx := t.Context()
	add(t, s, "chen", identity.SOCLead, "")
	if err := s.ChangePassword(ctx, "chen", "", pw, "a"); err != nil {
		t.Errorf("first password: %v", err)
	}
	if err := s.ChangePassword(ctx, "chen", "", "another long password", "a"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without the old one: %v", err)
	}
	if err := s.ChangePassword(ctx, "chen", pw, "short", "a"); !fault.Is(err, fault.Invalid) {
		t.Errorf("short: %v", err)
	}
	if err := s.ChangePassword(ctx, "chen", pw, "another long password", "a"); err != nil {
		t.Error(err)
	}
	if err := s.ChangePassword(ctx, "nobody", pw, "another long password", "a"); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody: %v", err)
	}
}

// TestHashIsRenewed: when the cost was raised, the next login hashes again.
func TestHashIsRenewed(t *testing.T) {
	s, c, _ := begin(t, asset.City)
	ctx := t.Context()
	add(t, s, "chen", identity.SOCLead, pw)
	dearer := identity.Argon2{Memory: 128, Passes: 2, Lanes: 1}
	s2, err := Open(ctx, s.d, asset.City, Options{Argon2: dearer, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s2.Login(ctx, "chen", pw, "10.0.0.1", ""); err != nil {
		t.Fatal(err)
	}
	var hash string
	if err := s.d.NewRaw("SELECT password FROM identity_user").Scan(ctx, &hash); err != nil || !strings.Contains(hash, "m=128,t=2,p=1") {
		t.Errorf("%s, %v", hash, err)
	}
	if _, _, err := s2.Login(ctx, "chen", pw, "10.0.0.1", ""); err != nil {
		t.Errorf("with the new hash: %v", err)
	}
}

func TestLink(t *testing.T) {
	s, c, _ := begin(t, asset.City)
	ctx := t.Context()
	add(t, s, "admin", identity.SystemAdmin, "")
	first, _, err := s.NewLink(ctx, "admin")
	if err != nil {
		t.Fatal(err)
	}
	link, expires, err := s.NewLink(ctx, "admin")
	if err != nil || !expires.Equal(c.now().Add(15*time.Minute)) {
		t.Fatalf("%v, %v", expires, err)
	}
	if _, _, err := s.UseLink(ctx, first, "a", ""); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the earlier link: %v", err)
	}
	// Many at once: one gets in.
	var in atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			secret, ses, err := s.UseLink(ctx, link, fmt.Sprint("10.0.0.", i), "")
			switch {
			case err == nil && ses.User.Name == "admin" && secret != "":
				in.Add(1)
			case !fault.Is(err, fault.Forbidden):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 {
		t.Errorf("%d got in with one link", in.Load())
	}
	late, _, err := s.NewLink(ctx, "admin")
	if err != nil {
		t.Fatal(err)
	}
	c.pass(15 * time.Minute)
	if _, _, err := s.UseLink(ctx, late, "b", ""); !fault.Is(err, fault.Forbidden) {
		t.Errorf("expired: %v", err)
	}
	if _, _, err := s.NewLink(ctx, "nobody"); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody: %v", err)
	}
	for range 40 {
		_, _, err = s.UseLink(ctx, "cwl_guess", "10.9.9.9", "")
	}
	if !fault.Is(err, fault.Busy) {
		t.Errorf("guessing links: %v", err)
	}
}

func TestTokens(t *testing.T) {
	s, c, _ := begin(t, asset.City)
	ctx := t.Context()
	add(t, s, "chen", identity.SOCLead, pw)
	secret, tok, err := s.CreateToken(ctx, Token{Kind: TokenIngest, Name: "hospital firewall", Source: "fw-h01", Agency: "H01", Zone: "Asia/Taipei"})
	if err != nil || tok.Realm != asset.City || !strings.HasPrefix(secret, "cwt_") {
		t.Fatalf("%+v, %v", tok, err)
	}
	api, _, err := s.CreateToken(ctx, Token{Kind: TokenAPI, Name: "script", User: "chen", Expires: c.now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if got, u, err := s.CheckToken(ctx, secret); err != nil || got.Source != "fw-h01" || got.Agency != "H01" || got.Zone != "Asia/Taipei" || u.Name != "" {
		t.Errorf("%+v %+v %v", got, u, err)
	}
	if _, u, err := s.CheckToken(ctx, api); err != nil || u.Role != identity.SOCLead {
		t.Errorf("%+v %v", u, err)
	}
	c.pass(time.Hour)
	if _, _, err := s.CheckToken(ctx, api); !fault.Is(err, fault.Forbidden) {
		t.Errorf("expired: %v", err)
	}
	if err := s.RevokeToken(ctx, tok.ID); err != nil {
		t.Fatal(err)
	}
	when := c.now()
	c.pass(time.Minute)
	if err := s.RevokeToken(ctx, tok.ID); err != nil {
		t.Errorf("again: %v", err)
	}
	if _, _, err := s.CheckToken(ctx, secret); !fault.Is(err, fault.Forbidden) {
		t.Errorf("revoked: %v", err)
	}
	if err := s.RevokeToken(ctx, "nothing"); !fault.Is(err, fault.NotFound) {
		t.Errorf("nothing: %v", err)
	}
	ts, err := s.Tokens(ctx)
	if err != nil || len(ts) != 2 || !ts[1].Revoked.Equal(when) || ts[1].LastUsed.IsZero() {
		t.Errorf("%+v, %v", ts, err)
	}
	for name, bad := range map[string]Token{
		"no name":       {Kind: TokenIngest, Source: "x"},
		"no kind":       {Name: "x", Source: "x"},
		"no source":     {Kind: TokenIngest, Name: "x"},
		"sender reads":  {Kind: TokenIngest, Name: "x", Source: "x", User: "chen"},
		"no user":       {Kind: TokenAPI, Name: "x"},
		"nobody":        {Kind: TokenAPI, Name: "x", User: "nobody"},
		"odd zone":      {Kind: TokenIngest, Name: "x", Source: "x", Zone: "Moon/Base"},
		"other realm":   {Kind: TokenIngest, Name: "x", Source: "x", Realm: asset.Police},
		"expired":       {Kind: TokenIngest, Name: "x", Source: "x", Expires: c.now()},
		"program sends": {Kind: TokenAPI, Name: "x", User: "chen", Source: "x"},
	} {
		if _, _, err := s.CreateToken(ctx, bad); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoSecretStored reads the database file: neither passwords nor any secret
// that was handed out are in it.
func TestNoSecretStored(t *testing.T) {
	dbtest.OnSQLite(t)
	s, _, path := begin(t, asset.City)
	ctx := t.Context()
	add(t, s, "chen", identity.SOCLead, pw)
	session, _, err := s.Login(ctx, "chen", pw, "10.0.0.1", "")
	if err != nil {
		t.Fatal(err)
	}
	link, _, err := s.NewLink(ctx, "chen")
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := s.CreateToken(ctx, Token{Kind: TokenAPI, Name: "script", User: "chen"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.d.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{pw, session, link, token} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s holds a secret", filepath.Base(f))
			}
		}
		found = found || bytes.Contains(b, []byte("$argon2id$"))
	}
	if !found {
		t.Error("no hash found either: the test looks in the wrong place")
	}
}

// TestManyLogins: sessions begin, are used and end at the same time.
func TestManyLogins(t *testing.T) {
	s, _, _ := begin(t, asset.City)
	ctx := t.Context()
	for i := range 6 {
		add(t, s, fmt.Sprint("user", i), identity.SOCAnalyst, pw)
	}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for range 8 {
				secret, _, err := s.Login(ctx, fmt.Sprint("user", i), pw, fmt.Sprint("10.0.0.", i), "")
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.Session(ctx, secret); err != nil {
					t.Error(err)
				}
				if err := s.EndSession(ctx, secret); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 6 {
		if ss, err := s.Sessions(ctx, fmt.Sprint("user", i)); err != nil || len(ss) != 0 {
			t.Errorf("%v %v", ss, err)
		}
	}
}
