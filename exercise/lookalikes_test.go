// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"citywall/exercise"
	"citywall/exercise/logs"
)

// TestLookAlikes holds that a city in which nothing happens still holds what
// rules and inference must not fall for. Without these no false accusation
// could be counted.
func TestLookAlikes(t *testing.T) {
	p := play(t, "hospital", exercise.Options{Seed: 4, NoAttack: true})
	seen := map[string]int{}
	files := map[string]int{}
	err := p.Records(t.Context(), func(r *logs.Record) error {
		n := func(field string) int64 {
			v, _ := strconv.ParseInt(r.Get(field), 10, 64) // unset is none
			return v
		}
		late := r.Stamp.After(p.Options().Attack.Add(-time.Hour))
		switch r.Schema {
		case logs.ObjectModified:
			seen["policy edited by its administrator in domain "+r.Get("SubjectDomainName")]++
		case logs.ServiceInstalled:
			seen["program pushed as a service"]++
			if late {
				seen["program pushed as a service, on the evening of the attack"]++
			}
		case logs.ZeekConn:
			if n("orig_bytes") > 5e9 && strings.HasPrefix(r.Get("id.resp_h"), "198.18.") {
				seen["gigabytes leaving"]++
			}
			if n("orig_bytes") > 1e9 && strings.HasPrefix(r.Get("id.orig_h"), "10.1.16.") {
				seen["gigabytes leaving from a desk"]++
			}
			if r.Get("id.orig_h") == "10.1.2.21" && r.Get("conn_state") != "SF" {
				seen["port swept"]++
				if late {
					seen["port swept, on the evening of the attack"]++
				}
			}
			if strings.HasPrefix(r.Get("id.orig_h"), "10.254.") && r.Get("id.resp_p") == "3389" && r.Stamp.Hour() >= 11 {
				seen["remote desktop from the VPN in the evening"]++
			}
		case logs.SysmonProcess:
			if strings.Contains(r.Get("CommandLine"), "vssadmin list") {
				seen["shadow copies listed"]++
			}
			if strings.HasSuffix(r.Get("ParentImage"), "w3wp.exe") {
				seen["child of a web server"]++
			}
			image, parent := r.Get("Image"), r.Get("ParentImage")
			if strings.HasSuffix(image, "cmd.exe") && (strings.Contains(parent, "ScreenConnect") || strings.Contains(parent, "AnyDesk") || strings.Contains(parent, "AgentPackage")) {
				seen["command through a remote-management tool"]++
			}
			if strings.HasSuffix(image, "rclone.exe") {
				seen["copy with rclone"]++
			}
			if strings.HasPrefix(image, `E:\`) {
				seen["program from a stick"]++
			}
		case logs.Logon:
			if r.Get("TargetUserName") == "ANONYMOUS LOGON" {
				seen["nobody's session"]++
			}
		case logs.GroupMember:
			seen["member added to a group"]++
		case logs.UserCreated:
			seen["account made"]++
		case logs.LockedOut:
			seen["locked out"]++
		case logs.DeviceAdded:
			seen["stick put in"]++
		case logs.Updated:
			seen["patched"]++
		case logs.CertIssued:
			seen["certificate renewed"]++
		case logs.ESXiSSHOn:
			seen["shell of a hypervisor opened"]++
		case logs.ESXiPowerOff:
			seen["guest switched off"]++
		case logs.ESXiTask:
			if r.Get("what") == "removeAllSnapshots" {
				seen["snapshots removed"]++
			}
		case logs.NASFile:
			if r.Get("event") == "write" {
				seen["file written to the NAS"]++
			}
		case logs.MailScanned:
			if strings.Contains(strings.ToLower(r.Get("subject")), "invoice") {
				seen["letter about an invoice"]++
			}
		case logs.SysmonFile:
			files[r.Source.Computer+r.Get("Image")+r.Stamp.Truncate(time.Minute).String()]++
		case logs.ScriptBlock:
			seen["administration by PowerShell"]++
		case logs.LogonFailed:
			seen["password mistyped"]++
		case logs.FortiVPNUp:
			if r.Get("user") == "v-ris" {
				seen["vendor at work"]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range files {
		if n >= 50 {
			seen["fifty files in a minute"]++
		}
	}
	for what, least := range map[string]int{
		"policy edited by its administrator in domain HOSP": 2, "policy edited by its administrator in domain CITY": 2, "program pushed as a service": 5,
		"program pushed as a service, on the evening of the attack": 1, "gigabytes leaving": 4, "port swept": 100, "port swept, on the evening of the attack": 50,
		"remote desktop from the VPN in the evening": 1, "shadow copies listed": 1, "child of a web server": 2, "administration by PowerShell": 10, "password mistyped": 5,
		"vendor at work": 2, "fifty files in a minute": 1,
		"command through a remote-management tool": 5, "copy with rclone": 2, "program from a stick": 1, "nobody's session": 5, "member added to a group": 2, "account made": 1,
		"locked out": 2, "stick put in": 4, "patched": 20, "certificate renewed": 8, "shell of a hypervisor opened": 1, "guest switched off": 1, "snapshots removed": 1,
		"file written to the NAS": 150, "letter about an invoice": 3, "gigabytes leaving from a desk": 1,
	} {
		if seen[what] < least {
			t.Errorf("%s: %d times, want at least %d", what, seen[what], least)
		}
	}
}
