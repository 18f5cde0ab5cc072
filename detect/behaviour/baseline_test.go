// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"citywall/asset"
	"citywall/event"
)

const (
	hour    = time.Hour
	aDay    = 24 * time.Hour
	toTen   = hour // from t0, which is 09:00 in Taipei on a Friday, to 10:00
	toNight = 17 * hour
)

// administers is an account that uses privileges on a machine at one hour.
func administers(at time.Duration, who, host string) seen {
	return seen{at, event.View{Action: event.Privilege, User: asset.Account{Domain: "city", Name: who}, Host: host}}
}

// officeHours is an administrator at work on so many days, weekends left out.
func officeHours(days int, who string) (out []seen) {
	for d := range days {
		if at := t0.Add(time.Duration(d) * aDay); at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
			continue
		}
		for h := range 9 { // 09:00 to 17:00
			out = append(out, administers(time.Duration(d)*aDay+time.Duration(h)*hour, who, fmt.Sprint("srv", h%3)))
		}
	}
	return out
}

// sends is one flow out, as one sensor tells of it.
func sends(at time.Duration, src, dst netip.Addr, bytes int64) seen {
	return seen{at, event.View{Action: event.Flow, Src: src, Dst: dst, DstPort: 443, BytesOut: bytes, BytesIn: 1000, Observer: "fw"}}
}

const mb = 1 << 20

// uploads sends so much on each day in one piece.
func uploads(perDay ...int64) (out []seen) {
	for d, n := range perDay {
		at := time.Duration(d)*aDay + hour
		out = append(out, sends(at-time.Minute, ip(10, 1, 1, 9), ip(10, 1, 1, 1), 1000)) // it is there
		if n > 0 {
			out = append(out, sends(at, ip(10, 1, 1, 9), ip(203, 0, 113, 7), n))
		}
	}
	return out
}

func twice(list []seen, observer string, late time.Duration) (out []seen) {
	for _, x := range list {
		y := x
		y.v.Observer, y.at = observer, y.at+late
		out = append(out, x, y)
	}
	return out
}

func sampled(list []seen, rate int64) []seen {
	for i := range list {
		list[i].v.Sampling = rate
		list[i].v.BytesOut /= rate
	}
	return list
}

