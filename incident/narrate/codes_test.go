// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package narrate

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"citywall/internal/text"
)

// TestEveryCodeHasWords reads the list of codes and asks for a text of each in
// both languages.
func TestEveryCodeHasWords(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v, _ := s.(*ast.ValueSpec)
			for i, name := range v.Names {
				lit, ok := v.Values[i].(*ast.BasicLit)
				if !ok {
					continue
				}
				code, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				family := "reason"
				for prefix, fam := range map[string]string{"Title": "title", "BP": "bp", "Next": "nextstep"} {
					if strings.HasPrefix(name.Name, prefix) {
						family = fam
					}
				}
				n++
				for _, l := range []text.Lang{text.En, text.ZhTW} {
					if !text.Has(l, "narrate."+family+"."+code) {
						t.Errorf("%s: no text narrate.%s.%s in %s", name.Name, family, code, l)
					}
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d codes were found", n)
	}
}
