// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package walk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

// Marks writes and reads page marks (Query.After) under a key of the store. A
// mark is the key of the last event of a page and a MAC over it, the scope and
// the query:
//
//	8 bytes  microseconds since 1970, big endian
//	2 bytes  nanoseconds beyond them
//	16 bytes event id
//	16 bytes HMAC-SHA-256, cut
//
// It gives nobody rights, because every page enforces the scope again. The MAC
// keeps people from meeting a page of another query.
type Marks []byte

const (
	markKeyLen = 8 + 2 + 16
	markMACLen = 16
)

// Write returns the mark behind k.
func (m Marks) Write(k Key, sc identity.Scope, q eventstore.Query) string {
	b := make([]byte, 0, markKeyLen+markMACLen)
	b = binary.BigEndian.AppendUint64(b, uint64(k.US))
	b = binary.BigEndian.AppendUint16(b, uint16(k.NS))
	b = append(b, k.ID[:]...)
	return base64.RawURLEncoding.EncodeToString(append(b, m.mac(b, sc, q)...))
}

// Read returns the key of q.After, nil when that is empty.
func (m Marks) Read(sc identity.Scope, q eventstore.Query) (*Key, error) {
	if q.After == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(q.After)
	if err != nil || len(b) != markKeyLen+markMACLen || !hmac.Equal(b[markKeyLen:], m.mac(b[:markKeyLen], sc, q)) {
		return nil, fault.New(fault.Invalid, "this page mark belongs to another search; begin at the first page")
	}
	return &Key{int64(binary.BigEndian.Uint64(b)), int16(binary.BigEndian.Uint16(b[8:])), event.ID(b[10:markKeyLen])}, nil
}

func (m Marks) mac(keyBytes []byte, sc identity.Scope, q eventstore.Query) []byte {
	h := hmac.New(sha256.New, m)
	h.Write(keyBytes)
	// %q and %#v quote texts, so different queries cannot look alike.
	fmt.Fprintf(h, "%q %q %q %d.%d %d.%d %t %#v", sc.Realm, sc.Agencies, sc.Case,
		q.From.Unix(), q.From.Nanosecond(), q.To.Unix(), q.To.Nanosecond(), q.Sort == eventstore.Oldest, q.Filter)
	return h.Sum(nil)[:markMACLen]
}
