// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package httpbulk

import (
	"time"

	"citywall/internal/fault"
)

// Config is what an operator may change.
type Config struct {
	MaxBody     int64         `yaml:"max_body"`      // bytes of one request as sent
	MaxDecoded  int64         `yaml:"max_decoded"`   // bytes of one request after gzip
	MaxRequests int           `yaml:"max_requests"`  // at the same time; more get 429
	SourceRate  int64         `yaml:"source_rate"`   // decoded bytes a second of one source, over a burst of MaxDecoded; 0: no limit
	ReadTimeout time.Duration `yaml:"read_timeout"`  // for the body of one request
	RetryAfter  time.Duration `yaml:"retry_after"`   // what a sender is told to wait when the queue is full
	KeysKnown   int           `yaml:"keys_remember"` // idempotency keys whose content is remembered, to refuse other content under the same key
}

// Defaults returns the configuration of an endpoint nobody configured.
func Defaults() Config {
	return Config{
		MaxBody: 16 << 20, MaxDecoded: 64 << 20, MaxRequests: 64, ReadTimeout: time.Minute,
		RetryAfter: 5 * time.Second, KeysKnown: 100_000,
	}
}

// Validate reports the first value that cannot work.
func (c Config) Validate() error {
	switch {
	case c.MaxBody < 64<<10:
		return fault.New(fault.Invalid, "http.max_body is %d: it must be at least 65536", c.MaxBody)
	case c.MaxDecoded < c.MaxBody:
		return fault.New(fault.Invalid, "http.max_decoded is %d: it must not be below max_body", c.MaxDecoded)
	case c.MaxRequests < 1:
		return fault.New(fault.Invalid, "http.max_requests is %d: it must be at least 1", c.MaxRequests)
	case c.SourceRate < 0:
		return fault.New(fault.Invalid, "http.source_rate is %d: it must not be negative", c.SourceRate)
	case c.ReadTimeout < time.Second:
		return fault.New(fault.Invalid, "http.read_timeout is %v: it must be at least 1s", c.ReadTimeout)
	case c.RetryAfter < time.Second:
		return fault.New(fault.Invalid, "http.retry_after is %v: it must be at least 1s", c.RetryAfter)
	case c.KeysKnown < 1:
		return fault.New(fault.Invalid, "http.keys_remember is %d: it must be at least 1", c.KeysKnown)
	}
	return nil
}
