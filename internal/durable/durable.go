// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package durable writes files so that what it reported as written is still
// there after loss of power, whole or not at all.
//
// It never overwrites in place: a file appears under its name complete, or it
// does not appear. Evidence is written with Create, which refuses a name that
// is taken; state with Replace.
package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Create writes a new file with the bytes of r and returns how many there
// were. A name that exists is an error that is fs.ErrExist, and the file under
// it stays as it is.
func Create(path string, perm fs.FileMode, r io.Reader) (int64, error) {
	tmp, n, err := temp(path, perm, r)
	if err != nil {
		return n, fmt.Errorf("create %s: %w", path, err)
	}
	if err := Publish(tmp, path); err != nil {
		return n, errors.Join(fmt.Errorf("create %s: %w", path, err), os.Remove(tmp))
	}
	return n, nil
}

// Replace writes data under path, whether it exists or not. Readers see the
// old bytes or the new ones, never a mixture.
func Replace(path string, perm fs.FileMode, data []byte) error {
	return ReplaceFrom(path, perm, bytes.NewReader(data))
}

// ReplaceFrom is Replace for what r gives. When r fails, the old bytes stay.
func ReplaceFrom(path string, perm fs.FileMode, r io.Reader) error {
	tmp, _, err := temp(path, perm, r)
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("replace %s: %w", path, err), os.Remove(tmp))
	}
	return SyncDir(filepath.Dir(path))
}

// Publish makes the finished file tmp durable and gives it its name, which
// must be free. Both lie in one file system.
func Publish(tmp, path string) error {
	if err := syncFile(tmp); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	// A link, unlike a rename, fails when the name is taken, without a gap
	// between looking and doing.
	if err := os.Link(tmp, path); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := os.Remove(tmp); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return SyncDir(filepath.Dir(path))
}

// Mkdir creates the folder and its missing parents, for their owner alone, and
// makes each entry durable. A folder that exists is fine.
func Mkdir(path string) error {
	path = filepath.Clean(path)
	if fi, err := os.Stat(path); err == nil {
		if !fi.IsDir() {
			return fmt.Errorf("mkdir %s: a file is in the way", path)
		}
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := Mkdir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(parent)
}

func temp(path string, perm fs.FileMode, r io.Reader) (name string, n int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return "", 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if n, err = io.Copy(f, r); err != nil {
		return "", n, err
	}
	if err = f.Chmod(perm); err != nil {
		return "", n, err
	}
	if err = f.Sync(); err != nil {
		return "", n, err
	}
	return f.Name(), n, f.Close()
}
