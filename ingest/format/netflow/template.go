// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package netflow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// template says how the records of a set lie.
type template struct {
	options  bool
	v9       bool
	fields   []field
	shortest int  // bytes of a record at least, 1 or more
	variable bool // some field has its length with it
	sampler  bool // names its sampler (elements 48, 302)
}

type field struct {
	id    uint16
	pen   uint32 // private enterprise number; 0 is IANA's registry
	size  int    // bytes; variable for those that say so themselves
	scope bool   // of an options template
	name  string
	kind  kind
}

const variable = 65535

// readTemplates reads a template set.
func (d *Decoder) readTemplates(x *domain, version uint16, b []byte, options bool) error {
	for len(b) >= 4 {
		id, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if id == 0 && n == 0 {
			return nil // padding
		}
		if id < 256 && !(version == 10 && n == 0) {
			return fmt.Errorf("template id %d is below 256", id)
		}
		b = b[4:]
		if version == 10 && n == 0 { // withdrawn (RFC 7011 §8.1)
			if id == 2 || id == 3 {
				clear(x.templates)
			}
			delete(x.templates, id)
			continue
		}
		t := template{options: options, v9: version == 9}
		scopes := 0
		if options {
			if len(b) < 2 {
				return errors.New("options template: cut off")
			}
			k := int(binary.BigEndian.Uint16(b))
			b = b[2:]
			scopes = k
			if version == 9 { // n and k are the bytes of scopes and of options
				scopes, n = n/4, (n+k)/4
			}
		}
		if n > maxFields {
			d.st.Refused++
			return fmt.Errorf("a template of %d fields", n)
		}
		var err error
		if b, err = t.read(b, n, scopes); err != nil {
			return err
		}
		d.st.Templates++
		if t.shortest == 0 {
			return errors.New("a template whose records have no bytes")
		}
		if _, there := x.templates[id]; !there && len(x.templates) >= maxTemplates {
			d.st.Refused++
			continue
		}
		x.templates[id] = &t
	}
	return nil
}

// read takes n field specifiers.
func (t *template) read(b []byte, n, scopes int) (rest []byte, err error) {
	t.fields = make([]field, 0, n)
	for i := range n {
		if len(b) < 4 {
			return nil, errors.New("template: cut off")
		}
		f := field{id: binary.BigEndian.Uint16(b), size: int(binary.BigEndian.Uint16(b[2:])), scope: i < scopes}
		b = b[4:]
		if f.id&0x8000 != 0 && !t.v9 {
			if len(b) < 4 {
				return nil, errors.New("template: cut off")
			}
			f.id, f.pen = f.id&0x7fff, binary.BigEndian.Uint32(b)
			b = b[4:]
		}
		if f.size == variable && !t.v9 {
			t.variable = true
			t.shortest++
		} else {
			t.shortest += f.size
		}
		f.name, f.kind = nameOf(f.pen, f.id)
		t.sampler = t.sampler || f.pen == 0 && (f.id == 48 || f.id == 302)
		t.fields = append(t.fields, f)
	}
	return b, nil
}

// measure returns the bytes of the record at the start of b.
func (t *template) measure(b []byte) (int, error) {
	if !t.variable {
		return t.shortest, nil
	}
	at := 0
	for i := range t.fields {
		n, head := t.fields[i].size, 0
		if n == variable {
			if n, head = length(b, at); head == 0 {
				return 0, errors.New("a value of variable length is cut off")
			}
		}
		if at += head + n; at > len(b) {
			return 0, errors.New("a record is cut off")
		}
	}
	return at, nil
}

// length reads the length that stands before a value (RFC 7011 §7), and how
// many bytes it takes; 0 when it is not there.
func length(b []byte, at int) (n, head int) {
	if at >= len(b) {
		return 0, 0
	}
	if n = int(b[at]); n < 255 {
		return n, 1
	}
	if at+3 > len(b) {
		return 0, 0
	}
	return int(binary.BigEndian.Uint16(b[at+1:])), 3
}

// each calls f for every field of a record that measure has measured.
func (t *template) each(b []byte, f func(*field, []byte)) {
	for i := range t.fields {
		fd := &t.fields[i]
		n, head := fd.size, 0
		if n == variable && t.variable {
			n, head = length(b, 0)
		}
		f(fd, b[head:head+n])
		b = b[head+n:]
	}
}

// nameOf returns the name and kind of an element.
func nameOf(pen uint32, id uint16) (string, kind) {
	switch pen {
	case 0:
		if e, ok := elements[id]; ok {
			return e.name, e.kind
		}
		return "ie" + strconv.Itoa(int(id)), unknown
	case 29305: // RFC 5103: the reverse direction
		n, k := nameOf(0, id)
		if n[0] >= 'a' && n[0] <= 'z' {
			n = string(n[0]-'a'+'A') + n[1:]
		}
		return "reverse" + n, k
	}
	return "pen" + strconv.FormatUint(uint64(pen), 10) + "." + strconv.Itoa(int(id)), unknown
}

// v5Template describes a record of version 5, which has none of its own.
var v5Template = func() *template {
	t := &template{v9: true}
	for _, f := range [...]field{
		{id: 8, size: 4}, {id: 12, size: 4}, {id: 15, size: 4}, {id: 10, size: 2}, {id: 14, size: 2}, {id: 2, size: 4}, {id: 1, size: 4}, {id: 22, size: 4}, {id: 21, size: 4},
		{id: 7, size: 2}, {id: 11, size: 2}, {id: 210, size: 1}, {id: 6, size: 1}, {id: 4, size: 1}, {id: 5, size: 1}, {id: 16, size: 2}, {id: 17, size: 2},
		{id: 9, size: 1}, {id: 13, size: 1}, {id: 210, size: 2},
	} {
		f.name, f.kind = nameOf(0, f.id)
		t.shortest += f.size
		t.fields = append(t.fields, f)
	}
	return t
}()