// opens is a source that opens an administration share, as the machine writes it.
func opens(at time.Duration, src netip.Addr, host, share, file string) seen {
	return seen{at, event.View{Action: event.Share, Src: src, Host: host, DstHost: host, DstPort: 445, Share: share, File: file, Message: `\\*\` + share, User: asset.Account{Domain: "city", Name: "adm"}}}
}

// rounds is an administrator on so many days, who opens the same machines each
// day and fresh others, and last so many on the day after.
func rounds(days, fresh, last int) (out []seen) {
	src := ip(10, 1, 1, 9)
	for d := range days {
		at := time.Duration(d) * aDay
		for i := range 4 {
			out = append(out, opens(at+time.Duration(i)*time.Second, src, fmt.Sprint("srv", i), "ADMIN$", ""))
		}
		for i := range fresh {
			out = append(out, opens(at+time.Duration(i)*time.Minute, src, fmt.Sprint("pc", d, "x", i), "C$", `x\y.txt`))
		}
	}
	for i := range last {
		out = append(out, opens(time.Duration(days)*aDay+time.Duration(i)*10*time.Second, src, fmt.Sprint("new", i), "IPC$", "svcctl"))
	}
	return out
}

// quiet is what lets the share detector look on for some days.
func quiet(days int) (out []seen) {
	for d := range days {
		out = append(out, opens(time.Duration(d)*aDay, ip(10, 9, 9, 9), "fs01", "public", "a.docx"))
	}
	return out
}

func spread(days int, list []seen) []seen {
	return append(quiet(days), shifted(list, time.Duration(days)*aDay)...)
}

// creeps turns to one new machine every so often over SMB, after days on which it
// turned to its file server only.
func creeps(days, n int, every time.Duration) (out []seen) {
	src := ip(10, 1, 1, 9)
	for d := range days {
		for h := range 8 {
			out = append(out, seen{time.Duration(d)*aDay + time.Duration(h)*hour, event.View{Action: event.Flow, Src: src, Dst: ip(10, 1, 0, 1), DstPort: 445}})
		}
	}
	for i := range n {
		out = append(out, seen{time.Duration(days)*aDay + time.Duration(i)*every, event.View{Action: event.Flow, Src: src, Dst: ip(10, 1, 2, 1+i), DstPort: 445}})
	}
	return out
}

// warned is a machine with a few alerts on so many days, and one of that name so
// many times within seconds on the day after.
func warned(days, n int, name string) (out []seen) {
	for d := range days {
		for i, m := range []string{"TLS invalid", "update of signatures"} {
			out = append(out, seen{time.Duration(d)*aDay + time.Duration(i)*time.Minute, event.View{Action: event.Alert, Host: "web01", Message: m}})
		}
	}
	for i := range n {
		out = append(out, seen{time.Duration(days)*aDay + time.Duration(i)*50*time.Millisecond, event.View{Action: event.Alert, Host: "web01", Message: name}})
	}
	return out
}

func TestBaselines(t *testing.T) {
	night := 4*aDay + toNight // Wednesday 02:00 in Taipei
	for _, c := range []struct {
		name string
		list []seen
		want []string
	}{
		{"an administrator at night", append(officeHours(5, "adm"), administers(night, "adm", "srv1")), []string{hoursKind.Title}},
		{"and again within the night", append(officeHours(5, "adm"), administers(night, "adm", "srv1"), administers(night+hour, "adm", "srv2")), []string{hoursKind.Title}},
		{"after two days of work", append(officeHours(4, "adm"), administers(3*aDay+toNight, "adm", "srv1")), nil},
		{"an hour later than ever", append(officeHours(5, "adm"), administers(4*aDay+9*hour, "adm", "srv1")), nil},
		{"one who has the night shift", func() []seen {
			var l []seen
			for d := range 6 {
				l = append(l, administers(time.Duration(d)*aDay+toNight, "night", "srv1"), administers(time.Duration(d)*aDay+toNight+2*hour, "night", "srv2"))
			}
			return l
		}(), nil},
		{"one on call every tenth night", func() []seen {
			l := officeHours(45, "adm")
			for _, d := range []int{10, 11, 24, 25, 38, 39} { // learned after the first
				l = append(l, administers(time.Duration(d)*aDay+toNight+30*time.Minute, "adm", "srv1"))
			}
			slices.SortStableFunc(l, func(a, b seen) int { return int(a.at - b.at) })
			return l
		}(), []string{hoursKind.Title}},
		{"a new account at night, on a machine that has its hours", append(officeHours(5, "adm"), administers(night, "new", "srv1")), []string{hoursKind.Title}},
		{"a new account by day", append(officeHours(5, "adm"), administers(4*aDay+toTen, "new", "srv1")), nil},
		{"on a Sunday, never before in a month", append(officeHours(29, "adm"), administers(30*aDay+toTen, "adm", "srv1")), []string{hoursKind.Title}},
		{"on the second weekend", append(officeHours(8, "adm"), administers(9*aDay+toTen, "adm", "srv1")), nil},
		{"the system itself", append(officeHours(5, "adm"), seen{night, event.View{Action: event.Privilege, User: asset.Account{Domain: "nt authority", Name: "system"}, Host: "srv1"}}), nil},
		{"a person without privileges at night", append(officeHours(5, "adm"), seen{night, event.View{Action: event.Logon, Logon: 2, User: asset.Account{Domain: "city", Name: "lin"}, Host: "srv1"}}), nil},

		{"a host that never sent anything out", uploads(0, 0, 0, 400*mb), []string{exfilKind.Title}},
		{"on its second day", uploads(0, 400*mb), nil},
		{"less than it takes", uploads(0, 0, 0, 90*mb), nil},
		{"films every day", uploads(2000*mb, 5000*mb, 1500*mb, 3000*mb, 6000*mb), nil},
		{"and then ten times as much", uploads(2000*mb, 5000*mb, 1500*mb, 3000*mb, 24000*mb), nil},
		{"and then a hundred times as much", uploads(200*mb, 250*mb, 180*mb, 220*mb, 20000*mb), []string{exfilKind.Title}},
		{"told by two sensors", twice(uploads(0, 0, 0, 60*mb), "core", 2*time.Second), nil},
		{"one packet in a thousand", sampled(uploads(0, 0, 0, 400*mb), 1000), []string{exfilKind.Title}},
		{"a little more day after day", uploads(40*mb, 45*mb, 40*mb, 44*mb, 130*mb, 130*mb, 130*mb, 130*mb, 130*mb), []string{exfilSlowKind.Title, exfilSlowKind.Title, exfilSlowKind.Title}},
		{"much on one day of a week", uploads(40*mb, 45*mb, 40*mb, 44*mb, 130*mb, 40*mb, 44*mb, 40*mb, 45*mb, 40*mb, 44*mb, 130*mb), nil},

		{"services on three machines", spread(3, rounds(0, 0, 3)), []string{shareKind.Title}},
		{"on two", spread(3, rounds(0, 0, 2)), nil},
		{"on the first day", rounds(0, 0, 9), nil},
		{"an administrator on the machines that he always opens", spread(3, rounds(9, 0, 0)), []string{shareKind.Title}}, /* when he is new */
		{"software distribution, whose days have many new ones", spread(2, rounds(9, 6, 9)), []string{shareKind.Title}},  /* likewise */
		{"and one day far more", spread(2, rounds(4, 6, 30)), []string{shareKind.Title, shareKind.Title}},
		{"people's shares", spread(3, func() (l []seen) {
			for i := range 20 {
				l = append(l, opens(time.Duration(i)*time.Second, ip(10, 1, 1, 9), fmt.Sprint("fs", i), "public", `a.docx`), opens(time.Duration(i)*time.Second, ip(10, 1, 1, 9), fmt.Sprint("fs", i), "IPC$", "srvsvc"))
			}
			return l
		}()), nil},
		{"told by the machine and by a sensor", spread(3, func() (l []seen) {
			for i := range 2 {
				x := opens(time.Duration(i)*time.Second, ip(10, 1, 1, 9), fmt.Sprint("srv", i), "ADMIN$", "x.exe")
				z := x
				z.v.Host, z.v.DstHost, z.v.Dst, z.v.Message = "", "", ip(10, 1, 5, i), fmt.Sprintf(`\\srv%d.city.example\ADMIN$`, i)
				p := z
				p.v.Action, p.v.Share, p.v.Message = event.RPC, "", "svcctl::CreateServiceW"
				l = append(l, z, p, x)
			}
			return l
		}()), nil},

		{"an alert that was never there", warned(3, 1, "SCAN nmap"), []string{alertNewKind.Title}},
		{"on the second day", warned(1, 1, "SCAN nmap"), nil},
		{"an alert of every day", warned(3, 5, "TLS invalid"), nil},
		{"an alert that all machines have", append(func() (l []seen) {
			for i := range 8 {
				l = append(l, seen{0, event.View{Action: event.Alert, Host: fmt.Sprint("pc", i), Message: "update"}})
			}
			return l
		}(), warned(3, 1, "update")...), nil},
		{"directories guessed", warned(3, 400, "TLS invalid"), []string{alertFloodKind.Title}},
		{"a machine that is always loud", func() (l []seen) {
			for m := range 60 {
				for i := range 400 {
					l = append(l, seen{time.Duration(m)*time.Minute + time.Duration(i)*100*time.Millisecond, event.View{Action: event.Alert, Host: "fw", Message: "denied"}})
				}
			}
			return l
		}(), []string{alertFloodKind.Title}}, /* when it is new */

		{"one new machine an hour", creeps(3, 14, hour), []string{fanSlowKind.Title}},
		{"two an hour", creeps(3, 9, 30*time.Minute), []string{fanSlowKind.Title}},
		{"one a day", creeps(3, 20, aDay), nil},
		{"seven at once", creeps(3, 7, time.Second), nil},
		{"on its first days", creeps(1, 14, hour), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, play(t, c.list), cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
}
