// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package keys keeps the two key pairs of a realm in DATA/keys/<realm>/: one
// signs (Ed25519: audit heads, packages), one opens what was sealed to the
// realm (age, X25519).
//
//	sign.key       PKCS #8 in PEM, 0600
//	seal.key       age identity file, 0600
//	public.json    what may be given away
//	trusted/*.json public.json of partners, put there by an administrator
//
// It promises that keys are made at the first start, readable by their owner
// alone, that a secret file others could read is refused, and that a key that
// is there is never replaced. It never prints or logs a secret.
package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"filippo.io/age"

	"citywall/internal/durable"
)

const maxKeyFile = 64 << 10 // bytes of any file here

// Ring is the keys of one realm.
type Ring struct {
	Realm string
	Sign  ed25519.PrivateKey
	Seal  *age.X25519Identity
	dir   string
}

// Public is what a partner may know.
type Public struct {
	Name string `json:"name"` // the realm, or what the one who trusts it calls it
	Sign string `json:"sign"` // Ed25519 public key, base64
	Seal string `json:"seal"` // age recipient, age1…
}

// Open reads the keys of the realm below dir (DATA/keys), making those that do
// not exist.
func Open(dir, realm string) (*Ring, error) {
	if realm == "" || strings.ContainsAny(realm, `/\.`) {
		return nil, fmt.Errorf("keys: %q is no realm", realm)
	}
	r := &Ring{Realm: realm, dir: filepath.Join(dir, realm)}
	if err := durable.Mkdir(filepath.Join(r.dir, "trusted")); err != nil {
		return nil, fmt.Errorf("keys of %s: %w", realm, err)
	}
	var err error
	if r.Sign, err = r.signKey(); err != nil {
		return nil, fmt.Errorf("keys of %s: %w", realm, err)
	}
	if r.Seal, err = r.sealKey(); err != nil {
		return nil, fmt.Errorf("keys of %s: %w", realm, err)
	}
	pub, err := json.MarshalIndent(r.Public(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("keys of %s: %w", realm, err)
	}
	pub = append(pub, '\n')
	name := filepath.Join(r.dir, "public.json")
	if old, err := os.ReadFile(name); err != nil || !bytes.Equal(old, pub) {
		if err := durable.Replace(name, 0o644, pub); err != nil {
			return nil, fmt.Errorf("keys of %s: %w", realm, err)
		}
	}
	return r, nil
}

func (r *Ring) signKey() (ed25519.PrivateKey, error) {
	b, err := r.secret("sign.key", func() ([]byte, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	})
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("sign.key is not one PRIVATE KEY in PEM")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("sign.key: %w", err)
	}
	key, ok := k.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("sign.key is not an Ed25519 key")
	}
	return key, nil
}

func (r *Ring) sealKey() (*age.X25519Identity, error) {
	b, err := r.secret("seal.key", func() ([]byte, error) {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, err
		}
		return fmt.Appendf(nil, "# created: %s\n# public key: %s\n%s\n", time.Now().UTC().Format(time.RFC3339), id.Recipient(), id), nil
	})
	if err != nil {
		return nil, err
	}
	ids, err := age.ParseIdentities(bytes.NewReader(b))
	if err != nil || len(ids) != 1 {
		return nil, fmt.Errorf("seal.key is not a file with one age identity")
	}
	id, ok := ids[0].(*age.X25519Identity)
	if !ok {
		return nil, fmt.Errorf("seal.key is not an X25519 identity")
	}
	return id, nil
}

// secret reads a secret file, making it first when it is missing.
func (r *Ring) secret(name string, make func() ([]byte, error)) ([]byte, error) {
	path := filepath.Join(r.dir, name)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		b, err := make()
		if err != nil {
			return nil, fmt.Errorf("make %s: %w", name, err)
		}
		// Create refuses a name that is taken, so two first starts at once
		// end with one key.
		if _, err := durable.Create(path, 0o600, bytes.NewReader(b)); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	fi, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxKeyFile {
		return nil, fmt.Errorf("%s is not a key file", path)
	}
	// Windows has no such bits; there the folder's access list counts.
	if fi.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s can be read by others (mode %04o): run chmod 600 on it, and replace the key if somebody may have read it",
			path, fi.Mode().Perm())
	}
	return os.ReadFile(path)
}

// Public returns what may be given to partners.
func (r *Ring) Public() Public {
	return Public{
		Name: r.Realm,
		Sign: base64.StdEncoding.EncodeToString(r.Sign.Public().(ed25519.PublicKey)),
		Seal: r.Seal.Recipient().String(),
	}
}

// Verifier returns the realm's own public signing key.
func (r *Ring) Verifier() ed25519.PublicKey { return r.Sign.Public().(ed25519.PublicKey) }

// Trusted returns the partners whose public keys lie in the folder trusted, by
// file name. A file that cannot be read is an error: a partner who is silently
// missing looks like a forger.
func (r *Ring) Trusted() ([]Public, error) {
	dir := filepath.Join(r.dir, "trusted")
	names, err := filepath.Glob(filepath.Join(dir, "*.json")) // sorted
	if err != nil {
		return nil, err
	}
	var out []Public
	for _, n := range names {
		fi, err := os.Stat(n)
		if err != nil {
			return nil, fmt.Errorf("trusted key: %w", err)
		}
		if fi.Size() > maxKeyFile {
			return nil, fmt.Errorf("trusted key %s: %d bytes are too many", n, fi.Size())
		}
		b, err := os.ReadFile(n)
		if err != nil {
			return nil, fmt.Errorf("trusted key: %w", err)
		}
		p, err := ParsePublic(b)
		if err != nil {
			return nil, fmt.Errorf("trusted key %s: %w", n, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// ParsePublic reads a public.json and checks both keys.
func ParsePublic(b []byte) (Public, error) {
	var p Public
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return p, fmt.Errorf("public keys: %w", err)
	}
	if p.Name == "" {
		return p, fmt.Errorf("public keys: no name")
	}
	if _, err := p.Verifier(); err != nil {
		return p, err
	}
	if _, err := p.Recipient(); err != nil {
		return p, err
	}
	return p, nil
}

// Verifier returns the key that checks the partner's signatures.
func (p Public) Verifier() (ed25519.PublicKey, error) {
	b, err := base64.StdEncoding.DecodeString(p.Sign)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("signing key of %s: want %d bytes in base64", p.Name, ed25519.PublicKeySize)
	}
	return b, nil
}

// Recipient returns the key that seals to the partner.
func (p Public) Recipient() (*age.X25519Recipient, error) {
	r, err := age.ParseX25519Recipient(p.Seal)
	if err != nil {
		return nil, fmt.Errorf("sealing key of %s: %w", p.Name, err)
	}
	return r, nil
}
