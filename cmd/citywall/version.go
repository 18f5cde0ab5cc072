// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the release build; else the commit is shown.
var version = "development"

func newVersion(io streams) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "version",
		Short:   "Show version, commit, Go version and engines",
		Long:    "Show version, commit, Go version and whether the embedded event store is built in." + exits,
		Example: "  citywall version\n  citywall version --json",
		Args:    exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{"version": version, "commit": commit(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "event_store": storeEngine}
			if asJSON {
				e := json.NewEncoder(io.out)
				e.SetIndent("", "  ")
				return e.Encode(v)
			}
			_, err := fmt.Fprintf(io.out, "citywall %s (%s), %s, %s, event store: %s\n", v["version"], v["commit"], v["go"], v["platform"], v["event_store"])
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func commit() string {
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return s.Value[:12]
			}
		}
	}
	return "commit unknown"
}
