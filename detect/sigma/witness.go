// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

// witnessIndex picks the rules of a bucket that an event can meet at all.
type witnessIndex struct{ always []int32 }

func newWitnessIndex(_ *program, b *bucket) *witnessIndex {
	x := &witnessIndex{}
	for i := range b.rules {
		x.always = append(x.always, int32(i))
	}
	return x
}

func (x *witnessIndex) candidates(_ *Matcher) []int32 { return x.always }
