// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/exposure/estate"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
	"citywall/exposure/inventorydb"
	"citywall/incident/incidenttest"
	"citywall/internal/db"
)

// drawn is what the hospital's people have written down; some of it is not so.
const drawn = `主機名稱,IP位址,網段,網段名稱,角色,機關,保管人,聯絡人
,,10.20.32.0/24,門診區,,hospital,,市立醫院資訊室 02-0000-0000 轉 119
,,10.20.33.0/24,伺服器區,,hospital,,
,,10.20.60.0/24,舊檢驗室,,hospital,,
dc01,10.20.33.5,,,網域控制站,hospital,,
his01,10.20.33.20,,,網站,hospital,wu.yt,吳怡婷 0900-000-011
files01,10.20.33.9,,,檔案伺服器,hospital,,
lab-old,10.20.60.4,,,伺服器,hospital,,
opd-pc01,10.20.32.101,,,個人電腦,hospital,peng.c,
`

// firewall is a configuration that waits to be accepted.
const firewall = `config system global
    set hostname "HOSP-FW01"
end
config system interface
    edit "opd"
        set alias "門診"
        set ip 10.20.32.254 255.255.255.0
        set role lan
    next
    edit "srv"
        set alias "伺服器"
        set ip 10.20.33.254 255.255.255.0
        set role lan
    next
    edit "ct"
        set alias "影像醫學"
        set ip 10.20.40.254 255.255.255.0
        set role lan
    next
end
config firewall policy
    edit 1
        set name "opd to his"
        set srcintf "opd"
        set dstintf "srv"
        set action accept
        set service "HTTPS" "DNS"
    next
end
`

// assets has seen the seed's records and some traffic, has one drawing that
// counts and one that waits, and a contact that somebody wrote down.
func (s *Site) assets(t testing.TB, ctx context.Context, d *db.DB) *estate.Estate {
	t.Helper()
	now := func() time.Time { return Now.Add(time.Duration(s.ahead.Load())) }
	store, err := inventorydb.Open(ctx, d, now)
	must(t, err)
	config := asset.Topology{Segments: []asset.Segment{{Name: "資訊局", Prefix: netip.MustParsePrefix("10.0.0.0/24"), Zone: asset.ZoneInside, Agency: "bureau", Contact: "資訊局值班 1999"}}}
	e, err := estate.Open(ctx, store, config, now, slog.New(slog.DiscardHandler))
	must(t, err)
	e.Observe(append(incidenttest.Events(), background()...))
	var flows []*event.Event
	flow := func(agency, src, dst string, port int) {
		n := uint64(len(flows))
		x := &event.Event{ID: event.NewID("hosp-zeek", "conn", n), Realm: asset.City, Agency: agency, Time: Now.Add(-time.Duration(n) * time.Minute), Source: agency + "-zeek", Product: "zeek", Service: "conn"}
		for _, f := range [][2]string{{"id.orig_h", src}, {"id.orig_p", "50000"}, {"id.resp_h", dst}, {"id.resp_p", fmt.Sprint(port)}, {"proto", "tcp"}, {"conn_state", "SF"}} {
			x.Fields.Add(f[0], f[1])
		}
		flows = append(flows, x)
	}
	for i := range 12 {
		pc := fmt.Sprintf("10.20.32.%d", 101+i)
		flow("hospital", pc, "10.20.33.5", 88)
		flow("hospital", pc, "10.20.33.5", 389)
		flow("hospital", pc, "10.20.33.20", 443)
		flow("hospital", pc, "10.20.33.9", 445)
	}
	for i := range 6 {
		flow("hospital", fmt.Sprintf("10.20.32.%d", 120+i), "10.20.33.20", 445)
		flow("education", fmt.Sprintf("192.168.7.%d", 10+i), "10.0.0.1", 443)
	}
	flow("hospital", "10.20.33.77", "10.20.32.101", 3389)
	e.Observe(flows)
	for _, x := range []struct {
		name, file, text string
		accept           bool
	}{{"市立醫院清冊", "hosp-assets.csv", drawn, true}, {"", "hosp-fw01.conf", firewall, false}} {
		v, err := drawing.NewVersion(x.name, x.file, []byte(x.text))
		must(t, err)
		v, err = e.Propose(ctx, "hsu.admin", v)
		must(t, err)
		if s.Drawing = v.ID; x.accept {
			_, err = e.Decide(ctx, "chen.yj", v.ID, drawing.Accepted)
			must(t, err)
		}
	}
	_, err = e.PutNote(ctx, "lin.zh", inventory.Note{Subject: inventory.DeviceSubject("hospital", netip.MustParseAddr("10.20.33.5")), Owner: "資訊室", Contact: "林志豪 0900-000-002"})
	must(t, err)
	s.Device = estate.ID("hospital", netip.MustParseAddr("10.20.33.5"))
	e.Save(ctx, true)
	if st := e.Status(); st.Error != "" || strings.TrimSpace(s.Drawing) == "" {
		t.Fatalf("the inventory of the seed: %+v", st)
	}
	return e
}
