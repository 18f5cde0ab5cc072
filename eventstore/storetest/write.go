// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/internal/fault"
)

// ever is all times that a store keeps.
var ever = eventstore.Query{
	From: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), To: time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), Sort: eventstore.Oldest,
}

// drawEvent makes any event that a decoder may make: bytes that are no UTF-8
// in every text, three states, lists, nanoseconds.
func drawEvent(t *rapid.T, n uint64) *event.Event {
	text := rapid.OneOf(
		rapid.SampledFrom(hostile), rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }), rapid.Just(""),
	)
	when := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.IntRange(0, 4).Draw(t, "no time") == 0 {
			return time.Time{}
		}
		first, last := time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC).Unix(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
		sec := rapid.OneOf(rapid.Int64Range(first, last), rapid.Int64Range(begin.Unix(), end.Unix())).Draw(t, "seconds")
		return time.Unix(sec, rapid.Int64Range(0, 999_999_998).Draw(t, "nanoseconds")).UTC()
	})
	e := &event.Event{
		ID: event.NewID("rapid", "", n), Realm: rapid.SampledFrom([]asset.Realm{asset.City, asset.Police}).Draw(t, "realm"),
		Agency: text.Draw(t, "agency"), Time: when.Draw(t, "time"), TimeRaw: text.Draw(t, "time raw"),
		Uncertainty: time.Duration(rapid.Int64().Draw(t, "uncertainty")), ZoneAssumed: rapid.Bool().Draw(t, "zone assumed"), Received: when.Draw(t, "received"),
		Source: text.Draw(t, "source"), Product: rapid.SampledFrom([]string{"windows", "zeek", "suricata", "fortinet", "linux", "alert", "x"}).Draw(t, "product"),
		Category: text.Draw(t, "category"), Service: text.Draw(t, "service"),
		Origin: event.Origin{
			Format: text.Draw(t, "format"), File: text.Draw(t, "file"), Inner: text.Draw(t, "inner"), SHA256: text.Draw(t, "sha256"), Stream: text.Draw(t, "stream"),
			Offset: rapid.Int64().Draw(t, "offset"), Line: rapid.Int64().Draw(t, "line"), Record: rapid.Uint64().Draw(t, "record"), Chunk: rapid.Int32().Draw(t, "chunk"),
			Carved: rapid.Bool().Draw(t, "carved"), Exhibit: text.Draw(t, "exhibit"),
		},
	}
	if rapid.Bool().Draw(t, "has raw") {
		e.Raw = rapid.SliceOf(rapid.Byte()).Draw(t, "raw")
	}
	names := rapid.OneOf(text, rapid.SampledFrom([]string{"Channel", "EventID", "Computer", "TargetUserName", "LogonType", "IpAddress", "IpPort", "id.orig_h", "src_ip", "srcip", "sentbyte", "message"}))
	for range rapid.IntRange(0, 12).Draw(t, "fields") {
		v := event.Value{}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 1, 2:
			v = event.T(text.Draw(t, "text"))
		case 3:
			v = event.L(rapid.SliceOfN(text, 0, 4).Draw(t, "list")...)
		}
		e.Fields = append(e.Fields, event.Field{Name: names.Draw(t, "name"), Value: v}) // names may repeat
	}
	return e
}

// testEventsComeBack: events in are events out, byte for byte.
func testEventsComeBack(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	defer s.Close()
	n := uint64(0)
	rapid.Check(t, func(rt *rapid.T) {
		b := eventstore.Batch{Case: rapid.SampledFrom([]string{"", "115-1", "bad\xff"}).Draw(rt, "case")}
		for range rapid.IntRange(1, 4).Draw(rt, "events") {
			n++
			b.Events = append(b.Events, drawEvent(rt, n))
		}
		if err := s.Append(t.Context(), b); err != nil {
			rt.Fatal(err)
		}
		for _, e := range b.Events {
			got, err := s.Get(t.Context(), identity.Scope{Realm: e.Realm, Case: b.Case}, e.ID)
			if err != nil {
				rt.Fatal(err)
			}
			sameEvents(t, []*event.Event{got}, []*event.Event{e})
		}
	})
}

