// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package wazuh_test

import (
	"testing"

	"citywall/ingest/format/recordtest"
	"citywall/ingest/format/wazuh"
)

func TestSamples(t *testing.T) { recordtest.Run(t, "wazuh") }

func FuzzDecode(f *testing.F) { recordtest.Fuzz(f, wazuh.Format()) }

func FuzzDialect(f *testing.F) { recordtest.FuzzDialect(f, wazuh.Dialect()) }
