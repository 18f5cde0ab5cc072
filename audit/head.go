// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"citywall/asset"
	"citywall/internal/merkle"
)

// Head is a signed tree head.
type Head struct {
	Size uint64      // entries covered
	Root merkle.Hash // RFC 6962 root over them
	Time time.Time   // of signing
	Note string      // the signed note: what is printed and mailed
}

// A note is a C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint), signed
// as https://c2sp.org/signed-note says, with the time as its one extension
// line. It always has noteLines lines:
//
//	citywall/audit/city
//	1234
//	<root, base64>
//	time 2026-10-20T01:02:03.000004Z
//
//	— citywall/audit/city <base64 of 4 bytes key hash and 64 bytes signature>
const noteLines = 6

// maxNote is more than any note has bytes.
const maxNote = 1 << 10

func origin(realm asset.Realm) string { return "citywall/audit/" + string(realm) }

// keyHash is the first four bytes of SHA-256(name ‖ newline ‖ 0x01 ‖ key); 1
// stands for Ed25519.
func keyHash(name string, key ed25519.PublicKey) []byte {
	h := sha256.New()
	h.Write([]byte(name + "\n\x01"))
	h.Write(key)
	return h.Sum(nil)[:4]
}

// Verifier returns the realm's public key as signed-note tools want it.
func Verifier(realm asset.Realm, key ed25519.PublicKey) string {
	name := origin(realm)
	return fmt.Sprintf("%s+%x+%s", name, keyHash(name, key), base64.StdEncoding.EncodeToString(append([]byte{1}, key...)))
}

func sign(realm asset.Realm, size uint64, root merkle.Hash, at time.Time, key ed25519.PrivateKey) Head {
	name := origin(realm)
	at = at.UTC().Truncate(time.Microsecond)
	body := fmt.Sprintf("%s\n%d\n%s\ntime %s\n", name, size, base64.StdEncoding.EncodeToString(root[:]), at.Format(time.RFC3339Nano))
	sig := append(keyHash(name, key.Public().(ed25519.PublicKey)), ed25519.Sign(key, []byte(body))...)
	return Head{Size: size, Root: root, Time: at,
		Note: fmt.Sprintf("%s\n— %s %s\n", body, name, base64.StdEncoding.EncodeToString(sig))}
}

// ParseHead checks the signature of a note and returns what it says.
func ParseHead(note string, realm asset.Realm, key ed25519.PublicKey) (Head, error) {
	name := origin(realm)
	lines := strings.SplitAfter(note, "\n")
	if len(lines) != noteLines+1 || lines[noteLines] != "" {
		return Head{}, fmt.Errorf("head: want %d lines", noteLines)
	}
	if lines[0] != name+"\n" || lines[4] != "\n" {
		return Head{}, fmt.Errorf("head: it is not of %s", name)
	}
	sig, ok := strings.CutPrefix(strings.TrimSuffix(lines[5], "\n"), "— "+name+" ")
	raw, err := base64.StdEncoding.Strict().DecodeString(sig)
	if !ok || err != nil || len(raw) != 4+ed25519.SignatureSize {
		return Head{}, fmt.Errorf("head: no signature")
	}
	if !bytes.Equal(raw[:4], keyHash(name, key)) {
		return Head{}, fmt.Errorf("head: signed with another key")
	}
	if !ed25519.Verify(key, []byte(strings.Join(lines[:4], "")), raw[4:]) {
		return Head{}, fmt.Errorf("head: the signature is wrong")
	}
	h := Head{Note: note}
	if h.Size, err = strconv.ParseUint(strings.TrimSuffix(lines[1], "\n"), 10, 64); err != nil {
		return Head{}, fmt.Errorf("head: size: %w", err)
	}
	root, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(lines[2], "\n"))
	if err != nil || len(root) != len(h.Root) {
		return Head{}, fmt.Errorf("head: root is not %d bytes of base64", len(h.Root))
	}
	copy(h.Root[:], root)
	at, ok := strings.CutPrefix(strings.TrimSuffix(lines[3], "\n"), "time ")
	if h.Time, err = time.Parse(time.RFC3339Nano, at); err != nil || !ok {
		return Head{}, fmt.Errorf("head: no time")
	}
	return h, nil
}

// couldBeTorn reports whether b is a beginning of a note: what a kill in the
// middle of writing one leaves. A note with a changed line end is not.
func couldBeTorn(b []byte, realm asset.Realm) bool {
	const digits, base64s, times = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", "0123456789-:.TZ"
	for _, p := range []struct{ any, then string }{
		{"", origin(realm) + "\n"}, {digits, "\n"}, {base64s, "\ntime "}, {times, "\n\n— " + origin(realm) + " "}, {base64s, ""},
	} {
		b = bytes.TrimLeft(b, p.any)
		if len(b) <= len(p.then) {
			return strings.HasPrefix(p.then, string(b))
		}
		if !bytes.HasPrefix(b, []byte(p.then)) {
			return false
		}
		b = b[len(p.then):]
	}
	return len(b) == 0
}
