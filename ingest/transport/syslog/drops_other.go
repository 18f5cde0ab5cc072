// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package syslog

import "net"

func prepareUDP(c *net.UDPConn, size int) (drops bool, err error) {
	return false, setReceiveBuffer(c, size)
}

func kernelDrops([]byte) (uint32, bool) { return 0, false }
