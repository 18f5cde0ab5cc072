// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import (
	"errors"
	"strings"
)

// SplitCSV reads one row by RFC 4180, whatever the separator; a quote inside an
// unquoted value is text. The values share one string.
func SplitCSV(b []byte, sep byte) ([]string, error) {
	s, by := string(b), string(rune(sep))
	out := make([]string, 0, 8)
	for {
		if len(out) >= MaxFields {
			return nil, errors.New("too many columns")
		}
		if !strings.HasPrefix(s, `"`) {
			v, rest, more := strings.Cut(s, by)
			out = append(out, v)
			if !more {
				return out, nil
			}
			s = rest
			continue
		}
		var v strings.Builder
		s = s[1:]
		for {
			i := strings.IndexByte(s, '"')
			if i < 0 {
				return nil, errors.New("a quote without an end")
			}
			v.WriteString(s[:i])
			s = s[i+1:]
			if !strings.HasPrefix(s, `"`) {
				break
			}
			v.WriteByte('"')
			s = s[1:]
		}
		out = append(out, v.String())
		if s == "" {
			return out, nil
		}
		if s[0] != sep {
			return nil, errors.New("text after a closing quote")
		}
		s = s[1:]
	}
}
