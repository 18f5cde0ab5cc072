// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

// Layers are the parts of the matcher that are there for speed alone. Leaving
// one out changes no finding; that is how each is measured.
type Layers uint8

// Layers.
const (
	Witnesses Layers = 1 << iota // rules are tried only when a text that they need occurs
	Folding                      // what a kind of event decides is decided once, when its bucket is built
	Automata                     // regular expressions run as automata, not by package regexp
)

// LayerNames names the layers in the order of their bits.
func LayerNames() []string { return []string{"witnesses", "folding", "automata"} }
