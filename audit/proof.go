// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"

	"citywall/asset"
	"citywall/internal/fault"
	"citywall/internal/merkle"
)

// Proof shows that an entry is in the log. It stands alone: with the realm's
// public key anybody can check it.
type Proof struct {
	Seq  uint64   `json:"seq"`
	Line string   `json:"line"` // the entry's bytes, without the newline
	Path []string `json:"path"` // RFC 6962 audit path from leaf to root, base64
	Head string   `json:"head"` // signed note
}

// Prove returns the proof that entry seq is in the log, under the newest head.
func (l *Log) Prove(_ context.Context, seq uint64) (Proof, error) {
	h := l.Head()
	_, line, err := l.read(seq)
	if err != nil {
		return Proof{}, err
	}
	path, err := merkle.Inclusion(seq, h.Size, l.hashes)
	if err != nil {
		return Proof{}, fmt.Errorf("prove audit entry %d: %w", seq, err)
	}
	p := Proof{Seq: seq, Line: string(line), Path: make([]string, len(path)), Head: h.Note}
	for i := range path {
		p.Path[i] = base64.StdEncoding.EncodeToString(path[i][:])
	}
	// Checked before it is given away: hashes that were changed on disk would
	// else make us hand out nonsense under our own signature.
	if _, _, err := CheckProof(p, l.realm, l.key.Public().(ed25519.PublicKey)); err != nil {
		return Proof{}, l.refuse("entry %d does not lead to the signed head", seq)
	}
	return p, nil
}

// CheckProof returns the entry that p proves and the head it is under, or why
// it proves nothing.
func CheckProof(p Proof, realm asset.Realm, key ed25519.PublicKey) (Entry, Head, error) {
	bad := func(err error) (Entry, Head, error) {
		return Entry{}, Head{}, fault.New(fault.Invalid, "audit proof of entry %d: %w", p.Seq, err)
	}
	h, err := ParseHead(p.Head, realm, key)
	if err != nil {
		return bad(err)
	}
	if len(p.Path) > 64 {
		return bad(fmt.Errorf("a path of %d hashes", len(p.Path)))
	}
	path := make([]merkle.Hash, len(p.Path))
	for i, s := range p.Path {
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil || len(b) != len(path[i]) {
			return bad(fmt.Errorf("hash %d of the path is not %d bytes of base64", i, len(path[i])))
		}
		copy(path[i][:], b)
	}
	if err := merkle.VerifyInclusion(p.Seq, h.Size, merkle.Leaf([]byte(p.Line)), path, h.Root); err != nil {
		return bad(err)
	}
	e, err := parse([]byte(p.Line))
	if err == nil && (e.Seq != p.Seq || e.Realm != realm) {
		err = fmt.Errorf("is entry %d of realm %s", e.Seq, e.Realm)
	}
	if err != nil {
		return bad(fmt.Errorf("the line %w", err))
	}
	return e, h, nil
}
