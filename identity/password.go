// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"citywall/internal/fault"
)

// Length of passwords (NIST SP 800-63B-4 §3.1.1: length, no rules of
// composition). The upper bound keeps hashing from being a way to burn time.
const (
	MinPassword = 12   // characters
	MaxPassword = 1024 // bytes
)

// Argon2 is the cost of a password hash. The zero value takes the second
// recommended choice of RFC 9106 §4: 64 MiB, 3 passes, 4 lanes.
type Argon2 struct {
	Memory uint32 // KiB
	Passes uint32
	Lanes  uint8
}

func (a Argon2) orDefault() Argon2 {
	if a == (Argon2{}) {
		return Argon2{Memory: 64 << 10, Passes: 3, Lanes: 4}
	}
	return a
}

// Bounds of what a stored hash may ask for: a hash that somebody wrote into
// the records must not take the machine's memory.
const (
	maxMemory = 1 << 20 // KiB: 1 GiB
	maxPasses = 16
	saltLen   = 16
	hashLen   = 32
)

// CheckPassword returns an invalid error, with a sentence, when the password
// is no good for the user: too short, too long, or the name.
func CheckPassword(login, password string) error {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return fault.New(fault.Invalid, "the password is too short: at least %d characters, any characters", MinPassword)
	case len(password) > MaxPassword:
		return fault.New(fault.Invalid, "the password is longer than %d bytes", MaxPassword)
	case login != "" && strings.EqualFold(password, login):
		return fault.New(fault.Invalid, "the password is the login name")
	case len(slices.Compact([]rune(password))) == 1:
		return fault.New(fault.Invalid, "the password is one character repeated")
	}
	return nil
}

// HashPassword returns the Argon2id hash in PHC form, with its parameters and
// a random salt in it: $argon2id$v=19$m=65536,t=3,p=4$salt$hash.
func HashPassword(password string, cost Argon2) string {
	a := cost.orDefault()
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.Memory, a.Passes, a.Lanes,
		b64.EncodeToString(salt), b64.EncodeToString(derive(password, salt, a)))
}

// derive normalises first (NFKC): two keyboards may write one Chinese or
// accented password as different bytes.
func derive(password string, salt []byte, a Argon2) []byte {
	return argon2.IDKey(norm.NFKC.Bytes([]byte(password)), salt, a.Passes, a.Memory, a.Lanes, hashLen)
}

// VerifyPassword compares in constant time. weaker means that the hash was
// made with other costs than cost and should be made again.
func VerifyPassword(hash, password string, cost Argon2) (ok, weaker bool, err error) {
	a, salt, want, err := parseHash(hash)
	if err != nil {
		return false, false, err
	}
	if len(password) > MaxPassword {
		return false, false, nil
	}
	ok = subtle.ConstantTimeCompare(derive(password, salt, a), want) == 1
	return ok, ok && a != cost.orDefault(), nil
}

func parseHash(hash string) (a Argon2, salt, want []byte, err error) {
	bad := func() (Argon2, []byte, []byte, error) {
		return Argon2{}, nil, nil, fmt.Errorf("stored password hash is not one of Argon2id")
	}
	f := strings.Split(hash, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" || f[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad()
	}
	if _, err := fmt.Sscanf(f[3], "m=%d,t=%d,p=%d", &a.Memory, &a.Passes, &a.Lanes); err != nil ||
		f[3] != fmt.Sprintf("m=%d,t=%d,p=%d", a.Memory, a.Passes, a.Lanes) ||
		a.Lanes == 0 || a.Passes == 0 || a.Passes > maxPasses || a.Memory < 8*uint32(a.Lanes) || a.Memory > maxMemory {
		return bad()
	}
	if salt, err = base64.RawStdEncoding.DecodeString(f[4]); err != nil || len(salt) < 8 {
		return bad()
	}
	if want, err = base64.RawStdEncoding.DecodeString(f[5]); err != nil || len(want) != hashLen {
		return bad()
	}
	return a, salt, want, nil
}

// Secret makes a random secret of 256 bits with a prefix that says what it is,
// so that one that leaked into a file can be found by searching for it.
func Secret(prefix string) string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// HashSecret returns what is stored of a secret. SHA-256 is enough: there is
// nothing to guess in 256 random bits.
func HashSecret(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}
