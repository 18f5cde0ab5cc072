// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package detectdb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"citywall/detect"
	"citywall/internal/db"
	"citywall/internal/fault"
)

type stateRow struct {
	bun.BaseModel `bun:"table:detect_state,alias:s"`

	Name       string `bun:"name,pk"`
	Seq        int64  `bun:"seq"`
	ReceivedUS int64  `bun:"received_us"`
	Doc        string `bun:"doc"`
}

// maxState bounds one state, in bytes. The tables of detectors are bounded far
// below it.
const maxState = 256 << 20

// SaveState keeps what the detectors of that name remember, in place of what
// was kept before.
func (s *Store) SaveState(ctx context.Context, name string, st detect.State) error {
	if name == "" || len(st.Doc) > maxState {
		return fault.New(fault.Invalid, "save state %q: %d bytes; a name and at most %d bytes are wanted", name, len(st.Doc), maxState)
	}
	row := stateRow{Name: name, Seq: int64(st.Seq), ReceivedUS: st.Received.UnixMicro(), Doc: string(st.Doc)}
	err := s.d.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&row).On("CONFLICT (name) DO UPDATE").
			Set("seq = EXCLUDED.seq").Set("received_us = EXCLUDED.received_us").Set("doc = EXCLUDED.doc").Exec(ctx)
		return err
	})
	if err != nil {
		return db.Err("save state of detectors", err)
	}
	return nil
}

// LoadState returns what SaveState kept last; a State without a document when
// nothing was.
func (s *Store) LoadState(ctx context.Context, name string) (detect.State, error) {
	var row stateRow
	err := s.d.NewSelect().Model(&row).Where("name = ?", name).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return detect.State{}, nil
	}
	if err != nil {
		return detect.State{}, db.Err("load state of detectors", err)
	}
	return detect.State{Seq: uint64(row.Seq), Received: time.UnixMicro(row.ReceivedUS).UTC(), Doc: []byte(row.Doc)}, nil
}
