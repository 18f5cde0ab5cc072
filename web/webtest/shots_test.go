// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"citywall/incident/incidenttest"
)

// TestPictures takes a picture of every page, for people to look at. It runs
// when CITYWALL_PICTURES names a folder; CITYWALL_PICTURES_ONLY bounds it to
// names that contain a text.
func TestPictures(t *testing.T) {
	dir, only := os.Getenv("CITYWALL_PICTURES"), os.Getenv("CITYWALL_PICTURES_ONLY")
	if dir == "" {
		t.Skip("CITYWALL_PICTURES names no folder")
	}
	s := New(t)
	ev := incidenttest.Hospital().Hops[0].Evidence[1].Event.String()
	box, kase := s.Handed(t), ""
	kase, box = s.Opened(t, box[0]), box[1:]
	city := []struct{ name, path string }{
		{"now", "/now"}, {"watch", "/watch"}, {"incidents", "/incidents"}, {"incident", "/incidents/" + s.Incident}, {"handover", "/incidents/" + s.Incident + "/handover"},
		{"findings", "/findings?span=24h"}, {"finding", "/findings/" + incidenttest.Findings()[1].ID}, {"search", "/search"},
		{"results", "/search?q=" + url.QueryEscape("event_id:4624") + "&span=24h"}, {"wrong", "/search?q=" + url.QueryEscape("(event_id:4624")}, {"event", "/events/" + ev},
		{"sources", "/sources"}, {"newsource", "/sources/new"}, {"newsource2", "/sources/new?kind=fortigate"}, {"source", "/sources/school-fw"}, {"source2", "/sources/edge-fw"}, {"assets", "/assets"}, {"assetone", "/assets/devices/" + s.Device}, {"assetsegments", "/assets/segments"}, {"assetdifferences", "/assets/differences"}, {"assetdrawings", "/assets/drawings"}, {"assetdrawing", "/assets/drawings/" + s.Drawing},
		{"rules", "/rules"}, {"rulesoff", "/rules?state=off&state=refused&state=waiting&state=unrouted"}, {"rule", "/rules/" + RuleNoisy}, {"ruleoff", "/rules/" + RuleOff}, {"rulecounts", "/rules/" + RuleCounting},
		{"try", "/rules/try"}, {"findingcounted", "/findings/" + s.Counted}, {"storage", "/storage"}, {"help", "/help"}, {"me", "/me"}, {"missing", "/incidents/nothing"},
	}
	for _, l := range []string{"zh-TW", "en"} {
		for _, theme := range []string{"light", "dark"} {
			for _, w := range []int64{1440, 390} {
				variant := fmt.Sprintf("%s-%s-%d", l, theme, w)
				t.Run(variant, func(t *testing.T) {
					b := s.Browse(t, l)
					b.Expect("404")
					b.Expect("400")
					b.Start("/login")
					b.Do("size", chromedp.EmulateViewport(w, 900))
					shot := func(name, path string) {
						file := name + "-" + variant + ".png"
						if only != "" && !strings.Contains(file, only) {
							return
						}
						if path != "" {
							b.Go(path)
						}
						b.Picture(filepath.Join(dir, file))
						if wide := b.Text(`String(document.documentElement.scrollWidth - document.documentElement.clientWidth)`); wide != "0" {
							t.Errorf("%s: the page is %s px wider than the window: %s", file, wide, b.Text(widest))
						}
					}
					b.Await(`fetch("/prefs", {method: "POST", redirect: "manual", body: new URLSearchParams({theme: "` + theme + `", lang: "` + l + `"})}).then(() => "")`)
					shot("login", "/login")
					b.Go("/login")
					b.SignIn(Find("soc_lead"))
					for _, p := range city {
						shot(p.name, p.path)
					}
					b.Go("/rules/try?id=" + RuleOff + "&event=" + ev)
					b.Click(".tryform .primary")
					b.Until("compared", `document.querySelector(".trial") !== null`)
					shot("tried", "")
					b.Go("/incidents/" + s.Incident + "#hop-3")
					b.Click(`tbody[data-hop="3"] a.proof`)
					b.Until("drawer", `!document.getElementById("drawer").hidden`)
					shot("drawer", "")
					b.Go("/help")
					b.SignOut()
					b.SignIn(Find("police_supervisor"))
					shot("cases", "/cases")
					shot("package", "/inbox/"+box[0])
					shot("case", "/cases/"+kase)
					shot("caseevents", "/cases/"+kase+"/events?q=")
					shot("caseevent", "/cases/"+kase+"/events/"+ev)
					for _, who := range []struct {
						role  string
						pages []string
					}{{"system_admin", []string{"users"}}, {"auditor", []string{"audit"}}} {
						b.Go("/help")
						b.SignOut()
						b.SignIn(Find(who.role))
						for _, p := range who.pages {
							shot(p, "/"+p)
						}
					}
				})
			}
		}
	}
}

func TestStands(t *testing.T) {
	s := New(t)
	c := s.As(t, "chen.yj")
	for _, p := range []string{"/now", "/incidents", "/incidents/" + s.Incident, "/findings", "/search?q=", "/sources", "/rules", "/help", "/me"} {
		if a := c.Get(p); a.Status != 200 {
			t.Errorf("%s: %d\n%.2000s", p, a.Status, a.Body)
		}
	}
}
