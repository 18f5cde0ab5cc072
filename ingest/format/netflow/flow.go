// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package netflow

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"
)

// Flow is one flow record inside its packet.
type Flow struct {
	h        *header
	t        *template
	data     []byte
	sampling uint64 // from the header or an option; 0 unknown
}

// number reads an unsigned number of any length up to 8 bytes (RFC 7011 §6.2).
func number(v []byte) uint64 {
	if len(v) > 8 {
		v = v[len(v)-8:]
	}
	var n uint64
	for _, b := range v {
		n = n<<8 | uint64(b)
	}
	return n
}

const stampLayout = "2006-01-02T15:04:05.000Z"

// AppendJSON writes the flow as one line: what packet and exporter say, the
// elements in the order of the template, and what follows from them:
// flowStart, flowEnd, flowDurationMilliseconds, samplingInterval.
func (f *Flow) AppendJSON(b []byte) []byte {
	b = append(b, prefix...)
	switch f.h.version {
	case 5:
		b = append(b, "v5"...)
	case 9:
		b = append(b, "v9"...)
	default:
		b = append(b, "ipfix"...)
	}
	b = append(b, '"')
	if f.h.exporter.IsValid() {
		b = append(b, `,"exporter":"`...)
		b = f.h.exporter.AppendTo(b)
		b = append(b, '"')
	}
	b = append(b, `,"domain":`...)
	b = strconv.AppendUint(b, uint64(f.h.domain), 10)
	b = append(b, `,"exportTime":"`...)
	if f.h.exportText == "" {
		f.h.exportText = f.h.export.Format(stampLayout)
	}
	b = append(b, f.h.exportText...)
	b = append(b, '"')
	var w when
	sampled := false
	f.t.each(f.data, func(fd *field, v []byte) {
		if fd.id == 210 && fd.pen == 0 {
			return // padding
		}
		if fd.pen == 0 {
			w.see(fd.id, v)
			sampled = sampled || fd.id == 34
		}
		b = append(b, ',', '"')
		b = append(b, fd.name...)
		b = append(b, '"', ':')
		b = appendValue(b, fd.kind, v)
	})
	if start, end := w.times(f.h); !end.IsZero() {
		if !start.IsZero() && !start.After(end) {
			b = append(b, `,"flowStart":"`...)
			b = start.AppendFormat(b, stampLayout)
			b = append(b, '"')
			if !w.duration {
				b = append(b, `,"flowDurationMilliseconds":`...)
				b = strconv.AppendInt(b, end.Sub(start).Milliseconds(), 10)
			}
		}
		b = append(b, `,"flowEnd":"`...)
		b = end.AppendFormat(b, stampLayout)
		b = append(b, '"')
	}
	if f.sampling > 0 && !sampled {
		b = append(b, `,"samplingInterval":`...)
		b = strconv.AppendUint(b, f.sampling, 10)
	}
	return append(b, '}')
}

// when gathers what a record says about time.
type when struct {
	start, end         time.Time
	startUp, endUp     uint32 // ms since the exporter booted
	hasStart, hasEnd   bool
	boot               time.Time
	startBack, endBack uint32 // microseconds before export
	backS, backE       bool
	duration           bool
}

func (w *when) see(id uint16, v []byte) {
	switch id {
	case 22:
		w.startUp, w.hasStart = uint32(number(v)), true
	case 21:
		w.endUp, w.hasEnd = uint32(number(v)), true
	case 160:
		w.boot = millis(number(v))
	case 150:
		w.start = time.Unix(int64(uint32(number(v))), 0).UTC()
	case 151:
		w.end = time.Unix(int64(uint32(number(v))), 0).UTC()
	case 152:
		w.start = millis(number(v))
	case 153:
		w.end = millis(number(v))
	case 154, 156:
		w.start = ntp(v)
	case 155, 157:
		w.end = ntp(v)
	case 158:
		w.startBack, w.backS = uint32(number(v)), true
	case 159:
		w.endBack, w.backE = uint32(number(v)), true
	case 322:
		if w.end.IsZero() {
			w.end = time.Unix(int64(uint32(number(v))), 0).UTC()
		}
	case 323: // NSEL, NAT events: one moment
		if w.end.IsZero() {
			w.end = millis(number(v))
		}
	case 161:
		w.duration = true
	}
}

