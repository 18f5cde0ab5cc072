// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
)

func names(t *testing.T, dir string) string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range es {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func TestCreateOnce(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "exhibit")
	n, err := Create(p, 0o400, strings.NewReader("first"))
	if err != nil || n != 5 {
		t.Fatalf("create: %d, %v", n, err)
	}
	if _, err := Create(p, 0o400, strings.NewReader("second")); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("second create: %v, want fs.ErrExist", err)
	}
	b, err := os.ReadFile(p)
	if err != nil || string(b) != "first" {
		t.Fatalf("content %q, %v", b, err)
	}
	fi, err := os.Stat(p)
	if err != nil || fi.Mode().Perm() != 0o400 {
		t.Fatalf("mode %v, %v", fi.Mode(), err)
	}
	if got := names(t, dir); got != "exhibit" {
		t.Errorf("folder holds %q: something temporary was left", got)
	}
}

// TestCreateRace: of many who create one name, one wins and nobody's bytes mix.
func TestCreateRace(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "x")
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, err := Create(p, 0o600, strings.NewReader(strings.Repeat(string(rune('a'+i)), 10000)))
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	if won.Load() != 1 || len(b) != 10000 || strings.Trim(string(b), string(b[0])) != "" {
		t.Errorf("%d winners, %d bytes", won.Load(), len(b))
	}
	if got := names(t, dir); got != "x" {
		t.Errorf("folder holds %q", got)
	}
}

// TestBrokenSource: a source that fails leaves nothing behind.
func TestBrokenSource(t *testing.T) {
	dir := t.TempDir()
	bad := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("unplugged")))
	if _, err := Create(filepath.Join(dir, "x"), 0o600, bad); err == nil || !strings.Contains(err.Error(), "unplugged") {
		t.Fatalf("error %v", err)
	}
	if got := names(t, dir); got != "" {
		t.Errorf("folder holds %q", got)
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "state")
	for _, s := range []string{"one", "two", ""} {
		if err := Replace(p, 0o600, []byte(s)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(p); err != nil || string(b) != s {
			t.Fatalf("content %q, %v", b, err)
		}
	}
	if err := Replace(dir, 0o600, nil); err == nil {
		t.Error("replaced a folder")
	}
	if got := names(t, dir); got != "state" {
		t.Errorf("folder holds %q", got)
	}
}

func TestMkdir(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "a", "b", "c")
	for range 2 {
		if err := Mkdir(p); err != nil {
			t.Fatal(err)
		}
	}
	fi, err := os.Stat(filepath.Join(dir, "a"))
	if err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	file := filepath.Join(dir, "file")
	if err := Replace(file, 0o600, nil); err != nil {
		t.Fatal(err)
	}
	if err := Mkdir(file); err == nil {
		t.Error("a file passed for a folder")
	}
}

func TestAppender(t *testing.T) {
	p := filepath.Join(t.TempDir(), "log")
	a, err := OpenAppend(p, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"one\n", "two\n", "torn"} {
		if err := a.Append([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Truncate(8); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if a, err = OpenAppend(p, 0o600); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if a.Size() != 8 {
		t.Fatalf("size %d", a.Size())
	}
	if err := a.Append([]byte("three\n")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(p); err != nil || string(b) != "one\ntwo\nthree\n" {
		t.Errorf("content %q, %v", b, err)
	}
}

// TestAppenderStaysBroken: after a write that failed nothing more is written,
// also when the disk would take it again.
func TestAppenderStaysBroken(t *testing.T) {
	p := filepath.Join(t.TempDir(), "log")
	a, err := OpenAppend(p, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	good := a.f
	ro, err := os.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	a.f = ro // writing to it fails
	if err := a.Append([]byte("x")); err == nil {
		t.Fatal("wrote to a file open for reading")
	}
	a.f = good
	if err := a.Append([]byte("x")); err == nil || !strings.Contains(err.Error(), "earlier") {
		t.Errorf("after a failure: %v", err)
	}
	if a.Size() != 0 {
		t.Errorf("size %d", a.Size())
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}
