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

// fromEvtxDump reads the JSON of the evtx tools: Event.System.* and
// Event.EventData.*, attributes under "#attributes" or beside the element as
// "X_attributes", text beside attributes under "#text".
func fromEvtxDump(e *event.Event, f event.Fields) error {
	e.Product = "windows"
	out := make(event.Fields, 0, len(f))
	for _, x := range f {
		if name, ok := evtxDumpName(x.Name); ok {
			put(&out, name, x.Value)
		}
	}
	return finish(e, out, out.Str("TimeCreated_SystemTime"))
}

// evtxDumpName maps a flattened path to the native name; false for XML
// name spaces.
func evtxDumpName(n string) (string, bool) {
	n = strings.TrimPrefix(n, "Event.")
	n = strings.ReplaceAll(n, "_attributes.", ".#attributes.")
	if rest, ok := strings.CutPrefix(n, "System."); ok {
		rest = strings.TrimSuffix(rest, ".#text")
		return strings.ReplaceAll(rest, ".#attributes.", "_"), true
	}
	if rest, ok := strings.CutPrefix(n, "EventData."); ok {
		rest = strings.TrimSuffix(rest, ".#text")
		if strings.HasPrefix(rest, "#attributes.") {
			return "EventData_" + strings.TrimPrefix(rest, "#attributes."), true
		}
		return rest, true
	}
	if rest, ok := strings.CutPrefix(n, "UserData."); ok {
		if strings.Contains(rest, "#attributes.xmlns") {
			return "", false
		}
		rest = strings.TrimSuffix(rest, ".#text")
		parts := strings.Split(rest, ".")
		return parts[len(parts)-1], true
	}
	if strings.HasPrefix(n, "#attributes.xmlns") {
		return "", false
	}
	return n, true
}

// put adds a value; a name that is there already becomes a list.
func put(f *event.Fields, name string, v event.Value) {
	old, there := f.Get(name)
	if !there {
		*f = append(*f, event.Field{Name: name, Value: v})
		return
	}
	var all []string
	for _, x := range []event.Value{old, v} {
		switch x.Kind {
		case event.Text:
			all = append(all, x.Text)
		case event.List:
			all = append(all, x.List...)
		}
	}
	f.Set(name, event.Value{Kind: event.List, List: all})
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

// fromWinlogbeat reads the winlog.* part. What ECS repeats under other names
// keeps its own name and is not mapped again.
func fromWinlogbeat(e *event.Event, f event.Fields) error {
	e.Product = "windows"
	out := make(event.Fields, 0, len(f))
	for _, x := range f {
		name := x.Name
		if n, ok := winlogNames[name]; ok {
			name = n
		} else if n, ok := strings.CutPrefix(name, "winlog.event_data."); ok {
			name = n
		} else if n, ok := strings.CutPrefix(name, "winlog.user_data."); ok {
			if name = n; name == "xml_name" {
				name = "winlog.user_data.xml_name"
			}
		}
		put(&out, name, x.Value)
	}
	if out.Str("EventID") == "" {
		if c := out.Str("event.code"); c != "" {
			out.Set("EventID", event.T(c))
		}
	}
	return finish(e, out, out.Str("@timestamp"))
}

// fromNXLog reads im_msvistalog's flat record. Its EventTime has no zone when
// written in the default form.
func fromNXLog(e *event.Event, f event.Fields, src format.Source) error {
	e.Product = "windows"
	out := make(event.Fields, 0, len(f)+1)
	for _, x := range f {
		switch x.Name {
		case "SourceName":
			x.Name = "Provider_Name"
		case "ProviderGuid":
			x.Name = "Provider_Guid"
		case "Hostname":
			x.Name = "Computer"
		case "RecordNumber":
			x.Name = "EventRecordID"
		case "ExecutionProcessID", "ProcessID":
			if _, there := out.Get("Execution_ProcessID"); !there && x.Name == "ExecutionProcessID" || f.Str("ExecutionProcessID") == "" {
				x.Name = "Execution_ProcessID"
			}
		case "ExecutionThreadID", "ThreadID":
			x.Name = "Execution_ThreadID"
		case "UserID":
			x.Name = "Security_UserID"
		}
		put(&out, x.Name, x.Value)
	}
	t, assumed, err := format.Time(out.Str("EventTime"), src.Location())
	if err != nil {
		return err
	}
	if err := finish(e, out, ""); err != nil {
		return err
	}
	e.Time, e.TimeRaw, e.ZoneAssumed = t, out.Str("EventTime"), assumed
	return nil
}

func finish(e *event.Event, f event.Fields, at string) error {
	e.Fields = f
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
