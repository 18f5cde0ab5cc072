// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"archive/zip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Open opens a folder, a zip archive or a single rule file as a set. The closer
// must stay open until Load has returned.
func Open(name string) (Set, io.Closer, error) {
	st, err := os.Stat(name)
	if err != nil {
		return Set{}, nil, fmt.Errorf("open rules: %w", err)
	}
	if st.IsDir() {
		return Set{Name: name, FS: os.DirFS(name)}, io.NopCloser(nil), nil
	}
	if ext := strings.ToLower(filepath.Ext(name)); ext == ".yml" || ext == ".yaml" {
		return Set{Name: name, FS: oneFile(name)}, io.NopCloser(nil), nil
	}
	z, err := zip.OpenReader(name)
	if err != nil {
		return Set{}, nil, fmt.Errorf("open rules %s: neither a folder, a rule file nor a zip archive: %w", name, err)
	}
	return Set{Name: name, FS: z}, z, nil
}

// oneFile shows one file of a folder as if it were alone there.
type oneFile string

func (f oneFile) Open(name string) (fs.File, error) {
	base := filepath.Base(string(f))
	if name == "." {
		return os.Open(filepath.Dir(string(f)))
	}
	if name != base {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return os.Open(string(f))
}

// ReadDir lists that one file.
func (f oneFile) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	st, err := os.Stat(string(f))
	if err != nil {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(st)}, nil
}
