// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import "net/netip"

// detectors returns one of each, new. The first two say nothing and learn what
// the others ask.
func detectors(ours []netip.Prefix) []detector {
	n, h := newNames(), newHouse(ours)
	return []detector{
		n, h, newScan(h), newFanout(h), newShares(n), newEdge(n), newHours(n), newSpray(n, h), newBeacon(h), newExfil(h), newTunnel(), newMassFile(n), newAlerts(h),
	}
}

// Kinds returns what the detectors can say.
func Kinds() []Kind {
	return []Kind{
		scanKind, scanSureKind, scanOutsideKind, fanKind, fanSlowKind, shareKind, edgeKind, hoursKind, sprayKind, bruteKind, sprayWonKind, outsideWonKind, beaconKind,
		exfilKind, exfilSlowKind, tunnelKind, tunnelHashKind, massFileKind,
		alertNewKind, alertFloodKind,
	}
}
