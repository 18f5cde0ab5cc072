// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"

	"citywall/internal/fault"
)

// readSecret reads a token from a file. There is no flag for the token itself:
// command lines are seen by every user of a machine.
func readSecret(name string) (string, error) {
	if name == "" {
		return "", fault.New(fault.Invalid, "give the token's file with --token-file; the console makes tokens on the page Users")
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", fault.New(fault.Invalid, "%s is empty", name)
	}
	return s, nil
}
