// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"citywall/app"
)

func newConfig(io streams) *cobra.Command {
	check := &cobra.Command{
		Use:     "check",
		Short:   "Check the configuration and say what is wrong, and where",
		Long:    "Read DATA/citywall.yaml, the environment (CITYWALL_CONSOLE_ADDR sets console.addr) and check every value,\nand that the files it names with secrets can be read by nobody else." + exits,
		Example: "  citywall config check --data /srv/citywall",
		Args:    exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := dataDir(c)
			if err != nil {
				return err
			}
			cfg, err := app.Load(dir, os.Environ(), nil)
			if err != nil {
				return err
			}
			if err := cfg.CheckFiles(dir); err != nil {
				return err
			}
			_, err = fmt.Fprintf(io.out, "the configuration of %s is valid\n", dir)
			return err
		},
	}
	show := &cobra.Command{
		Use:     "show",
		Short:   "Print the configuration in force, defaults included",
		Long:    "Print what file, environment and defaults give together, as YAML that can be saved as DATA/citywall.yaml." + exits,
		Example: "  citywall config show > citywall.yaml",
		Args:    exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := dataDir(c)
			if err != nil {
				return err
			}
			cfg, err := app.Load(dir, os.Environ(), nil)
			if err != nil {
				return err
			}
			e := yaml.NewEncoder(io.out)
			defer e.Close()
			return e.Encode(cfg)
		},
	}
	return group("config", "Check or print the configuration", check, show)
}
