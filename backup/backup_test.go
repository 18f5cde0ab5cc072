// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citywall/internal/fault"
)

var at = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func key(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(b), ed25519.SeedSize)))
}

// make1 makes a backup of src with a sealed file.
func make1(t *testing.T, src, target string, now time.Time) Result {
	t.Helper()
	res, err := Create(t.Context(), target, Options{Program: "test", Sign: key('a'), Now: now}, func(ctx context.Context, w *Writer) error {
		b, err := os.ReadFile(filepath.Join(src, "sealed"))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		if err := w.Under("events").Fixed(ctx, "day/p0", filepath.Join(src, "sealed"), hex.EncodeToString(sum[:]), int64(len(b))); err != nil {
			return err
		}
		w.Note("a note")
		return w.Tree(ctx, "tree", filepath.Join(src, "tree"), func(rel string, _ fs.DirEntry) bool { return rel == "skip" })
	})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func source(t *testing.T) string {
	t.Helper()
	src := t.TempDir()
	for name, text := range map[string]string{
		"sealed": strings.Repeat("sealed", 1000), "tree/a": "a", "tree/b/c": strings.Repeat("c", 70_000), "tree/empty": "", "tree/skip/x": "never",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(src, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(src, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return src
}

func verify(t *testing.T, dir string) Report {
	t.Helper()
	r, err := Verify(t.Context(), dir, key('a').Public().(ed25519.PublicKey), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCreateVerifyRestore(t *testing.T) {
	src, target := source(t), filepath.Join(t.TempDir(), "backups")
	first := make1(t, src, target, at)
	if first.Files != 4 || first.Copied != first.Bytes || first.Dir != filepath.Join(target, "20261124T120000Z") {
		t.Errorf("%+v", first)
	}
	if r := verify(t, first.Dir); !r.OK() || r.Bytes != first.Bytes || len(r.Manifest.Notes) != 1 {
		t.Errorf("%+v", r)
	}
	// The second has all but what changed already, and does not need the first.
	if err := os.WriteFile(filepath.Join(src, "tree/a"), []byte("A!"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(target, ".x.partial", "data"), 0o700); err != nil { // of an interrupted one
		t.Fatal(err)
	}
	second := make1(t, src, target, at.Add(time.Hour))
	if second.Copied != 2 {
		t.Errorf("%d bytes were copied, want 2", second.Copied)
	}
	if err := os.RemoveAll(first.Dir); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, second.Dir); !r.OK() {
		t.Errorf("%+v", r)
	}
	if dir, err := Find(target); err != nil || dir != second.Dir {
		t.Errorf("%s %v", dir, err)
	}
	to := filepath.Join(t.TempDir(), "data")
	m, err := Restore(t.Context(), second.Dir, to, nil, nil)
	if err != nil || len(m.Files) != 4 {
		t.Fatalf("%+v %v", m, err)
	}
	for name, want := range map[string]string{"events/day/p0": strings.Repeat("sealed", 1000), "tree/a": "A!", "tree/b/c": strings.Repeat("c", 70_000), "tree/empty": ""} {
		if b, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(b) != want {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	if _, err := os.Stat(filepath.Join(to, "tree/skip/x")); err == nil {
		t.Error("what was to be skipped is there")
	}
	if _, err := Restore(t.Context(), second.Dir, to, nil, nil); !fault.Is(err, fault.Conflict) {
		t.Errorf("restored over a folder with files: %v", err)
	}
	if es, err := os.ReadDir(target); err != nil || len(es) != 1 {
		t.Errorf("the target holds %v, %v", es, err)
	}
}

// One flipped byte anywhere in a backup is found by Verify, and keeps Restore
// from writing anything under the name.
func TestFlippedByte(t *testing.T) {
	target := filepath.Join(t.TempDir(), "backups")
	res := make1(t, source(t), target, at)
	var files []string
	err := filepath.WalkDir(res.Dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, p)
		}
		return err
	})
	if err != nil || len(files) != 6 {
		t.Fatalf("%v %v", files, err)
	}
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for _, f := range files {
		whole, err := os.ReadFile(f)
		if err != nil || len(whole) == 0 {
			continue
		}
		for i := range 8 {
			b := append([]byte(nil), whole...)
			n, bit := r.IntN(len(b)), r.IntN(8)
			if i == 0 && filepath.Base(f) == signatureFile {
				n, bit = bytes.Index(b, []byte(`"sig"`))+2, 5 // the key "sIg" is "sig" to encoding/json
			}
			b[n] ^= 1 << bit
			if err := os.WriteFile(f, b, 0o600); err != nil {
				t.Fatal(err)
			}
			rep, err := Verify(t.Context(), res.Dir, key('a').Public().(ed25519.PublicKey), nil)
			if err == nil && rep.OK() {
				t.Errorf("%s: byte %d flipped and not found", f, n)
			}
			to := filepath.Join(t.TempDir(), "d")
			if _, err := Restore(t.Context(), res.Dir, to, key('a').Public().(ed25519.PublicKey), nil); err == nil {
				t.Errorf("%s: byte %d flipped and restored", f, n)
			}
			if _, err := os.Stat(to); err == nil {
				t.Errorf("%s: a folder was made of a damaged backup", f)
			}
		}
		if err := os.WriteFile(f, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if rep := verify(t, res.Dir); !rep.OK() {
		t.Errorf("put back: %v", rep.Problems)
	}
}

func TestVerifySays(t *testing.T) {
	for name, c := range map[string]struct {
		hurt func(dir string) error
		want string
	}{
		"missing":  {func(d string) error { return os.Remove(filepath.Join(d, "data/tree/a")) }, "tree/a: is missing"},
		"longer":   {func(d string) error { return os.WriteFile(filepath.Join(d, "data/tree/a"), []byte("aaa"), 0o600) }, "tree/a: has 3 bytes instead of 1"},
		"changed":  {func(d string) error { return os.WriteFile(filepath.Join(d, "data/tree/a"), []byte("x"), 0o600) }, "tree/a: its bytes were changed"},
		"stranger": {func(d string) error { return os.WriteFile(filepath.Join(d, "data/new"), nil, 0o600) }, "new: is in the folder and not in the manifest"},
		"a link": {func(d string) error {
			p := filepath.Join(d, "data/tree/a")
			return errors.Join(os.Remove(p), os.Symlink("/etc/passwd", p))
		}, "tree/a: cannot be read"},
		"unsigned":    {func(d string) error { return os.Remove(filepath.Join(d, signatureFile)) }, "the signature cannot be read"},
		"no manifest": {func(d string) error { return os.WriteFile(filepath.Join(d, manifestFile), []byte("{}"), 0o600) }, "format 0"},
	} {
		t.Run(name, func(t *testing.T) {
			res := make1(t, source(t), filepath.Join(t.TempDir(), "b"), at)
			if err := c.hurt(res.Dir); err != nil {
				t.Fatal(err)
			}
			r := verify(t, res.Dir)
			if len(r.Problems) == 0 || !strings.Contains(strings.Join(r.Problems, "\n"), c.want) {
				t.Errorf("%v, want %q", r.Problems, c.want)
			}
		})
	}
	res := make1(t, source(t), filepath.Join(t.TempDir(), "b"), at)
	if r, err := Verify(t.Context(), res.Dir, key('b').Public().(ed25519.PublicKey), nil); err != nil || r.OK() {
		t.Errorf("another key: %v %v", r.Problems, err)
	}
	if _, err := Verify(t.Context(), t.TempDir(), nil, nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("a folder without a backup: %v", err)
	}
}

// A file that is not what was sealed stops the backup, and nothing of it stays.
func TestDamagedSource(t *testing.T) {
	src, target := source(t), filepath.Join(t.TempDir(), "b")
	_, err := Create(t.Context(), target, Options{Sign: key('a'), Now: at}, func(ctx context.Context, w *Writer) error {
		return w.Fixed(ctx, "p0", filepath.Join(src, "sealed"), strings.Repeat("0", 64), 6000)
	})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("%v", err)
	}
	if es, err := os.ReadDir(target); err != nil || len(es) != 0 {
		t.Errorf("left in the target: %v %v", es, err)
	}
	for _, bad := range []string{"../x", "/x", "", ".", "a/../../x"} {
		if _, err := Create(t.Context(), target, Options{Sign: key('a'), Now: at}, func(ctx context.Context, w *Writer) error {
			return w.Copy(ctx, bad, strings.NewReader("x"))
		}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"name":"n","created":"2026-11-24T12:00:00Z","program":"p","files":[{"path":"a/b","size":1,"sha256":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Add([]byte(`{"format":1,"files":[{"path":"../../etc/passwd","size":1,"sha256":""}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err != nil {
			return
		}
		for _, x := range m.Files {
			p := filepath.Join("/root", filepath.FromSlash(x.Path))
			if !strings.HasPrefix(p, "/root/") {
				t.Errorf("%q leads out of the backup", x.Path)
			}
		}
	})
}
