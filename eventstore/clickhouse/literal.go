// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package clickhouse

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"citywall/event"
)

// idSet is an argument that stands for a subquery of ids.
type idSet []event.ID

// render puts args in the place of $1, $2 … of sql, which has no other $ before
// a digit. What stands in an argument is not looked at again.
func render(sql string, args []any) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(sql, '$')
		if i < 0 {
			b.WriteString(sql)
			return b.String(), nil
		}
		j := i + 1
		for j < len(sql) && sql[j] >= '0' && sql[j] <= '9' {
			j++
		}
		b.WriteString(sql[:i])
		if j == i+1 {
			b.WriteByte('$')
		} else {
			n, err := strconv.Atoi(sql[i+1 : j])
			if err != nil || n < 1 || n > len(args) {
				return "", fmt.Errorf("statement names argument %s of %d", sql[i:j], len(args))
			}
			s, err := literal(args[n-1])
			if err != nil {
				return "", err
			}
			b.WriteString(s)
		}
		sql = sql[j:]
	}
}

// literal writes a value as SQL. Inside quotes ClickHouse reads only backslash
// and quote in a special way; a NUL is escaped because older parsers end there.
func literal(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`).Replace(v) + "'", nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case event.ID:
		return "toFixedString(unhex('" + hex.EncodeToString(v[:]) + "'), 16)", nil
	case idSet:
		var b strings.Builder
		b.WriteString("(SELECT arrayJoin(arrayMap(i -> toFixedString(unhex(substring('")
		for _, id := range v {
			b.WriteString(hex.EncodeToString(id[:]))
		}
		fmt.Fprintf(&b, "', i * 32 + 1, 32)), 16), range(%d))))", len(v))
		return b.String(), nil
	}
	return "", fmt.Errorf("no literal for a %T", v)
}
