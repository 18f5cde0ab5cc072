// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import "slices"

const (
	maxShapeDepth  = 8    // of a regular template
	maxShapeNodes  = 500  // likewise, elements and attributes
	maxShapeValues = 1000 // values of an instance
)

// compiler turns a parsed template into a program.
type compiler struct {
	p   *program
	n   int
	bad bool
}

// compile returns nil when the template is not regular.
func compile(items []item, w within) *program {
	c := compiler{p: &program{within: w}}
	for i := range items {
		if items[i].kind != itemElem {
			return nil
		}
	}
	switch {
	case w != besideSystem:
		var m member
		for i := range items {
			c.child(&m, items[i].elem, w.section(), w == inEventData, 1)
		}
		for _, k := range m.kids {
			c.p.parts = append(c.p.parts, part{section: k, slot: -1})
		}
	case len(items) == 1 && isRecordRoot(items[0].elem):
		c.record(items[0].elem)
	default:
		for i := range items {
			c.section(items[i].elem)
		}
		c.distinct(c.p.parts)
	}
	if c.bad {
		return nil
	}
	return c.p
}

// isRecordRoot reports whether e is the root of a record: System is its first
// element.
func isRecordRoot(e *element) bool {
	return len(e.items) > 0 && e.items[0].kind == itemElem && e.items[0].elem.name == secSystem
}

func (c *compiler) record(e *element) {
	c.count(e)
	open := appendKey([]byte{'{'}, e.name)
	open = append(open, '{')
	for i := range e.attrs {
		a := &e.attrs[i]
		if len(a.items) != 1 || a.items[0].kind != itemText {
			c.bad = true
			return
		}
		if i == 0 {
			open = append(open, `"#attributes":{`...)
		} else {
			open = append(open, ',')
		}
		open = appendText(appendKey(open, a.name), a.items[0].text)
	}
	if len(e.attrs) > 0 {
		open = append(open, '}')
	}
	c.p.open = string(open)
	c.p.system = c.systemOf(e.items[0].elem)
	held := false
	for i := range e.items[1:] {
		switch it := &e.items[i+1]; it.kind {
		case itemElem:
			c.section(it.elem)
		case itemSub:
			if held { // two make a text when both are null
				c.bad = true
			}
			held = true
			c.p.parts = append(c.p.parts, part{slot: int(it.index)})
			c.p.cost.nodes += 2
		default:
			c.bad = true
		}
	}
	c.distinct(c.p.parts)
	if c.bad {
		return
	}
	own := &link{}
	if own.settle(c.p, c.p); own.names == nil {
		c.bad = true
		return
	}
	c.p.fields = own.names
}

// distinct refuses sections of one name: their members would get suffixes.
func (c *compiler) distinct(parts []part) {
	seen := []string{appendKeyString(secSystem)}
	for i := range parts {
		if parts[i].section.key == "" {
			continue
		}
		if slices.Contains(seen, parts[i].section.key) {
			c.bad = true
		}
		seen = append(seen, parts[i].section.key)
	}
}

// count charges an element with its attributes, values not included.
func (c *compiler) count(e *element) {
	if c.n += 1 + len(e.attrs); c.n > maxShapeNodes {
		c.bad = true
	}
	c.p.cost.nodes += 2 + 3*len(e.attrs)
	c.p.cost.text += len(e.name)
	for i := range e.attrs {
		c.p.cost.text += len(e.attrs[i].name)
	}
}

// field reserves a name and returns its number.
func (c *compiler) field(section, name string, always bool) int {
	c.p.names = append(c.p.names, naming{section, name, always})
	return len(c.p.names) - 1
}

// base makes the member of an element with its shape, attributes still to come.
func (c *compiler) base(e *element, depth int) member {
	c.count(e)
	m := member{key: appendKeyString(e.name), name: e.name, dep: e.dep, slot: -1, field: -1}
	if depth > maxShapeDepth {
		c.bad = true
		return m
	}
	switch {
	case len(e.items) == 0:
	case e.items[0].kind == itemElem:
		m.shape = parent
	case len(e.items) > 1:
		c.bad = true
	case e.items[0].kind == itemText:
		m.shape, m.text = literal, e.items[0].text
		m.json = string(appendText(nil, m.text))
		c.p.cost.nodes++
		c.p.cost.text += len(m.text)
	case e.items[0].kind == itemSub:
		// An element whose whole content is its value does not vanish.
		m.shape, m.slot, m.dep = placed, int(e.items[0].index), -1
		c.p.cost.nodes++
	default:
		c.bad = true
	}
	return m
}

// attribute compiles an attribute; field says what its field is, -1 none.
func (c *compiler) attribute(a *attribute, field int) attrMember {
	m := attrMember{key: appendKeyString(a.name), slot: -1, field: field}
	switch {
	case len(a.items) == 0:
		m.json = `""`
	case len(a.items) > 1:
		c.bad = true
	case a.items[0].kind == itemText:
		m.text = a.items[0].text
		m.json = string(appendText(nil, m.text))
		c.p.cost.text += len(m.text)
	case a.items[0].kind == itemSub:
		m.slot, m.optional = int(a.items[0].index), a.items[0].optional
	default:
		c.bad = true
	}
	return m
}

// always reports whether an attribute is there whatever the values are.
func (a *attribute) always() bool {
	return len(a.items) != 1 || a.items[0].kind != itemSub || !a.items[0].optional
}

// unique refuses attributes of one name.
func (c *compiler) unique(e *element) {
	for i := range e.attrs {
		for k := range e.attrs[:i] {
			if e.attrs[k].name == e.attrs[i].name {
				c.bad = true
			}
		}
	}
}

