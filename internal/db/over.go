// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package db

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// over is two folders seen as one: a file of top hides its namesake below.
type over struct{ top, base fs.FS }

func (o over) Open(name string) (fs.File, error) {
	if name != "." {
		f, err := o.top.Open(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return o.base.Open(name)
}

// ReadDir lists both, by name. Only top may be absent.
func (o over) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(o.base, name)
	if err != nil {
		return nil, err
	}
	top, err := fs.ReadDir(o.top, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range top {
		if !slices.ContainsFunc(list, func(b fs.DirEntry) bool { return b.Name() == e.Name() }) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}
