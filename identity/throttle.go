// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package identity

// Throttle slows guessing of passwords and links, per account and per address.
type Throttle struct{}
