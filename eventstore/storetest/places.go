// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import "testing"

// RunPlaces tests the part of the contract that depends on where events lie,
// for an engine that moves them: open may return a store that does so while
// the test runs. What a filter means does not depend on it; Run has that.
func RunPlaces(t *testing.T, open Open) {
	t.Run("events come back", func(t *testing.T) { testEventsComeBack(t, open) })
	t.Run("once", func(t *testing.T) { testOnce(t, open) })
	t.Run("all or nothing", func(t *testing.T) { testAllOrNothing(t, open) })
	t.Run("reopen", func(t *testing.T) { testReopen(t, open) })
	t.Run("readers beside the writer", func(t *testing.T) { testReadersBeside(t, open) })
	t.Run("each", func(t *testing.T) { testEach(t, open) })
	t.Run("closed", func(t *testing.T) { testClosed(t, open) })
}
