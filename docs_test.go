// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package citywall

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// mention is `path/file.go` or `path/file.go:Name` in a page; Name is a
// function, a method or a type of that file.
var mention = regexp.MustCompile("`([A-Za-z0-9_./-]+\\.go)(?::([A-Za-z0-9_]+))?`")

// rooms is a folder in backticks, which needs a slash to be told from a word;
// globs and lists of folders are left alone.
var rooms = regexp.MustCompile("`([a-z0-9_]+(?:/[A-Za-z0-9_.-]+)+)`")

// untrue lists what a page names and the tree does not have, and how many
// names it looked at.
func untrue(tree fs.FS, page string) (problems []string, looked int) {
	for _, m := range mention.FindAllStringSubmatch(page, -1) {
		looked++
		file, name := path.Clean(m[1]), m[2]
		b, err := fs.ReadFile(tree, file)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: there is no such file", file))
			continue
		}
		if name == "" {
			continue
		}
		has, err := declares(b, name)
		switch {
		case err != nil:
			problems = append(problems, fmt.Sprintf("%s: %v", file, err))
		case !has:
			problems = append(problems, fmt.Sprintf("%s declares no func, method or type %s", file, name))
		}
	}
	for _, m := range rooms.FindAllStringSubmatch(page, -1) {
		if strings.HasSuffix(m[1], ".go") {
			continue // above
		}
		looked++
		if _, err := fs.Stat(tree, m[1]); err != nil {
			problems = append(problems, fmt.Sprintf("%s: there is no such file or folder", m[1]))
		}
	}
	return problems, looked
}

func declares(source []byte, name string) (bool, error) {
	f, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		return false, err
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == name {
				return true, nil
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if t, ok := s.(*ast.TypeSpec); ok && t.Name.Name == name {
					return true, nil
				}
			}
		}
	}
	return false, nil
}

// TestArchitecturePage keeps docs/ARCHITECTURE.md true.
func TestArchitecturePage(t *testing.T) {
	tree := os.DirFS(".")
	b, err := fs.ReadFile(tree, "docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	problems, looked := untrue(tree, string(b))
	for _, p := range problems {
		t.Error("docs/ARCHITECTURE.md: " + p)
	}
	if looked < 80 {
		t.Errorf("found only %d names in docs/ARCHITECTURE.md: has the way of writing them changed?", looked)
	}
}

func TestUntrue(t *testing.T) {
	tree := fstest.MapFS{"a/b.go": {Data: []byte("package a\n\ntype T struct{}\n\nfunc (T) M() {}\n\nfunc F() {}\n")}, "a/x.yaml": {}}
	for page, want := range map[string]int{
		"`a/b.go`, `a/b.go:F`, `a/b.go:M`, `a/b.go:T`, `a/x.yaml`, `a/{b,c}`, `word`": 0,
		"`a/c.go`":                  1,
		"`a/c.go:F`":                1,
		"`a/b.go:G`":                1,
		"`a/c`":                     1,
		"`a/b.go:G` and `a/b.go:H`": 2,
	} {
		if got, _ := untrue(tree, page); len(got) != want {
			t.Errorf("%s: %d problems %q, want %d", page, len(got), got, want)
		}
	}
}
