// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"strconv"
	"time"

	"citywall/internal/fault"
	"citywall/internal/text"
)

// Codes of a LoginRefusal; texts are below "identity.login.".
const (
	LoginWrong     = "wrong"      // name or password wrong, or disabled: never says which
	LoginWait      = "wait"       // too many tries
	LoginLinkSpent = "link_spent" // used or expired
)

// LoginRefusal is why somebody could not sign in. It is the cause of the
// forbidden or busy error of identitydb.
type LoginRefusal struct {
	Code string
	Wait time.Duration // LoginWait
}

// RefuseLogin returns the error of a refused login.
func RefuseLogin(code string, wait time.Duration) error {
	k := fault.Forbidden
	if code == LoginWait {
		k = fault.Busy
	}
	return fault.New(k, "%w", &LoginRefusal{Code: code, Wait: wait})
}

// Text returns the sentence for the one who was refused.
func (r *LoginRefusal) Text(l text.Lang) string {
	seconds := (r.Wait + time.Second - 1) / time.Second
	return text.T(l, "identity.login."+r.Code, "seconds", strconv.FormatInt(int64(seconds), 10))
}

// Error implements error.
func (r *LoginRefusal) Error() string { return r.Text(text.En) }
