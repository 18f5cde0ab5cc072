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
	"sort"
	"strings"
	"testing"
	"testing/fstest"
)

// floors are those of doc.go. The sources are read here, file by file: asking
// the go command would be answered from the test cache after a change.
var floors = map[string]int{
	"internal": -1,
	"asset":    0, "identity": 0, "notify": 0, "rules": 0,
	"event": 1, "audit": 1,
	"ingest": 2, "eventstore": 2, "intel": 2, "ledger": 2, "backup": 2,
	"detect": 3, "exposure": 3, "exercise": 3,
	"incident": 4, "agent": 4, "duty": 4,
	"casework": 5, "respond": 5, "pipeline": 5,
	"governance": 6, "score": 6,
	"web": 7,
	"app": 8,
	"cmd": 9,
}

// never are imports forbidden below the floors' rule: from folder, to prefix,
// with the reason that the failure shows.
var never = []struct{ from, to, why string }{
	{"casework", "citywall/respond", "a case tells its story from audit"},
	{"respond", "citywall/casework", "orders do not know cases"},
	{"ledger", "citywall/asset", "ledger is a library of its own"},
	{"ledger", "citywall/event", "ledger is a library of its own"},
	{"event", "citywall/audit", "event knows only asset"},
	{"pipeline/batch", "citywall/eventstore/", "an investigation never opens the event store"},
	{"pipeline/batch", "citywall/internal/queue", "an investigation has no queue"},
}

// siblings are the imports allowed on one floor (docs/adr/0002).
var siblings = map[[2]string]bool{{"identity", "asset"}: true} // a scope names a realm, and realms are assets

// nouns are packages of values: they compute and never fetch.
var nouns = []string{"asset", "event", "detect", "incident", "identity", "eventstore"}

var effects = []string{"os", "net", "net/http", "database/sql", "os/exec", "io/ioutil", "syscall"}

// testOnly are packages for tests that live in ordinary files.
var testOnly = map[string]bool{"internal/shared": true, "internal/db/dbtest": true, "eventstore/storetest": true, "eventstore/clickhouse/chtest": true, "incident/incidenttest": true, "ingest/format/recordtest": true, "web/webtest": true}

// check returns what breaks the house's rules in the module at fsys.
func check(fsys fs.FS) ([]string, error) {
	var bad []string
	docs := map[string]bool{} // package folder -> has a comment
	fset := token.NewFileSet()
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != "." && (strings.HasPrefix(n, ".") || n == "testdata" || n == "data") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(string(src), "// SPDX-FileCopyrightText:") {
			bad = append(bad, p+": no SPDX header in the first line")
		}
		if strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, src, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(p)
		docs[dir] = docs[dir] || f.Doc != nil
		bad = append(bad, checkFile(dir, p, f)...)
		return nil
	})
	for dir, ok := range docs {
		if !ok {
			bad = append(bad, dir+": the package has no comment that says what it is")
		}
	}
	sort.Strings(bad)
	return bad, err
}

func checkFile(dir, file string, f *ast.File) []string {
	var bad []string
	top, _, _ := strings.Cut(dir, "/")
	floor, known := floors[top]
	if !known && dir != "." {
		return []string{fmt.Sprintf("%s: the folder %s is not in the house (design: floors)", file, top)}
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			bad = append(bad, file+": func init: nothing registers itself here")
		}
	}
	for _, i := range f.Imports {
		to := strings.Trim(i.Path.Value, `"`)
		if rest, ok := strings.CutPrefix(to, "citywall/"); ok {
			other, _, _ := strings.Cut(rest, "/")
			if other != top && floors[other] >= floor && !siblings[[2]string{top, other}] {
				bad = append(bad, fmt.Sprintf("%s: %s (floor %d) imports %s (floor %d); imports go strictly down", file, dir, floor, to, floors[other]))
			}
			if testOnly[rest] && !testOnly[dir] {
				bad = append(bad, fmt.Sprintf("%s: imports %s, which is for tests", file, to))
			}
		}
		for _, n := range never {
			if (dir == n.from || strings.HasPrefix(dir, n.from+"/")) && strings.HasPrefix(to+"/", strings.TrimSuffix(n.to, "/")+"/") {
				bad = append(bad, fmt.Sprintf("%s: %s imports %s: %s", file, dir, to, n.why))
			}
		}
		for _, n := range nouns {
			for _, e := range effects {
				if dir == n && to == e {
					bad = append(bad, fmt.Sprintf("%s: the noun package %s imports %s; nouns do no I/O", file, dir, to))
				}
			}
		}
		if strings.HasPrefix(to, "citywall/respond/device") && top != "respond" && top != "app" {
			bad = append(bad, fmt.Sprintf("%s: %s imports %s; respond is the only door to devices", file, dir, to))
		}
	}
	return bad
}

func TestArchitecture(t *testing.T) {
	bad, err := check(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bad {
		t.Error(b)
	}
}

// TestArchitectureCanFail plants one violation of each kind.
func TestArchitectureCanFail(t *testing.T) {
	const head = "// SPDX-FileCopyrightText: x\n\n// Package p is.\npackage p\n\n"
	for want, file := range map[string]struct{ path, body string }{
		"imports go strictly down":     {"event/p.go", head + `import _ "citywall/detect"`},
		"a case tells its story":       {"casework/p.go", head + `import _ "citywall/respond"`},
		"nouns do no I/O":              {"incident/p.go", head + `import _ "net/http"`},
		"only door to devices":         {"web/p.go", head + `import _ "citywall/respond/device/fortigate"`},
		"nothing registers itself":     {"ingest/p.go", head + "func init() {}"},
		"not in the house":             {"utils/p.go", head},
		"no comment":                   {"asset/p.go", "// SPDX-FileCopyrightText: x\n\npackage p\n"},
		"no SPDX header":               {"asset/p.go", "// Package p is.\npackage p\n"},
		"an investigation never opens": {"pipeline/batch/p.go", head + `import _ "citywall/eventstore/duck"`},
	} {
		bad, err := check(fstest.MapFS{file.path: {Data: []byte(file.body)}})
		if err != nil {
			t.Fatal(err)
		}
		if len(bad) == 0 || !strings.Contains(strings.Join(bad, "\n"), want) {
			t.Errorf("planted %q: got %q", want, bad)
		}
	}
}
