// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb

package duck

import (
	"database/sql/driver"
	"net/netip"

	"github.com/duckdb/duckdb-go/v2"
)

// inPrefix is the name of the SQL function that tests whether a text is an
// address inside a prefix. DuckDB's own extension for addresses is not built
// in, and nothing may be downloaded.
const inPrefix = "citywall_in_prefix"

type prefixFunc struct{}

func (prefixFunc) Config() duckdb.ScalarFuncConfig {
	text, err1 := duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	boolean, err2 := duckdb.NewTypeInfo(duckdb.TYPE_BOOLEAN)
	if err1 != nil || err2 != nil {
		panic("duckdb: two primitive types refused") // constants of the driver
	}
	return duckdb.ScalarFuncConfig{InputTypeInfos: []duckdb.TypeInfo{text, text}, ResultTypeInfo: boolean}
}

func (prefixFunc) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowExecutor: func(v []driver.Value) (any, error) {
		s, ok1 := v[0].(string)
		p, ok2 := v[1].(string)
		if !ok1 || !ok2 {
			return false, nil
		}
		prefix, err := netip.ParsePrefix(p)
		return err == nil && contains(prefix, s), nil
	}}
}

func contains(p netip.Prefix, s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && p.Contains(a.Unmap().WithZone(""))
}
