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
	"maps"
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
	saveEvery  = 5 * time.Minute
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

	limits  map[string]time.Duration // of silence, by name, as registered
	pending []record                 // about sources, not yet published
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
	Tally   tally           `json:"tally"`
	On      []Condition     `json:"on,omitempty"` // conditions that were announced and have not ended
	Formats []string        `json:"formats,omitempty"`
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
		src.Records, src.Skipped, src.Damaged, src.Formats, src.Products, src.Notes, src.Rates = 0, 0, 0, nil, nil, nil, nil
		k := sourceKey{src.Realm, src.Name}
		s.all[k] = &meter{s: src, arrival: x.Arrival, waits: x.Waits, lags: x.Lags, units: x.Units, tally: x.Tally, said: newSaid(x.On, x.Formats)}
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
			x = &meter{s: Source{Name: k.name, Realm: k.realm, Agency: m.Agency, Transport: m.Listener}, said: newSaid(nil, nil), limit: s.limits[k.name]}
			s.all[k] = x
		}
	}
	f(x)
}

// expect sets after how long a silence counts, by name; sources not named go by
// what is usual for them.
func (s *sources) expect(limits map[string]time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = limits
	for k, x := range s.all {
		x.limit = limits[k.name]
	}
}

func (s *sources) saw(m *queue.Message, e *event.Event) {
	if m.Listener == ownName {
		return // Citywall's records about sources say nothing about a source of theirs
	}
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

// run looks at the sources until ctx ends.
func (s *sources) run(ctx context.Context, announce func(context.Context, []record) error) {
	saved := s.now()
	for sleep(ctx, checkEvery) {
		s.check(ctx, announce)
		if now := s.now(); now.Sub(saved) >= saveEvery {
			saved = now
			if err := s.save(); err != nil {
				s.log.Error("pipeline: sources", "err", err)
			}
		}
	}
}

// maxPending bounds what waits while the queue takes nothing: then there is
// worse to say than this, and Health says it.
const maxPending = 10_000

// check announces every source whose state is another than last time, and
// publishes what is wrong with any.
func (s *sources) check(ctx context.Context, announce func(context.Context, []record) error) {
	now := s.now()
	s.mu.Lock()
	var notices []Notice
	for k, m := range s.all {
		x := m.read(now, s.cfg.LateAfter)
		before, known := s.state[k]
		s.state[k] = x.State
		if known && before != x.State || !known && x.State != SourceOK {
			notices = append(notices, Notice{Kind: NoticeSource, Time: now, Source: &x})
		}
		s.pending = append(s.pending, s.watch(x, m, now)...)
	}
	slices.SortFunc(s.pending, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Condition, b.Condition))
	})
	out := last(s.pending, maxPending)
	s.pending = nil
	s.mu.Unlock()
	slices.SortFunc(notices, func(a, b Notice) int { return cmp.Compare(a.Source.Name, b.Source.Name) })
	for _, n := range notices {
		s.notice(n)
	}
	if len(out) == 0 {
		return
	}
	if err := announce(ctx, out); err != nil {
		s.log.Warn("pipeline: records about sources wait", "n", len(out), "err", err)
		s.mu.Lock()
		s.pending = append(out, s.pending...)
		s.mu.Unlock()
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
		sv := savedSource{Source: src, Arrival: x.arrival, Waits: x.waits, Lags: x.lags, Units: x.units, Tally: x.tally, Formats: slices.Sorted(maps.Keys(x.said.formats))}
		for c, on := range x.said.on {
			if on {
				sv.On = append(sv.On, c)
			}
		}
		slices.Sort(sv.On)
		out = append(out, sv)
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
