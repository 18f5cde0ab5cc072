// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

// detectors returns one of each, new.
func detectors() []detector {
	return []detector{}
}

// Kinds returns what the detectors can say, in the order of their ids.
func Kinds() []Kind { return nil }
