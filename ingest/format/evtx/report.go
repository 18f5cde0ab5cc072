// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

func crcOf(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// report ends Stats with what holds for the whole file.
func (d *decoder) report() {
	st := &d.st
	if n := d.damageNotes; n > 0 && int64(n) < st.Damaged {
		st.Note("%d places could not be read", st.Damaged)
	}
	if len(d.crcHeader) > 0 {
		st.Note("the checksum of the chunk header does not fit in %s; decoded anyway", chunkList(d.crcHeader))
	}
	if len(d.crcData) > 0 {
		st.Note("the checksum of the records does not fit in %s; decoded anyway", chunkList(d.crcData))
	}
	if d.early > 0 {
		st.Note("live data ends early, in zeroes, in chunks: %d; the first is %s", d.early, d.earlyAt)
	}
	if d.beyond > 0 {
		st.Note("%d records lie in chunks beyond the %d that the file header counts", d.beyond, d.headerChunks)
	}
	if d.blocks > 0 {
		st.Note("%d blocks of 64 KiB hold neither a chunk nor a record", d.blocks)
	}
	if d.odd > 0 || d.guessed > 0 {
		st.Note("%d values did not fit their type (shown as hex, or with U+FFFD), %d hold bytes in an unknown code page (read as 1252); the first is %s", d.odd, d.guessed, d.oddAt)
	}
	if d.noTime > 0 {
		st.Note("%d records have no readable TimeCreated; the time of the record header is taken", d.noTime)
	}
	if d.src.Carve {
		c := d.carve
		st.Note("carving: %d records found in slack, %d decoded (%d of them with a template of the same id taken from live records), %d whose template is lost, %d otherwise unreadable", c.found, c.decoded, c.borrowed, c.lost, c.unreadable)
	}
	d.ids.report(st)
}

func chunkList(n []int32) string {
	if len(n) == 1 {
		return fmt.Sprintf("chunk %d", n[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d chunks: ", len(n))
	for i, x := range n {
		if i == 12 {
			b.WriteString(", ...")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, x)
	}
	return b.String()
}

// carveCount says what became of the records found in slack.
type carveCount struct{ found, decoded, borrowed, lost, unreadable int64 }

// count counts a carved record and reports whether it may be shown. One with a
// value that does not fit its type is partly overwritten: nothing vouches for
// the rest of it.
func (c *carveCount) count(root *Element, x *builder, err error) bool {
	c.found++
	switch {
	case errors.Is(err, errLost):
		c.lost++
	case err != nil || root.Name != "Event" || x.odd > 0:
		c.unreadable++
	default:
		c.decoded++
		if len(x.lent) > 0 {
			c.borrowed++
		}
		return true
	}
	return false
}

func (c *carveCount) add(o carveCount) {
	c.found += o.found
	c.decoded += o.decoded
	c.borrowed += o.borrowed
	c.lost += o.lost
	c.unreadable += o.unreadable
}
