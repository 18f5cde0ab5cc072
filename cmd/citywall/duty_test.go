// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citywall/app"
	"citywall/asset"
	"citywall/identity"
)

// TestDuty: a roster is imported and shown with its gaps, a note is left; an
// analyst may not change the roster.
func TestDuty(t *testing.T) {
	data := t.TempDir()
	t.Setenv("CITYWALL_DATA", data)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	config := func(login string) {
		yaml := "syslog: []\nconsole: {addr: '127.0.0.1:0'}\nos_users: {" + me.Username + ": {city: " + login + "}}\n"
		if err := os.WriteFile(filepath.Join(data, app.ConfigName), []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config("lead")
	cfg, err := app.Load(data, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), app.Options{Dir: data, Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	for login, role := range map[string]identity.Role{"lead": identity.SOCLead, "analyst": identity.SOCAnalyst} {
		if _, _, err := a.AddUser(t.Context(), asset.City, login, login, role); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	now := time.Now().UTC()
	roster := filepath.Join(t.TempDir(), "roster.json")
	doc := fmt.Sprintf(`{"people":[{"id":"lin","name":"林志豪","mail":"lin@city.example"}],"shifts":[{"person":"lin","post":"duty","begin":%q,"end":%q}]}`,
		now.Add(-time.Hour).Format(time.RFC3339), now.Add(23*time.Hour).Format(time.RFC3339))
	if err := os.WriteFile(roster, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"duty", "roster"}, 3, "nobody is on duty"},
		{[]string{"duty", "import", roster}, 0, "1 people, 1 shifts"},
		{[]string{"duty", "roster", "--days", "1"}, 3, "林志豪"}, // the shift ends an hour before the day does
		{[]string{"duty", "note", "hospital firewall updated"}, 0, ""},
		{[]string{"duty", "note"}, 0, "not taken over yet"},
		{[]string{"duty", "alarms"}, 3, "no alarm matches"},
		{[]string{"duty", "ack", "nothing"}, 1, "alarm nothing"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), streams{strings.NewReader(""), &out, &errs}, c.args); code != c.code || !strings.Contains(out.String()+errs.String(), c.says) {
			t.Errorf("%v: exit code %d, want %d with %q\n%s%s", c.args, code, c.code, c.says, out.String(), errs.String())
		}
	}
	config("analyst")
	var out, errs bytes.Buffer
	if code := run(t.Context(), streams{strings.NewReader(""), &out, &errs}, []string{"duty", "import", roster}); code == 0 || !strings.Contains(errs.String(), "may not") {
		t.Errorf("an analyst changed the roster: %d %s", code, errs.String())
	}
}
