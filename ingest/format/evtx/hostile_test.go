// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package evtx

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"citywall/event"
	"citywall/ingest/format"
	"citywall/ingest/format/evtx/evtxwrite"
)

// A log cut at any 4 KiB gives exactly the records that lie before the cut,
// unchanged.
func TestTruncation(t *testing.T) {
	check := func(t *testing.T, data []byte) {
		all, _ := decodeAll(t, data, format.Source{SHA256: "x"})
		k := new(shop)
		for cut := 0; cut <= len(data); cut += 4096 {
			events, st, _ := decodeBy(t, data[:cut], format.Source{SHA256: "x"}, k)
			n := 0
			for _, e := range all {
				at := int(e.Origin.Offset)
				if at+int(le.Uint32(data[at+4:])) > cut {
					continue
				}
				if n >= len(events) || events[n].ID != e.ID || !bytes.Equal(events[n].Raw, e.Raw) {
					t.Fatalf("cut at %d: record at %d is lost or changed", cut, at)
				}
				n++
			}
			if n != len(events) {
				t.Fatalf("cut at %d: %d events, want %d", cut, len(events), n)
			}
			if inside := (cut - fileHeader) % chunkSize; cut >= fileHeader && inside > 0 {
				base := cut - inside
				live := bytes.HasPrefix(data[base:], chunkMagic) && inside < int(le.Uint32(data[base+48:]))
				if live && st.Damaged == 0 {
					t.Errorf("cut at %d, in live data: nobody is told", cut)
				}
			}
		}
	}
	t.Run("own", func(t *testing.T) {
		var r []evtxwrite.Record
		for i := range 300 {
			r = append(r, sample(evtxwrite.Field{Name: "Text", Value: strings.Repeat("x", i)}))
		}
		check(t, written(t, r...))
	})
	eachMember(t, "evtx/decode/evtx-samples.zip", func(name string, data []byte) {
		switch path.Base(name) {
		case "sysmon.evtx", "post-Security.evtx", "2-vss_7-System.evtx":
			t.Run(path.Base(name), func(t *testing.T) { check(t, data) })
		}
	})
}

// tolerant decodes what may be anything: no panic, no error, honest counts.
func tolerant(t testing.TB, data []byte) {
	t.Helper()
	var n, carved int64
	st, err := new(shop).decode(context.Background(), bytes.NewReader(data), format.Source{Carve: true, SHA256: "x"}, func(e *event.Event) error {
		n++
		if e.Origin.Carved {
			carved++
		}
		if at := e.Origin.Offset; !isRecord(data[at:]) {
			t.Errorf("event at %d, where no record is", at)
		}
		if len(e.Fields) > format.MaxFields+2 || len(e.Raw) > 8<<20 {
			t.Errorf("event of %d fields and %d bytes", len(e.Fields), len(e.Raw))
		}
		return nil
	})
	if err != nil || st.Decoded != n || st.Carved != carved || len(st.Notes) > format.MaxNotes {
		t.Errorf("%d events, %d carved, stats %+v, error %v", n, carved, st, err)
	}
}

func TestBitFlips(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	flip := func(data []byte, rounds int) {
		buf := make([]byte, len(data))
		for range rounds {
			copy(buf, data)
			for range 1 + rnd.IntN(200) {
				i := rnd.IntN(len(buf)*8 - fileHeader*8)
				buf[fileHeader+i/8] ^= 1 << (i % 8)
			}
			tolerant(t, buf)
		}
	}
	a := newAsm()
	oddities(a)
	flip(a.file()[:fileHeader+len(a.b)], 2000)
	flip(written(t, sample(allTypes()...), sample(allTypes()...)), 300)
	eachMember(t, "evtx/decode/evtx-samples.zip", func(name string, data []byte) {
		if len(data) < 200<<10 {
			flip(data, 40)
		}
	})
}

// oddities writes a few records with the rarer tokens.
func oddities(a *asm) {
	a.event(func() { a.elem("EventData", nil) })
	a.record(func() {
		a.template(0x01020304, func() {
			a.elemDep("Event", 0xffff, func() {
				a.elemDep("Data", 0, func() { a.sub(0, true) })
				a.elemDep("List", 0xffff, func() { a.sub(1, false) })
				a.elemDep("PI", 0xffff, func() { a.u8(tokPITarget).name("t").u8(tokPIData).counted("d") })
				a.elemDep("Ref", 0xffff, func() { a.u8(tokCharRef).u16(65).u8(tokEntityRef).name("amp") })
			})
		}, []slotBytes{{Uint32, []byte{1, 2, 3, 4}}, {array | String, []byte{'a', 0, 0, 0, 'b', 0, 0, 0}}})
	})
}

