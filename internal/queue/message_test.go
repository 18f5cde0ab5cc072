// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

func codec(t testing.TB) (*zstd.Encoder, *zstd.Decoder) {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { enc.Close(); dec.Close() })
	return enc, dec
}

func TestPackRoundTrip(t *testing.T) {
	enc, dec := codec(t)
	record := rapid.Custom(func(t *rapid.T) Record {
		return Record{
			Seq: rapid.Uint64().Draw(t, "seq"), Offset: rapid.Int64().Draw(t, "offset"), Line: rapid.Int64().Draw(t, "line"),
			After: time.Duration(rapid.Int64Range(-1e9, 1e12).Draw(t, "after")) * time.Microsecond,
			Data:  rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "data"),
		}
	})
	msg := rapid.Custom(func(t *rapid.T) Message {
		s := rapid.StringMatching(`[a-z0-9./:護]{0,12}`)
		return Message{
			ID: s.Draw(t, "id"), Listener: s.Draw(t, "listener"), Source: s.Draw(t, "source"), Sender: s.Draw(t, "sender"),
			Realm: s.Draw(t, "realm"), Stream: s.Draw(t, "stream"), Delayed: rapid.Bool().Draw(t, "delayed"),
			Received: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 123456789).UTC(),
			Records:  rapid.SliceOfN(record, 0, 8).Draw(t, "records"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(msg, 1, 4).Draw(t, "messages")
		var raw []byte
		for i := range in {
			var err error
			if raw, err = appendMessage(raw, &in[i]); err != nil {
				t.Fatal(err)
			}
		}
		out, err := unpack(dec, enc.EncodeAll(raw, []byte{packVersion}))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(in, out, cmp.Comparer(func(a, b []byte) bool { return string(a) == string(b) })); d != "" {
			t.Fatal(d)
		}
	})
}

// Whatever lies on the disk: an error or messages, never a panic.
func FuzzUnpack(f *testing.F) {
	enc, dec := codec(f)
	m := message("id", 3, 20)
	raw, err := appendMessage(nil, &m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(enc.EncodeAll(raw, []byte{packVersion}), false)
	f.Add(raw, true)
	f.Add(raw[:len(raw)-7], true)
	f.Add([]byte{packVersion}, false)
	f.Fuzz(func(t *testing.T, b []byte, inner bool) {
		if inner { // past the compression, which would stop nearly everything
			b = enc.EncodeAll(b, []byte{packVersion})
		}
		ms, err := unpack(dec, b)
		if err != nil && ms != nil {
			t.Errorf("error %v and %d messages", err, len(ms))
		}
	})
}
