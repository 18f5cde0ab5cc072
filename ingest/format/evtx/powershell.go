// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"strings"

	"citywall/event"
)

const psChannel = "Windows PowerShell"

// isPowerShell reports whether the event is of classic PowerShell, which hides
// its fields as lines in one <Data>.
func isPowerShell(f event.Fields) bool {
	if f.Str("Channel") != psChannel {
		return false
	}
	switch f.Str("EventID") {
	case "400", "403", "500", "501", "600", "800":
		return true
	}
	return false
}

// psKeys are the keys of those lines. The list is closed because the value of
// HostApplication is a command of several lines, in which anything may look
// like a key.
var psKeys = map[string]bool{
	"NewEngineState": true, "PreviousEngineState": true,
	"ProviderName": true, "NewProviderState": true,
	"NewCommandState": true, "PreviousCommandState": true,
	"SequenceNumber": true, "DetailSequence": true, "DetailTotal": true,
	"HostName": true, "HostVersion": true, "HostId": true, "HostApplication": true,
	"EngineVersion": true, "RunspaceId": true, "PipelineId": true,
	"CommandName": true, "CommandType": true, "ScriptName": true, "CommandPath": true, "CommandLine": true,
	"UserId": true, "Severity": true,
}

// powerShell adds the fields that classic PowerShell hides. Data stays as it
// is. A value that goes on in the next line keeps its line breaks; a key that
// comes twice makes a list, so that a command which forges a line hides none.
func (x *flattener) powerShell() {
	data, _ := x.f.Get("Data")
	items := data.List
	if data.Kind == event.Text {
		items = []string{data.Text}
	}
	for _, s := range items {
		key, from, at := "", 0, 0 // the value of key begins at from, the line at at
		flush := func() {
			if key != "" {
				x.payloadPut(secEventData, key, Value{Type: String, Text: strings.TrimRight(s[from:at], " \t\r\n")})
			}
		}
		for line := range strings.Lines(s) {
			k, v, ok := strings.Cut(strings.TrimLeft(line, " \t"), "=")
			if ok && psKeys[k] {
				flush()
				key, from = k, at+len(line)-len(v)
			}
			at += len(line)
		}
		flush()
	}
}
