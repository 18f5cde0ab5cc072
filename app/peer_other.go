// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package app

import (
	"net"
	"os/user"
)

// peerName is the owner of this process: the socket can be opened by nobody
// else, and the kernel is not asked here.
func peerName(net.Conn) (string, error) {
	u, err := user.Current()
	if err != nil {
		return "", err
	}
	return u.Username, nil
}
