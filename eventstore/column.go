// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package eventstore

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"citywall/event"
)

// Columns are the normalised names that every engine stores as columns, in the
// order people meet them. Anything else is a native field of the record.
var Columns = []string{
	"time", "received", "id", "agency", "source", "product", "category", "service",
	"host", "host_ip", "user", "target_user",
	"src_ip", "src_host", "src_port", "dst_ip", "dst_host", "dst_port", "proto", "app",
	"event_id", "channel", "action", "outcome", "logon_type",
	"process", "parent", "command", "file", "hash",
	"message", "session", "bytes_out", "bytes_in", "observer", "format",
}

// WordColumns are the columns that a Word looks into besides the native
// fields: those whose text need not stand in the record as it is.
var WordColumns = []string{"source", "host", "user", "target_user", "message"}

// Kind says how a column compares.
type Kind uint8

// Kinds of column.
const (
	KindText    Kind = iota
	KindTime         // Value is RFC 3339; Eq, Exists and the four orders only
	KindID           // 32 hex digits
	KindHost         // Eq takes "WEB1.corp.example" for web1 (asset.HostName)
	KindAccount      // domain\name; Eq without a domain means any domain
	KindAddr         // canonical text of an address
	KindPath         // Eq without a separator means the last part of the path
	KindNumber       // a whole number; 0 is unknown
)

// KindOf returns how a column compares, and false when name is no column.
// Case is ignored.
func KindOf(name string) (Kind, bool) {
	c, ok := Column(name)
	if !ok {
		return 0, false
	}
	switch c {
	case "time", "received":
		return KindTime, true
	case "id":
		return KindID, true
	case "host":
		return KindHost, true
	case "user", "target_user":
		return KindAccount, true
	case "host_ip", "src_ip", "dst_ip":
		return KindAddr, true
	case "process", "parent", "file":
		return KindPath, true
	case "src_port", "dst_port", "logon_type", "bytes_out", "bytes_in":
		return KindNumber, true
	}
	return KindText, true
}

// Column returns the column that name means, case ignored.
func Column(name string) (string, bool) {
	name = strings.ToLower(name)
	return name, slices.Contains(Columns, name)
}

// Native returns the native field name that name means, and false when name
// is a column.
func Native(name string) (string, bool) {
	if n, ok := strings.CutPrefix(name, "native."); ok {
		return n, true
	}
	_, column := Column(name)
	return name, !column
}

// When is the time at which a store keeps e: its own time, else when Citywall
// received it, else the beginning of 1970. Times outside the years 1 to 9999
// count as none.
func When(e *event.Event) time.Time {
	switch {
	case Timed(e.Time):
		return e.Time.UTC()
	case Timed(e.Received):
		return e.Received.UTC()
	}
	return time.Unix(0, 0).UTC()
}

// Timed reports whether t is a time that a store can keep.
func Timed(t time.Time) bool {
	y := t.UTC().Year()
	return !t.IsZero() && y >= 1 && y <= 9999
}

// Text returns what column holds for e, "" when unknown; v is e.View().
func Text(e *event.Event, v *event.View, column string) string {
	switch column {
	case "time":
		return stamp(e.Time)
	case "received":
		return stamp(e.Received)
	case "id":
		return e.ID.String()
	case "agency":
		return e.Agency
	case "source":
		return e.Source
	case "product":
		return e.Product
	case "category":
		return e.Category
	case "service":
		return e.Service
	case "host":
		return v.Host
	case "host_ip":
		return addr(v.HostAddr)
	case "user":
		return v.User.String()
	case "target_user":
		return v.Target.String()
	case "src_ip":
		return addr(v.Src)
	case "src_host":
		return v.SrcHost
	case "src_port":
		return number(int64(v.SrcPort))
	case "dst_ip":
		return addr(v.Dst)
	case "dst_host":
		return v.DstHost
	case "dst_port":
		return number(int64(v.DstPort))
	case "proto":
		return v.Proto
	case "app":
		return v.Service
	case "event_id":
		return v.EventID
	case "channel":
		return v.Channel
	case "action":
		return string(v.Action)
	case "outcome":
		return string(v.Outcome)
	case "logon_type":
		return number(int64(v.Logon))
	case "process":
		return v.Process
	case "parent":
		return v.Parent
	case "command":
		return v.Command
	case "file":
		return v.File
	case "hash":
		return v.Hash
	case "message":
		return v.Message
	case "session":
		return v.Session
	case "bytes_out":
		return number(v.BytesOut)
	case "bytes_in":
		return number(v.BytesIn)
	case "observer":
		return v.Observer
	case "format":
		return e.Origin.Format
	}
	return ""
}

// Number reports whether s is a number as Lt, Lte, Gt and Gte understand it: a
// sign, up to 18 digits, up to 9 decimals. Hex and exponents are text.
func Number(s string) bool {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	whole, frac, point := strings.Cut(s, ".")
	digits := func(s string, most int) bool {
		return s != "" && len(s) <= most && strings.Trim(s, "0123456789") == ""
	}
	return digits(whole, 18) && (!point || digits(frac, 9))
}

func stamp(t time.Time) string {
	if !Timed(t) {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
