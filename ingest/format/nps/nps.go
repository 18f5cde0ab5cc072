// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package nps reads the log files of Microsoft's Network Policy Server (IAS):
// the database-compatible CSV, the older "IAS" CSV of attribute numbers, and the
// DTS form, one <Event> a line.
//
// It promises the names of the database-compatible format for all three. Numbers
// that it does not know become attribute_N. It never resolves a reason code.
package nps

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/radius"
)

const name = "nps"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: format.NoObject, Decode: format.Lines(record), Record: record}
}

func sniff(head []byte) int {
	line, _, _ := bytes.Cut(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), []byte("\n"))
	s := string(line)
	switch {
	case strings.HasPrefix(s, `<Event><Timestamp data_type="`):
		return 92
	case strings.HasPrefix(s, `"`) && strings.Contains(s[:min(len(s), 80)], `,"IAS",`), isLegacy(s):
		return 90
	}
	return 0
}

// isLegacy knows "10.0.0.1,lin,03/13/2026,18:50:00,IAS,NPS01,44,…".
func isLegacy(s string) bool {
	c := strings.SplitN(s, ",", 7)
	return len(c) == 7 && c[4] == "IAS" && len(c[2]) == 10 && c[2][2] == '/' && len(c[3]) == 8 && c[3][2] == ':'
}

// columns of the database-compatible format, in their order.
var columns = strings.Fields(`Computer-Name Service-Name Record-Date Record-Time Packet-Type User-Name Fully-Qualified-Distinguished-Name
	Called-Station-ID Calling-Station-ID Callback-Number Framed-IP-Address NAS-Identifier NAS-IP-Address NAS-Port Client-Vendor Client-IP-Address
	Client-Friendly-Name Event-Timestamp Port-Limit NAS-Port-Type Connect-Info Framed-Protocol Service-Type Authentication-Type Policy-Name
	Reason-Code Class Session-Timeout Idle-Timeout Termination-Action EAP-Friendly-Name Acct-Status-Type Acct-Delay-Time Acct-Input-Octets
	Acct-Output-Octets Acct-Session-Id Acct-Authentic Acct-Session-Time Acct-Input-Packets Acct-Output-Packets Acct-Terminate-Cause
	Acct-Multi-Ssn-ID Acct-Link-Count Acct-Interim-Interval Tunnel-Type Tunnel-Medium-Type Tunnel-Client-Endpt Tunnel-Server-Endpt
	Acct-Tunnel-Conn Tunnel-Pvt-Group-ID Tunnel-Assignment-ID Tunnel-Preference MS-Acct-Auth-Type MS-Acct-EAP-Type MS-RAS-Version
	MS-RAS-Vendor MS-CHAP-Error MS-CHAP-Domain MS-MPPE-Encryption-Types MS-MPPE-Encryption-Policy Proxy-Policy-Name Provider-Type
	Provider-Name Remote-Server-Address MS-RAS-Client-Name MS-RAS-Client-Version`)

// numbers of the attributes that the older format writes.
var numbers = map[string]string{
	"1": "User-Name", "4": "NAS-IP-Address", "5": "NAS-Port", "6": "Service-Type", "7": "Framed-Protocol", "8": "Framed-IP-Address", "25": "Class",
	"30": "Called-Station-ID", "31": "Calling-Station-ID", "32": "NAS-Identifier", "40": "Acct-Status-Type", "41": "Acct-Delay-Time",
	"42": "Acct-Input-Octets", "43": "Acct-Output-Octets", "44": "Acct-Session-Id", "45": "Acct-Authentic", "46": "Acct-Session-Time",
	"47": "Acct-Input-Packets", "48": "Acct-Output-Packets", "49": "Acct-Terminate-Cause", "52": "Acct-Input-Gigawords", "53": "Acct-Output-Gigawords",
	"55": "Event-Timestamp", "61": "NAS-Port-Type", "64": "Tunnel-Type", "65": "Tunnel-Medium-Type", "66": "Tunnel-Client-Endpt",
	"67": "Tunnel-Server-Endpt", "77": "Connect-Info", "4108": "Client-IP-Address", "4116": "Client-Vendor", "4127": "Authentication-Type",
	"4128": "Client-Friendly-Name", "4129": "SAM-Account-Name", "4130": "Fully-Qualified-Distinguished-Name", "4132": "EAP-Friendly-Name",
	"4136": "Packet-Type", "4142": "Reason-Code", "4149": "Policy-Name", "4154": "Proxy-Policy-Name", "4155": "Provider-Type",
}

