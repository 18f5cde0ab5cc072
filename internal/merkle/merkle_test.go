// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// The definitions of RFC 6962 §2.1, written down as they stand there: MTH,
// PATH and PROOF recurse over slices of leaves. They are the judge here.

func mth(d [][]byte) Hash {
	switch n := uint64(len(d)); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, d[0]...))
	default:
		k := largestBelow(n)
		l, r := mth(d[:k]), mth(d[k:])
		return sha256.Sum256(slices.Concat([]byte{1}, l[:], r[:]))
	}
}

func largestBelow(n uint64) uint64 {
	k := uint64(1)
	for k*2 < n {
		k *= 2
	}
	return k
}

func path(m uint64, d [][]byte) []Hash {
	n := uint64(len(d))
	if n <= 1 {
		return nil
	}
	k := largestBelow(n)
	if m < k {
		return append(path(m, d[:k]), mth(d[k:]))
	}
	return append(path(m-k, d[k:]), mth(d[:k]))
}

func subproof(m uint64, d [][]byte, whole bool) []Hash {
	n := uint64(len(d))
	if m == n {
		if whole {
			return nil
		}
		return []Hash{mth(d)}
	}
	k := largestBelow(n)
	if m <= k {
		return append(subproof(m, d[:k], whole), mth(d[k:]))
	}
	return append(subproof(m-k, d[k:], false), mth(d[:k]))
}

func build(t testing.TB, d [][]byte) Memory {
	t.Helper()
	var m Memory
	for i, x := range d {
		hs, err := Append(uint64(i), Leaf(x), m)
		if err != nil {
			t.Fatal(err)
		}
		m = append(m, hs...)
	}
	return m
}

func leaves(n int) [][]byte {
	d := make([][]byte, n)
	for i := range d {
		d[i] = fmt.Appendf(nil, "entry %d", i)
	}
	return d
}

// TestReference checks the values that follow from the definition for the
// eight leaves that Certificate Transparency implementations test with.
func TestReference(t *testing.T) {
	inputs := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", // empty
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", // SHA-256(00)
	}
	var d [][]byte
	for _, s := range inputs {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		d = append(d, b)
	}
	m := build(t, d)
	var f Frontier
	for n := 0; n <= len(d); n++ {
		if n > 0 {
			from := Count(uint64(n - 1))
			if hs := f.Append(Leaf(d[n-1])); !slices.Equal(hs, m[from:Count(uint64(n))]) {
				t.Errorf("frontier stores other hashes for leaf %d", n-1)
			}
		}
		if f.Size() != uint64(n) || f.Root() != mth(d[:n]) {
			t.Errorf("frontier of %d: root %x", n, f.Root())
		}
		got, err := Root(uint64(n), m)
		if err != nil {
			t.Fatal(err)
		}
		if want := mth(d[:n]); got != want {
			t.Errorf("root of %d: %x, by the definition %x", n, got, want)
		}
		if n < len(roots) && hex.EncodeToString(got[:]) != roots[n] {
			t.Errorf("root of %d: %x, want %s", n, got, roots[n])
		}
	}
}

// TestDefinition compares every root, path and proof of small trees with the
// definition, and checks that the verifiers accept them.
func TestDefinition(t *testing.T) {
	const most = 40
	d := leaves(most)
	s := build(t, d)
	if uint64(len(s)) != Count(most) {
		t.Fatalf("%d hashes stored, Count says %d", len(s), Count(most))
	}
	var f Frontier
	for n := uint64(1); n <= most; n++ {
		root := mth(d[:n])
		if f.Append(Leaf(d[n-1])); f.Root() != root {
			t.Fatalf("frontier of %d differs from the definition", n)
		}
		for i := uint64(0); i < n; i++ {
			got, err := Inclusion(i, n, s)
			if err != nil {
				t.Fatal(err)
			}
			if want := path(i, d[:n]); !slices.Equal(got, want) {
				t.Fatalf("path(%d, %d) differs from the definition", i, n)
			}
			if err := VerifyInclusion(i, n, Leaf(d[i]), got, root); err != nil {
				t.Fatalf("inclusion %d of %d: %v", i, n, err)
			}
		}
		for m := uint64(0); m <= n; m++ {
			got, err := Consistency(m, n, s)
			if err != nil {
				t.Fatal(err)
			}
			if m > 0 {
				if want := subproof(m, d[:n], true); !slices.Equal(got, want) {
					t.Fatalf("proof(%d, %d) differs from the definition", m, n)
				}
			}
			if err := VerifyConsistency(m, n, mth(d[:m]), root, got); err != nil {
				t.Fatalf("consistency %d to %d: %v", m, n, err)
			}
		}
	}
}

