// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package attackpath

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// brute finds the cheapest path by trying every one, straight from the formula
// of the package comment.
func brute(moves []Move, a Anchor, lost map[int]int64, w Weights) (best float64) {
	best = math.Inf(1)
	left := func(h int, until int64, from int, way []int) float64 {
		worst := 0.0
		for i := range moves {
			m := &moves[i]
			if m.To != h || m.Effect || m.T > until || m.From == from || slices.Contains(way, m.From) || cost(m.Score) > least+w.Open {
				continue
			}
			worst = max(worst, reject(m.Score))
		}
		return worst
	}
	var walk func(host int, t, unc int64, way []int, sum float64)
	walk = func(host int, t, unc int64, way []int, sum float64) {
		other := 0.0
		for h, since := range lost {
			if since <= t && !slices.Contains(way, h) {
				other = w.Another
			}
		}
		best = min(best, sum+w.Open+other+left(host, t+unc, -1, way))
		if len(way) > w.MaxHops {
			return
		}
		for i := range moves {
			m := &moves[i]
			if m.To != host || m.T > t+m.Unc+unc || slices.Contains(way, m.From) || cost(m.Score) > least+w.Open {
				continue
			}
			c := sum + cost(m.Score) + w.Dwell*math.Log1p(math.Max(0, float64(t-m.T)/hourNS)) + left(host, t+unc, m.From, way)
			if m.Entry {
				best = min(best, c)
				continue
			}
			if since, ok := lost[m.From]; ok && since <= m.T+m.Unc {
				best = min(best, c)
			}
			walk(m.From, m.T, m.Unc, append(slices.Clone(way), m.From), c)
		}
	}
	walk(a.Host, a.T, 0, []int{a.Host}, 0)
	return best
}

// TestSearchIsExact compares the search with trying everything, on small nets.
// Times differ by more than nothing, so that ties do not matter, and every
// source has one move into a host: two of one source differ in "left" only by
// which of them is taken, which the search does not distinguish.
func TestSearchIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "hosts")
		var moves []Move
		for from := range n {
			for to := range n {
				if from == to || !rapid.Bool().Draw(t, "move") {
					continue
				}
				moves = append(moves, Move{
					From: from, To: to, T: int64(rapid.IntRange(1, 1000).Draw(t, "minute"))*int64(time.Minute) + int64(len(moves)),
					Score: float64(rapid.IntRange(-30, 60).Draw(t, "score")) / 10,
				})
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "outside") {
			moves = append(moves, Move{
				From: 100 + len(moves), To: rapid.IntRange(0, n-1).Draw(t, "to"), T: int64(rapid.IntRange(1, 1000).Draw(t, "minute"))*int64(time.Minute) + int64(len(moves)),
				Score: float64(rapid.IntRange(-30, 60).Draw(t, "score")) / 10, Entry: true, Effect: rapid.Bool().Draw(t, "effect"),
			})
		}
		lost := map[int]int64{}
		for h := range n {
			if rapid.IntRange(0, 3).Draw(t, "lost") == 0 {
				lost[h] = int64(rapid.IntRange(1, 1000).Draw(t, "since")) * int64(time.Minute)
			}
		}
		w := Defaults()
		w.K = 200 // room for every way: the pruning of K is not what is tested
		a := Anchor{0, 900 * int64(time.Minute)}
		got := NewGraph(moves, w).Search(a, lost)
		if want := brute(moves, a, lost, w); math.Abs(got[0].Cost-want) > 1e-9 {
			t.Fatalf("cost %g by %+v, want %g\n%+v", got[0].Cost, got[0], want, moves)
		}
	})
}

// TestSearchOrder holds that the order in which moves come does not matter.
func TestSearchOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var moves []Move
	for range 60 {
		moves = append(moves, Move{From: r.IntN(8), To: r.IntN(8), T: r.Int64N(1e15), Score: r.Float64()*6 - 2, Entry: r.IntN(9) == 0})
	}
	moves = slices.DeleteFunc(moves, func(m Move) bool { return m.From == m.To })
	hosts := func(g *Graph, moves []Move) [][]Move {
		var out [][]Move
		for _, p := range g.Search(Anchor{3, 9e14}, nil) {
			var ms []Move
			for _, i := range p.Moves {
				ms = append(ms, moves[i])
			}
			out = append(out, ms)
		}
		return out
	}
	want := hosts(NewGraph(moves, Defaults()), moves)
	for range 20 {
		mixed := slices.Clone(moves)
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		got := hosts(NewGraph(mixed, Defaults()), mixed)
		if !slices.EqualFunc(got, want, func(a, b []Move) bool { return slices.Equal(a, b) }) {
			t.Fatalf("another order gives other paths:\n%v\n%v", got, want)
		}
	}
}

