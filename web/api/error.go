// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"citywall/internal/fault"
)

// Unauthenticated is the kind of the answer to a request without a session: no
// capability gives it, only the API.
const Unauthenticated fault.Kind = "unauthenticated"

// Status maps a kind of fault to the status of HTTP. It is the only place that
// does.
func Status(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Busy:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Problem is what a caller is told of an error.
type Problem struct {
	Kind    fault.Kind `json:"kind"`
	Message string     `json:"message"`
}

// Explain returns status and words of an error. An error without a kind is
// ours: it is logged, and the caller is not told what lies inside.
func Explain(ctx context.Context, log *slog.Logger, err error) (int, Problem) {
	k := fault.Of(err)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, Problem{fault.Invalid, "the request is larger than allowed here"}
	case errors.Is(err, context.Canceled):
		return 499, Problem{"canceled", "the request was given up"}
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, Problem{fault.Busy, "it took too long; narrow the time span"}
	case k == "":
		log.ErrorContext(ctx, "request", "err", err)
		return http.StatusInternalServerError, Problem{"internal", "something went wrong inside; the log of the server says what"}
	}
	return Status(k), Problem{k, err.Error()}
}
