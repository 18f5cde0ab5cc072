// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package main

import (
	"bytes"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citywall/app"
	"citywall/asset"
	"citywall/casework/casedb"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
)

const alerts = "time,name,ip,host,short\n1642723347,Wazuh: ClamAV database update,172.19.130.4,mail,W\n1642723352,Wazuh: ClamAV database update,172.19.130.4,mail,W\n"

// TestInvestigateCase: what was read stays with the case and never reaches the
// city's event store; somebody who is nobody in the police realm opens none.
func TestInvestigateCase(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CITYWALL_DATA", filepath.Join(dir, "data"))
	log := filepath.Join(dir, "alerts.csv")
	if err := os.WriteFile(log, []byte(alerts), 0o600); err != nil {
		t.Fatal(err)
	}
	investigate := func() (int, string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), streams{strings.NewReader(""), &out, &errs}, []string{"investigate", "--case", "醫院勒索", log})
		return code, errs.String()
	}
	if code, errs := investigate(); code != 1 || !strings.Contains(errs, "os_users") {
		t.Fatalf("as nobody: exit code %d, %s", code, errs)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	yaml := "syslog: []\nconsole: {addr: '127.0.0.1:0'}\nos_users: {" + me.Username + ": {police: chief, city: chief}}\n"
	if err := os.WriteFile(filepath.Join(data, app.ConfigName), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func() *app.App {
		t.Helper()
		cfg, err := app.Load(data, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := app.New(t.Context(), app.Options{Dir: data, Config: cfg})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := open()
	if _, _, err := a.AddUser(t.Context(), asset.Police, "chief", "Chief", identity.Investigator); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if code, errs := investigate(); code != 0 || !strings.Contains(errs, "-000001 is open") {
		t.Fatalf("exit code %d, %s", code, errs)
	}

	a = open()
	defer a.Close()
	page, err := a.Cases().List(t.Context(), casedb.Query{})
	if err != nil || len(page.Cases) != 1 || page.Cases[0].Title != "醫院勒索" || page.Cases[0].Owner != "chief" {
		t.Fatalf("%v: %+v", err, page)
	}
	all := eventstore.Query{From: time.Unix(0, 0), To: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	scope := identity.Scope{Realm: asset.Police, Case: page.Cases[0].ID}
	kept, err := a.Cases().Vault.Search(t.Context(), scope, all)
	if err != nil || len(kept.Events) != 2 {
		t.Errorf("%v: %d events with the case, want 2", err, len(kept.Events))
	}
	n := 0
	if err := a.EachEvent(t.Context(), all, func(*event.Event) error { n++; return nil }); err != nil || n != 0 {
		t.Errorf("%v: %d events in the city's store", err, n)
	}
}