// TestOtherImplementation compares with the checksum database's code, which
// shares nothing with ours.
func TestOtherImplementation(t *testing.T) {
	const most = 200
	d := leaves(most)
	s := build(t, d)
	var theirs []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			out[i] = theirs[x]
		}
		return out, nil
	})
	for i, x := range d {
		hs, err := tlog.StoredHashes(int64(i), x, reader)
		if err != nil {
			t.Fatal(err)
		}
		theirs = append(theirs, hs...)
	}
	for n := int64(1); n <= most; n++ {
		want, err := tlog.TreeHash(n, reader)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Root(uint64(n), s)
		if err != nil || Hash(want) != got {
			t.Fatalf("root of %d: %x (%v), tlog %x", n, got, err, want)
		}
		for i := int64(0); i < n; i += 7 {
			p, err := Inclusion(uint64(i), uint64(n), s)
			if err != nil {
				t.Fatal(err)
			}
			rp := make(tlog.RecordProof, len(p))
			for j := range p {
				rp[j] = tlog.Hash(p[j])
			}
			if err := tlog.CheckRecord(rp, n, want, i, tlog.RecordHash(d[i])); err != nil {
				t.Fatalf("tlog refuses our inclusion proof %d of %d: %v", i, n, err)
			}
		}
		for m := int64(1); m <= n; m += 5 {
			p, err := Consistency(uint64(m), uint64(n), s)
			if err != nil {
				t.Fatal(err)
			}
			tp := make(tlog.TreeProof, len(p))
			for j := range p {
				tp[j] = tlog.Hash(p[j])
			}
			old, err := tlog.TreeHash(m, reader)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckTree(tp, n, want, m, old); err != nil {
				t.Fatalf("tlog refuses our consistency proof %d to %d: %v", m, n, err)
			}
		}
	}
}

// TestForged: a proof that was changed in any way proves nothing.
func TestForged(t *testing.T) {
	const most = 1000
	d := leaves(most)
	s := build(t, d)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(2, most).Draw(t, "n")
		i := rapid.Uint64Range(0, n-1).Draw(t, "i")
		m := rapid.Uint64Range(1, n-1).Draw(t, "m")
		root, _ := Root(n, s)
		old, _ := Root(m, s)
		inc, _ := Inclusion(i, n, s)
		con, _ := Consistency(m, n, s)
		leaf := Leaf(d[i])
		if err := VerifyInclusion(i, n, leaf, inc, root); err != nil {
			t.Fatal(err)
		}
		if err := VerifyConsistency(m, n, old, root, con); err != nil {
			t.Fatal(err)
		}
		refused := func(what string, err error) {
			if !errors.Is(err, ErrProof) {
				t.Fatalf("%s: accepted (%v)", what, err)
			}
		}
		flip := func(p []Hash) []Hash {
			p = slices.Clone(p)
			k := rapid.IntRange(0, len(p)-1).Draw(t, "hash")
			p[k][rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			return p
		}
		refused("changed path", VerifyInclusion(i, n, leaf, flip(inc), root))
		refused("short path", VerifyInclusion(i, n, leaf, inc[:len(inc)-1], root))
		refused("long path", VerifyInclusion(i, n, leaf, append(slices.Clone(inc), root), root))
		refused("other leaf", VerifyInclusion(i, n, Leaf([]byte("other")), inc, root))
		refused("leaf out of range", VerifyInclusion(n, n, leaf, inc, root))
		if j := rapid.Uint64Range(0, n-1).Draw(t, "j"); j != i {
			refused("other place", VerifyInclusion(j, n, leaf, inc, root))
		}
		if len(con) > 0 {
			refused("changed proof", VerifyConsistency(m, n, old, root, flip(con)))
			refused("short proof", VerifyConsistency(m, n, old, root, con[:len(con)-1]))
		}
		refused("long proof", VerifyConsistency(m, n, old, root, append(slices.Clone(con), root)))
		refused("other old root", VerifyConsistency(m, n, root, root, con))
		refused("other new root", VerifyConsistency(m, n, old, old, con))
		refused("shrunk", VerifyConsistency(n, m, root, old, con))
	})
}

func TestMissingHash(t *testing.T) {
	s := build(t, leaves(9))[:5]
	if _, err := Root(9, s); err == nil {
		t.Error("root from missing hashes")
	}
	if _, err := Append(9, Leaf(nil), s); err == nil {
		t.Error("append onto missing hashes")
	}
	if _, err := Inclusion(9, 9, s); err == nil {
		t.Error("inclusion proof of a leaf that is not there")
	}
	if _, err := Consistency(10, 9, s); err == nil {
		t.Error("consistency proof of a longer tree")
	}
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	var m Memory
	data := []byte("an entry of ordinary length, give or take some words of the reason")
	for i := range b.N {
		hs, err := Append(uint64(i), Leaf(data), m)
		if err != nil {
			b.Fatal(err)
		}
		m = append(m, hs...)
	}
}

func BenchmarkInclusionOfMillion(b *testing.B) {
	const n = 1_000_000
	var m Memory
	for i := range n {
		hs, err := Append(uint64(i), Leaf([]byte{byte(i), byte(i >> 8), byte(i >> 16)}), m)
		if err != nil {
			b.Fatal(err)
		}
		m = append(m, hs...)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if _, err := Inclusion(uint64(i*7919)%n, n, m); err != nil {
			b.Fatal(err)
		}
	}
}
