// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"fmt"
	"strings"

	"citywall/event"
	"citywall/ingest/format"
)

// flattener turns a record into fields (detection.md §5). System comes first
// and keeps its plain names whatever the payload calls its own: rules are
// routed by Channel and EventID. A name of the payload that System has too
// goes under its path, EventData.Version.
type flattener struct {
	f      event.Fields
	system int // fields of System
	leaves []leaf
	paths  map[string]string // leaf name -> path of its first use
	clash  map[string]bool   // leaf names used under several paths
}

// leaf is a value somewhere below UserData or the like.
type leaf struct {
	name, path string
	value      Value
}

// sections of an event whose values are System's or are named by <Data>.
const (
	secSystem    = "System"
	secEventData = "EventData"
	secUserData  = "UserData"
)

// flatten returns the fields of the record.
func (x *flattener) flatten(root *Element) (event.Fields, error) {
	x.f, x.system = make(event.Fields, 0, fieldsOf(root)), 0
	for i := range root.Nodes {
		if e := root.Nodes[i].Elem; e != nil && e.Name == secSystem {
			x.systemFields(e)
		}
	}
	x.system = len(x.f)
	for i := range root.Nodes {
		e := root.Nodes[i].Elem
		if e == nil || e.Name == secSystem {
			continue
		}
		if e.Name == secEventData {
			x.eventData(e)
		} else {
			x.payload(e)
		}
		if len(x.f) > format.MaxFields {
			break
		}
	}
	if isPowerShell(x.f) {
		x.powerShell()
	}
	if len(x.f) > format.MaxFields {
		return nil, fmt.Errorf("more than %d fields", format.MaxFields)
	}
	return x.f, nil
}

// fieldsOf is a good guess at the number of fields, to allocate once.
func fieldsOf(root *Element) int {
	n := 4
	for i := range root.Nodes {
		if e := root.Nodes[i].Elem; e != nil {
			n += len(e.Nodes)
		}
	}
	return min(n, 256)
}

// systemFields flattens System: text under the element's name, attributes
// under Element_Attribute.
func (x *flattener) systemFields(sys *Element) {
	for i := range sys.Nodes {
		e := sys.Nodes[i].Elem
		if e == nil {
			continue
		}
		if v, ok := e.value(); ok {
			x.put(e.Name, v)
		} else if len(e.Attrs) == 0 && !onlyAttributes(e.Name) {
			x.put(e.Name, Value{Type: String})
		}
		for _, a := range e.Attrs {
			x.put(joinedName(e.Name, a.Name), a.Value)
		}
	}
}

// onlyAttributes names the elements of System that have no text by design.
// Without attributes they say nothing, and are no field.
func onlyAttributes(name string) bool {
	switch name {
	case "Provider", "TimeCreated", "Correlation", "Execution", "Security":
		return true
	}
	return false
}

// joinedName spares the allocation for the names every record has.
func joinedName(elem, attr string) string {
	switch {
	case elem == "Provider" && attr == "Name":
		return "Provider_Name"
	case elem == "Provider" && attr == "Guid":
		return "Provider_Guid"
	case elem == "TimeCreated" && attr == "SystemTime":
		return "TimeCreated_SystemTime"
	case elem == "Execution" && attr == "ProcessID":
		return "Execution_ProcessID"
	case elem == "Execution" && attr == "ThreadID":
		return "Execution_ThreadID"
	case elem == "Security" && attr == "UserID":
		return "Security_UserID"
	case elem == "Correlation" && attr == "ActivityID":
		return "Correlation_ActivityID"
	case elem == "EventID" && attr == "Qualifiers":
		return "EventID_Qualifiers"
	}
	return elem + "_" + attr
}

// put adds a value; a repeated name becomes a list.
func (x *flattener) put(name string, v Value) {
	if len(x.f) > format.MaxFields {
		return // refused in the end
	}
	if v.Type == Null && !v.Odd {
		if _, ok := x.f.Get(name); !ok {
			x.f = append(x.f, event.Field{Name: name})
			return
		}
	}
	x.f.Add(name, v.Text)
}

// payloadPut is put for what is not System's.
func (x *flattener) payloadPut(section, name string, v Value) {
	for i := range x.f[:x.system] {
		if x.f[i].Name == name {
			name = section + "." + name
			break
		}
	}
	x.put(name, v)
}

// eventData flattens EventData: <Data Name="x"> under x, in order; <Data>
// without a name under Data; anything else under its own name.
func (x *flattener) eventData(data *Element) {
	for _, a := range data.Attrs {
		if !isNamespace(a.Name) {
			x.payloadPut(data.Name, data.Name+"_"+a.Name, a.Value)
		}
	}
	for i := range data.Nodes {
		e := data.Nodes[i].Elem
		switch {
		case e == nil:
		case e.elements() || len(e.Attrs) > 0 && !named(e):
			x.below(e, data.Name)
		default:
			v, ok := e.value()
			if !ok {
				v = Value{Type: String}
			}
			x.payloadPut(data.Name, memberName(e), v)
		}
	}
	x.putLeaves(data.Name)
}

// payload flattens UserData and any other section to the names of its leaves.
// Leaves of one name under different paths share that name, in order, and
// stand under their paths as well.
func (x *flattener) payload(section *Element) {
	for i := range section.Nodes {
		if e := section.Nodes[i].Elem; e != nil {
			x.below(e, section.Name)
		}
	}
	x.putLeaves(section.Name)
}

// below collects the leaves of e, which stands below path.
func (x *flattener) below(e *Element, path string) {
	name := memberName(e)
	path += "." + name
	attrs := 0
	for _, a := range e.Attrs {
		if isNamespace(a.Name) || named(e) {
			continue
		}
		attrs++
		x.leaf(name+"_"+a.Name, path+"_"+a.Name, a.Value)
	}
	if e.elements() {
		for i := range e.Nodes {
			if c := e.Nodes[i].Elem; c != nil {
				x.below(c, path)
			}
		}
		if v, ok := e.value(); ok && strings.TrimSpace(v.Text) != "" {
			x.leaf(name, path, v)
		}
		return
	}
	if v, ok := e.value(); ok {
		x.leaf(name, path, v)
	} else if attrs == 0 {
		x.leaf(name, path, Value{Type: String})
	}
}

// maxPath bounds the path of a leaf; a longer one is made of hostile names and
// is cut.
const maxPath = 1024

func (x *flattener) leaf(name, path string, v Value) {
	if len(path) > maxPath {
		path = path[:maxPath]
	}
	if x.paths == nil {
		x.paths, x.clash = map[string]string{}, map[string]bool{}
	}
	if first, ok := x.paths[name]; !ok {
		x.paths[name] = path
	} else if first != path {
		x.clash[name] = true
	}
	x.leaves = append(x.leaves, leaf{name, path, v})
}

func (x *flattener) putLeaves(section string) {
	for _, l := range x.leaves {
		x.payloadPut(section, l.name, l.value)
		if x.clash[l.name] {
			x.put(l.path, l.value)
		}
	}
	clear(x.leaves)
	x.leaves = x.leaves[:0]
	clear(x.paths)
	clear(x.clash)
}

func isNamespace(attr string) bool { return attr == "xmlns" || strings.HasPrefix(attr, "xmlns:") }
