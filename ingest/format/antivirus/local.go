// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package antivirus

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// Trend Micro OfficeScan: columns end with <;>.
var (
	pccnt35 = []string{"date", "time", "threat", "action", "scan_type", "unused1", "path", "filename", "unused2", "timestamp", "unused3", "unused4"}
	ofcUrlf = []string{"date", "time", "block_mode", "url", "group_code", "group_name", "credibility_rating", "policy_identifier", "application_name", "credibility_score", "ip", "threshold", "timestamp", "unused"}
)

func isOfficeScan(s string) bool {
	return len(s) > 20 && s[8:min(len(s), 11)] == "<;>" && digits(s[:8], 8) && strings.Count(s[:min(len(s), 2048)], "<;>") >= 8
}

func readOfficeScan(s string, e *event.Event, src format.Source) error {
	vals := strings.Split(strings.TrimSuffix(s, "<;>"), "<;>")
	if len(vals) > 64 {
		return errors.New("OfficeScan: too many columns")
	}
	names := pccnt35
	if len(vals) > 3 && strings.Contains(vals[3], "://") {
		names = ofcUrlf
	}
	fields(e, names, vals)
	if ts := e.Fields.Str("timestamp"); ts != "" && ts != "0" {
		t, err := format.Epoch(ts)
		if err != nil {
			return fmt.Errorf("OfficeScan: %w", err)
		}
		e.Time, e.TimeRaw, e.Uncertainty = t, ts, time.Second/2
		return nil
	}
	clock := e.Fields.Str("time") // HMM or HHMM
	if len(clock) == 3 {
		clock = "0" + clock
	}
	return at(e, "20060102 1504", vals[0]+" "+clock, src, time.Minute)
}

// symantecColumns are those of the Symantec AntiVirus and Endpoint Protection
// client's log (Broadcom, "Interpreting Log Files").
var symantecColumns = strings.Fields(`time event cat logger computer user virus file action1 action2 action0 virustype flags description scanid
	new_ext groupid event_data vbin_id virus_id quarfwd_status access snd_status compressed depth still_infected definfo defseqnumber cleaninfo
	deleteinfo backup_id parent guid clientgroup address domainname ntdomain macaddr version remote_machine remote_machine_ip action1_status
	action2_status license_feature_name license_feature_ver license_serial_num license_fulfillment_id license_start_dt license_expiration_dt
	license_lifecycle license_seats_total license_seats err_code license_seats_delta status domain_guid log_session_guid vbin_session_id
	login_domain extra`)

func isSymantec(s string) bool {
	if len(s) < 40 || s[12] != ',' || strings.Count(s[:min(len(s), 4096)], ",") < 30 {
		return false
	}
	_, err := hex.DecodeString(s[:12])
	return err == nil
}

// readSymantec reads a time of six hexadecimal octets, local: years since 1970,
// months from 0, day, hour, minute, second.
func readSymantec(s string, e *event.Event, src format.Source) error {
	b, err := hex.DecodeString(s[:12])
	if err != nil || b[1] > 11 || b[2] < 1 || b[2] > 31 || b[3] > 23 || b[4] > 59 || b[5] > 60 {
		return fmt.Errorf("symantec: time %q", s[:12])
	}
	vals, err := format.SplitCSV([]byte(s), ',')
	if err != nil {
		return err
	}
	fields(e, symantecColumns, vals)
	t := time.Date(1970+int(b[0]), time.Month(b[1]+1), int(b[2]), int(b[3]), int(b[4]), int(b[5]), 0, src.Location())
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), s[:12], true, time.Second/2
	return nil
}

func isSophos(s string) bool {
	return len(s) > 16 && s[8] == ' ' && (s[15] == '\t' || s[15] == ' ') && digits(s[:8], 8) && digits(s[9:15], 6)
}