// TestSearchStories are the decisions that the formula must come to.
func TestSearchStories(t *testing.T) {
	h := int64(time.Hour)
	const out, ws, srv, dc, pc = 9, 0, 1, 2, 3
	for _, c := range []struct {
		name  string
		moves []Move
		lost  map[int]int64
		at    Anchor
		want  []int // moves of the best path
		open  bool
		first int
	}{
		{"nothing came: it begins here", nil, nil, Anchor{pc, h}, nil, true, pc},
		{"a likely move is followed", []Move{{From: ws, To: pc, T: h, Score: 3}}, nil, Anchor{pc, 2 * h}, []int{0}, true, ws},
		{"an unlikely one is not", []Move{{From: ws, To: pc, T: h, Score: -2}}, nil, Anchor{pc, 2 * h}, nil, true, pc},
		{"what comes after the anchor is none", []Move{{From: ws, To: pc, T: 3 * h, Score: 3}}, nil, Anchor{pc, 2 * h}, nil, true, pc},
		{"to the outside and no further", []Move{
			{From: out, To: ws, T: h, Score: 2, Entry: true}, {From: ws, To: srv, T: 2 * h, Score: 3}, {From: srv, To: pc, T: 3 * h, Score: 3},
		}, nil, Anchor{pc, 4 * h}, []int{0, 1, 2}, false, ws},
		{"its own call to the outside does not explain a host that was moved into", []Move{
			{From: out, To: ws, T: h, Score: 3, Entry: true, Effect: true}, {From: ws, To: srv, T: 2 * h, Score: 2.5}, {From: out, To: srv, T: 3 * h, Score: 4, Entry: true, Effect: true},
		}, nil, Anchor{srv, 4 * h}, []int{0, 1}, false, ws},
		{"one that nobody moved into begins with its call", []Move{
			{From: out, To: ws, T: h, Score: 3, Entry: true, Effect: true},
		}, nil, Anchor{ws, 4 * h}, []int{0}, false, ws},
		{"an administrator's visit does not outweigh the policy", []Move{
			{From: 7, To: pc, T: h, Score: 2.6, Entry: true}, {From: dc, To: pc, T: 30 * h, Score: 5},
		}, map[int]int64{dc: 29 * h}, Anchor{pc, 31 * h}, []int{1}, false, dc},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := NewGraph(c.moves, Defaults()).Search(c.at, c.lost)[0]
			if !slices.Equal(p.Moves, c.want) || p.Open != c.open || p.First != c.first {
				t.Errorf("%+v, want moves %v open %v first %d", p, c.want, c.open, c.first)
			}
		})
	}
}

func TestSearchKeepsDistinctPaths(t *testing.T) {
	h := int64(time.Hour)
	moves := []Move{ // two ways to 3, and a repeat of one of them
		{From: 0, To: 3, T: h, Score: 2}, {From: 0, To: 3, T: h + 1, Score: 2}, {From: 1, To: 3, T: h, Score: 1},
	}
	got := NewGraph(moves, Defaults()).Search(Anchor{3, 2 * h}, nil)
	seen := map[int]int{}
	for _, p := range got {
		seen[p.First]++
	}
	if seen[0] != 1 || seen[1] != 1 || seen[3] != 1 {
		t.Errorf("paths begin at %v, want each host once: %+v", seen, got)
	}
}

func TestReach(t *testing.T) {
	moves := []Move{{From: 0, To: 1, T: 10, Score: 3}, {From: 1, To: 2, T: 5, Score: 3}, {From: 1, To: 2, T: 20, Score: 3}, {From: 2, To: 3, T: 30, Score: 3, Entry: true}, {From: 2, To: 4, T: 40, Score: -9}}
	got := NewGraph(moves, Defaults()).Reach(map[int]int64{0: 0}, func(int, int64) bool { return true })
	want := map[int]int64{0: 0, 1: 10, 2: 20} // 2 not before 1 was reached; entries and hopeless moves lead nowhere
	if len(got) != len(want) || got[1] != 10 || got[2] != 20 {
		t.Errorf("%v, want %v", got, want)
	}
}

// BenchmarkSearch is one anchor among many moves.
func BenchmarkSearch(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	moves := make([]Move, 200_000)
	for i := range moves {
		moves[i] = Move{From: r.IntN(2000), To: r.IntN(2000), T: r.Int64N(1e15), Score: r.Float64()*4 - 3}
	}
	g := NewGraph(moves, Defaults())
	b.ReportAllocs()
	for b.Loop() {
		g.Search(Anchor{17, 9e14}, nil)
	}
}
