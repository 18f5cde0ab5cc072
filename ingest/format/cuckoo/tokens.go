// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package cuckoo

import (
	"bytes"
	"encoding/json"
	"errors"

	"citywall/ingest/format"
)

var errDeep = errors.New("nested too deeply")

// skip passes over the value that follows without keeping it.
func (d *decoder) skip() error {
	t, err := d.dec.Token()
	if err != nil {
		return err
	}
	return d.rest(t)
}

// rest passes over what is left of a value whose first token was t.
func (d *decoder) rest(t json.Token) error {
	depth := 0
	for n := 0; ; n++ {
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
		if depth > 64*format.MaxDepth {
			return errDeep
		}
		if n&4095 == 0 && d.ctx.Err() != nil {
			return d.ctx.Err()
		}
		var err error
		if t, err = d.dec.Token(); err != nil {
			return err
		}
	}
}

// value reads the value that follows, token by token, and returns it as JSON; nil
// when it is longer than a record may be or deeper. The texts are the report's,
// white space and escapes are not.
func (d *decoder) value() (json.RawMessage, error) {
	var b bytes.Buffer
	type level struct {
		object, key, some bool
	}
	var stack []level
	over := false
	for {
		t, err := d.dec.Token()
		if err != nil {
			return nil, err
		}
		delim, isDelim := t.(json.Delim)
		closes := isDelim && (delim == '}' || delim == ']')
		if n := len(stack); n > 0 && !closes && !over {
			l := &stack[n-1]
			switch {
			case l.object && l.key: // the value of a member
				b.WriteByte(':')
				l.key = false
			default:
				if l.some {
					b.WriteByte(',')
				}
				l.some, l.key = true, l.object
			}
		}
		switch {
		case closes:
			stack = stack[:len(stack)-1]
		case isDelim:
			stack = append(stack, level{object: delim == '{'})
		}
		if over = over || b.Len() > format.MaxRecord || len(stack) > format.MaxDepth; !over {
			if isDelim {
				b.WriteByte(byte(delim))
			} else {
				text, err := json.Marshal(t)
				if err != nil {
					return nil, err
				}
				b.Write(text)
			}
		}
		if len(stack) > 64*format.MaxDepth {
			return nil, errDeep
		}
		if len(stack) == 0 {
			if over {
				return nil, nil
			}
			return b.Bytes(), nil
		}
	}
}
