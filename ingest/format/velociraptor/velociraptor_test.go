// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package velociraptor_test

import (
	"testing"

	"citywall/ingest/format/recordtest"
	"citywall/ingest/format/velociraptor"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "velociraptor", "windows") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, velociraptor.Format()) }
