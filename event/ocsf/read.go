// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package ocsf

import (
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/event"
)

// viewFields are what a source can take of the view: its JSON names, the parts of
// accounts, and the event's product.
var viewFields = []string{
	"host", "host_addr", "src", "src_host", "src_port", "dst", "dst_host", "dst_port", "proto", "service", "user.name", "user.domain", "account.name", "account.domain",
	"process", "parent", "command", "file", "hash", "event_id", "channel", "logon_type", "session", "message", "bytes_out", "bytes_in", "duration", "answer", "product",
}

// read returns the attribute's value, nil when there is none.
func (s *source) read(e *event.Event, v *event.View) any {
	if s.As == "id" {
		return e.ID.String()
	}
	if s.fixed {
		return s.Value
	}
	if s.View == "duration" {
		return length(v.Duration, s.As)
	}
	text, list := s.text(e, v)
	if s.Values != nil || s.Else != nil {
		if x, ok := s.Values[strings.ToLower(text)]; ok && text != "" {
			return x
		}
		if s.Values != nil || text == "" {
			return s.Else
		}
	}
	return as(s.As, text, list)
}

// text returns the source's text, and its elements when the field is a list.
func (s *source) text(e *event.Event, v *event.View) (string, []string) {
	if s.View != "" {
		return viewText(e, v, s.View), nil
	}
	for _, n := range s.Field {
		if x, ok := e.Fields.Get(n); ok && x.String() != "" {
			return x.String(), x.List
		}
	}
	return "", nil
}

func as(how, text string, list []string) any {
	if text == "" {
		return nil
	}
	switch how {
	case "int":
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil || n < 0 {
			return nil
		}
		return n
	case "base":
		return path.Base(strings.ReplaceAll(text, `\`, "/"))
	case "upper":
		return strings.ToUpper(text)
	case "words":
		return some(strings.Fields(text))
	case "list":
		return some(strings.Split(text, ", "))
	case "addresses":
		if list == nil {
			list = strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == ',' })
		}
		var out []string
		for _, a := range list {
			if a = strings.Trim(a, "<> "); a != "" {
				out = append(out, a)
			}
		}
		return some(out)
	}
	return text
}

// some is a list that has something.
func some(l []string) any {
	if len(l) == 0 {
		return nil
	}
	return l
}

func length(d time.Duration, how string) any {
	switch {
	case d <= 0:
		return nil
	case how == "s":
		return int64(d / time.Second)
	}
	return d.Milliseconds()
}

// viewText returns one of viewFields as text; numbers as JSON has them, 0 is
// unknown.
func viewText(e *event.Event, v *event.View, name string) string {
	switch name {
	case "host":
		return v.Host
	case "host_addr":
		return address(v.HostAddr)
	case "src":
		return address(v.Src)
	case "src_host":
		return v.SrcHost
	case "dst":
		return address(v.Dst)
	case "dst_host":
		return v.DstHost
	case "src_port":
		return number(int64(v.SrcPort))
	case "dst_port":
		return number(int64(v.DstPort))
	case "proto":
		return v.Proto
	case "service":
		return v.Service
	case "user.name":
		return v.User.Name
	case "user.domain":
		return v.User.Domain
	case "account.name":
		return account(v).Name
	case "account.domain":
		return account(v).Domain
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
	case "event_id":
		return v.EventID
	case "channel":
		return v.Channel
	case "logon_type":
		return number(int64(v.Logon))
	case "session":
		return v.Session
	case "message":
		return v.Message
	case "bytes_out":
		return number(v.BytesOut)
	case "bytes_in":
		return number(v.BytesIn)
	case "answer":
		return v.Answer
	case "product":
		return e.Product
	}
	return ""
}

// account is whose account was used: another than the actor's, when the record
// says so.
func account(v *event.View) asset.Account {
	if v.Target.IsZero() {
		return v.User
	}
	return v.Target
}

func address(a netip.Addr) string {
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
