// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
)

func TestFirstStartAndAfter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	var rings [4]*Ring
	var wg sync.WaitGroup
	for i := range rings { // several first starts at once end with one key
		wg.Go(func() {
			r, err := Open(dir, "police")
			if err != nil {
				t.Error(err)
				return
			}
			rings[i] = r
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, r := range rings[1:] {
		if !r.Sign.Equal(rings[0].Sign) || r.Seal.String() != rings[0].Seal.String() {
			t.Fatal("two different keys were handed out")
		}
	}
	for _, n := range []string{"sign.key", "seal.key"} {
		fi, err := os.Stat(filepath.Join(dir, "police", n))
		if err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", n, fi.Mode(), err)
		}
	}
	city, err := Open(dir, "city")
	if err != nil {
		t.Fatal(err)
	}
	if city.Sign.Equal(rings[0].Sign) || city.Seal.String() == rings[0].Seal.String() {
		t.Error("two realms share a key")
	}
}

// TestPublicServes: what public.json holds is enough to check a signature and
// to seal, and holds no secret.
func TestPublicServes(t *testing.T) {
	dir := t.TempDir()
	r, err := Open(dir, "city")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "city", "public.json"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "AGE-SECRET-KEY") || strings.Contains(string(b), "PRIVATE") {
		t.Fatal("public.json holds a secret")
	}
	partner, err := Open(dir, "police")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "police", "trusted", "bureau.json"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	ts, err := partner.Trusted()
	if err != nil || len(ts) != 1 {
		t.Fatalf("trusted: %v, %v", ts, err)
	}
	ver, err := ts[0].Verifier()
	if err != nil || !ed25519.Verify(ver, []byte("head"), ed25519.Sign(r.Sign, []byte("head"))) {
		t.Errorf("signature does not check: %v", err)
	}
	to, err := ts[0].Recipient()
	if err != nil {
		t.Fatal(err)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("for the city")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rd, err := age.Decrypt(&sealed, r.Seal)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(rd); err != nil || string(got) != "for the city" {
		t.Errorf("opened %q, %v", got, err)
	}
}

func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, "city"); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "city", "sign.key")
	t.Run("readable by others", func(t *testing.T) {
		if err := os.Chmod(key, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, "city"); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("error %v", err)
		}
		if err := os.Chmod(key, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("damaged, not replaced", func(t *testing.T) {
		if err := os.WriteFile(key, []byte("nothing"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, "city"); err == nil {
			t.Error("opened")
		}
		if b, err := os.ReadFile(key); err != nil || string(b) != "nothing" {
			t.Errorf("the file was replaced: %q, %v", b, err)
		}
	})
	for _, realm := range []string{"", "..", "a/b", `a\b`} {
		if _, err := Open(dir, realm); err == nil {
			t.Errorf("realm %q accepted", realm)
		}
	}
}

func TestParsePublic(t *testing.T) {
	r, err := Open(t.TempDir(), "city")
	if err != nil {
		t.Fatal(err)
	}
	good := r.Public()
	for name, change := range map[string]func(*Public){
		"no name":        func(p *Public) { p.Name = "" },
		"short key":      func(p *Public) { p.Sign = p.Sign[:8] },
		"no base64":      func(p *Public) { p.Sign = "!" },
		"other sealing":  func(p *Public) { p.Seal = "age1qqq" },
		"secret sealing": func(p *Public) { p.Seal = r.Seal.String() },
	} {
		p := good
		change(&p)
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePublic(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := ParsePublic([]byte(`{"name":"x","extra":1}`)); err == nil {
		t.Error("unknown field accepted")
	}
}
