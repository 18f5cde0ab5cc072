// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package netflow decodes NetFlow v5, NetFlow v9 (RFC 3954) and IPFIX (RFC 7011):
// export packets one by one (Decoder, for the listener), files of packets one
// after another (RFC 5655 for IPFIX), packet captures that hold them, and the
// JSON lines that the listener puts on the queue.
//
// Fields have the names of IANA's IPFIX registry, for all three versions. It
// promises that counters are as the exporter sent them: a sampling rate is a
// field beside them and never multiplied; that templates and samplers are kept
// apart by exporter, version and observation domain, within limits; and that
// what could not be read (no template yet, packets missing in the sequence) is
// counted. See README.md.
//
// It never listens: that is ingest/transport/netflow.
package netflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/flatjson"
)

const name = "netflow"

// Format returns the decoder.
func Format() format.Format {
	return format.Format{Name: name, Sniff: sniff, Keys: []string{"netflow"}, Decode: decode, Record: record}
}

// prefix begins every line of ours.
const prefix = `{"netflow":"`

func sniff(head []byte) int {
	switch {
	case bytes.HasPrefix(head, []byte(prefix)):
		return 100
	case isPacket(head):
		return 90
	case captured(head):
		return 90
	}
	return 0
}

// record decodes one line that AppendJSON wrote.
func record(rec []byte, p format.Pos, src format.Source) (*event.Event, error) {
	if !bytes.HasPrefix(rec, []byte(prefix)) {
		return nil, errors.New(`want {"netflow": at the beginning of a flow`)
	}
	e := src.Event(name, p)
	e.Raw = bytes.Clone(rec)
	return e, fill(e)
}

// fill reads e.Raw.
func fill(e *event.Event) error {
	f, err := flatjson.Parse(e.Raw)
	if err != nil {
		return err
	}
	e.Fields = f
	e.Product, e.Category, e.Service = "netflow", "flow", f.Str("netflow")
	e.TimeRaw = f.First("flowEnd", "exportTime")
	if e.Time, err = time.Parse(time.RFC3339Nano, e.TimeRaw); err != nil {
		return fmt.Errorf("flowEnd or exportTime: %w", err)
	}
	e.Time, e.Uncertainty = e.Time.UTC(), time.Millisecond
	exact := f.First("flowEndMilliseconds", "flowEndMicroseconds", "flowEndNanoseconds", "observationTimeMilliseconds") != ""
	if !exact && e.Service != "v5" {
		e.Uncertainty = time.Second / 2 // the header, or the element, has whole seconds
	}
	return nil
}

func decode(ctx context.Context, r io.Reader, src format.Source, emit format.Emit) (format.Stats, error) {
	br := newReader(r)
	head, _ := br.Peek(len(prefix))
	if bytes.Equal(head, []byte(prefix)) {
		return format.Lines(record)(ctx, br, src, emit)
	}
	return packets(ctx, br, src, emit)
}
