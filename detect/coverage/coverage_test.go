// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package coverage

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"citywall/detect"
	"citywall/internal/shared"
	"citywall/internal/text"
)

func rule(id string, level detect.Level, tags ...string) Rule {
	return Rule{ID: id, Level: level, Tags: tags}
}

// find returns the cell of a technique under a tactic; the cell is empty when
// it is not there.
func (c Coverage) find(tactic, id string) Cell {
	for _, col := range c.Columns {
		for _, x := range col.Cells {
			if col.Tactic != tactic {
				continue
			}
			for _, s := range append([]Cell{x}, x.Subs...) {
				if s.ID == id {
					return s
				}
			}
		}
	}
	return Cell{}
}

// TestOf counts by hand.
func TestOf(t *testing.T) {
	c := Of([]Rule{
		rule("a", detect.High, "attack.impact", "attack.t1486"),
		rule("b", detect.Low, "attack.t1486", "attack.T1490"),
		// Sub-techniques of one parent: the parent counts the rule once.
		rule("c", detect.Medium, "attack.credential-access", "attack.t1003.001", "attack.t1003.002"),
		// A technique with several tactics, two of them named.
		rule("d", detect.Medium, "attack.t1078", "attack.initial-access", "attack.persistence"),
		// None of the technique's tactics named: the first.
		rule("e", detect.Medium, "attack.t1078", "attack.impact"),
		// A sub-technique that the table does not have counts for its parent and is told.
		rule("f", detect.Medium, "attack.impact", "attack.t1486.099"),
		rule("i", detect.Low, "attack.defense-impairment", "attack.t1685"), // of a later version
		rule("g", detect.Medium, "attack.t9999"),
		rule("h", detect.Medium, "attack.impact", "car.2016-03-001"),
	})
	for _, x := range []struct {
		tactic, id  string
		rules, high int
	}{
		{"impact", "T1486", 3, 1},
		{"impact", "T1490", 1, 0},
		{"credential-access", "T1003", 1, 0},
		{"credential-access", "T1003.001", 1, 0},
		{"credential-access", "T1003.002", 1, 0},
		{"initial-access", "T1078", 2, 0},
		{"persistence", "T1078", 1, 0},
		{"defense-evasion", "T1078", 0, 0},
		{"defense-evasion", "T1562.001", 1, 0},
		{"impact", "T1489", 0, 0},
	} {
		if got := c.find(x.tactic, x.id); got.Rules != x.rules || got.High != x.high {
			t.Errorf("%s %s: %d rules, %d high; want %d, %d", x.tactic, x.id, got.Rules, got.High, x.rules, x.high)
		}
	}
	if c.Rules != 7 || c.Untold != 2 || !slices.Equal(c.Unknown, []string{"T1486.099", "T9999"}) {
		t.Errorf("rules %d, untold %d, unknown %v", c.Rules, c.Untold, c.Unknown)
	}
	if covered, _ := c.Covered(); covered != 5 { // T1486, T1490, T1003, T1078, T1562
		t.Errorf("covered %d, want 5", covered)
	}
}

// TestWrite: every form tells the same figures, and the same bytes each time.
func TestWrite(t *testing.T) {
	c := Of([]Rule{rule("a", detect.High, "attack.impact", "attack.t1486"), rule("b", detect.Low, "attack.t1003.001", "attack.credential-access")})
	var sheet, layerText, lines bytes.Buffer
	if err := c.CSV(&sheet); err != nil {
		t.Fatal(err)
	}
	if err := c.Navigator(&layerText); err != nil {
		t.Fatal(err)
	}
	if err := c.Text(&lines); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&sheet).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]string{{"impact", "T1486", "Data Encrypted for Impact", "1", "1"}, {"credential-access", "T1003.001", "LSASS Memory", "1", "0"}, {"impact", "T1490", "Inhibit System Recovery", "0", "0"}} {
		if !slices.ContainsFunc(rows, func(r []string) bool { return slices.Equal(r, want) }) {
			t.Errorf("CSV has no row %v", want)
		}
	}
	var l struct {
		Domain     string
		Techniques []struct {
			TechniqueID, Tactic string
			Score               int
		}
	}
	if err := json.Unmarshal(layerText.Bytes(), &l); err != nil {
		t.Fatal(err)
	}
	if l.Domain != "enterprise-attack" || len(l.Techniques) != len(rows)-1 {
		t.Errorf("layer of %q with %d techniques, CSV has %d", l.Domain, len(l.Techniques), len(rows)-1)
	}
	if !strings.Contains(lines.String(), "   1  T1486      Data Encrypted for Impact") {
		t.Errorf("text: %s", lines.String())
	}
	for _, lang := range []text.Lang{text.En, text.ZhTW} {
		a, err := c.Draw(lang, "/rules?text=")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := c.Draw(lang, "/rules?text=")
		if !bytes.Equal(a, b) {
			t.Error("two pictures of the same rules differ")
		}
		d := xml.NewDecoder(bytes.NewReader(a))
		for err == nil {
			_, err = d.Token()
		}
		if err != io.EOF {
			t.Errorf("picture is no XML: %v", err)
		}
		// One cell for each technique under each tactic; links only where rules are.
		want := 0
		for _, col := range c.Columns {
			want += len(col.Cells)
		}
		if n := bytes.Count(a, []byte(`class="box"`)); n != want {
			t.Errorf("%d cells, want %d", n, want)
		}
		if n := bytes.Count(a, []byte(`<a `)); n != 2 {
			t.Errorf("%d links, want 2", n)
		}
		if bytes.Contains(a, []byte("coverage.")) {
			t.Error("a text is missing")
		}
	}
}

// TestTechniques holds the table against the tags of SigmaHQ's rules: an id
// that 3,780 rules never name is likely mistyped, unless listed here.
func TestTechniques(t *testing.T) {
	_, order := known()
	if len(order) < 150 {
		t.Fatalf("%d techniques", len(order))
	}
	z, err := zip.OpenReader(shared.Path(t, "sigma/sigmahq-rules.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	seen := map[string]bool{}
	tag := regexp.MustCompile(`attack\.(t[0-9]{4}(\.[0-9]{3})?)`)
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range tag.FindAllSubmatch(b, -1) {
			id := strings.ToUpper(string(m[1]))
			seen[id], seen[parent(id)] = true, true
		}
	}
	for newer, older := range newerIDs {
		if seen[newer] {
			seen[older] = true
		}
	}
	// Ids that stand in ATT&CK's own list and that public rules leave out.
	rare := strings.Fields("T1562 T1562.003 T1562.006 T1207 T1565.001 T1595.003 T1098.004 T1027.006 T1036.010 T1553.006 T1601 T1003.008 T1110.003 T1558.004 T1080 T1114.002 T1573.002 " +
		"T1048.002 T1052 T1052.001 T1583 T1598 T1059.008 T1059.012 T1675 T1673 T1098.007 T1134.005 T1505.006 T1556.005 T1562.009 T1657 T1602 T1602.002 T1534 T1537 T1110.004 T1071.003")
	for _, id := range order {
		if !seen[id] && !slices.Contains(rare, id) {
			t.Errorf("%s is named by no rule of SigmaHQ", id)
		}
	}
}
