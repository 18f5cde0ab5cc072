// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/spf13/cobra"

func runInvestigateCase(c *cobra.Command, io streams, args []string, o investigateOptions) error {
	return nil
}
