// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package clean is what must be done to facts before anyone thinks about them
// (attackpath.md §3 and §5): one clock, one name for one machine, one row for
// one connection, and a line between inside and outside.
//
// Clocks. For each pair of clocks the differences of what both saw (the same
// connection by 5-tuple; a ticket at the DC and the logon it was for) give
//
//	offset = median(d)     uncertainty = 1.48 · median(|d − offset|) + resolution
//
// and the offsets of all clocks the least-squares solution over that graph, each
// pair of clocks weighing as it is certain.
// Right is the time that most clocks tell which do not have it from each other:
// members of a domain have it from its controllers and are one voice. Where as
// many tell another time, what they differ by is the doubt about all times
// together (Clocks.Doubt). A correction is applied only where it is at least Params.MinOffset and
// three uncertainties; a smaller one widens the uncertainty instead. Configured
// offsets come first and are never re-estimated.
//
// Hosts. An address belongs to the name that the most trusted source gave it:
// the topology, DHCP, the host's own log, a firewall's table, a server's answer,
// DNS; a name that a client gives itself counts only when a host of that name
// writes logs. Where the best source gives several names in turn (leases), the
// binding is a matter of time; a client without a name is known by its hardware
// address, and a lease says nothing of a day on which a host's own log names the
// address.
//
// Boundary. The topology decides, else the role of a firewall's interface, else
// evidence of membership (own logs, tickets, a name in DNS), else neighbourhood
// (/24, then /16) of a member. A private range is no proof of inside.
//
// It never changes a fact: the original time stays beside the corrected one.
package clean
