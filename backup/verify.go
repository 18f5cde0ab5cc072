// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"citywall/internal/durable"
	"citywall/internal/fault"
)

// maxManifest bounds what is read of a manifest: about a million files.
const maxManifest = 256 << 20

// signature is what manifest.sig holds.
type signature struct {
	Key string `json:"key"` // Ed25519 public key, base64
	Sig string `json:"sig"` // over signDomain and the bytes of the manifest, base64
}

// signDomain keeps a signature over a manifest from being one over anything
// else.
const signDomain = "citywall backup manifest v1\n"

func signManifest(b []byte, key ed25519.PrivateKey) ([]byte, error) {
	s := signature{
		Key: base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)),
		Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(key, append([]byte(signDomain), b...))),
	}
	return s.encode()
}

func (s signature) encode() ([]byte, error) {
	out, err := json.Marshal(s)
	return append(out, '\n'), err
}

func readManifest(dir string) (Manifest, []byte, error) {
	var m Manifest
	f, err := os.Open(filepath.Join(dir, manifestFile))
	if err != nil {
		return m, nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return m, nil, err
	}
	if len(b) > maxManifest {
		return m, nil, fault.New(fault.Invalid, "the manifest is larger than %d bytes", maxManifest)
	}
	m, err = parseManifest(b)
	return m, b, err
}

// parseManifest reads a manifest and refuses one that no Create writes: a path
// that leads out of the backup above all.
func parseManifest(b []byte) (Manifest, error) {
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fault.New(fault.Invalid, "the manifest cannot be read: %w", err)
	}
	if m.Format != format {
		return m, fault.New(fault.Invalid, "the backup has format %d, this program knows %d: use the program that made it or a newer one", m.Format, format)
	}
	last := ""
	for _, f := range m.Files {
		if !fs.ValidPath(f.Path) || f.Path == "." || strings.ContainsAny(f.Path, "\\\x00") || f.Path <= last || f.Size < 0 || len(f.SHA256) != 64 {
			return m, fault.New(fault.Invalid, "the manifest has an entry %q that no backup has", f.Path)
		}
		last = f.Path
	}
	return m, nil
}

// Report is what Verify found.
type Report struct {
	Dir      string
	Manifest Manifest
	Key      ed25519.PublicKey // that signed it
	Bytes    int64             // read
	Problems []string          // empty: it is whole
}

// OK reports whether the backup is whole.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// Find returns the folder of a backup: dir itself, or the newest in it when it
// is a target.
func Find(dir string) (string, error) {
	if _, err := os.Stat(filepath.Join(dir, manifestFile)); err == nil {
		return dir, nil
	}
	names, err := List(dir)
	if err != nil {
		return "", fault.New(fault.NotFound, "find a backup: %w", err)
	}
	if len(names) == 0 {
		return "", fault.New(fault.NotFound, "there is no backup in %s", dir)
	}
	return filepath.Join(dir, names[len(names)-1]), nil
}

// Verify reads a whole backup: every file, its hash, the signature. key is the
// one that must have signed; nil takes any, and Report.Key says which it was.
// An error means that it could not be read at all; what is wrong with it stands
// in the report.
func Verify(ctx context.Context, dir string, key ed25519.PublicKey, say func(Progress)) (Report, error) {
	r := Report{Dir: dir}
	m, raw, err := readManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return r, fault.New(fault.NotFound, "%s holds no backup: it has no %s", dir, manifestFile)
	}
	if err != nil {
		if fault.Of(err) != fault.Invalid {
			return r, fmt.Errorf("verify: %w", err)
		}
		r.Problems = append(r.Problems, err.Error())
		return r, nil
	}
	r.Manifest = m
	r.Key, err = checkSignature(dir, raw, key)
	if err != nil {
		r.Problems = append(r.Problems, err.Error())
	}
	listed := map[string]bool{}
	for i, f := range m.Files {
		listed[f.Path] = true
		n, sum, err := hashOf(ctx, filepath.Join(dir, dataDir, filepath.FromSlash(f.Path)), nil)
		r.Bytes += n
		switch {
		case ctx.Err() != nil:
			return r, ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			r.Problems = append(r.Problems, f.Path+": is missing")
		case err != nil:
			r.Problems = append(r.Problems, fmt.Sprintf("%s: cannot be read: %v", f.Path, err))
		case n != f.Size:
			r.Problems = append(r.Problems, fmt.Sprintf("%s: has %d bytes instead of %d", f.Path, n, f.Size))
		case sum != f.SHA256:
			r.Problems = append(r.Problems, f.Path+": its bytes were changed")
		}
		if say != nil {
			say(Progress{i + 1, r.Bytes, f.Path})
		}
	}
	return r, errors.Join(strangers(&r, dir, listed), ctx.Err())
}