// readSophos reads "20100720 183814 File "…" belongs to virus/spyware 'X'.".
func readSophos(s string, e *event.Event, src format.Source) error {
	if err := at(e, "20060102 150405", s[:15], src, time.Second); err != nil {
		return fmt.Errorf("sophos: %w", err)
	}
	msg := strings.TrimSpace(s[16:])
	b := format.NewBody(&e.Fields, 4)
	b.Add("message", msg)
	sig := func(after string) bool {
		_, rest, ok := strings.Cut(msg, after)
		v, _, ok2 := strings.Cut(rest, "'")
		if ok && ok2 && v != "" {
			b.Add("Signature", v)
		}
		return ok && ok2
	}
	file := func(before, after string) {
		if i := strings.Index(msg, before); i >= 0 {
			if v, _, ok := strings.Cut(msg[i+len(before):], after); ok {
				b.Add("Filename", v)
			}
		}
	}
	switch {
	case strings.Contains(msg, `" belongs to virus/spyware '`):
		b.Add("event", "found")
		file(`File "`, `" belongs to`)
		sig(`" belongs to virus/spyware '`)
	case strings.HasPrefix(msg, "Virus/spyware '") && strings.Contains(msg, "' detected in '"):
		b.Add("event", "found")
		sig("Virus/spyware '")
		file("' detected in '", "'")
	case strings.HasPrefix(msg, "The virus/spyware '"):
		b.Add("event", "handled")
		sig("The virus/spyware '")
	case strings.HasPrefix(msg, `The file "`):
		b.Add("event", "handled")
		file(`The file "`, `"`)
	case strings.HasPrefix(msg, `Infected file "`):
		b.Add("event", "handled")
		file(`Infected file "`, `"`)
	}
	return nil
}

// McAfee VirusScan Enterprise: tab-separated, date and time in the system's own
// form.
var (
	mcafeeRule   = []string{"date", "time", "status", "user", "process", "file", "rule", "action"}   // access protection
	mcafeeThreat = []string{"date", "time", "status", "user", "process", "file", "threat", "action"} // a scan
	mcafeePorts  = []string{"date", "time", "status", "process", "rule", "remote"}                   // port blocking
)

func isMcAfee(s string) bool {
	w := strings.SplitN(s, "\t", 9)
	if len(w) < 6 || len(w) > 8 || len(w) == 6 && !strings.Contains(w[2], "port blocking") {
		return false
	}
	_, err := mcafeeTime(strings.TrimSpace(w[0]), strings.TrimSpace(w[1]), time.UTC)
	return err == nil
}

func readMcAfee(s string, e *event.Event, src format.Source) error {
	w := strings.Split(s, "\t")
	for i := range w {
		w[i] = strings.TrimSpace(w[i])
	}
	t, err := mcafeeTime(w[0], w[1], src.Location())
	if err != nil {
		return err
	}
	if len(w) == 6 {
		fields(e, mcafeePorts, w)
		if a, err := netip.ParseAddrPort(w[5]); err == nil {
			fields(e, []string{"remote_ip", "remote_port"}, []string{a.Addr().String(), strconv.Itoa(int(a.Port()))})
		}
	} else if strings.Contains(w[2], " rule") {
		fields(e, mcafeeRule, w)
	} else {
		fields(e, mcafeeThreat, w)
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), w[0]+" "+w[1], true, time.Second/2
	return nil
}

// mcafeeTime reads 9/27/2013 2:42:26 PM and what Windows writes in Taiwan,
// 2013/9/27 下午 02:42:26. With the year last the month comes first; other orders
// cannot be told from it and are not read.
func mcafeeTime(day, clock string, loc *time.Location) (time.Time, error) {
	clock = strings.NewReplacer("上午", "AM", "下午", "PM").Replace(clock)
	for _, l := range [...]string{"1/2/2006 3:04:05 PM", "1/2/2006 15:04:05", "2006/1/2 PM 3:04:05", "2006/1/2 15:04:05", "2006-1-2 15:04:05"} {
		if t, err := time.ParseInLocation(l, day+" "+clock, loc); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("mcafee: time %q %q", day[:min(len(day), 20)], clock[:min(len(clock), 20)])
}
