// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package main

import "time"

// cpuTime and peakMemory are not measured here.
func cpuTime() time.Duration { return 0 }
func peakMemory() int64      { return 0 }
