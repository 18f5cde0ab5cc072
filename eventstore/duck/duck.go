// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package duck keeps events in DuckDB, inside the process.
//
//	hot.duckdb                  what still grows: a hot table per UTC day, and the lists below
//	mark                        how far the last commit went, see mark.go
//	day=2026-10-20/p0.parquet   a sealed day: zstd Parquet that never changes again
//	day=other/p0.parquet        events of scattered days, sealed together
//	aside/                      what was found and belongs nowhere; nothing here is ever deleted
//	restore/                    put there by citywall backup restore, taken in at the next opening
//	tmp/                        DuckDB's spill and files that are being made
//
// Append writes through the one writer connection in one transaction: it is on
// disk when it returns, and it is there once, in hot tables and sealed files
// alike. Reads run beside it on their own connections, each on one consistent
// state, with the scope and the bounds of the query in the SQL. The database
// may touch nothing outside its folder.
//
// The table sealed decides which files are shown (seal.go). A store whose files
// were damaged from outside opens all the same with what is whole, keeps the
// damaged ones aside, and says what was lost (Mishaps); an answer that lacks
// sealed events says that it is incomplete.
//
// It needs cgo. Without it, or with the tag noduckdb, Open says so.
//
// One process holds the folder; a second one must ask the first over the API.
// It never decodes, never judges, and never forgets an event by itself: LetGo
// is its caller's decision.
package duck

import (
	"runtime"
	"time"

	"citywall/internal/fault"
)

// Options say where and how large.
type Options struct {
	Dir         string           // folder of the store; made when absent
	MemoryLimit string           // of DuckDB, about; "" means "2GB"
	Threads     int              // of DuckDB; 0 means one per processor
	Readers     int              // queries at a time, further ones wait; 0 means 4
	MaxDays     int              // days with a hot table of their own, events of more days share one; 0 means 60
	SealRows    int64            // events in one sealed file at most, about; 0 means 5,000,000
	Remember    time.Duration    // how long a MsgID is remembered; 0 means 30 days
	Room        func() error     // asked before a batch is written; its error is the answer. nil: there is always room
	Now         func() time.Time // nil means time.Now
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, fault.New(fault.Invalid, "event store: no folder given")
	}
	if o.MemoryLimit == "" {
		o.MemoryLimit = "2GB"
	}
	if o.Threads <= 0 {
		o.Threads = runtime.NumCPU()
	}
	if o.Readers <= 0 {
		o.Readers = 4
	}
	if o.MaxDays <= 0 {
		o.MaxDays = 60
	}
	if o.SealRows <= 0 {
		o.SealRows = 5_000_000
	}
	if o.Remember <= 0 {
		o.Remember = 30 * 24 * time.Hour
	}
	if o.Room == nil {
		o.Room = func() error { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}
