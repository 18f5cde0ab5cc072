// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package fault holds the few kinds of error that a caller can act on.
//
// Wrap a cause with the operation ("open checkpoint: %w") and, where a person
// or a protocol must react to it, with one kind. The mapping from kind to exit
// code stands here, the one to HTTP status in web/api, and nowhere else.
//
// It never carries user-facing translations; a message here is an English
// sentence with a way out.
package fault

import (
	"errors"
	"fmt"
)

// Kind says what a caller can do about an error.
type Kind string

// The kinds of design.md §5.
const (
	Invalid     Kind = "invalid"     // the request or input is wrong; mend it
	NotFound    Kind = "not_found"   // no such thing, or not visible to the asker
	Forbidden   Kind = "forbidden"   // the asker may not
	Conflict    Kind = "conflict"    // somebody changed it first; reload
	Busy        Kind = "busy"        // try again later
	Unavailable Kind = "unavailable" // a part is down or disk is full
)

// Error is an error with a kind.
type Error struct {
	Kind Kind
	Msg  string
	Err  error // cause, may be nil
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Msg
	case e.Msg == "":
		return e.Err.Error()
	}
	return e.Msg + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns an error of the kind with a formatted sentence; %w works.
func New(k Kind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Err: err}
}

// Of returns the kind of err, or "" when it has none.
func Of(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// Is reports whether err has kind k.
func Is(err error, k Kind) bool { return err != nil && Of(err) == k }

// Exit codes of every command; a command's help names exceptions.
const (
	ExitDone     = 0 // done
	ExitFailed   = 1 // failed
	ExitUsage    = 2 // wrong flags or arguments
	ExitNegative = 3 // negative verdict, or partial input
)

// ExitCode maps an error to the exit code of a command.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitDone
	case Is(err, Invalid):
		return ExitUsage
	}
	return ExitFailed
}
