// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package dbtest

import "os/exec"

func lessThanRoot(*exec.Cmd, string) error { return nil }