// Offsets that lead to themselves, and templates that multiply.
func TestHostile(t *testing.T) {
	t.Run("name outside the chunk", func(t *testing.T) {
		for _, off := range []uint32{0xffffffff, 0x7fffffff, chunkSize - 1} {
			a := newAsm()
			a.record(func() { a.u8(tokOpen).u32(5).u32(off).u8(tokEmpty) })
			damaged(t, a.file(), "name")
		}
	})
	t.Run("template uses itself", func(t *testing.T) {
		a := newAsm()
		a.record(func() {
			at := uint32(len(a.b) + 10)
			a.template(7, func() {
				a.elemDep("Event", 0xffff, func() { a.u8(tokTemplate, 1).u32(7).u32(at).u32(0) })
			}, nil)
		})
		damaged(t, a.file(), "uses itself")
	})
	t.Run("deep elements", func(t *testing.T) {
		a := newAsm()
		var deep func(n int)
		deep = func(n int) {
			if n > 0 {
				a.elem("E", func() { deep(n - 1) })
			}
		}
		a.record(func() { deep(maxDepth + 1) })
		damaged(t, a.file(), "nested too deeply")
		a = newAsm()
		a.record(func() { deep(maxDepth - 1) })
		if _, st := decodeAll(t, a.file(), format.Source{}); st.Decoded != 1 {
			t.Errorf("%d levels: %q", maxDepth-1, st.Notes)
		}
	})
	// A template shows its value a thousand times; so does the one inside.
	t.Run("billion laughs", func(t *testing.T) {
		a := newAsm()
		a.record(func() {
			inner := newAsm()
			inner.b = nil
			define := func(a *asm, id uint32, value slotBytes) {
				a.template(id, func() {
					a.elemDep("Event", 0xffff, func() {
						for range 1000 {
							a.sub(0, false)
						}
					})
				}, []slotBytes{value})
			}
			// The inner instance refers to the outer's definition, which lies
			// where this record's template token ends.
			at := uint32(len(a.b) + 10)
			nested := func(v slotBytes) []byte {
				x := &asm{names: map[string]int{}}
				x.u8(tokTemplate, 1).u32(9).u32(at)
				return x.values([]slotBytes{v}).b
			}
			v := slotBytes{String, []byte{'h', 0, 'a', 0}}
			for range 20 {
				v = slotBytes{BinXML, nested(v)}
			}
			define(a, 9, v)
		})
		damaged(t, a.file(), errTooMuch.Error())
	})
	t.Run("too many fields", func(t *testing.T) {
		a := newAsm()
		a.event(func() {
			a.elem("EventData", func() {
				for i := range format.MaxFields + 1 {
					// Names of their own cost 24 bytes each.
					a.elem(string(rune(0x4e00+i)), nil)
				}
			})
		})
		if len(a.b) > chunkSize {
			t.Skipf("does not fit in a chunk: %d bytes", len(a.b))
		}
		damaged(t, a.file(), "more than 2048 fields")
	})
	t.Run("every record refers to one large template", func(t *testing.T) {
		a := newAsm()
		var at uint32
		a.record(func() {
			at = uint32(len(a.b) + 10)
			a.template(5, func() {
				a.elemDep("Event", 0xffff, func() {
					for range 3000 {
						a.elemDep("E", 0xffff, nil)
					}
				})
			}, nil)
		})
		n := int64(1)
		for ; len(a.b) < chunkSize-100; n++ {
			a.record(func() { a.u8(tokTemplate, 1).u32(5).u32(at).u32(0) })
		}
		_, st := decodeAll(t, a.file(), format.Source{})
		if st.Decoded+st.Damaged != n || st.Damaged == 0 {
			t.Errorf("%d records: %d decoded, %d damaged", n, st.Decoded, st.Damaged)
		}
	})
	// Three hundred definitions that overlap: each has the same long text. One
	// word is the beginning of a GUID, a size, and a substitution at once.
	t.Run("overlapping definitions", func(t *testing.T) {
		a := newAsm()
		const defs, pool, word = 300, 35600, 0x700d
		for n := range uint32(defs) {
			a.record(func() { a.u8(tokTemplate, 1).u32(word).u32(pool + 4*n).u32(0) })
		}
		live := len(a.b)
		a.u8(make([]byte, pool-live)...)
		for range defs + 6 {
			a.u32(word)
		}
		a.u8(tokText, byte(String)).u16(13500).u8(make([]byte, 27000)...).u8(tokEnd)
		b := append(a.b, make([]byte, chunkSize-len(a.b))...)
		le.PutUint32(b[48:], uint32(live))
		var c chunk
		var x builder
		c.open(b, 0, 0)
		spans, _, err := c.live(nil)
		if err != nil || len(spans) != defs {
			t.Fatal(len(spans), err)
		}
		refused := 0
		for _, s := range spans {
			if _, err := x.record(&c, s); err != nil && strings.Contains(err.Error(), "than its bytes can hold") {
				refused++
			}
		}
		if want := defs - maxParsedText/27000; refused < want {
			t.Errorf("%d templates refused, want %d", refused, want)
		}
	})
	t.Run("sizes", func(t *testing.T) {
		for _, size := range []uint32{0, 1, 27, 0xffffffff} {
			a := newAsm()
			a.event(func() {})
			second := len(a.b)
			a.event(func() {})
			data := a.file()
			le.PutUint32(data[fileHeader+second+4:], size)
			events, st := decodeAll(t, data, format.Source{})
			if len(events) != 1 || st.Damaged != 1 || !strings.Contains(strings.Join(st.Notes, "\n"), "impossible size") {
				t.Errorf("size %d: %d events, %d damaged: %q", size, len(events), st.Damaged, st.Notes)
			}
		}
	})
	t.Run("slot larger than the record", func(t *testing.T) {
		a := newAsm()
		a.record(func() {
			a.template(3, func() { a.elemDep("Event", 0xffff, func() { a.sub(0, false) }) }, nil)
			le.PutUint32(a.b[len(a.b)-4:], 1)
			a.u16(0xffff).u8(1, 0)
		})
		damaged(t, a.file(), "runs out of the record")
	})
}

