// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package console_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"citywall/eventstore"
	"citywall/eventstore/clickhouse"
	"citywall/eventstore/clickhouse/chtest"
	"citywall/incident/incidenttest"
	"citywall/internal/text"
	"citywall/web"
	"citywall/web/webtest"
)

// TestShardAway stands the console on a cluster of two shards and takes one
// away: page and API say what is missing, in both languages, and never call a
// part the whole.
func TestShardAway(t *testing.T) {
	c := chtest.Start(t, 2)
	s := webtest.New(t)
	store, err := clickhouse.Open(t.Context(), clickhouse.Options{Addrs: c.Addrs, Cluster: chtest.Name, Database: "console"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	events := incidenttest.Events()
	if err := store.Append(t.Context(), eventstore.Batch{MsgID: "seed", Events: events}); err != nil {
		t.Fatal(err)
	}
	s.Config.Desk.City.Events = store
	s.Config.Log = slog.New(slog.DiscardHandler) // what is away is an error to the log as well
	h, err := web.New(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	b := s.As(t, "chen.yj")

	var ids []string // of the events of the incident, whichever shard they are on
	for _, p := range incidenttest.Hospital().Hops[0].Evidence {
		ids = append(ids, p.Event.String())
	}
	for _, e := range events[:40] {
		ids = append(ids, e.ID.String())
	}
	part := &eventstore.Incomplete{Missing: []int{2}, Of: 2}
	const all = "from=1970-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&width=876000h"
	ask := func(path string) (incomplete string, n int) {
		t.Helper()
		a := b.Get("/api/v1" + path + "?q=&field=product&" + all)
		var d struct {
			Incomplete string
			Count      int
			Items      []struct{ Count int }
		}
		if err := json.Unmarshal([]byte(a.Body), &d); err != nil || a.Status != http.StatusOK {
			t.Fatalf("%s: %d %v %s", path, a.Status, err, a.Body)
		}
		for _, x := range d.Items {
			d.Count += x.Count
		}
		return d.Incomplete, d.Count
	}
	paths := []string{"/events", "/events/count", "/events/histogram", "/events/top"}
	for _, p := range paths {
		if why, n := ask(p); why != "" || n != len(events) && p != "/events" {
			t.Errorf("%s, whole: %q, %d of %d", p, why, n, len(events))
		}
	}
	c.Kill(t, 1)
	for _, p := range paths {
		if why, n := ask(p); why != part.Error() || p != "/events" && (n == 0 || n >= len(events)) {
			t.Errorf("%s with a shard away: %q, %d of %d", p, why, n, len(events))
		}
	}
	exported := func() (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/events/export?q=&format=jsonl&"+all, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(&http.Cookie{Name: "citywall", Value: b.Cookie("citywall")})
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("export: %s %s", res.Status, body)
		}
		return strings.Count(string(body), "\n"), err
	}
	if n, err := exported(); err == nil {
		t.Errorf("an export of %d of %d events passes for the whole", n, len(events))
	}
	for _, l := range []text.Lang{text.ZhTW, text.En} {
		b.Lang = string(l)
		a := b.Get("/search?q=&span=all&from=2026-01-01T00:00:00&to=2027-01-01T00:00:00")
		if a.Status != http.StatusOK || !strings.Contains(a.Body, part.Text(l)) {
			t.Errorf("%s: the page (%d) does not say %q", l, a.Status, part.Text(l))
		}
		check(t, "search with a shard away", l, a)
		// The drawer beside an incident shows a record or says where it may lie;
		// it does not say that there is none.
		there, away := 0, 0
		for _, id := range ids {
			switch a := b.Get("/events/" + id); {
			case a.Status == http.StatusOK:
				there++
			case a.Status == http.StatusServiceUnavailable && strings.Contains(a.Body, part.Text(l)):
				away++
			default:
				t.Errorf("%s: event %s: %d", l, id, a.Status)
			}
		}
		if there == 0 || away == 0 {
			t.Errorf("%d records there, %d away: the test shows nothing", there, away)
		}
	}
	c.Restart(t, 1)
	if n, err := exported(); n != len(events) || err != nil {
		t.Errorf("exported again: %d of %d, %v", n, len(events), err)
	}
	if why, n := ask("/events/count"); why != "" || n != len(events) {
		t.Errorf("whole again: %q, %d of %d", why, n, len(events))
	}
}
