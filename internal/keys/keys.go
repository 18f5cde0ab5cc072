// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package keys keeps the two key pairs of a realm in DATA/keys/<realm>/: one
// signs (Ed25519: audit heads, packages), one opens what was sealed to the
// realm (age, X25519).
//
// It promises that keys are made at the first start, readable by their owner
// alone, that a key file others could read is refused, and that what may be
// given away is a separate file. It never prints or logs a secret.
package keys

import (
	"crypto/ed25519"

	"filippo.io/age"
)

// Ring is the keys of one realm.
type Ring struct {
	Realm string
	Sign  ed25519.PrivateKey
	Seal  *age.X25519Identity
}

// Public is what a partner may know. It is what DATA/keys/<realm>/public.json
// holds, and what a partner puts into its own trusted/ folder.
type Public struct {
	Name string `json:"name"` // e.g. "city", or a name chosen by who trusts it
	Sign string `json:"sign"` // Ed25519 public key, base64
	Seal string `json:"seal"` // age recipient, age1…
}
