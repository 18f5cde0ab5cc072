// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// JSON returns the record in the shape that evtx_dump made common: attributes
// under "#attributes", <Data Name="x"> as member x, a repeated name as x, x_1,
// x_2, several <Data> without a name as one list. Numbers are numbers, hex and
// times are text. The same record gives the same bytes.
func JSON(e *Element) []byte { return appendDoc(nil, e, false) }

// JSONSeparate is JSON with the attributes of x in a member x_attributes
// beside it.
func JSONSeparate(e *Element) []byte { return appendDoc(nil, e, true) }

func appendDoc(dst []byte, e *Element, separate bool) []byte {
	j := jsonWriter{b: append(dst, '{'), separate: separate}
	j.member(e, e.Name, true)
	return append(j.b, '}')
}

type jsonWriter struct {
	b        []byte
	separate bool
}

// key begins a member. first is true for the first of an object.
func (j *jsonWriter) key(name, suffix string, first bool) {
	if !first {
		j.b = append(j.b, ',')
	}
	j.b = append(j.b, '"')
	j.b = appendEscaped(appendEscaped(j.b, name), suffix)
	j.b = append(j.b, '"', ':')
}

// member writes the members for e, and reports whether the next one is still
// the first of the object.
func (j *jsonWriter) member(e *Element, key string, first bool) bool {
	attrs := e.Attrs
	if named(e) {
		attrs = nil
	}
	if !j.separate || len(attrs) == 0 {
		j.key(key, "", first)
		j.element(e, attrs)
		return false
	}
	j.key(key, "_attributes", first)
	j.attributes(attrs)
	if len(e.Nodes) > 0 {
		j.key(key, "", false)
		j.element(e, nil)
	}
	return false
}

// named reports whether e is <Data Name="x">, which becomes a member x.
func named(e *Element) bool {
	return e.Name == "Data" && len(e.Attrs) == 1 && e.Attrs[0].Name == "Name" && e.Attrs[0].Value.Text != ""
}

func memberName(e *Element) string {
	if named(e) {
		return e.Attrs[0].Value.Text
	}
	return e.Name
}

// list reports whether e is one of the <Data> without a name, which together
// make one list.
func list(e *Element) bool { return e.Name == "Data" && len(e.Attrs) == 0 && !e.elements() }

func (j *jsonWriter) attributes(attrs []Attr) {
	j.b = append(j.b, '{')
	for i := range attrs {
		j.key(attrs[i].Name, "", i == 0)
		j.value(attrs[i].Value)
	}
	j.b = append(j.b, '}')
}

func (j *jsonWriter) element(e *Element, attrs []Attr) {
	v, hasValue := e.value()
	hasElements := e.elements()
	if len(attrs) == 0 && !hasElements {
		if hasValue {
			j.value(v)
		} else {
			j.b = append(j.b, "null"...)
		}
		return
	}
	j.b = append(j.b, '{')
	first := true
	if len(attrs) > 0 {
		j.key("#attributes", "", true)
		j.attributes(attrs)
		first = false
	}
	if hasValue && v.Type != Null {
		j.key("#text", "", first)
		j.value(v)
		first = false
	}
	if hasElements {
		j.children(e, first)
	}
	j.b = append(j.b, '}')
}

func (j *jsonWriter) children(e *Element, first bool) {
	seen := newNames(len(e.Nodes))
	for i := range e.Nodes {
		x := e.Nodes[i].Elem
		if x == nil {
			continue
		}
		if !list(x) {
			first = j.member(x, seen.unique(memberName(x)), first)
			continue
		}
		if seen.list {
			continue
		}
		seen.list = true
		n := seen.unique("Data")
		j.key(n, "", first)
		j.data(e.Nodes[i:])
		first = false
	}
}

// data writes the texts of all <Data> without a name.
func (j *jsonWriter) data(nodes []Node) {
	n := 0
	for i := range nodes {
		if x := nodes[i].Elem; x != nil && list(x) {
			n++
		}
	}
	j.b = append(j.b, `{"#text":`...)
	if n > 1 {
		j.b = append(j.b, '[')
	}
	first := true
	for i := range nodes {
		x := nodes[i].Elem
		if x == nil || !list(x) {
			continue
		}
		if !first {
			j.b = append(j.b, ',')
		}
		first = false
		if len(x.Nodes) == 0 { // empty, which is not null
			j.b = append(j.b, '"', '"')
		} else {
			j.element(x, nil)
		}
	}
	if n > 1 {
		j.b = append(j.b, ']')
	}
	j.b = append(j.b, '}')
}

// names finds repeated member names. Few names are compared one by one; the
// map is for records made to be slow.
type names struct {
	few  []string
	many map[string]int // name -> next suffix
	list bool
}

func newNames(n int) *names {
	if n > 128 {
		return &names{many: make(map[string]int, n)}
	}
	return &names{few: make([]string, 0, n)}
}

func (n *names) used(name string) bool {
	if n.many != nil {
		return n.many[name] > 0
	}
	return slices.Contains(n.few, name)
}

// unique returns name, or the first of name_1, name_2 ... that is free.
func (n *names) unique(name string) string {
	out, k := name, 0
	if n.used(name) {
		if k = 1; n.many != nil {
			k = n.many[name]
		}
		for out = name + "_" + strconv.Itoa(k); n.used(out); out = name + "_" + strconv.Itoa(k) {
			k++
		}
	}
	if n.many == nil {
		n.few = append(n.few, out)
		return out
	}
	n.many[name] = k + 1
	if out != name {
		n.many[out] = 1
	}
	return out
}

// value writes a number, a truth value, null or text.
func (j *jsonWriter) value(v Value) {
	switch {
	case v.Odd:
	case v.Type == Null:
		j.b = append(j.b, "null"...)
		return
	case v.Type >= Int8 && v.Type <= Uint64, v.Type == Bool:
		j.b = append(j.b, v.Text...)
		return
	case v.Type == Float32 || v.Type == Float64:
		if x, err := strconv.ParseFloat(v.Text, 64); err == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
			j.b = append(j.b, v.Text...)
			return
		}
	}
	j.b = append(appendEscaped(append(j.b, '"'), v.Text), '"')
}

const hexLower = "0123456789abcdef"

// appendEscaped escapes what JSON asks for and nothing else.
func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = utf8.AppendRune(append(dst, s[start:i]...), utf8.RuneError)
				start = i + 1
			}
			i += n
			continue
		}
		dst = appendEscape(append(dst, s[start:i]...), c)
		i++
		start = i
	}
	return append(dst, s[start:]...)
}

// appendEscape escapes one character that asks for it.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexLower[c>>4], hexLower[c&15])
}

// plain are the bytes of valid UTF-8 that JSON takes as they are.
var plain = func() (t [256]bool) {
	for i := range t {
		t[i] = i >= 0x20 && i != '"' && i != '\\'
	}
	return t
}()

// appendEscapedText is appendEscaped for text that is known to be UTF-8.
func appendEscapedText(dst, s []byte) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; !plain[c] {
			dst = appendEscape(append(dst, s[start:i]...), c)
			start = i + 1
		}
	}
	return append(dst, s[start:]...)
}
