// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

// detectors returns one of each, new.
func detectors() []detector {
	return []detector{newScan(), newFanout(), newEdge(), newSpray(), newBeacon(), newTunnel(), newMassFile()}
}

// Kinds returns what the detectors can say.
func Kinds() []Kind {
	return []Kind{scanKind, scanSureKind, scanOutsideKind, fanKind, edgeKind, sprayKind, bruteKind, sprayWonKind, beaconKind, tunnelKind, massFileKind}
}