// damaged holds a log of one record to being refused with a reason.
func damaged(t *testing.T, data []byte, reason string) {
	t.Helper()
	events, st := decodeAll(t, data, format.Source{})
	if len(events) != 0 || st.Damaged != 1 || !strings.Contains(strings.Join(st.Notes, "\n"), reason) {
		t.Errorf("%d events, %d damaged, notes %q; want the reason %q", len(events), st.Damaged, st.Notes, reason)
	}
}

// An error of the receiver stops the decoder and comes back; so does a
// cancelled context.
func TestStops(t *testing.T) {
	data := written(t, sample(), sample(), sample())
	full := errors.New("full")
	n := 0
	st, err := new(shop).decode(context.Background(), bytes.NewReader(data), format.Source{}, func(*event.Event) error { n++; return full })
	if !errors.Is(err, full) || n != 1 || st.Decoded != 1 {
		t.Errorf("error %v after %d events, stats %+v", err, n, st)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := new(shop).decode(ctx, bytes.NewReader(data), format.Source{}, func(*event.Event) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
}

// FuzzDecode takes its input for a whole log, and for the records of a chunk.
func FuzzDecode(f *testing.F) {
	a := newAsm()
	oddities(a)
	f.Add(a.b[chunkHeader:])
	for _, r := range []evtxwrite.Record{sample(), sample(allTypes()...), logCleared(), classic()} {
		b, err := evtxwrite.Bytes(r)
		if err != nil {
			f.Fatal(err)
		}
		free := le.Uint32(b[fileHeader+48:])
		f.Add(b[fileHeader+chunkHeader : fileHeader+free])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tolerant(t, data)
		if len(data) > chunkSize-chunkHeader {
			return
		}
		c := make([]byte, chunkHeader, chunkSize)
		copy(c, chunkMagic)
		le.PutUint32(c[48:], uint32(chunkHeader+len(data)/2)) // the rest is slack
		tolerant(t, append(logHeader(1), append(c, data...)...))
		le.PutUint32(c[48:], uint32(chunkHeader+len(data)))
		whole := append(c, data...)
		eachTree(append(logHeader(1), whole...), func(e *Element) bool {
			if !validJSON(JSON(e)) || !validJSON(JSONSeparate(e)) {
				t.Errorf("JSON %s", JSON(e))
			}
			if err := validXML(XML(e)); err != nil {
				t.Errorf("XML %s: %v", XML(e), err)
			}
			return true
		})
	})
}
