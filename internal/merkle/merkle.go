// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package merkle computes the tree of RFC 6962 §2.1: roots, inclusion proofs
// and consistency proofs over a list that only grows.
//
// It promises that appending costs one hash of the leaf and, on average, one
// of a node, and that any root or proof of any earlier size is computed from
// O(log n) stored hashes. It never stores: the caller keeps the hashes that
// Append returns, in order, in memory or in a file.
package merkle

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
)

// Hash is a SHA-256 hash of a leaf or a node.
type Hash = [sha256.Size]byte

// Leaf returns the hash of a leaf: SHA-256(0x00 ‖ data).
func Leaf(data []byte) Hash {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(data)
	return Hash(h.Sum(nil))
}

// Node returns the hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
func Node(left, right Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Empty returns the root of the empty tree: SHA-256 of nothing.
func Empty() Hash { return sha256.Sum256(nil) }

// Stored reads the hashes that Append returned. Position 0 is the first.
type Stored interface {
	At(i uint64) (Hash, error)
}

// Memory is stored hashes in memory.
type Memory []Hash

// At implements Stored.
func (m Memory) At(i uint64) (Hash, error) {
	if i >= uint64(len(m)) {
		return Hash{}, fmt.Errorf("stored hash %d of %d", i, len(m))
	}
	return m[i], nil
}

// Count returns how many hashes are stored for n leaves. Leaf n is followed at
// once by the nodes it completes, so the hashes of a smaller tree are always a
// prefix of those of a larger one.
func Count(n uint64) uint64 { return 2*n - uint64(bits.OnesCount64(n)) }

// position returns where the node that covers leaves [start, start+2^level) is
// stored: its last leaf comes first, then one node per level.
func position(start uint64, level int) uint64 {
	last := start + 1<<level - 1
	return Count(last) + uint64(level)
}

// Append returns the hashes to store, in order, when leaf becomes the leaf
// number n (from 0).
func Append(n uint64, leaf Hash, s Stored) ([]Hash, error) {
	out := []Hash{leaf}
	h := leaf
	for level := 0; n>>level&1 == 1; level++ {
		left, err := s.At(position(n>>(level+1)<<(level+1), level))
		if err != nil {
			return nil, fmt.Errorf("append leaf %d: %w", n, err)
		}
		h = Node(left, h)
		out = append(out, h)
	}
	return out, nil
}

// Root returns the root of the first n leaves.
func Root(n uint64, s Stored) (Hash, error) {
	if n == 0 {
		return Empty(), nil
	}
	h, err := subtree(0, n, s)
	if err != nil {
		return Hash{}, fmt.Errorf("root of %d: %w", n, err)
	}
	return h, nil
}

// split returns the largest power of two below n, for n > 1.
func split(n uint64) uint64 { return 1 << (bits.Len64(n-1) - 1) }

// subtree returns MTH(D[lo:hi]) for hi > lo. Every subtree that the recursion
// of the RFC meets begins at a multiple of its left part, so a whole power of
// two is always a stored node.
func subtree(lo, hi uint64, s Stored) (Hash, error) {
	n := hi - lo
	if n&(n-1) == 0 {
		return s.At(position(lo, bits.TrailingZeros64(n)))
	}
	k := split(n)
	l, err := subtree(lo, lo+k, s)
	if err != nil {
		return Hash{}, err
	}
	r, err := subtree(lo+k, hi, s)
	if err != nil {
		return Hash{}, err
	}
	return Node(l, r), nil
}

// Inclusion returns the audit path PATH(i, D[n]), from the leaf to the root.
func Inclusion(i, n uint64, s Stored) ([]Hash, error) {
	if i >= n {
		return nil, fmt.Errorf("inclusion proof: leaf %d is not in a tree of %d", i, n)
	}
	var path []Hash
	lo, hi := uint64(0), n
	for hi-lo > 1 { // from the root down; turned round at the end
		k := lo + split(hi-lo)
		var h Hash
		var err error
		if i < k {
			h, err = subtree(k, hi, s)
			hi = k
		} else {
			h, err = subtree(lo, k, s)
			lo = k
		}
		if err != nil {
			return nil, fmt.Errorf("inclusion proof: %w", err)
		}
		path = append(path, h)
	}
	reverse(path)
	return path, nil
}

// Consistency returns PROOF(m, D[n]): that the tree of m leaves is a beginning
// of the tree of n.
func Consistency(m, n uint64, s Stored) ([]Hash, error) {
	if m > n {
		return nil, fmt.Errorf("consistency proof: %d leaves are more than %d", m, n)
	}
	if m == 0 || m == n {
		return nil, nil
	}
	var proof []Hash
	lo, hi, whole := uint64(0), n, true // whole: the old root itself is D[lo:m]
	for m < hi {
		k := lo + split(hi-lo)
		var h Hash
		var err error
		if m <= k {
			h, err = subtree(k, hi, s)
			hi = k
		} else {
			h, err = subtree(lo, k, s)
			lo, whole = k, false
		}
		if err != nil {
			return nil, fmt.Errorf("consistency proof: %w", err)
		}
		proof = append(proof, h)
	}
	if !whole {
		h, err := subtree(lo, hi, s)
		if err != nil {
			return nil, fmt.Errorf("consistency proof: %w", err)
		}
		proof = append(proof, h)
	}
	reverse(proof)
	return proof, nil
}

func reverse(h []Hash) {
	for i, j := 0, len(h)-1; i < j; i, j = i+1, j-1 {
		h[i], h[j] = h[j], h[i]
	}
}

// ErrProof is returned, wrapped, for a proof that does not prove.
var ErrProof = errors.New("proof does not hold")

// VerifyInclusion checks that leaf is number i of the tree of n leaves with
// this root (RFC 9162 §2.1.3.2).
func VerifyInclusion(i, n uint64, leaf Hash, path []Hash, root Hash) error {
	if i >= n {
		return fmt.Errorf("leaf %d of %d: %w", i, n, ErrProof)
	}
	fn, sn, r := i, n-1, leaf
	for _, p := range path {
		if sn == 0 {
			return fmt.Errorf("path too long: %w", ErrProof)
		}
		if fn&1 == 1 || fn == sn {
			r = Node(p, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = Node(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 {
		return fmt.Errorf("path too short: %w", ErrProof)
	}
	if r != root {
		return fmt.Errorf("leaf %d leads to another root: %w", i, ErrProof)
	}
	return nil
}

// VerifyConsistency checks that the tree of m leaves with root old is a
// beginning of the tree of n leaves with root now (RFC 9162 §2.1.4.2).
func VerifyConsistency(m, n uint64, old, now Hash, proof []Hash) error {
	switch {
	case m > n:
		return fmt.Errorf("%d leaves are more than %d: %w", m, n, ErrProof)
	case m == n || m == 0:
		if len(proof) != 0 {
			return fmt.Errorf("proof too long: %w", ErrProof)
		}
		if m == n && old != now || m == 0 && old != Empty() {
			return fmt.Errorf("roots differ: %w", ErrProof)
		}
		return nil
	}
	path := proof
	if m&(m-1) == 0 {
		path = append([]Hash{old}, proof...)
	}
	if len(path) == 0 {
		return fmt.Errorf("proof too short: %w", ErrProof)
	}
	fn, sn := m-1, n-1
	for fn&1 == 1 {
		fn, sn = fn>>1, sn>>1
	}
	fr, sr := path[0], path[0]
	for _, c := range path[1:] {
		if sn == 0 {
			return fmt.Errorf("proof too long: %w", ErrProof)
		}
		if fn&1 == 1 || fn == sn {
			fr, sr = Node(c, fr), Node(c, sr)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			sr = Node(sr, c)
		}
		fn, sn = fn>>1, sn>>1
	}
	switch {
	case sn != 0:
		return fmt.Errorf("proof too short: %w", ErrProof)
	case fr != old:
		return fmt.Errorf("the old root does not follow: %w", ErrProof)
	case sr != now:
		return fmt.Errorf("the new root does not follow: %w", ErrProof)
	}
	return nil
}

// Frontier is a tree of which only the newest root is wanted: it keeps one
// hash for each one-bit of its size. The zero value is the empty tree.
type Frontier struct {
	n     uint64
	peaks []Hash // of the perfect subtrees, largest first
}

// Size returns the number of leaves.
func (f *Frontier) Size() uint64 { return f.n }

// Append adds a leaf and returns what the function Append would: the hashes
// to store, if somebody stores them.
func (f *Frontier) Append(leaf Hash) []Hash {
	h := leaf
	out := []Hash{leaf}
	for i := f.n; i&1 == 1; i >>= 1 {
		last := len(f.peaks) - 1
		h = Node(f.peaks[last], h)
		f.peaks = f.peaks[:last]
		out = append(out, h)
	}
	f.peaks = append(f.peaks, h)
	f.n++
	return out
}

// Root returns the root of all leaves.
func (f *Frontier) Root() Hash {
	if f.n == 0 {
		return Empty()
	}
	h := f.peaks[len(f.peaks)-1]
	for i := len(f.peaks) - 2; i >= 0; i-- {
		h = Node(f.peaks[i], h)
	}
	return h
}
