// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

// program is a regular template, compiled to what its records become: members
// of the JSON document and fields, with places for values. Running it gives to
// the byte what tree, flattener and JSON writer give. What a program cannot
// say, or a record cannot be held to, goes the slow way; compile names those
// shapes by refusing them.
//
// A program belongs to one runner.
type program struct {
	within within   // where its elements stand
	open   string   // of a record's own template: `{"Event":{` and its attributes
	system *member  // of the same; nil in a payload's template
	parts  []part   // payload: sections, and the value that holds them
	names  []naming // what fields may be called, in the order of the template
	fields []string // of a record's own template: the names, settled
	cost   cost     // upper bounds of what the slow way charges
	next   *program // payload that links was asked for last
	linked *link    // and the answer
	links  map[*program]*link
}

// part is a section that stands in the template, or the value that holds
// sections, or what a section holds.
type part struct {
	section member // only its key when the value is what it holds
	slot    int    // of that value; -1 the section is all here
	within  within // which section it is
}

// within says where the elements of a template stand; fields depend on it.
type within uint8

const (
	besideSystem within = iota
	inEventData
	inUserData
)

func (w within) section() string {
	return [...]string{"", secEventData, secUserData}[w]
}

// cost is what a template takes of the budgets of chunk and record.
type cost struct{ parsed, literal, nodes, text int }

// naming is a field that a template may give.
type naming struct {
	section string // "" for System
	name    string
	always  bool // there whatever the values are
}

// shape is what an element has besides attributes.
type shape uint8

const (
	empty   shape = iota // nothing
	literal              // one text
	placed               // one value
	parent               // elements
	series               // <Data> without a name, which make one list
)

// member is an element as a member of a JSON object.
type member struct {
	key    string // with quotes and colon
	name   string // of the element
	shape  shape
	dep    int // slot whose being null makes the element vanish; -1 none
	slot   int // placed
	text   string
	json   string // literal
	field  int    // name of the value; -1 none
	before bool   // the value's field stands before those of attributes
	blank  bool   // without value and attributes, the field is an empty text
	role   role
	attrs  []attrMember
	kids   []member
}

type attrMember struct {
	key      string
	slot     int // -1: literal
	optional bool
	text     string
	json     string
	field    int
	role     role
}

// role marks the fields that an event is made of.
type role uint8

const (
	roleNone role = iota
	roleChannel
	roleComputer
	roleRecord
	roleTime
)

// link is how a record's own template and that of its payload go together:
// what the fields of the payload are called. names is nil when only the values
// decide that.
type link struct{ names []string }

// linkTo returns how payload goes below p, and the bytes that a new answer
// takes.
func (p *program) linkTo(payload *program) (l *link, size int) {
	if p.next == payload {
		return p.linked, 0
	}
	l = p.links[payload]
	if l == nil {
		l = &link{}
		l.settle(p, payload)
		size = 100 + 16*cap(l.names)
		if p.links == nil {
			p.links = map[*program]*link{}
		}
		p.links[payload] = l
	}
	p.next, p.linked = payload, l
	return l, size
}

// settle names the fields of a payload below root, which may be root's own.
func (l *link) settle(root, payload *program) {
	seen := make(map[string]bool, len(root.names)+len(payload.names))
	system := make(map[string]bool, len(root.names)) // name -> always there
	names := make([]string, 0, len(payload.names))
	for _, n := range root.names {
		if n.section == "" {
			system[n.name] = n.always
		}
		if n.section == "" && root == payload {
			if seen[n.name] {
				return
			}
			names = append(names, n.name)
		}
		seen[n.name] = seen[n.name] || n.section == ""
	}
	if root != payload {
		for _, n := range root.fields {
			seen[n] = true
		}
		for i := range payload.parts {
			for k := range root.parts {
				if payload.within == besideSystem && root.parts[k].section.key == payload.parts[i].section.key {
					return
				}
			}
		}
	}
	for _, n := range payload.names {
		if n.section == "" {
			continue
		}
		name := n.name
		if always, ok := system[name]; ok {
			if !always {
				return
			}
			name = n.section + "." + name
		}
		if seen[name] {
			return
		}
		seen[name] = true
		names = append(names, name)
	}
	l.names = names
}
