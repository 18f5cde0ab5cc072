// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"unicode/utf8"
)

// XML returns the record as XML without indentation, so that no text changes.
// Characters that XML 1.0 cannot hold become U+FFFD, and characters that no
// name may have become "_"; both are kept by JSON.
func XML(e *Element) []byte { return appendXML(nil, e) }

func appendXML(dst []byte, e *Element) []byte {
	dst = appendXMLName(append(dst, '<'), e.Name)
	for i := range e.Attrs {
		dst = appendXMLName(append(dst, ' '), e.Attrs[i].Name)
		dst = append(dst, '=', '"')
		dst = append(appendXMLText(dst, e.Attrs[i].Value.Text), '"')
	}
	dst = append(dst, '>')
	for i := range e.Nodes {
		if x := e.Nodes[i].Elem; x != nil {
			dst = appendXML(dst, x)
		} else {
			dst = appendXMLText(dst, e.Nodes[i].Value.Text)
		}
	}
	dst = appendXMLName(append(dst, '<', '/'), e.Name)
	return append(dst, '>')
}

// appendXMLName lets nothing through that could end a tag. It keeps the
// characters that every edition of XML allows in names and real events use.
func appendXMLName(dst []byte, s string) []byte {
	for i, r := range s {
		ok := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' ||
			r >= 0xc0 && r <= 0xff && r != 0xd7 && r != 0xf7 || r >= 0x4e00 && r <= 0x9fa5 ||
			i > 0 && (r == '-' || r == '.' || r >= '0' && r <= '9') ||
			i > 0 && i < len(s)-1 && r == ':'
		if !ok {
			r = '_'
		}
		dst = utf8.AppendRune(dst, r)
	}
	if s == "" {
		return append(dst, '_')
	}
	return dst
}

func appendXMLText(dst []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '&':
			dst = append(dst, "&amp;"...)
		case r == '<':
			dst = append(dst, "&lt;"...)
		case r == '>':
			dst = append(dst, "&gt;"...)
		case r == '"':
			dst = append(dst, "&quot;"...)
		case r == '\r': // a reader would turn these into one space or newline
			dst = append(dst, "&#xD;"...)
		case r == '\n':
			dst = append(dst, "&#xA;"...)
		case r == '\t':
			dst = append(dst, "&#x9;"...)
		case r < 0x20 || r == 0xfffe || r == 0xffff:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
