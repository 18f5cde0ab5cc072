// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"time"

	"citywall/internal/fault"
)

// Config is what an operator may change.
type Config struct {
	MaxBytes   int64         `yaml:"max_bytes"`  // the queue on disk, compressed; above it Publish is refused as busy
	MinFree    int64         `yaml:"min_free"`   // bytes of the disk that the queue leaves free; below it Publish is refused as busy
	Duplicates time.Duration `yaml:"duplicates"` // how long a repeated message id is recognised by the queue itself
	AckWait    time.Duration `yaml:"ack_wait"`   // a message that is not acknowledged for so long is delivered again
}

// Defaults returns the configuration of a queue nobody configured. At the
// 70 bytes an event of 420 takes in it, 8 GiB hold about five hours of a whole
// city's 6,000 events a second.
func Defaults() Config {
	return Config{MaxBytes: 8 << 30, MinFree: 1 << 30, Duplicates: 10 * time.Minute, AckWait: 5 * time.Minute}
}

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	switch {
	case c.MaxBytes < 16<<20:
		return fault.New(fault.Invalid, "queue.max_bytes is %d: it must be at least %d (16 MiB)", c.MaxBytes, 16<<20)
	case c.MinFree < 0:
		return fault.New(fault.Invalid, "queue.min_free is %d: it must not be negative", c.MinFree)
	case c.Duplicates < time.Second || c.Duplicates > 24*time.Hour:
		return fault.New(fault.Invalid, "queue.duplicates is %v: it must lie between 1s and 24h", c.Duplicates)
	case c.AckWait < time.Second || c.AckWait > time.Hour:
		return fault.New(fault.Invalid, "queue.ack_wait is %v: it must lie between 1s and 1h", c.AckWait)
	}
	return nil
}
