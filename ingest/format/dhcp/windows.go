// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package dhcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

const windowsName = "windows_dhcp"

// Columns of DhcpSrvLog and DhcpV6SrvLog (Microsoft Learn, "DHCP server log
// files"); a file names its own in the line that begins with ID.
var (
	windowsV4 = []string{
		"ID", "Date", "Time", "Description", "IP Address", "Host Name", "MAC Address", "User Name", "TransactionID", "QResult", "Probationtime", "CorrelationID", "Dhcid",
		"VendorClass(Hex)", "VendorClass(ASCII)", "UserClass(Hex)", "UserClass(ASCII)", "RelayAgentInformation", "DnsRegError",
	}
	windowsV6 = []string{
		"ID", "Date", "Time", "Description", "IPv6 Address", "Host Name", "Error Code", "Duid Length", "Duid Bytes(Hex)", "User Name", "Dhcid", "Subnet Prefix",
	}
)

func sniffWindows(head []byte) int {
	if bytes.Contains(head[:min(len(head), 256)], []byte("Microsoft DHCP Service Activity Log")) || bytes.Contains(head[:min(len(head), 256)], []byte("Microsoft DHCPv6 Service Activity Log")) {
		return 95
	}
	if format.SniffLines(head, func(l []byte) bool { return l[0] >= '0' && l[0] <= '9' && isWindows(string(l)) }) {
		return 85
	}
	return 0
}

// isWindows reports "10,03/13/26,18:50:00,Assign,10.0.0.5,…".
func isWindows(s string) bool {
	id, rest, ok := strings.Cut(s, ",")
	if !ok || id == "" || len(id) > 5 || strings.Trim(id, "0123456789") != "" || len(rest) < 18 {
		return false
	}
	return rest[2] == '/' && rest[5] == '/' && rest[8] == ',' && rest[11] == ':' && rest[14] == ':' && rest[17] == ',' && strings.Count(rest, ",") >= 4
}

func decodeWindows(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	var st format.Stats
	var cols []string
	begun := false
	err := format.EachLine(ctx, r, func(l format.Line) error {
		line := valid(l.Text)
		switch {
		case strings.HasPrefix(line, "ID,"):
			cols, begun = names(line), true
			return nil
		case !isWindows(line) && !begun:
			return nil // the preamble explains the ids
		}
		begun = true
		e := src.Event(windowsName, l.Pos)
		e.Raw = bytes.Clone(l.Text)
		err := windowsRow(e, line, cols, src)
		if l.Long {
			err = fmt.Errorf("longer than %d bytes", format.MaxRecord)
		}
		if err != nil {
			st.Damaged++
			st.Note("line %d at byte %d: %v", l.Pos.Line, l.Pos.Offset, err)
			return nil
		}
		st.Saw(e)
		return emit(e)
	})
	return st, err
}

func recordWindows(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	e := src.Event(windowsName, p)
	e.Raw = bytes.Clone(rec)
	return e, windowsRow(e, valid(rec), nil, src)
}

// names reads the header, whose last name ends with a full stop.
func names(line string) []string {
	cols := strings.Split(strings.TrimSuffix(strings.TrimSpace(line), "."), ",")
	for i := range cols {
		cols[i] = strings.TrimSpace(cols[i])
	}
	return cols[:min(len(cols), 64)]
}

func windowsRow(e *event.Event, line string, cols []string, src format.Source) error {
	if !isWindows(line) {
		return errors.New("want ID,MM/DD/YY,hh:mm:ss,Description,…")
	}
	vals := strings.Split(line, ",")
	if cols == nil {
		if cols = windowsV4; len(vals[0]) == 5 { // ids of the DHCPv6 log begin at 11000
			cols = windowsV6
		}
	}
	e.Product, e.Category, e.Service = "dhcp", "dhcp", "windows"
	for i, v := range vals {
		n := "extra"
		if i < len(cols) && cols[i] != "" {
			n = cols[i]
		}
		if i < 64 {
			e.Fields.Add(n, strings.TrimSpace(v))
		}
	}
	e.TimeRaw = vals[1] + " " + vals[2]
	t, err := time.ParseInLocation("01/02/06 15:04:05", e.TimeRaw, src.Location())
	if err != nil {
		return fmt.Errorf("time %q: want MM/DD/YY hh:mm:ss", e.TimeRaw)
	}
	e.Time, e.ZoneAssumed, e.Uncertainty = t.UTC(), true, time.Second/2
	return nil
}
