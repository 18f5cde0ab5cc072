// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"strconv"
	"strings"
	"time"

	"citywall/ingest/format/evtx/evtxwrite"
)

// appendWinlogbeat writes the event as Winlogbeat 8 does without modules:
// everything of the event under winlog, repeated in ECS only where the beat
// itself does it.
func (r *Record) appendWinlogbeat(b []byte) []byte {
	w := r.Schema.win
	b = append(b, `{"@timestamp":"`...)
	b = r.Stamp.AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","event":{"kind":"event","code":"`...)
	b = strconv.AppendUint(b, uint64(w.id), 10)
	b = append(b, `","provider":`...)
	b = quote(b, w.provider)
	if w.taskName != "" {
		b = member(b, "action", w.taskName)
	}
	switch w.keywords {
	case success:
		b = member(b, "outcome", "success")
	case failure:
		b = member(b, "outcome", "failure")
	}
	b = append(b, `,"created":"`...)
	b = r.Write.Add(r.Source.Offset).UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `"},"log":{"level":"`...)
	b = append(b, levelWord(w.level)...)
	b = append(b, `"},"message":`...)
	b = quote(b, w.message)
	b = append(b, `,"host":{"name":`...)
	b = quote(b, r.Source.Computer)
	b = append(b, `},"winlog":{"api":"wineventlog","channel":`...)
	b = quote(b, w.channel)
	b = member(b, "computer_name", r.Source.Computer)
	b = member(b, "event_id", strconv.Itoa(int(w.id)))
	b = member(b, "provider_name", w.provider)
	if w.guid != "" {
		b = member(b, "provider_guid", w.guid)
	}
	b = member(b, "record_id", strconv.FormatUint(r.ID, 10))
	if w.version > 0 {
		b = append(b, `,"version":`...)
		b = strconv.AppendUint(b, uint64(w.version), 10)
	}
	if w.taskName != "" {
		b = member(b, "task", w.taskName)
	}
	if w.opcodeName != "" {
		b = member(b, "opcode", w.opcodeName)
	}
	if w.words != "" {
		b = append(b, `,"keywords":[`...)
		b = quote(b, w.words)
		b = append(b, ']')
	}
	b = append(b, `,"process":{"pid":`...)
	b = strconv.AppendUint(b, uint64(r.PID), 10)
	b = append(b, `,"thread":{"id":`...)
	b = strconv.AppendUint(b, uint64(r.TID), 10)
	b = append(b, `}}`...)
	if r.User != "" {
		b = append(b, `,"user":{"identifier":`...)
		b = quote(b, r.User)
		b = append(b, '}')
	}
	if w.userData != "" {
		b = append(b, `,"user_data":{"xml_name":`...)
		b = quote(b, w.userData)
	} else {
		b = append(b, `,"event_data":{`...)
	}
	for i, f := range r.Schema.Fields {
		if r.Values[i] == "" { // the beat leaves empty values out
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = quote(b, f.Name)
		b = append(b, ':')
		b = quote(b, r.Values[i])
	}
	b = append(b, `}},"agent":{"type":"winlogbeat","version":"8.17.2","name":`...)
	b = quote(b, r.Source.Name)
	return append(b, `},"ecs":{"version":"8.0.0"}}`...)
}

func levelWord(l uint8) string {
	switch l {
	case 2:
		return "error"
	case 3:
		return "warning"
	case 5:
		return "verbose"
	}
	return "information"
}

// EVTX returns the event for an EVTX file, typed as the provider types it.
func (r *Record) EVTX() evtxwrite.Record {
	w := r.Schema.win
	out := evtxwrite.Record{
		ID: r.ID, Time: r.Stamp, Provider: w.provider, ProviderGUID: w.guid, Channel: w.channel, Computer: r.Source.Computer,
		EventID: w.id, Version: w.version, Level: w.level, Task: w.task, Opcode: w.opcode, Keywords: w.keywords,
		ProcessID: r.PID, ThreadID: r.TID, UserSID: r.User,
	}
	if w.qualifiers >= 0 {
		q := uint16(w.qualifiers)
		out.Qualifiers = &q
	}
	data := make([]evtxwrite.Field, 0, len(r.Values))
	for i, f := range r.Schema.Fields {
		data = append(data, evtxwrite.Field{Name: f.Name, Type: f.evtxType(r.Values[i]), Value: r.Values[i]})
	}
	if w.userData != "" {
		out.User = &evtxwrite.UserData{Name: w.userData, Namespace: w.namespace, Fields: data}
		return out
	}
	out.Data = data
	return out
}

// evtxType is the BinXML type of a value. A placeholder "-" in a typed column
// is text, as in Windows' own logs of unset values.
func (f Field) evtxType(v string) evtxwrite.Type {
	if v == "-" || v == "" {
		return evtxwrite.String
	}
	switch f.Type {
	case Num:
		return evtxwrite.Uint32
	case Bool:
		return evtxwrite.Bool
	case Hex32:
		return evtxwrite.Hex32
	case Hex64:
		return evtxwrite.Hex64
	case SID:
		return evtxwrite.SID
	case GUID:
		return evtxwrite.GUID
	}
	return evtxwrite.String
}

// SysmonTime is how Sysmon writes times in its own fields.
func SysmonTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// GUID makes the braces form from 16 bytes as two numbers.
func GUIDOf(hi, lo uint64) string {
	var b strings.Builder
	hex := func(v uint64, digits int) {
		for i := digits - 1; i >= 0; i-- {
			b.WriteByte("0123456789ABCDEF"[v>>(4*i)&15])
		}
	}
	b.WriteByte('{')
	hex(hi>>32, 8)
	b.WriteByte('-')
	hex(hi>>16, 4)
	b.WriteByte('-')
	hex(hi, 4)
	b.WriteByte('-')
	hex(lo>>48, 4)
	b.WriteByte('-')
	hex(lo, 12)
	b.WriteByte('}')
	return b.String()
}
