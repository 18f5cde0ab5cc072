// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"citywall/internal/durable"
	"citywall/internal/fault"
)

// dataVersion is the shape of the data folder. A change that an older binary
// cannot read raises it; databases have their own numbers besides.
const dataVersion = 1

// data is a data folder held by this process alone.
type data struct {
	dir  string
	lock *os.File
}

// openData makes the folder when it is not there, takes its lock and checks its
// version. A folder that another process holds is a busy error; one of a newer
// Citywall is refused with a sentence.
func openData(dir string) (*data, error) {
	if err := durable.Mkdir(dir); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data folder's lock: %w", err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		if errors.Is(err, errHeld) {
			return nil, fault.New(fault.Busy, "another Citywall holds %s; stop it, or use another --data", dir)
		}
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	d := &data{dir, f}
	if err := d.version(); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *data) version() error {
	name := d.path("VERSION")
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return durable.Replace(name, 0o600, []byte(strconv.Itoa(dataVersion)+"\n"))
	}
	if err != nil {
		return fmt.Errorf("read the data folder's version: %w", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return fault.New(fault.Invalid, "%s does not hold a number: is this a Citywall data folder?", name)
	}
	if n > dataVersion {
		return fault.New(fault.Invalid, "%s was written by a newer Citywall (data version %d, this one knows %d): use that one", d.dir, n, dataVersion)
	}
	return nil
}

func (d *data) path(elem ...string) string {
	return filepath.Join(append([]string{d.dir}, elem...)...)
}

func (d *data) close() { d.lock.Close() } // the lock goes with the file

// Held reports whether some process holds the data folder.
func Held(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0o600)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(lockFile(f), errHeld)
}