func testOnce(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	defer s.Close()
	mk := func(from, to int) []*event.Event {
		var out []*event.Event
		for i := from; i < to; i++ {
			out = append(out, &event.Event{
				ID: event.NewID("once", "", uint64(i)), Realm: asset.City, Time: begin.Add(time.Duration(i) * 37 * time.Minute), Received: end, Source: fmt.Sprint(i),
				Fields: event.Fields{{Name: "i", Value: event.T(fmt.Sprint(i))}},
			})
		}
		return out
	}
	var want []*event.Event
	holds := func(what string) {
		t.Helper()
		got := each(t, s, city, ever)
		if len(got) != len(want) {
			t.Fatalf("%s: %d events, want %d", what, len(got), len(want))
		}
		sameEvents(t, got, want)
	}
	mustAppend(t, s, eventstore.Batch{MsgID: "1", Events: mk(0, 40)})
	want = mk(0, 40)
	holds("first")
	mustAppend(t, s, eventstore.Batch{MsgID: "1", Events: mk(0, 40)})
	holds("the same message again")
	mustAppend(t, s, eventstore.Batch{MsgID: "1", Events: mk(40, 50)})
	holds("the same message with other events")
	mustAppend(t, s, eventstore.Batch{MsgID: "2", Events: mk(0, 40)})
	holds("the same events in another message")
	mustAppend(t, s, eventstore.Batch{MsgID: "3", Events: append(mk(30, 60), mk(20, 60)...)})
	want = mk(0, 60)
	holds("overlap, and twice in one batch")
	mustAppend(t, s, eventstore.Batch{Events: mk(0, 70)}, eventstore.Batch{Events: mk(60, 80)})
	want = mk(0, 80)
	holds("without a message id")
	mustAppend(t, s, eventstore.Batch{MsgID: "4"}, eventstore.Batch{}, eventstore.Batch{MsgID: "4", Events: mk(80, 90)})
	holds("an empty message was committed too")

	// A record without a time stands where it was received, and is received
	// again at another time.
	untimed := func(at time.Time) eventstore.Batch {
		return eventstore.Batch{Events: []*event.Event{{ID: event.NewID("untimed", "", 1), Realm: asset.City, Received: at, Source: "untimed"}}}
	}
	mustAppend(t, s, untimed(end), untimed(end.Add(5*24*time.Hour)), untimed(end.Add(time.Second)), untimed(time.Time{}))
	want = append(want, untimed(end).Events...)
	holds("received at three times")

	// The same record may lie in another realm or with a case.
	other := mk(0, 5)
	for _, e := range other {
		e.Realm = asset.Police
	}
	mustAppend(t, s, eventstore.Batch{Events: append(other, mk(0, 5)...)}, eventstore.Batch{Case: "c", Events: append(other, mk(0, 5)...)}, eventstore.Batch{Case: "c", Events: other})
	holds("another realm and a case")
	for _, sc := range []identity.Scope{{Realm: asset.Police}, {Realm: asset.Police, Case: "c"}} {
		sameEvents(t, each(t, s, sc, ever), other)
	}
	sameEvents(t, each(t, s, identity.Scope{Realm: asset.City, Case: "c"}, ever), mk(0, 5))

	// Times from everywhere: many days at once.
	b := eventstore.Batch{MsgID: "days"}
	for i := range 700 {
		b.Events = append(b.Events, &event.Event{ID: event.NewID("days", "", uint64(i)), Realm: asset.City, Time: begin.AddDate(0, 0, -i-1), Source: "days"})
	}
	mustAppend(t, s, b)
	b.MsgID = "days again"
	mustAppend(t, s, b)
	for i := range b.Events {
		want = append([]*event.Event{b.Events[i]}, want...)
	}
	holds("many days")
}

func testAllOrNothing(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	defer s.Close()
	bs := seeds()
	mustAppend(t, s, bs[0])
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, bs[1]); err == nil {
		t.Fatal("appended with a context that is over")
	}
	bad := bs[2]
	bad.Events = append(bad.Events[:len(bad.Events):len(bad.Events)], &event.Event{Realm: "nowhere"})
	if err := s.Append(t.Context(), bad); !fault.Is(err, fault.Invalid) {
		t.Fatalf("a batch with a bad event: %v", err)
	}
	o := oracle{}.add(bs[0])
	check(t, s, o, city, ever)
	mustAppend(t, s, bs[1], bs[2]) // the message ids were not used up
	check(t, s, o.add(bs[1]).add(bs[2]), city, ever)
}

func testReopen(t *testing.T, open Open) {
	dir := t.TempDir()
	var o oracle
	for i, b := range seeds() {
		s := open(t, dir)
		mustAppend(t, s, b)
		o = o.add(b)
		if i > 0 {
			mustAppend(t, s, seeds()[i-1])
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir)
	defer s.Close()
	for _, sc := range []identity.Scope{city, {Realm: asset.Police}, {Realm: asset.Police, Case: "115-0002"}} {
		check(t, s, o, sc, ever)
	}
	q := all
	q.Filter = eventstore.Cond{Field: "TARGETUSERNAME", Op: eventstore.Eq, Value: "alice"}
	check(t, s, o, city, q)

	// A page mark outlives the process.
	q = eventstore.Query{From: begin, To: end, Limit: 10}
	p, err := s.Search(t.Context(), city, q)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	defer s.Close()
	q.After = p.Next
	if p, err = s.Search(t.Context(), city, q); err != nil || len(p.Events) != 10 {
		t.Fatalf("%d events, %v", len(p.Events), err)
	}
}

// testReadersBeside: who reads while a batch is written sees all of it or
// nothing.
func testReadersBeside(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	defer s.Close()
	const size, batches = 250, 24
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for last := int64(0); ; {
				n, err := s.Count(t.Context(), city, ever)
				if err != nil || n%size != 0 || n < last {
					t.Errorf("counted %d after %d: %v", n, last, err)
					return
				}
				last = n
				i := 0
				if err := s.Each(t.Context(), city, ever, func(*event.Event) error { i++; return nil }); err != nil || i%size != 0 {
					t.Errorf("saw %d: %v", i, err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		}()
	}
	for i := range batches {
		b := eventstore.Batch{MsgID: fmt.Sprint(i)}
		for j := range size {
			b.Events = append(b.Events, &event.Event{
				ID: event.NewID("beside", "", uint64(i*size+j)), Realm: asset.City, Time: begin.Add(time.Duration(i*size+j) * time.Minute),
				Fields: event.Fields{{Name: fmt.Sprint("field", i), Value: event.T("x")}},
			})
		}
		mustAppend(t, s, b)
	}
	close(done)
	wg.Wait()
	if n, err := s.Count(t.Context(), city, ever); err != nil || n != size*batches {
		t.Errorf("%d events, want %d: %v", n, size*batches, err)
	}
}
