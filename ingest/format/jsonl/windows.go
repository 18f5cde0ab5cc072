// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/ingest/format"
)

// evtxDumpName gives the native name in the JSON of the evtx tools:
// Event.System.* and Event.EventData.*, attributes under "#attributes" or beside
// the element as "X_attributes", text beside attributes under "#text". XML name
// spaces have none.
func evtxDumpName(n string) string {
	n = strings.TrimPrefix(n, "Event.")
	n = strings.ReplaceAll(n, "_attributes.", ".#attributes.")
	if rest, ok := strings.CutPrefix(n, "System."); ok {
		rest = strings.TrimSuffix(rest, ".#text")
		return strings.ReplaceAll(rest, ".#attributes.", "_")
	}
	if rest, ok := strings.CutPrefix(n, "EventData."); ok {
		rest = strings.TrimSuffix(rest, ".#text")
		if strings.HasPrefix(rest, "#attributes.") {
			return "EventData_" + strings.TrimPrefix(rest, "#attributes.")
		}
		return rest
	}
	if rest, ok := strings.CutPrefix(n, "UserData."); ok {
		if strings.Contains(rest, "#attributes.xmlns") {
			return ""
		}
		rest = strings.TrimSuffix(rest, ".#text")
		return rest[strings.LastIndexByte(rest, '.')+1:]
	}
	if strings.HasPrefix(n, "#attributes.xmlns") {
		return ""
	}
	return n
}

// winlogNames are Winlogbeat's names of the System part.
var winlogNames = map[string]string{
	"winlog.event_id":          "EventID",
	"winlog.channel":           "Channel",
	"winlog.provider_name":     "Provider_Name",
	"winlog.provider_guid":     "Provider_Guid",
	"winlog.computer_name":     "Computer",
	"winlog.record_id":         "EventRecordID",
	"winlog.version":           "Version",
	"winlog.process.pid":       "Execution_ProcessID",
	"winlog.process.thread.id": "Execution_ThreadID",
	"winlog.user.identifier":   "Security_UserID",
	"winlog.activity_id":       "Correlation_ActivityID",
}

// winlogbeatName gives the native names of the winlog.* part. What ECS repeats
// under other names keeps its own name and is not mapped again.
func winlogbeatName(n string) string {
	if x, ok := winlogNames[n]; ok {
		return x
	}
	if x, ok := strings.CutPrefix(n, "winlog.event_data."); ok {
		return x
	}
	if x, ok := strings.CutPrefix(n, "winlog.user_data."); ok && x != "xml_name" {
		return x
	}
	return n
}

func fromWinlogbeat(e *event.Event, f event.Fields) error {
	if f.Str("EventID") == "" {
		if c := f.Str("event.code"); c != "" {
			f.Set("EventID", event.T(c))
		}
	}
	return finish(e, f, f.Str("@timestamp"))
}

// nxlogName gives the native names of im_msvistalog's flat record.
func nxlogName(n string) string {
	switch n {
	case "SourceName":
		return "Provider_Name"
	case "ProviderGuid":
		return "Provider_Guid"
	case "Hostname":
		return "Computer"
	case "RecordNumber":
		return "EventRecordID"
	case "ExecutionProcessID":
		return "Execution_ProcessID"
	case "ExecutionThreadID", "ThreadID":
		return "Execution_ThreadID"
	case "UserID":
		return "Security_UserID"
	}
	return n
}

// fromNXLog reads a flat record. Its EventTime has no zone when written in the
// default form. ProcessID is that of the writer where nothing else says it, and
// a datum of the event where ExecutionProcessID does.
func fromNXLog(e *event.Event, f event.Fields, src format.Source) error {
	if _, there := f.Get("Execution_ProcessID"); !there {
		for i := range f {
			if f[i].Name == "ProcessID" {
				f[i].Name = "Execution_ProcessID"
			}
		}
	}
	at := f.Str("EventTime")
	t, assumed, err := format.Time(at, src.Location())
	if err != nil {
		return err
	}
	if err := finish(e, f, ""); err != nil {
		return err
	}
	e.Time, e.TimeRaw, e.ZoneAssumed = t, at, assumed
	return nil
}

// finish sets what all shapes share.
func finish(e *event.Event, f event.Fields, at string) error {
	e.Product, e.Fields = "windows", f
	e.Origin.Record, _ = strconv.ParseUint(f.Str("EventRecordID"), 10, 64)
	if at == "" {
		return nil
	}
	e.TimeRaw = at
	t, assumed, err := format.Time(at, time.UTC) // Windows and Elastic write UTC
	if err != nil {
		return err
	}
	e.Time, e.ZoneAssumed = t, assumed && !strings.HasSuffix(at, "UTC")
	return nil
}
