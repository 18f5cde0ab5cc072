// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"citywall/asset"
	"citywall/ingest/format"
	"citywall/internal/fault"
)

// How a file is read.
const (
	Auto   = "auto"   // text is followed, everything else is read whole
	Follow = "follow" // line by line, as it grows
	Whole  = "whole"  // once, when nothing has changed it for Stable
)

// Config is one file, folder or pattern.
type Config struct {
	Path      string             `yaml:"path"`      // a file, a folder, or a pattern with * ? [ ]
	Source    string             `yaml:"source"`    // registered name; "" means the path
	Realm     asset.Realm        `yaml:"realm"`     //
	Agency    string             `yaml:"agency"`    //
	Zone      string             `yaml:"zone"`      // IANA name, for times without a zone; "" means Asia/Taipei
	Mode      string             `yaml:"mode"`      // auto, follow, whole
	Recursive bool               `yaml:"recursive"` // also the folders in the folder
	Include   []string           `yaml:"include"`   // patterns of names in a folder; none: all
	Exclude   []string           `yaml:"exclude"`   // patterns of names in a folder
	Stable    time.Duration      `yaml:"stable"`    // a file that did not change for so long is complete
	Poll      time.Duration      `yaml:"poll"`      // look at least so often, whatever the system tells
	MaxWhole  int64              `yaml:"max_whole"` // bytes of a file that is read whole; a larger one is passed over
	CSV       *format.CSVMapping `yaml:"csv"`       // what the columns of a CSV mean
}

// Defaults returns what a folder gets that says nothing but its path.
func Defaults() Config {
	return Config{
		Realm: asset.City, Mode: Auto, Exclude: []string{".*", "*~", "*.tmp", "*.part", "*.swp", "*.crdownload"},
		Stable: 10 * time.Second, Poll: 2 * time.Second, MaxWhole: 4 << 30,
	}
}

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	bad := func(field, f string, args ...any) error {
		return fault.New(fault.Invalid, "watch %q, %s: %s", c.Path, field, fmt.Sprintf(f, args...))
	}
	if c.Path == "" {
		return bad("path", "must not be empty")
	}
	if !c.Realm.Valid() {
		return bad("realm", "%q is neither city nor police", c.Realm)
	}
	switch c.Mode {
	case Auto, Follow, Whole:
	default:
		return bad("mode", "%q is none of auto, follow, whole", c.Mode)
	}
	if _, err := time.LoadLocation(c.Zone); err != nil {
		return bad("zone", "%v", err)
	}
	for _, p := range append(append([]string{c.Path}, c.Include...), c.Exclude...) {
		if _, err := filepath.Match(p, "x"); err != nil {
			return bad("path", "pattern %q: %v", p, err)
		}
	}
	switch {
	case c.Stable < time.Second:
		return bad("stable", "%v must be at least 1s", c.Stable)
	case c.Poll < 100*time.Millisecond:
		return bad("poll", "%v must be at least 100ms", c.Poll)
	case c.MaxWhole < 1<<20:
		return bad("max_whole", "%d must be at least 1048576", c.MaxWhole)
	}
	return nil
}

// wanted reports whether a name in a folder is to be read.
func (c Config) wanted(name string) bool {
	for _, p := range c.Exclude {
		if ok, _ := filepath.Match(p, name); ok {
			return false
		}
	}
	for _, p := range c.Include {
		if ok, _ := filepath.Match(p, name); ok {
			return true
		}
	}
	return len(c.Include) == 0
}

func (c Config) isPattern() bool { return strings.ContainsAny(c.Path, "*?[") }

func (c Config) source() string {
	if c.Source != "" {
		return c.Source
	}
	return c.Path
}
