// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"citywall/asset"
	"citywall/internal/fault"
)

// cheap makes tests quick; nobody ships it.
var cheap = Argon2{Memory: 64, Passes: 1, Lanes: 1}

func TestPasswordHash(t *testing.T) {
	pw := "正確的馬 battery staple"
	h := HashPassword(pw, cheap)
	if !strings.HasPrefix(h, "$argon2id$v=19$m=64,t=1,p=1$") || strings.Contains(h, pw) {
		t.Fatalf("hash %q", h)
	}
	if HashPassword(pw, cheap) == h {
		t.Error("two hashes of one password are equal: no salt")
	}
	if ok, weaker, err := VerifyPassword(h, pw, cheap); !ok || weaker || err != nil {
		t.Errorf("right password: %v %v %v", ok, weaker, err)
	}
	if ok, weaker, err := VerifyPassword(h, pw, Argon2{}); !ok || !weaker || err != nil {
		t.Errorf("hash of other costs: %v %v %v", ok, weaker, err)
	}
	for _, wrong := range []string{"", "x", pw + " ", strings.ToUpper(pw), strings.Repeat("x", MaxPassword+1)} {
		if ok, weaker, err := VerifyPassword(h, wrong, cheap); ok || weaker || err != nil {
			t.Errorf("%.20q: %v %v %v", wrong, ok, weaker, err)
		}
	}
	// One password, typed as composed and as decomposed characters.
	if ok, _, _ := VerifyPassword(HashPassword("caf\u00e9 au lait noir", cheap), "cafe\u0301 au lait noir", cheap); !ok {
		t.Error("the same password in other bytes is refused")
	}
}

// TestArgon2Vector holds the library to the value that the C
// reference implementation gives for these parameters.
func TestArgon2Vector(t *testing.T) {
	got := hex.EncodeToString(argon2.IDKey([]byte("password"), []byte("somesalt"), 2, 64, 2, 24))
	const want = "350ac37222f436ccb5c0972f1ebd3bf6b958bf2071841362"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDefaultCost(t *testing.T) {
	if h := HashPassword("a long password", Argon2{}); !strings.HasPrefix(h, "$argon2id$v=19$m=65536,t=3,p=4$") {
		t.Errorf("%q", h)
	}
}

func TestBadHashes(t *testing.T) {
	good := HashPassword("a long password", cheap)
	f := strings.Split(good, "$")
	with := func(i int, s string) string {
		g := append([]string(nil), f...)
		g[i] = s
		return strings.Join(g, "$")
	}
	for _, h := range []string{
		"", "plain text", with(1, "argon2i"), with(2, "v=16"), with(3, "m=64,t=1"), with(3, "m=64,t=1,p=0"),
		with(3, "m=4294967295,t=1,p=1"), with(3, "m=64,t=4294967295,p=1"), with(3, "m=64,t=1,p=1 "), with(3, "m=064,t=1,p=1"),
		with(3, "m=2,t=1,p=1"), with(4, "!"), with(4, ""), with(5, ""), with(5, "AAAA"), good + "$",
	} {
		if ok, _, err := VerifyPassword(h, "a long password", cheap); ok || err == nil {
			t.Errorf("%q: %v, %v", h, ok, err)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	for pw, ok := range map[string]bool{
		"":                 false,
		"elevenchars":      false,
		"twelve chars":     true,
		"通行密碼不論何種文字皆可":     true, // twelve characters
		"通行密碼不論何種文字皆":      false,
		"aaaaaaaaaaaaaaaa": false,
		"字字字字字字字字字字字字字字": false,
		"chen.officer":                   false, // the name
		"CHEN.OFFICER":                   false,
		strings.Repeat("ab", 512):        true,
		strings.Repeat("ab", 512) + "a":  false,
		"123456789012":                   true, // length is all that is asked
		"correct horse battery staple ☂": true,
	} {
		if err := CheckPassword("chen.officer", pw); (err == nil) != ok || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", pw, err)
		}
	}
}

func TestSecret(t *testing.T) {
	a, b := Secret("cw_"), Secret("cw_")
	if a == b || len(a) != 3+43 || !strings.HasPrefix(a, "cw_") {
		t.Errorf("%q %q", a, b)
	}
	if h := HashSecret("x"); h != "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" {
		t.Errorf("%s", h)
	}
}

func TestLoginNamesAndOSUsers(t *testing.T) {
	for name, ok := range map[string]bool{
		"chen": true, "chen.wei-2_a@corp": true, "7a": true, "c": false, "": false, "Chen": false,
		"陳": false, ".x": false, "a b": false, "a/b": false, strings.Repeat("x", 65): false,
	} {
		if err := CheckLogin(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	m := OSUsers{"alice": {City: "alice.soc"}, "bob": {City: "bob", Police: "bob.p"}}
	for _, c := range []struct {
		user  string
		realm asset.Realm
		want  string
	}{{"alice", asset.City, "alice.soc"}, {"alice", asset.Police, ""}, {"bob", asset.Police, "bob.p"}, {"root", asset.City, ""}, {"bob", "", ""}} {
		got, err := m.Login(c.user, c.realm)
		if got != c.want || (err != nil) != (c.want == "") || err != nil && !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s in %q: %q, %v", c.user, c.realm, got, err)
		}
	}
}

func BenchmarkHashPassword(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		HashPassword("a long password", Argon2{})
	}
}
