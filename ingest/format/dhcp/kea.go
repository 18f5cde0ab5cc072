// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package dhcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/sentence"
)

const (
	keaName    = "kea_leases"
	keaLogName = "kea_log"
)

// sniffKea: the header of a memfile (Kea ARM, "Memfile - Basic Storage for
// Leases"); columns were added at the end over the years.
func sniffKea(head []byte) int {
	if bytes.HasPrefix(head, []byte("address,hwaddr,client_id,valid_lifetime,expire,")) || bytes.HasPrefix(head, []byte("address,duid,valid_lifetime,expire,")) {
		return 95
	}
	return 0
}

// decodeKea reads a lease file, in which every change of a lease is a line.
func decodeKea(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	var st format.Stats
	var cols []string
	err := format.EachLine(ctx, r, func(l format.Line) error {
		line := valid(l.Text)
		if cols == nil || strings.HasPrefix(line, "address,") {
			cols = strings.Split(line, ",")
			return nil
		}
		e := src.Event(keaName, l.Pos)
		e.Raw = bytes.Clone(l.Text)
		if err := keaRow(e, cols, strings.Split(line, ","), l.Long); err != nil {
			st.Damaged++
			st.Note("line %d at byte %d: %v", l.Pos.Line, l.Pos.Offset, err)
			return nil
		}
		st.Saw(e)
		return emit(e)
	})
	return st, err
}

// states of a lease (Kea: lease.h).
var keaStates = map[string]string{"0": "assigned", "1": "declined", "2": "expired", "3": "released", "4": "registered"}

func keaRow(e *event.Event, cols, vals []string, long bool) error {
	if long || len(vals) > len(cols) || len(vals) < 6 || len(cols) > 64 {
		return fmt.Errorf("%d values for %d columns", len(vals), len(cols))
	}
	e.Product, e.Category, e.Service = "dhcp", "dhcp", "kea"
	for i, v := range vals {
		e.Fields = append(e.Fields, event.Field{Name: cols[i], Value: event.T(strings.ReplaceAll(v, "&#x2c", ","))})
	}
	life, err := strconv.ParseInt(e.Fields.Str("valid_lifetime"), 10, 64)
	if err != nil {
		return err
	}
	end, err := strconv.ParseInt(e.Fields.Str("expire"), 10, 64)
	if err != nil {
		return err
	}
	if e.Time, err = format.Epoch(strconv.FormatInt(end-life, 10)); err != nil {
		return err
	}
	e.TimeRaw, e.Uncertainty = e.Fields.Str("expire"), time.Second/2
	if e.Fields.Str("state") == "2" { // expired: it ended then
		e.Time = e.Time.Add(time.Duration(min(max(life, 0), 1<<32)) * time.Second)
	}
	switch s := keaStates[e.Fields.Str("state")]; {
	case life == 0: // how memfile says that a lease was deleted
		e.Fields.Add("event", "deleted")
	case s != "":
		e.Fields.Add("event", s)
	default:
		e.Fields.Add("event", "assigned") // files of Kea before 1.0 have no state
	}
	return nil
}

// isKea reports "INFO  [kea-dhcp4.leases/123.456] DHCP4_LEASE_ALLOC …", the
// form of both the log file, after its time, and syslog.
func isKea(s string) bool {
	level, rest, ok := strings.Cut(s, " ")
	if !ok || len(level) > 5 || strings.Trim(level, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return false
	}
	return strings.HasPrefix(strings.TrimLeft(rest, " "), "[kea-")
}

func sniffKeaLog(head []byte) int {
	if format.SniffLines(head, func(l []byte) bool {
		return len(l) > 24 && l[4] == '-' && l[10] == ' ' && l[19] == '.' && isKea(string(l[24:]))
	}) {
		return 90
	}
	return 0
}

func recordKeaLog(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	s := valid(rec)
	if len(s) < 25 || !isKea(s[24:]) {
		return nil, errors.New("want YYYY-MM-DD hh:mm:ss.mmm LEVEL [kea-…] MESSAGE")
	}
	e := src.Event(keaLogName, p)
	e.Raw = bytes.Clone(rec)
	t, err := time.ParseInLocation("2006-01-02 15:04:05.000", s[:23], src.Location())
	if err != nil {
		return nil, err
	}
	e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), s[:23], true, time.Millisecond/2
	e.Product, e.Category = "dhcp", "dhcp"
	return e, readKea(s[24:], e, src)
}

// keaSentences are the messages about addresses (Kea Messages Manual).
var keaSentences = sentence.Parse(`
DHCP4_LEASE_ALLOC|allocated|lease {ip} has been allocated for {lease_time} seconds
DHCP4_LEASE_OFFER|offered|lease {ip} will be offered
DHCP4_LEASE_ADVERT|offered|lease {ip} will be advertised
DHCP4_LEASE_REUSE|allocated|lease {ip} has been reused for {lease_time} seconds
DHCP4_RELEASE|released|address {ip} was released properly.
DHCP4_RELEASE_EXPIRED|released|address {ip} expired on release
DHCP4_RELEASE_DELETED|released|address {ip} was deleted on release.
DHCP6_LEASE_ALLOC|allocated|lease for address {ip} and iaid={iaid} has been allocated for {lease_time} seconds
DHCP6_LEASE_RENEW|renewed|lease for address {ip} and iaid={iaid} has been allocated
DHCP6_RELEASE_NA|released|binding for address {ip} and iaid={iaid} was released properly
DHCPSRV_MEMFILE_DELETE_ADDR|deleted|deleting lease for address {ip}
ALLOC_ENGINE_V4_LEASE_RECLAIM|expired|{_}: reclaiming expired lease for address {ip}
ALLOC_ENGINE_V6_LEASE_RECLAIM|expired|{_}: reclaiming expired lease for prefix {ip}/{prefix_len}
`)

// readKea reads a message after its time.
func readKea(s string, e *event.Event, _ format.Source) error {
	e.Service = "kea"
	f := format.NewBody(&e.Fields, 10)
	level, rest, _ := strings.Cut(s, " ")
	f.Add("level", level)
	logger, rest, ok := strings.Cut(strings.TrimLeft(rest, " ["), "] ")
	if !ok {
		return errors.New("want [logger] after the level")
	}
	f.Add("logger", logger)
	id, text, _ := strings.Cut(rest, " ")
	f.Add("message_id", id)
	f.Add("message", text)
	// "[hwtype=1 aa:bb:cc:dd:ee:ff], cid=[01:aa:…], tid=0x1: lease …"
	who, what := "", text
	if i := strings.Index(text, "tid=0x"); i >= 0 {
		if j := strings.Index(text[i:], ": "); j >= 0 {
			who, what = text[:i+j], text[i+j+2:]
		}
	}
	if mac, ok := between(who, "hwtype=", "]"); ok {
		_, mac, _ = strings.Cut(mac, " ")
		if isMAC(mac) {
			f.Add("mac", mac)
		}
	}
	for _, k := range [...]string{"cid", "duid"} {
		if v, ok := between(who, k+"=[", "]"); ok {
			f.Add(k, v)
		}
	}
	if _, tid, ok := strings.Cut(who, "tid="); ok {
		f.Add("tid", tid)
	}
	if ev := keaSentences.Read(id, what, f.Add); ev != "" {
		f.Add("event", ev)
	}
	return nil
}

func between(s, a, b string) (string, bool) {
	_, s, ok := strings.Cut(s, a)
	in, _, ok2 := strings.Cut(s, b)
	return in, ok && ok2
}
