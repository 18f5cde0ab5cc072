// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package format

import (
	"context"
	"io"
	"strings"
	"testing"
)

func elements(t *testing.T, doc string, r io.Reader) ([]string, error) {
	t.Helper()
	var out []string
	err := EachElement(context.Background(), r, "value", func(text []byte, p Pos) error {
		if doc != "" && doc[p.Offset:p.Offset+int64(len(text))] != string(text) {
			t.Errorf("%s does not lie at %d", text, p.Offset)
		}
		out = append(out, string(text))
		return nil
	})
	return out, err
}

func TestElements(t *testing.T) {
	for _, c := range []struct{ doc, want, err string }{
		{`{"a":[1,{"value":[9]}],"value":[ {"b": 1} , "x",[2]],"after":{}}`, `{"b": 1}|"x"|[2]`, ""},
		{`{"value":[]}`, "", ""},
		{`{"value":{}}`, "", "want ["},
		{`{"other":[]}`, "", "has no"},
		{`[1]`, "", "want {"},
		{`{"value":[1,2,`, "1|2", "EOF"},
		{`{"value":[1,"` + strings.Repeat("x", 2*MaxRecord) + `",3]}`, "1", "longer than a record"},
		{`{"skipped":"` + strings.Repeat("x", 2*MaxRecord) + `","value":[3]}`, "", "longer than a record"},
	} {
		got, err := elements(t, c.doc, strings.NewReader(c.doc))
		if strings.Join(got, "|") != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%.60s: %q, %v; want %q, %q", c.doc, got, err, c.want, c.err)
		}
	}
}

// TestElementsLong: a document may be much longer than a record; its elements may
// not.
func TestElementsLong(t *testing.T) {
	one := `{"x":"` + strings.Repeat("y", 1000) + `"}`
	got, err := elements(t, "", io.MultiReader(strings.NewReader("\xef\xbb\xbf"+`{"value":[`+one), strings.NewReader(strings.Repeat(","+one, 5000)), strings.NewReader("]}")))
	if marked := "\xef\xbb\xbf" + `{"value":[1]}`; err == nil {
		_, err = elements(t, marked, strings.NewReader(marked))
	}
	if err != nil || len(got) != 5001 || got[5000] != one {
		t.Errorf("%d elements, %v", len(got), err)
	}
}
