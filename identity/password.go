// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identity

// Argon2 is the cost of a password hash. The zero value takes the defaults of
// RFC 9106 §4 for little memory: 64 MiB, 3 passes, 4 lanes.
type Argon2 struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}
