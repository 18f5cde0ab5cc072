// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citywall/event"
)

const line = `{"ts":1588205199.8,"uid":"C","id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":2,"proto":"tcp","conn_state":"SF"}` + "\n"

func gz(b []byte) []byte {
	var o bytes.Buffer
	w := gzip.NewWriter(&o)
	w.Write(b)
	w.Close()
	return o.Bytes()
}

func zipped(files map[string][]byte, order ...string) []byte {
	var o bytes.Buffer
	w := zip.NewWriter(&o)
	for _, n := range order {
		f, _ := w.Create(n)
		f.Write(files[n])
	}
	w.Close()
	return o.Bytes()
}

// TestEverywhere: the same log plain, gzipped, zipped, in a tar in a gzip in a
// zip, and on standard input gives the same event id.
func TestEverywhere(t *testing.T) {
	dir := t.TempDir()
	var tb bytes.Buffer
	tw := tar.NewWriter(&tb)
	tw.WriteHeader(&tar.Header{Name: "conn.log", Mode: 0o600, Size: int64(len(line)), Typeflag: tar.TypeReg})
	tw.Write([]byte(line))
	tw.Close()
	files := map[string][]byte{
		"a/conn.log":    []byte(line),
		"b/conn.log.gz": gz([]byte(line)),
		"c/x.zip":       zipped(map[string][]byte{"d/conn.log": []byte(line), "e.tgz": gz(tb.Bytes()), "notes.txt": []byte("hello")}, "d/conn.log", "e.tgz", "notes.txt"),
		"d/empty.log":   nil,
	}
	for n, b := range files {
		p := filepath.Join(dir, n)
		os.MkdirAll(filepath.Dir(p), 0o700)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ids := map[event.ID]int{}
	var inners []string
	st, err := Read(context.Background(), []string{dir, "-"}, Options{Stdin: strings.NewReader(line)}, func(e *event.Event) error {
		ids[e.ID]++
		inners = append(inners, e.Origin.Inner)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 1 || len(inners) != 5 {
		t.Errorf("%d ids, members %q", len(ids), inners)
	}
	if want := []string{"", "conn.log", "d/conn.log", "e.tgz!x.zip!e.tgz!conn.log", ""}; inners[2] != want[2] || !strings.HasSuffix(inners[3], "conn.log") {
		t.Errorf("members %q", inners)
	}
	problems := 0
	for _, s := range st {
		if s.Problem != "" {
			problems++
		} else if s.SHA256 == "" || s.Decoded != 1 {
			t.Errorf("stat %+v", s)
		}
	}
	if problems != 2 {
		t.Errorf("%d problems, want 2 (notes.txt, empty.log): %+v", problems, st)
	}
}

func TestHostileArchives(t *testing.T) {
	deep := []byte(line)
	for range 8 {
		deep = gz(deep)
	}
	bad := zipped(map[string][]byte{"x": bytes.Repeat([]byte("a"), 1000)}, "x")
	for name, b := range map[string][]byte{"deep": deep, "cut": bad[:len(bad)/2], "broken gzip": gz([]byte(line))[:20]} {
		p := filepath.Join(t.TempDir(), "f")
		os.WriteFile(p, b, 0o600)
		st, err := Read(context.Background(), []string{p}, Options{}, func(*event.Event) error { t.Errorf("%s: an event", name); return nil })
		if err != nil || len(st) == 0 || st[len(st)-1].Problem == "" {
			t.Errorf("%s: %v %+v", name, err, st)
		}
	}
	if _, err := Read(context.Background(), []string{"/no/such/path"}, Options{}, nil); err == nil {
		t.Error("a missing path was accepted")
	}
}
