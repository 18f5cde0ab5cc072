// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package syslog

import (
	"encoding/binary"
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// prepareUDP enlarges the receive buffer, beyond the system's limit when we
// may, and has the kernel tell how many datagrams it dropped for want of it.
func prepareUDP(c *net.UDPConn, size int) (drops bool, err error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return false, err
	}
	forced := false
	err = rc.Control(func(fd uintptr) {
		forced = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) == nil
		drops = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1) == nil
	})
	if !forced {
		err = errors.Join(err, setReceiveBuffer(c, size))
	}
	return drops, err
}

// kernelDrops reads the count that came with a datagram: those dropped since
// the socket was made, up to when this one arrived.
func kernelDrops(oob []byte) (uint32, bool) {
	if len(oob) == 0 {
		return 0, false
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range msgs {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data), true
		}
	}
	return 0, false
}
