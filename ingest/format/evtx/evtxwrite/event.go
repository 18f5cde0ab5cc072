// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtxwrite

// add writes p into the chunk. False means it does not fit; the chunk is then
// as it was before, except for its maps, which matter only to a chunk that
// goes on.
func (c *chunk) add(p *prepared) bool {
	start, names, templates := len(c.buf), c.nameTable, c.templTable
	c.u8('*', '*', 0, 0)
	c.u32(0)
	c.u64(p.ID)
	c.u64(p.written)
	c.u8(0x0f, 1, 1, 0)
	c.template("Event "+p.Computer, func() { c.event(p.Computer) }, p.system, func() {
		c.template(p.key, func() { c.payload(p) }, p.values, nil)
	})
	c.u8(0)
	for (len(c.buf)+4-start)%8 != 0 {
		c.u8(0)
	}
	size := uint32(len(c.buf) + 4 - start)
	c.u32(size)
	if len(c.buf) > chunkSize {
		c.buf, c.nameTable, c.templTable = c.buf[:start], names, templates
		return false
	}
	le.PutUint32(c.buf[start+4:], size)
	if c.records == 0 {
		c.first = p.ID
	}
	c.records++
	c.last = p.ID
	c.lastRecordAt = uint32(start)
	return true
}

// empty marks a chunk without records as Windows does.
func (c *chunk) empty() {
	c.firstN, c.first, c.last = 1, ^uint64(0), ^uint64(0)
	c.lastRecordAt = chunkHeader
}

// event writes the outer element tree. An element whose slot is null vanishes
// through its dependency id, an attribute through its optional substitution.
func (c *chunk) event(computer string) {
	leaf := func(name string, i uint16, t Type) {
		c.element(name, i, nil, func() { c.sub(sub{i, t, true}) })
	}
	at := func(name string, i uint16, t Type) attr { return attr{name: name, sub: &sub{i, t, true}} }
	c.element("Event", noDep, []attr{{name: "xmlns", text: eventNS}}, func() {
		c.element("System", noDep, nil, func() {
			c.element("Provider", noDep, []attr{at("Name", slotProvider, String), at("Guid", slotGUID, GUID)}, nil)
			c.element("EventID", slotEventID, []attr{at("Qualifiers", slotQualifiers, Uint16)}, func() {
				c.sub(sub{slotEventID, Uint16, true})
			})
			leaf("Version", slotVersion, Uint8)
			leaf("Level", slotLevel, Uint8)
			leaf("Task", slotTask, Uint16)
			leaf("Opcode", slotOpcode, Uint8)
			leaf("Keywords", slotKeywords, Hex64)
			c.element("TimeCreated", noDep, []attr{at("SystemTime", slotTime, FileTime)}, nil)
			leaf("EventRecordID", slotRecordID, Uint64)
			c.element("Correlation", noDep, []attr{at("ActivityID", slotActi, GUID), at("RelatedActivityID", slotRelated, GUID)}, nil)
			c.element("Execution", noDep, []attr{at("ProcessID", slotPID, Uint32), at("ThreadID", slotTID, Uint32)}, nil)
			leaf("Channel", slotChannel, String)
			c.element("Computer", noDep, nil, func() { c.text(computer) })
			c.element("Security", noDep, []attr{at("UserID", slotUser, SID)}, nil)
		})
		c.sub(sub{slotPayload, binXML, true})
	})
}

// payload writes the element tree of EventData or UserData.
func (c *chunk) payload(p *prepared) {
	i := uint16(0)
	next := func(t Type) func() {
		if t == 0 {
			t = String // null: the definition still declares a type
		}
		s := sub{i, t, false}
		i++
		return func() { c.sub(s) }
	}
	if u := p.User; u != nil {
		var ns []attr
		if u.Namespace != "" {
			ns = []attr{{name: "xmlns", text: u.Namespace}}
		}
		c.element("UserData", noDep, nil, func() {
			c.element(u.Name, noDep, ns, func() {
				for j, f := range u.Fields {
					c.element(f.Name, noDep, nil, next(p.values[j].typ))
				}
			})
		})
		return
	}
	c.element("EventData", noDep, nil, func() {
		if p.Unnamed != nil {
			c.element("Data", noDep, nil, next(array|String))
		}
		for _, f := range p.Data {
			c.element("Data", noDep, []attr{{name: "Name", text: f.Name}}, next(p.values[i].typ))
		}
		if p.Record.Binary != nil {
			c.element("Binary", noDep, nil, next(Binary))
		}
	})
}
