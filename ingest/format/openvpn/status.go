// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package openvpn

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

const statusName = "openvpn-status"

// Format returns the decoder of status files, versions 1 to 3.
func Format() format.Format {
	return format.Format{Name: statusName, Sniff: sniff, Decode: decode}
}

func sniff(head []byte) int {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	s := strings.TrimRight(string(line), "\r")
	if s == "OpenVPN CLIENT LIST" || strings.HasPrefix(s, "TITLE,OpenVPN ") || strings.HasPrefix(s, "TITLE\tOpenVPN ") {
		return 95
	}
	return 0
}

// decode emits an event for each client of the list; the routing table says
// which address each has, where the list does not (version 1).
func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	d := status{src: src, routes: map[string]string{}}
	err := format.EachLine(ctx, r, func(l format.Line) error {
		d.line(l)
		return nil
	})
	if err != nil {
		return d.st, err
	}
	for _, c := range d.clients {
		e, err := d.event(c)
		if err != nil {
			d.damaged(c.pos, err)
			continue
		}
		d.st.Saw(e)
		if err := emit(e); err != nil {
			return d.st, err
		}
	}
	return d.st, nil
}

// connected is a line of the list of clients.
type connected struct {
	text string
	cols []string // values
	head []string // their names
	pos  format.Pos
}

type status struct {
	src     format.Source
	st      format.Stats
	list    string              // what version 1 is listing
	heads   map[string][]string // columns by list
	clients []connected
	routes  map[string]string // name and real address → virtual address
}

// maxClients bounds what a file may make us keep.
const maxClients = 100_000

func (d *status) line(l format.Line) {
	s := string(l.Text)
	sep := ","
	if strings.HasPrefix(s, "TITLE\t") || strings.HasPrefix(s, "TIME\t") || strings.HasPrefix(s, "HEADER\t") || strings.HasPrefix(s, "CLIENT_LIST\t") || strings.HasPrefix(s, "ROUTING_TABLE\t") {
		sep = "\t"
	}
	c := strings.Split(s, sep)
	switch {
	case l.Long || len(c) > format.MaxFields || len(d.clients) >= maxClients:
		d.damaged(l.Pos, errors.New("longer than the limits allow"))
	case c[0] == "HEADER" && len(c) > 2:
		if d.heads == nil {
			d.heads = map[string][]string{}
		}
		d.heads[c[1]] = c[2:]
	case c[0] == "CLIENT_LIST":
		d.clients = append(d.clients, connected{s, c[1:], d.heads["CLIENT_LIST"], l.Pos})
	case c[0] == "ROUTING_TABLE" && len(c) > 3:
		d.route(c[1:])
	case s == "OpenVPN CLIENT LIST" || s == "ROUTING TABLE" || s == "GLOBAL STATS" || s == "END":
		d.list = s
	case d.heads == nil && d.list == "OpenVPN CLIENT LIST" && len(c) == 5 && c[0] != "Common Name":
		d.clients = append(d.clients, connected{s, c, []string{"Common Name", "Real Address", "Bytes Received", "Bytes Sent", "Connected Since"}, l.Pos})
	case d.heads == nil && d.list == "ROUTING TABLE" && len(c) == 4 && c[0] != "Virtual Address":
		d.route(c)
	case d.list == "" && d.heads == nil && c[0] != "TITLE" && c[0] != "TIME":
		d.damaged(l.Pos, errors.New("belongs to no list"))
	}
}

// route remembers the address of a client: "10.8.0.6,lin,203.0.113.60:51000,…". A
// network behind the client (with a "/" or a "C") is none.
func (d *status) route(c []string) {
	if len(d.routes) < maxClients && !strings.ContainsAny(c[0], "/C") {
		d.routes[c[1]+"\x00"+c[2]] = c[0]
	}
}

func (d *status) damaged(p format.Pos, err error) {
	d.st.Damaged++
	d.st.Note("line %d at byte %d: %v", p.Line, p.Offset, err)
}

func (d *status) event(c connected) (*event.Event, error) {
	if len(c.head) == 0 || len(c.cols) > len(c.head) {
		return nil, fmt.Errorf("%d values for %d columns", len(c.cols), len(c.head))
	}
	e := d.src.Event(statusName, c.pos)
	e.Raw = []byte(c.text)
	e.Product, e.Category, e.Service = "openvpn", "vpn", "status"
	b := format.NewBody(&e.Fields, len(c.cols)+3)
	for i, v := range c.cols {
		b.Add(c.head[i], v)
	}
	f := e.Fields
	if f.Str("Virtual Address") == "" {
		if a := d.routes[f.Str("Common Name")+"\x00"+f.Str("Real Address")]; a != "" {
			b.Add("Virtual Address", a)
		}
	}
	if _, ip, port, _, ok := client(f.Str("Real Address") + " "); ok {
		b.Add("src_ip", ip)
		b.Add("src_port", port)
	}
	if s := f.Str("Connected Since (time_t)"); s != "" {
		t, err := format.Epoch(s)
		if err != nil {
			return nil, err
		}
		e.Time, e.TimeRaw, e.Uncertainty = t, s, time.Second/2
		return e, nil
	}
	s := f.Str("Connected Since")
	for _, l := range [...]string{"2006-01-02 15:04:05", "Mon Jan _2 15:04:05 2006"} {
		if t, err := time.ParseInLocation(l, s, d.src.Location()); err == nil {
			e.Time, e.TimeRaw, e.ZoneAssumed, e.Uncertainty = t.UTC(), s, true, time.Second/2
			return e, nil
		}
	}
	return nil, fmt.Errorf("connected since %q: no time", s[:min(len(s), 40)])
}
