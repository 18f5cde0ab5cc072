// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"encoding/json"
	"io"

	"citywall/internal/extsort"
)

// newSorter keeps rows of bound bytes in memory and the rest on disk; 0 is
// 64 MiB.
func newSorter(bound int) *extsort.Sorter[Row] {
	if bound <= 0 {
		bound = 64 << 20
	}
	return extsort.New(bound, weight, compare, extsort.Codec[Row]{Encode: encodeRows, Decode: decodeRows})
}

// weight is about what a row takes in memory.
func weight(r *Row) int {
	n := 400 + len(r.Computer) + len(r.Channel)
	for _, ps := range []Pairs{r.Matched, r.Details, r.more.Extra} {
		for _, p := range ps {
			n += 32 + len(p.Name) + len(p.Value)
		}
	}
	return n
}

func encodeRows(w io.Writer) func(*Row) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return func(r *Row) error { return e.Encode(fullRow{*r, r.more}) }
}

func decodeRows(r io.Reader) func(*Row) error {
	d := json.NewDecoder(r)
	return func(r *Row) error {
		var full fullRow
		if err := d.Decode(&full); err != nil {
			return err
		}
		*r, r.more = full.Row, full.More
		return nil
	}
}
