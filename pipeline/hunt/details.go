// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"citywall/event"
)

//go:embed details.yaml
var detailsFile []byte

// table says which fields a person reads first, and how channels are called.
type table struct {
	Short  map[string]string `yaml:"channels"` // channel, lower case, to its short name
	Events []struct {
		Channel string   `yaml:"channel"`
		IDs     []string `yaml:"ids"`
		Fields  []string `yaml:"fields"`
	} `yaml:"details"`

	byEvent map[string][]string // channel, lower case, and id
}

// theTable is read once: it is part of the program.
var theTable = sync.OnceValue(func() *table {
	t, err := parseTable(detailsFile)
	if err != nil {
		panic(err) // a test reads it
	}
	return t
})

func parseTable(b []byte) (*table, error) {
	t := &table{byEvent: map[string][]string{}}
	d := yaml.NewDecoder(strings.NewReader(string(b)))
	d.KnownFields(true)
	if err := d.Decode(t); err != nil {
		return nil, fmt.Errorf("details.yaml: %w", err)
	}
	for _, e := range t.Events {
		for _, id := range e.IDs {
			k := strings.ToLower(e.Channel) + " " + id
			if t.byEvent[k] != nil {
				return nil, fmt.Errorf("details.yaml: %s is there twice", k)
			}
			t.byEvent[k] = e.Fields
		}
	}
	return t, nil
}

// channel returns the short name of a channel, or the channel.
func (t *table) channel(c string) string {
	if s, ok := t.Short[strings.ToLower(c)]; ok {
		return s
	}
	return c
}

// system are the fields of an EVTX record that say where it stands, not what
// happened. They have columns of their own.
var system = map[string]bool{
	"EventID": true, "Version": true, "Level": true, "Task": true, "Opcode": true, "Keywords": true, "EventRecordID": true, "Channel": true, "Computer": true,
	"TimeCreated_SystemTime": true,
}

func isSystem(name string) bool {
	return system[name] || strings.HasPrefix(name, "Provider_") || strings.HasPrefix(name, "Execution_") || strings.HasPrefix(name, "Security_") ||
		strings.HasPrefix(name, "Correlation_") || strings.HasPrefix(name, "EventID_")
}

// most are shown of a record that no table knows; the rest is extra.
const most = 8

// details returns the fields of a record that a person reads first, and the
// others. all returns them all, in the order of the record.
func details(e *event.Event, channel, id string, all bool) (what, extra Pairs) {
	what, extra = Pairs{}, Pairs{}
	want := theTable().byEvent[strings.ToLower(channel)+" "+id]
	if all {
		want = nil
	}
	for _, name := range want {
		if v, ok := e.Fields.Get(name); ok {
			if s := plain(v); s != "" {
				what = append(what, Pair{name, s})
			}
		}
	}
	for i := range e.Fields {
		f := &e.Fields[i]
		if isSystem(f.Name) || slices.Contains(want, f.Name) {
			continue
		}
		s := plain(f.Value)
		if s == "" {
			continue
		}
		if all || want == nil && len(what) < most {
			what.add(f.Name, s)
		} else {
			extra.add(f.Name, s)
		}
	}
	return what, extra
}

func plain(v event.Value) string {
	if v.Kind == event.List {
		return strings.Join(v.List, between)
	}
	return v.String()
}