// systemOf compiles System: flattener.systemFields.
func (c *compiler) systemOf(sys *element) *member {
	m := c.base(sys, 0)
	if m.shape != parent || m.dep >= 0 || len(sys.attrs) > 0 {
		c.bad = true
		return nil
	}
	for i := range sys.items {
		if sys.items[i].kind != itemElem {
			c.bad = true
			return nil
		}
		e := sys.items[i].elem
		x := c.base(e, 1)
		if x.shape == parent || e.name == "Data" {
			c.bad = true
			return nil
		}
		c.unique(e)
		stays := x.dep < 0
		if x.shape != empty {
			x.field, x.before = c.field("", e.name, stays), true
		} else if !onlyAttributes(e.name) {
			x.field, x.blank = c.field("", e.name, stays && len(e.attrs) == 0), true
		}
		switch e.name {
		case "Channel":
			x.role = roleChannel
		case "Computer":
			x.role = roleComputer
		case "EventRecordID":
			x.role = roleRecord
		}
		for k := range e.attrs {
			a := &e.attrs[k]
			am := c.attribute(a, c.field("", joinedName(e.name, a.name), stays && a.always()))
			if e.name == "TimeCreated" && a.name == "SystemTime" {
				am.role = roleTime
			}
			x.attrs = append(x.attrs, am)
		}
		c.add(&m, x)
	}
	return &m
}

// add appends a member to an object. A name that is there already would get a
// suffix; that is for the slow way.
func (c *compiler) add(m *member, x member) {
	for i := range m.kids {
		if m.kids[i].key == x.key {
			c.bad = true
		}
	}
	m.kids = append(m.kids, x)
}

// section compiles EventData: flattener.eventData, or any other section:
// flattener.payload.
func (c *compiler) section(e *element) {
	m := c.base(e, 0)
	if m.shape == placed && len(e.attrs) == 0 && (e.name == secUserData || e.name == secEventData) {
		p := part{section: m, slot: m.slot, within: inUserData}
		if e.name == secEventData {
			p.within = inEventData
		}
		c.p.parts = append(c.p.parts, p)
		return
	}
	if m.shape != parent && m.shape != empty || e.name == secSystem {
		c.bad = true
		return
	}
	c.unique(e)
	for i := range e.attrs {
		a, field := &e.attrs[i], -1
		if e.name == secEventData && !isNamespace(a.name) {
			field = c.field(e.name, e.name+"_"+a.name, false)
		}
		m.attrs = append(m.attrs, c.attribute(a, field))
	}
	for i := range e.items {
		if e.items[i].kind != itemElem {
			c.bad = true
			return
		}
		c.child(&m, e.items[i].elem, e.name, e.name == secEventData, 1)
	}
	c.p.parts = append(c.p.parts, part{section: m, slot: -1})
}

// child compiles an element below a section into parent m. In EventData
// elements have no attributes but the name of <Data>, and no elements.
func (c *compiler) child(m *member, e *element, section string, data bool, depth int) {
	if c.bad {
		return
	}
	x := c.base(e, depth)
	name := e.name
	switch {
	case e.name != "Data":
	case len(e.attrs) == 0 && x.shape != parent:
		c.series(m, x, section)
		return
	case len(e.attrs) == 1 && e.attrs[0].name == "Name":
		a := e.attrs[0].items
		if len(a) != 1 || a[0].kind != itemText || a[0].text == "" || x.shape == parent {
			c.bad = true
			return
		}
		name = a[0].text
		x.key = appendKeyString(name)
		c.p.cost.text += len(name)
		x.field, x.blank = c.field(section, name, false), true
		c.add(m, x)
		return
	default: // may look like either when its attributes are null
		for i := range e.attrs {
			c.bad = c.bad || !e.attrs[i].always()
		}
	}
	if data && (len(e.attrs) > 0 || x.shape == parent) {
		c.bad = true // its fields stand at the end
		return
	}
	c.unique(e)
	for i := range e.attrs {
		a, field := &e.attrs[i], -1
		if !isNamespace(a.name) {
			field = c.field(section, name+"_"+a.name, false)
		}
		x.attrs = append(x.attrs, c.attribute(a, field))
	}
	if x.shape != parent {
		x.field, x.blank = c.field(section, name, false), true
		c.add(m, x)
		return
	}
	stays := false // some element, so that this one stays a parent
	for i := range e.items {
		if e.items[i].kind != itemElem {
			c.bad = true
			return
		}
		k := e.items[i].elem
		stays = stays || k.dep < 0 || len(k.items) == 1 && k.items[0].kind == itemSub
		c.child(&x, k, section, false, depth+1)
	}
	if !stays {
		c.bad = true
		return
	}
	c.add(m, x)
}

// series adds a <Data> without a name to the list that the first one began.
func (c *compiler) series(m *member, x member, section string) {
	if x.dep >= 0 {
		c.bad = true
		return
	}
	x.name = "Data"
	for i := range m.kids {
		if m.kids[i].shape == series {
			m.kids[i].kids = append(m.kids[i].kids, x)
			return
		}
	}
	c.add(m, member{key: x.key, name: x.name, shape: series, dep: -1, slot: -1, field: c.field(section, "Data", false), kids: []member{x}})
}

func appendKey(dst []byte, name string) []byte {
	return append(appendEscaped(append(dst, '"'), name), '"', ':')
}

func appendKeyString(name string) string { return string(appendKey(nil, name)) }

func appendText(dst []byte, s string) []byte {
	return append(appendEscaped(append(dst, '"'), s), '"')
}
