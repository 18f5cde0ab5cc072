// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"runtime"
	"time"

	"citywall/asset"
	"citywall/internal/fault"
)

// Config is what an operator may change.
type Config struct {
	Realm     asset.Realm   `yaml:"realm"`      // whose events are correlated here
	Workers   int           `yaml:"workers"`    // that decode; 0: one for each processor but one, which the store has
	Linger    time.Duration `yaml:"linger"`     // an event waits at most so long for company when it is quiet
	MaxEvents int           `yaml:"max_events"` // of one batch, when it is busy
	MaxBytes  int           `yaml:"max_bytes"`  // raw, of one batch
	Recompute time.Duration `yaml:"recompute"`  // incidents at most so often after findings
	Quiet     time.Duration `yaml:"quiet"`      // incidents at most so often after events without findings
	Lookback  time.Duration `yaml:"lookback"`   // of correlation, after a restart and at every renewal
	Behaviour bool          `yaml:"behaviour"`  // detectors that look at many events: scans, new ways, beacons
	Warm      time.Duration `yaml:"warm"`       // of detection, after a restart: what rules that count over time see again
	RefillMax int64         `yaml:"refill_max"` // events read back at most, the newest first
	Renew     time.Duration `yaml:"renew"`      // correlation is built anew from the store so often, so that it does not grow for ever
	LateAfter time.Duration `yaml:"late_after"` // a source whose records are older than this on arrival is late
	Grace     time.Duration `yaml:"grace"`      // to finish what is in hand when stopping
}

// Defaults returns the configuration of a pipeline nobody configured.
func Defaults() Config {
	return Config{
		Realm: asset.City, Behaviour: true, Linger: 200 * time.Millisecond, MaxEvents: 10_000, MaxBytes: 8 << 20,
		Recompute: time.Second, Quiet: 10 * time.Second, Lookback: 14 * 24 * time.Hour, Warm: 15 * time.Minute, RefillMax: 5_000_000,
		Renew: 24 * time.Hour, LateAfter: 5 * time.Minute, Grace: 15 * time.Second,
	}
}

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	bad := func(f string, args ...any) error { return fault.New(fault.Invalid, "pipeline."+f, args...) }
	switch {
	case !c.Realm.Valid():
		return bad("realm is %q: it must be city or police", c.Realm)
	case c.Workers < 0 || c.Workers > 1024:
		return bad("workers is %d: it must lie between 0 and 1024", c.Workers)
	case c.Linger < 0 || c.Linger > 10*time.Second:
		return bad("linger is %v: it must lie between 0 and 10s", c.Linger)
	case c.MaxEvents < 1:
		return bad("max_events is %d: it must be at least 1", c.MaxEvents)
	case c.MaxBytes < 1<<20:
		return bad("max_bytes is %d: it must be at least 1048576", c.MaxBytes)
	case c.Recompute <= 0 || c.Quiet < c.Recompute:
		return bad("recompute is %v and quiet %v: the first must be positive and not above the second", c.Recompute, c.Quiet)
	case c.Lookback < time.Hour:
		return bad("lookback is %v: it must be at least 1h", c.Lookback)
	case c.Warm < 0 || c.Warm > c.Lookback:
		return bad("warm is %v: it must lie between 0 and lookback", c.Warm)
	case c.RefillMax < 1:
		return bad("refill_max is %d: it must be at least 1", c.RefillMax)
	case c.Renew < time.Hour:
		return bad("renew is %v: it must be at least 1h", c.Renew)
	case c.LateAfter <= 0:
		return bad("late_after is %v: it must be positive", c.LateAfter)
	case c.Grace < 0:
		return bad("grace is %v: it must not be negative", c.Grace)
	}
	return nil
}

func (c Config) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return max(1, runtime.GOMAXPROCS(0)-1)
}