// strangers reports files that the manifest does not list.
func strangers(r *Report, dir string, listed map[string]bool) error {
	root := filepath.Join(dir, dataDir)
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if rel = filepath.ToSlash(rel); !d.IsDir() && !listed[rel] {
			r.Problems = append(r.Problems, rel+": is in the folder and not in the manifest")
		}
		return nil
	})
}

func checkSignature(dir string, raw []byte, key ed25519.PublicKey) (ed25519.PublicKey, error) {
	b, err := os.ReadFile(filepath.Join(dir, signatureFile))
	if err != nil {
		return nil, fmt.Errorf("the signature cannot be read: %w", err)
	}
	var s signature
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("the signature cannot be read: %w", err)
	}
	// JSON and base64 have several spellings of one thing. Only the one that is
	// written counts, so that no byte of the file can change unseen.
	if same, err := s.encode(); err != nil || !bytes.Equal(same, b) {
		return nil, errors.New("the signature is not as it was written")
	}
	by, err1 := base64.StdEncoding.Strict().DecodeString(s.Key)
	sig, err2 := base64.StdEncoding.Strict().DecodeString(s.Sig)
	if err1 != nil || err2 != nil || len(by) != ed25519.PublicKeySize {
		return nil, errors.New("the signature cannot be read")
	}
	if !ed25519.Verify(by, append([]byte(signDomain), raw...), sig) {
		return by, errors.New("the manifest is not what was signed")
	}
	if key != nil && !bytes.Equal(by, key) {
		return by, errors.New("the manifest was signed by another key than the one given")
	}
	return by, nil
}

// hashOf reads a file, into to as well when that is given.
func hashOf(ctx context.Context, name string, to io.Writer) (int64, string, error) {
	i, err := os.Lstat(name)
	if err != nil {
		return 0, "", err
	}
	if !i.Mode().IsRegular() {
		return 0, "", errors.New("it is no file")
	}
	f, err := os.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	w := io.Writer(h)
	if to != nil {
		w = io.MultiWriter(h, to)
	}
	n, err := io.Copy(w, &reader{ctx, f})
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// Restore copies a backup into the folder to, which must be empty or not there.
// Every file is checked on the way; to appears when all are right, and not at
// all otherwise.
func Restore(ctx context.Context, dir, to string, key ed25519.PublicKey, say func(Progress)) (m Manifest, err error) {
	m, raw, err := readManifest(dir)
	if err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	if _, err := checkSignature(dir, raw, key); err != nil {
		return m, fault.New(fault.Invalid, "restore: %w", err)
	}
	if err := empty(to); err != nil {
		return m, err
	}
	tmp := filepath.Clean(to) + ".restoring"
	if err := os.RemoveAll(tmp); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	if err := durable.Mkdir(tmp); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	var bytes int64
	for i, f := range m.Files {
		if err := restoreFile(ctx, filepath.Join(dir, dataDir), tmp, f); err != nil {
			return m, fmt.Errorf("restore: %w", err)
		}
		if bytes += f.Size; say != nil {
			say(Progress{i + 1, bytes, f.Path})
		}
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) { // empty, as seen above
		return m, fmt.Errorf("restore: %w", err)
	}
	if err := os.Rename(tmp, to); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	return m, durable.SyncDir(filepath.Dir(filepath.Clean(to)))
}

func empty(dir string) error {
	es, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("restore: %w", err)
	case len(es) > 0:
		return fault.New(fault.Conflict, "restore: %s is not empty; nothing is ever overwritten: name another folder, or move it away", dir)
	}
	return nil
}

func restoreFile(ctx context.Context, from, to string, f File) error {
	full := filepath.Join(to, filepath.FromSlash(f.Path))
	if err := durable.Mkdir(filepath.Dir(full)); err != nil {
		return err
	}
	perm := fs.FileMode(0o600)
	if strings.HasSuffix(f.Path, ".parquet") && !strings.Contains(f.Path, "/restore/") {
		perm = 0o400 // a sealed day
	}
	pr, pw := io.Pipe()
	var n int64
	var sum string
	go func() {
		var err error
		n, sum, err = hashOf(ctx, filepath.Join(from, filepath.FromSlash(f.Path)), pw)
		pw.CloseWithError(err)
	}()
	_, err := durable.Create(full, perm, pr)
	_ = pr.Close() // of a pipe: never fails
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	if n != f.Size || sum != f.SHA256 {
		return fault.New(fault.Invalid, "%s: its bytes were changed; citywall backup verify says all that is wrong", f.Path)
	}
	return nil
}