func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	b := format.NewBody(&e.Fields, 32)
	s := string(rec)
	at, err := "", error(nil)
	switch {
	case strings.HasPrefix(s, "<"):
		at, err = readXML(rec, b)
	case isLegacy(s):
		at, err = readLegacy(s, b)
	default:
		at, err = readColumns(s, b)
	}
	if err != nil {
		return nil, fmt.Errorf("NPS: %w", err)
	}
	t, assumed, err := format.Time(at, src.Location())
	if err != nil {
		return nil, fmt.Errorf("NPS: %w", err)
	}
	e.Time, e.TimeRaw, e.ZoneAssumed = t, at, assumed
	if !strings.Contains(at, ".") {
		e.Uncertainty = time.Second / 2
	}
	radius.Label(e, b)
	return e, nil
}

func readColumns(s string, b *format.Body) (at string, err error) {
	c, err := split(s)
	if err != nil {
		return "", err
	}
	if len(c) < 5 {
		return "", fmt.Errorf("%d columns", len(c))
	}
	for i, v := range c {
		n := "column_" + strconv.Itoa(i+1)
		if i < len(columns) {
			n = columns[i]
		}
		if v != "" {
			b.Add(n, v)
		}
	}
	return c[2] + " " + c[3], nil
}

func readLegacy(s string, b *format.Body) (at string, err error) {
	c, err := split(s)
	if err != nil {
		return "", err
	}
	if len(c) < 8 || len(c)%2 != 0 {
		return "", fmt.Errorf("%d values: want six and pairs", len(c))
	}
	for i, n := range [...]string{"NAS-IP-Address", "User-Name", "Record-Date", "Record-Time", "Service-Name", "Computer-Name"} {
		if c[i] != "" {
			b.Add(n, c[i])
		}
	}
	for i := 6; i+1 < len(c); i += 2 {
		n, ok := numbers[c[i]]
		if !ok {
			if _, err := strconv.Atoi(c[i]); err != nil || len(c[i]) > 6 {
				return "", fmt.Errorf("%q is no number of an attribute", c[i][:min(len(c[i]), 20)])
			}
			n = "attribute_" + c[i]
		}
		if n == "User-Name" || n == "NAS-IP-Address" {
			continue // stands in front already
		}
		b.Add(n, c[i+1])
	}
	return c[2] + " " + c[3], nil
}

// split reads a row; a text is quoted, a quote in it doubled.
func split(s string) ([]string, error) {
	out := make([]string, 0, 64)
	for {
		if len(out) >= format.MaxFields {
			return nil, errors.New("too many columns")
		}
		if !strings.HasPrefix(s, `"`) {
			v, rest, more := strings.Cut(s, ",")
			out = append(out, v)
			if !more {
				return out, nil
			}
			s = rest
			continue
		}
		var v strings.Builder
		i := 1
		for ; i < len(s); i++ {
			if s[i] == '"' {
				if i+1 < len(s) && s[i+1] == '"' {
					i++
				} else {
					break
				}
			}
			v.WriteByte(s[i])
		}
		if i >= len(s) || i+1 < len(s) && s[i+1] != ',' {
			return nil, errors.New("a quote without an end")
		}
		out = append(out, v.String())
		if i+1 == len(s) {
			return out, nil
		}
		s = s[i+2:]
	}
}

// readXML reads <Event><Name data_type="1">value</Name>…</Event>.
func readXML(rec []byte, b *format.Body) (at string, err error) {
	d := xml.NewDecoder(bytes.NewReader(rec))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("not UTF-8") }
	var field string
	var value strings.Builder
	depth := 0
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
			switch {
			case depth == 1 && t.Name.Local != "Event" || depth > 2:
				return "", fmt.Errorf("unexpected element %s", t.Name.Local)
			case depth == 2:
				field = t.Name.Local
				value.Reset()
			}
		case xml.CharData:
			if depth == 2 {
				value.Write(t)
			}
		case xml.EndElement:
			depth--
			if depth == 1 {
				if b.Len() >= format.MaxFields {
					return "", errors.New("too many attributes")
				}
				switch field {
				case "Timestamp":
					at = value.String()
				case "Called-Station-Id", "Calling-Station-Id":
					field = strings.TrimSuffix(field, "d") + "D"
				}
				b.Add(field, value.String())
			}
		}
	}
	if at == "" {
		return "", errors.New("no Timestamp")
	}
	return at, nil
}
