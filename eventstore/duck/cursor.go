// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

// A cursor is the key of the last event of a page and a MAC over it, the scope
// and the query:
//
//	8 bytes  microseconds since 1970, big endian
//	2 bytes  nanoseconds beyond them
//	16 bytes event id
//	16 bytes HMAC-SHA-256, cut
//
// It gives nobody rights, because every page enforces the scope again. The MAC
// keeps people from meeting a page of another query.
const (
	cursorKeyLen = 8 + 2 + 16
	cursorMACLen = 16
)

func (s *Store) writeCursor(k key, sc identity.Scope, q eventstore.Query) string {
	b := make([]byte, 0, cursorKeyLen+cursorMACLen)
	b = binary.BigEndian.AppendUint64(b, uint64(k.us.UnixMicro()))
	b = binary.BigEndian.AppendUint16(b, uint16(k.ns))
	b = append(b, k.id[:]...)
	return base64.RawURLEncoding.EncodeToString(append(b, s.cursorMAC(b, sc, q)...))
}

func (s *Store) readCursor(c string, sc identity.Scope, q eventstore.Query) (key, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(c)
	if err != nil || len(b) != cursorKeyLen+cursorMACLen || !hmac.Equal(b[cursorKeyLen:], s.cursorMAC(b[:cursorKeyLen], sc, q)) {
		return key{}, fault.New(fault.Invalid, "this page mark belongs to another search; begin at the first page")
	}
	k := key{us: time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC(), ns: int16(binary.BigEndian.Uint16(b[8:]))}
	k.id = event.ID(b[10:cursorKeyLen])
	return k, nil
}

func (s *Store) cursorMAC(keyBytes []byte, sc identity.Scope, q eventstore.Query) []byte {
	h := hmac.New(sha256.New, s.cursorKey)
	h.Write(keyBytes)
	// %q and %#v quote texts, so different queries cannot look alike.
	fmt.Fprintf(h, "%q %q %q %d.%d %d.%d %t %#v", sc.Realm, sc.Agencies, sc.Case,
		q.From.Unix(), q.From.Nanosecond(), q.To.Unix(), q.To.Nanosecond(), q.Sort == eventstore.Oldest, q.Filter)
	return h.Sum(nil)[:cursorMACLen]
}
