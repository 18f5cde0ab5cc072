// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx/evtxwrite"
)

// chunks is a log of several chunks, one of which is damaged in the middle.
func chunks(t *testing.T) []byte {
	var r []evtxwrite.Record
	for i := range 2000 {
		r = append(r, sample(evtxwrite.Field{Name: "Text", Value: strings.Repeat("x", i%200)}))
	}
	data := written(t, r...)
	if n := (len(data) - fileHeader) / chunkSize; n < 8 {
		t.Fatalf("only %d chunks", n)
	}
	clear(data[fileHeader+3*chunkSize+30000:][:2000])
	return data
}

// However many chunks are decoded at a time, what comes out is the same and in
// the order of the file.
func TestCrew(t *testing.T) {
	data := chunks(t)
	src := format.Source{SHA256: "x"}
	want, wantSt, _ := decodeBy(t, data, src, &shop{workers: 1})
	for i := 1; i < len(want); i++ {
		if want[i].Origin.Offset <= want[i-1].Origin.Offset {
			t.Fatalf("event %d at %d, after one at %d", i, want[i].Origin.Offset, want[i-1].Origin.Offset)
		}
	}
	for _, workers := range []int{2, 3, 16} {
		got, st, _ := decodeBy(t, data, src, &shop{workers: workers})
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(st, wantSt) {
			t.Errorf("%d workers: %d events, %+v; one: %d events, %+v", workers, len(got), st, len(want), wantSt)
		}
	}
}

// The receiver's error ends the decoder where it is, whatever is still on its
// way.
func TestCrewStops(t *testing.T) {
	data := chunks(t)
	full := errors.New("full")
	for _, workers := range []int{1, 4} {
		for _, at := range []int64{1, 100, 700, 1500} {
			n := int64(0)
			st, err := (&shop{workers: workers}).decode(context.Background(), bytes.NewReader(data), format.Source{}, func(*event.Event) error {
				if n++; n == at {
					return full
				}
				return nil
			})
			if !errors.Is(err, full) || n != at || st.Decoded != at {
				t.Errorf("%d workers: error %v after %d events, %d counted; want %d", workers, err, n, st.Decoded, at)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		_, err := (&shop{workers: workers}).decode(ctx, bytes.NewReader(data), format.Source{}, func(*event.Event) error {
			if n++; n == 10 {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) || n == 2000 {
			t.Errorf("%d workers: error %v after %d events, want canceled", workers, err, n)
		}
	}
}

// A panic of the receiver comes back to its caller, at whatever event.
func TestCrewReceiverPanics(t *testing.T) {
	data := chunks(t)
	for _, workers := range []int{1, 4} {
		s := &shop{workers: workers}
		for _, at := range []int{1, 64, 65, 700, 1935} {
			n := 0
			func() {
				defer func() {
					if p := recover(); p != "full" {
						t.Errorf("%d workers: panic %v", workers, p)
					}
				}()
				_, _ = s.decode(context.Background(), bytes.NewReader(data), format.Source{}, func(*event.Event) error {
					if n++; n == at {
						panic("full")
					}
					return nil
				})
			}()
			if n != at {
				t.Errorf("%d workers: %d events, want %d", workers, n, at)
			}
		}
		if _, st, _ := decodeBy(t, data, format.Source{}, s); st.Decoded != 1935 {
			t.Errorf("%d workers: %d events afterwards", workers, st.Decoded)
		}
	}
}

// A panic reaches those who wait for the decoder, whose guard knows what to do.
func TestCrewPanics(t *testing.T) {
	data := chunks(t)
	for _, workers := range []int{1, 4} {
		s := &shop{workers: workers}
		for range 4 { // their maps are not made, and they believe they are
			s.kits.put(&kit{run: runner{here: map[place]*program{}, signed: 1}})
		}
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, "nil map") {
					t.Errorf("%d workers: panic %q", workers, p)
				}
			}()
			_, err := s.decode(context.Background(), bytes.NewReader(data), format.Source{}, func(*event.Event) error { return nil })
			t.Errorf("%d workers: no panic, error %v", workers, err)
		}()
	}
}
