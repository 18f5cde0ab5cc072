// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Kind is the state of a value that is there. Absent is the fourth state: the
// field is not in Fields at all.
type Kind uint8

// Kinds of value.
const (
	Null Kind = iota // present without a value (JSON null)
	Text             // one text, possibly empty
	List             // several texts, kept apart
)

// Value is what a field holds. Numbers and booleans are kept as the text the
// source wrote.
type Value struct {
	Kind Kind
	Text string   // when Kind is Text
	List []string // when Kind is List
}

// T returns a text value.
func T(s string) Value { return Value{Kind: Text, Text: s} }

// L returns a list value.
func L(s ...string) Value { return Value{Kind: List, List: s} }

// String returns the text, or the list joined with ", " for people to read.
// Matching must look at List itself.
func (v Value) String() string {
	switch v.Kind {
	case Text:
		return v.Text
	case List:
		return strings.Join(v.List, ", ")
	}
	return ""
}

// Field is a native name and its value.
type Field struct {
	Name  string
	Value Value
}

// Fields are ordered as the record has them. Lookup is linear on purpose:
// records have a few dozen fields.
type Fields []Field

// Get returns the value of the first field with that exact name.
func (f Fields) Get(name string) (Value, bool) {
	for i := range f {
		if f[i].Name == name {
			return f[i].Value, true
		}
	}
	return Value{}, false
}

// Str returns the text of the field, "" when absent or null.
func (f Fields) Str(name string) string {
	v, _ := f.Get(name)
	return v.String()
}

// First returns the text of the first named field that is present and not
// empty.
func (f Fields) First(names ...string) string {
	for _, n := range names {
		if s := f.Str(n); s != "" {
			return s
		}
	}
	return ""
}

// Add appends a text field. A repeated name turns the field into a list, with
// the earlier values first.
func (f *Fields) Add(name, value string) {
	for i := range *f {
		if (*f)[i].Name != name {
			continue
		}
		v := &(*f)[i].Value
		switch v.Kind {
		case List:
			v.List = append(v.List, value)
		case Text:
			*v = L(v.Text, value)
		default:
			*v = L("", value)
		}
		return
	}
	*f = append(*f, Field{name, T(value)})
}

// Set replaces or appends.
func (f *Fields) Set(name string, v Value) {
	for i := range *f {
		if (*f)[i].Name == name {
			(*f)[i].Value = v
			return
		}
	}
	*f = append(*f, Field{name, v})
}

// MarshalJSON writes one object in the order of the fields; null, text and
// array keep their states.
func (f Fields) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	put := func(v any) error {
		if err := enc.Encode(v); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // Encode ends with a newline
		return nil
	}
	b.WriteByte('{')
	for i, x := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := put(x.Name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		var err error
		switch x.Value.Kind {
		case Null:
			b.WriteString("null")
		case Text:
			err = put(x.Value.Text)
		case List:
			if x.Value.List == nil {
				b.WriteString("[]")
			} else {
				err = put(x.Value.List)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON wrote, in order.
func (f *Fields) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("fields: want a JSON object")
	}
	*f = (*f)[:0]
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return fmt.Errorf("fields: %w", err)
		}
		var raw any
		if err := dec.Decode(&raw); err != nil {
			return fmt.Errorf("field %v: %w", k, err)
		}
		v := Value{}
		switch x := raw.(type) {
		case nil:
		case string:
			v = T(x)
		case []any:
			v = Value{Kind: List, List: make([]string, 0, len(x))}
			for _, e := range x {
				s, ok := e.(string)
				if !ok {
					return fmt.Errorf("field %v: list holds a %T, want text", k, e)
				}
				v.List = append(v.List, s)
			}
		default:
			return fmt.Errorf("field %v: %T is not text", k, raw)
		}
		*f = append(*f, Field{k.(string), v})
	}
	return nil
}
