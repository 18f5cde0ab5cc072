// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"citywall/internal/shared"
	"citywall/internal/text"
)

// TestFounding holds the counts of the shared cases to the founding document's
// numbers: founding/expected.json is the oracle.
func TestFounding(t *testing.T) {
	f, err := os.Open(shared.Path(t, "casework/founding/cases.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, skipped, err := Read(f)
	if err != nil || len(skipped) > 0 {
		t.Fatal(skipped, err)
	}
	var want struct {
		Total  int
		ByYear []struct{ ROC, CE, Count int } `json:"by_year"`
		Paid   map[string]int                 `json:"paid_raw"`
		Table1 []wantAttribute
		Table2 []wantAttribute
	}
	b, err := os.ReadFile(shared.Path(t, "casework/founding/expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	paid := map[string]int{"yes": 0}
	for _, r := range rows {
		paid[r.Paid]++
	}
	if d := cmp.Diff(want.Paid, paid); d != "" {
		t.Error("paid, before it is folded (-want +got):\n", d)
	}
	for _, o := range []Options{{}, {Rounding: AsPrinted}, {PublicK: 3}} {
		o.From, o.To = 112, 114
		got, err := Count(rows, o)
		if err != nil {
			t.Fatal(err)
		}
		if got.Total != want.Total || len(got.Years) != len(want.ByYear) || got.Outside != 0 || !got.NotTold {
			t.Errorf("%+v: %+v", o, got)
		}
		for i, y := range want.ByYear {
			if g := got.Years[i]; g.ROC != y.ROC || g.CE != y.CE || g.Count == nil || *g.Count != y.Count {
				t.Errorf("%+v: year %+v, want %+v", o, g, y)
			}
		}
		for i, tables := range [][2]any{{want.Table1, got.Table1}, {want.Table2, got.Table2}} {
			as, gs := tables[0].([]wantAttribute), tables[1].([]Attribute)
			if len(as) == 0 || len(as) != len(gs) {
				t.Fatalf("table %d has %d attributes, want %d", i+1, len(gs), len(as))
			}
			for j, a := range as {
				a.check(t, o, gs[j])
				if d := cmp.Diff(gs[j].Cells, got.Attributes[a.Attribute]); d != "" {
					t.Error(d)
				}
			}
		}
	}
}

type wantAttribute struct {
	Attribute string
	Cells     []struct {
		Category       string
		Count, Percent int
		Printed        int  `json:"percent_as_printed"`
		Public         *int `json:"public_k3"`
	}
}

func (a wantAttribute) check(t *testing.T, o Options, got Attribute) {
	t.Helper()
	if got.Name != a.Attribute || len(got.Cells) != len(a.Cells) {
		t.Fatalf("%+v: attribute %+v, want %+v", o, got, a)
	}
	for i, c := range a.Cells {
		g := got.Cells[i]
		want := c.Percent
		if o.Rounding == AsPrinted {
			want = c.Printed
		}
		switch {
		case g.Category != c.Category:
			t.Errorf("%+v: %s: %s, want %s", o, a.Attribute, g.Category, c.Category)
		case o.PublicK > 0 && c.Public == nil:
			if g.Count != nil || g.Percent != nil {
				t.Errorf("%+v: %s %s is shown in public", o, a.Attribute, c.Category)
			}
		case g.Count == nil || *g.Count != c.Count || g.Percent == nil || *g.Percent != want:
			t.Errorf("%+v: %s %s: want %d, %d%%", o, a.Attribute, c.Category, c.Count, want)
		}
	}
}

const header = "case_no,accepted_at,accepted_roc,occurred_on,occurred_roc,victim_kind,ransom_twd,origin,payment_method,paid,pattern,cause\n"

func TestReadSkipsWhatItCannotRead(t *testing.T) {
	rows, skipped, err := Read(strings.NewReader("\ufeff" + header +
		"A1,2023-12-31T23:59:59+08:00,112/12/31,,,private,,overseas,crypto,no,encryption,capacity\n" +
		"A2,2024-01-01T00:30:00+08:00,112/12/31,,,private,,overseas,crypto,no,encryption,capacity\n" + // two days
		"A3,,,,,private,,overseas,crypto,no,encryption,capacity\n" + // never accepted
		"A4,,2026/01/01,,,private,,overseas,crypto,no,encryption,capacity\n" + // the wrong calendar
		"A5,,113.1.1,,,privat,,overseas,crypto,no,encryption,capacity\n" + // no such kind
		"A6,,113.1.1,,,,many,,,,,\n" + // no amount
		"A\",\"113.1.1,,,,,\n" + // quotes that never close
		"A7,,１１３.１.１,,,,\"5,000,000\",,,,,\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || rows[0].Case != "A1" || rows[1].Case != "A7" || rows[1].Ransom != 5_000_000 || rows[0].Ransom != -1 {
		t.Errorf("rows: %+v", rows)
	}
	hints := []string{"accepted_roc says 112/12/31", "does not say when", "is 115", "private, public", "whole number", "quotes"}
	if len(skipped) != len(hints) {
		t.Fatalf("skipped: %+v", skipped)
	}
	for i, h := range hints {
		if skipped[i].Line != i+3 || !strings.Contains(skipped[i].Reason, h) {
			t.Errorf("skipped %+v, want line %d and %q", skipped[i], i+3, h)
		}
	}
	r, err := Count(rows, Options{From: 112, To: 113})
	if err != nil {
		t.Fatal(err)
	}
	if last := r.Table1[0].Cells[2]; last.Key != unknown || *last.Count != 1 {
		t.Errorf("what is not known is %+v", last)
	}
	for _, c := range r.Attributes[text.T(text.ZhTW, "casestats.paid")] {
		if c.Key == "no" && *c.Count != 1 {
			t.Error("unknown was counted as no")
		}
	}
	if _, _, err := Read(strings.NewReader("case_no,kind\nA1,x\n")); err == nil {
		t.Error("a file that does not say when cases were accepted was read")
	}
	if _, _, err := Read(strings.NewReader("")); err == nil {
		t.Error("an empty file was read")
	}
}

func TestCountRefuses(t *testing.T) {
	for _, o := range []Options{{}, {From: 114, To: 112}, {From: 1, To: 400}, {From: 112, To: 112, Rounding: "up"}, {From: 112, To: 112, PublicK: -1}} {
		if _, err := Count(nil, o); err == nil {
			t.Errorf("%+v was counted", o)
		}
	}
}

// TestPercent: largest remainder adds up to 100 and is never a whole percent
// from the truth; the printed rules do what they say.
func TestPercent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(0, 50), 1, 8).Draw(t, "counts")
		total := 0
		for _, n := range counts {
			total += n
		}
		for _, by := range Roundings() {
			ps := percent(counts, 1, by)
			sum := 0
			for i, p := range ps {
				sum += p
				if counts[i] == 0 && p != 0 {
					t.Fatalf("%v by %s: %v", counts, by, ps)
				}
				if by == LargestRemainder && total > 0 && (p*total <= 100*counts[i]-total || p*total >= 100*counts[i]+total) {
					t.Fatalf("%v by %s: %v", counts, by, ps)
				}
			}
			if total > 0 && by != HalfUp && sum != 100 {
				t.Fatalf("%v by %s: %v add up to %d", counts, by, ps, sum)
			}
		}
	})
}

// TestHide: no small count is shown, and none follows from the total.
func TestHide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 8).Draw(t, "counts")
		k := rapid.IntRange(0, 6).Draw(t, "k")
		hidden, n, others := hide(counts, k), 0, 0
		for i, c := range counts {
			if c > 0 && c < k && !hidden[i] || c == 0 && hidden[i] {
				t.Fatalf("%v below %d: %v", counts, k, hidden)
			}
			if hidden[i] {
				n++
			} else if c > 0 {
				others++
			}
		}
		if n == 1 && others > 0 {
			t.Fatalf("%v below %d: %v gives the hidden one away", counts, k, hidden)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(header + "A1,2023-12-31T23:59:59+08:00,112/12/31,,,private,1,overseas,crypto,no,encryption,capacity\n"))
	f.Add([]byte("accepted_roc\n\"112/1/1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, _, err := Read(strings.NewReader(string(b)))
		if err != nil {
			return
		}
		r, err := Count(rows, Options{From: 1, To: 200})
		if err != nil {
			t.Fatal(err)
		}
		if r.Total+r.Outside != len(rows) {
			t.Fatalf("%d and %d of %d", r.Total, r.Outside, len(rows))
		}
		for _, table := range [][]Attribute{r.Table1, r.Table2} {
			for _, a := range table {
				n := 0
				for _, c := range a.Cells {
					n += *c.Count
				}
				if n != r.Total {
					t.Fatalf("%s adds up to %d of %d", a.Key, n, r.Total)
				}
			}
		}
	})
}

func TestWrite(t *testing.T) {
	rows, _, err := Read(strings.NewReader(header + "A1,,112/1/1,,,private,1,overseas,crypto,not_told,encryption,capacity\n"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Count(rows, Options{From: 112, To: 112, PublicK: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []text.Lang{text.ZhTW, text.En} {
		for _, f := range Formats() {
			var b strings.Builder
			if err := Write(&b, r, l, f); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), "100%") || strings.Contains(b.String(), "casestats.") || f != "json" && !strings.Contains(b.String(), text.T(l, "casestats.hidden")) {
				t.Errorf("%s, %s:\n%s", l, f, b.String())
			}
		}
	}
	if err := Write(&strings.Builder{}, r, text.En, "xlsx"); err == nil {
		t.Error("an unknown format was written")
	}
}
