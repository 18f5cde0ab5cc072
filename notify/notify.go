// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package notify hands one message to one recipient over one channel: mail or
// a webhook.
//
// It promises that Send returns nil only when the other side has accepted the
// message, that an error says whether trying again can help (Permanent), that
// the same message carries the same id each time, so that a receiver can tell a
// repetition, and that secrets come from files and stand in no error. It never
// decides who is told what, never retries by itself and keeps nothing: that is
// duty.
package notify

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Message is what one recipient is told.
type Message struct {
	ID      string            // the same for each attempt: Message-ID of a mail, Idempotency-Key of a webhook
	To      string            // mail address, or name of a webhook
	Subject string            // one line
	Text    string            // plain text, lines end with \n
	Time    time.Time         // when it was decided, UTC
	Urgent  bool              // marked so in a mail
	Data    map[string]string // for machines: the body of a webhook beside subject and text
}

// permanent is an error that trying again will not mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent reports whether sending the same message again cannot help: the
// address is refused, the receiver answers 4xx.
func Permanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

// secret reads a secret from its file: one line.
func secret(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	s := strings.TrimRight(string(b), "\r\n")
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return "", fmt.Errorf("the secret in %s must be one line", file)
	}
	return s, nil
}
