// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/ingest/file"
	"citywall/internal/durable"
	"citywall/internal/queue"
)

const (
	maxSources = 50_000 // further ones are counted together, under moreSources
	checkEvery = 10 * time.Second
	saveEvery  = time.Minute
)

const moreSources = "(more)"

// sources measures every source. Many goroutines use it.
type sources struct {
	cfg    Config
	file   string
	now    func() time.Time
	notice func(Notice)
	log    *slog.Logger

	mu    sync.Mutex
	all   map[sourceKey]*meter
	state map[sourceKey]SourceState // as last announced
}

type sourceKey struct {
	realm asset.Realm
	name  string
}

// savedSource is what outlives the process.
type savedSource struct {
	Source  Source          `json:"source"`
	Arrival time.Time       `json:"arrival"`
	Waits   []time.Duration `json:"waits"`
	Lags    []time.Duration `json:"lags"`
	Units   []time.Duration `json:"units"`
}

func newSources(cfg Config, file string, now func() time.Time, notice func(Notice), log *slog.Logger) (*sources, error) {
	s := &sources{cfg: cfg, file: file, now: now, notice: notice, log: log, all: map[sourceKey]*meter{}, state: map[sourceKey]SourceState{}}
	if file == "" {
		return s, nil
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of sources: %w", err)
	}
	var saved []savedSource
	if err := json.Unmarshal(b, &saved); err != nil {
		return nil, fmt.Errorf("read the state of sources %s: %w", file, err)
	}
	for _, x := range saved {
		src := x.Source
		src.Records, src.Skipped, src.Damaged, src.Formats, src.Notes, src.Rates = 0, 0, 0, nil, nil, nil
		k := sourceKey{src.Realm, src.Name}
		s.all[k] = &meter{s: src, arrival: x.Arrival, waits: x.Waits, lags: x.Lags, units: x.Units}
		s.state[k] = src.State
	}
	return s, nil
}

// with calls f with the meter of a message's source.
func (s *sources) with(m *queue.Message, f func(*meter)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := sourceKey{asset.Realm(m.Realm), m.Source}
	x, ok := s.all[k]
	if !ok {
		if len(s.all) >= maxSources {
			k.name = moreSources
		}
		if x, ok = s.all[k]; !ok {
			x = &meter{s: Source{Name: k.name, Realm: k.realm, Agency: m.Agency, Transport: m.Listener}}
			s.all[k] = x
		}
	}
	f(x)
}

func (s *sources) saw(m *queue.Message, e *event.Event) {
	s.with(m, func(x *meter) { x.saw(e, m.Listener, m.Delayed) })
}

func (s *sources) skipped(m *queue.Message, n int64) {
	if n > 0 {
		s.with(m, func(x *meter) { x.s.Skipped += n })
	}
}

// read counts what a whole file had besides its events.
func (s *sources) read(m *queue.Message, st file.Stat) {
	s.with(m, func(x *meter) { x.s.Skipped += st.Skipped; x.s.Damaged += st.Damaged })
}

func (s *sources) note(m *queue.Message, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.with(m, func(x *meter) {
		if n := len(x.s.Notes); n == 0 || x.s.Notes[n-1] != text {
			x.s.Notes = last(append(x.s.Notes, text), maxNotes)
		}
	})
}

func (s *sources) list() []Source {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Source, 0, len(s.all))
	for _, x := range s.all {
		out = append(out, x.read(now, s.cfg.LateAfter))
	}
	slices.SortFunc(out, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Realm, b.Realm))
	})
	return out
}

// run looks for sources that fell silent until ctx ends.
func (s *sources) run(ctx context.Context) {
	saved := s.now()
	for sleep(ctx, checkEvery) {
		s.check()
		if now := s.now(); now.Sub(saved) >= saveEvery {
			saved = now
			if err := s.save(); err != nil {
				s.log.Error("pipeline: sources", "err", err)
			}
		}
	}
}

// check announces every source whose state is another than last time.
func (s *sources) check() {
	for _, x := range s.list() {
		k := sourceKey{x.Realm, x.Name}
		s.mu.Lock()
		before, known := s.state[k]
		s.state[k] = x.State
		s.mu.Unlock()
		if known && before != x.State || !known && x.State != SourceOK {
			s.notice(Notice{Kind: NoticeSource, Time: s.now(), Source: &x})
		}
	}
}

// save writes what outlives the process.
func (s *sources) save() error {
	if s.file == "" {
		return nil
	}
	now := s.now()
	s.mu.Lock()
	out := make([]savedSource, 0, len(s.all))
	for _, x := range s.all {
		src := x.read(now, s.cfg.LateAfter)
		src.Rates = nil
		out = append(out, savedSource{src, x.arrival, x.waits, x.lags, x.units})
	}
	s.mu.Unlock()
	slices.SortFunc(out, func(a, b savedSource) int { return cmp.Compare(a.Source.Name, b.Source.Name) })
	b, err := json.Marshal(out)
	if err == nil {
		err = durable.Replace(s.file, 0o600, b)
	}
	if err != nil {
		return fmt.Errorf("save the state of sources: %w", err)
	}
	return nil
}
