// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package openvpn_test

import (
	"testing"

	"citywall/ingest/format/openvpn"
	"citywall/ingest/format/recordtest"
)

func TestRecords(t *testing.T) { recordtest.Run(t, "openvpn") }

func FuzzRead(f *testing.F) { recordtest.FuzzDialect(f, openvpn.Dialect()) }

func FuzzStatus(f *testing.F) { recordtest.Fuzz(f, openvpn.Format()) }