// times returns start and end, zero when not known. Uptimes count from the
// exporter's boot in 32 bits of milliseconds, which overflow after 49 days.
func (w *when) times(h *header) (start, end time.Time) {
	start, end = w.start, w.end
	at := func(up uint32) time.Time {
		if !w.boot.IsZero() {
			return w.boot.Add(time.Duration(up) * time.Millisecond)
		}
		return h.export.Add(-time.Duration(int32(h.uptime-up)) * time.Millisecond)
	}
	if known := !w.boot.IsZero() || h.version != 10; known {
		if start.IsZero() && w.hasStart {
			start = at(w.startUp)
		}
		if end.IsZero() && w.hasEnd {
			end = at(w.endUp)
		}
	}
	if start.IsZero() && w.backS {
		start = h.export.Add(-time.Duration(w.startBack) * time.Microsecond)
	}
	if end.IsZero() && w.backE {
		end = h.export.Add(-time.Duration(w.endBack) * time.Microsecond)
	}
	if !sane(start) {
		start = time.Time{}
	}
	if !sane(end) {
		end = time.Time{}
	}
	return start, end
}

// sane keeps years that can be written with four digits.
func sane(t time.Time) bool { return t.Year() >= 1970 && t.Year() <= 9999 }

func millis(n uint64) time.Time {
	if n > math.MaxInt64/2 {
		return time.Time{}
	}
	return time.UnixMilli(int64(n)).UTC()
}

// ntp reads seconds since 1900 and a fraction (RFC 7011 §6.1.9).
func ntp(v []byte) time.Time {
	if len(v) != 8 {
		return time.Time{}
	}
	sec, frac := binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
	return time.Unix(int64(sec)-2208988800, int64(uint64(frac)*1e9>>32)).UTC()
}

// appendValue writes a value as JSON by its kind; one that does not fit its
// kind is hexadecimal.
func appendValue(b []byte, k kind, v []byte) []byte {
	switch k {
	case integer:
		if len(v) <= 8 {
			return strconv.AppendUint(b, number(v), 10)
		}
	case unknown:
		if len(v) <= 8 && len(v) > 0 {
			return strconv.AppendUint(b, number(v), 10)
		}
	case addr:
		if a, ok := netip.AddrFromSlice(v); ok {
			b = append(b, '"')
			b = a.AppendTo(b)
			return append(b, '"')
		}
	case mac:
		if len(v) == 6 {
			b = append(b, '"')
			for i, x := range v {
				if i > 0 {
					b = append(b, ':')
				}
				b = append(b, digits[x>>4], digits[x&15])
			}
			return append(b, '"')
		}
	case float:
		switch len(v) {
		case 8:
			return appendFloat(b, math.Float64frombits(binary.BigEndian.Uint64(v)))
		case 4:
			return appendFloat(b, float64(math.Float32frombits(binary.BigEndian.Uint32(v))))
		}
	case stamp:
		if t := ntp(v); sane(t) {
			b = append(b, '"')
			b = t.AppendFormat(b, time.RFC3339Nano)
			return append(b, '"')
		}
	case text:
		return appendText(b, v)
	}
	b = append(b, '"')
	b = hex.AppendEncode(b, v)
	return append(b, '"')
}

func appendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

const digits = "0123456789abcdef"

// appendText writes a string up to its first NUL, which pads fixed lengths.
func appendText(b, v []byte) []byte {
	b = append(b, '"')
	for len(v) > 0 && v[0] != 0 {
		r, n := utf8.DecodeRune(v)
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(b, "\ufffd"...)
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20 || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default:
			b = append(b, v[:n]...)
		}
		v = v[n:]
	}
	return append(b, '"')
}
