// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"citywall/exercise"
	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/score"
	"citywall/score/grid"
)

// Bars of attackpath.md §1 for a million logon events.
const (
	maxWall = 10 * time.Second
	maxPeak = 1 << 30
)

// runBenchLogons writes logon events to a file and does with it what
// investigate does. Writing streams and leaves no memory behind that counts; it
// is over before the clock starts.
func runBenchLogons(ctx context.Context, io streams, o benchPathOptions) error {
	path := o.keep
	if path == "" {
		dir, err := os.MkdirTemp("", "citywall-logons-*")
		if err != nil {
			return fmt.Errorf("make a temporary folder: %w", err)
		}
		defer os.RemoveAll(dir)
		path = filepath.Join(dir, "logons.jsonl")
	}
	truth, size, err := writeLogons(path, o.logons, o.first)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.err, "%d simulated logon events, %d MiB, written\n", o.logons, size>>20)
	before, begun := cpuTime(), time.Now()
	res, err := investigate(ctx, io, []string{path}, investigateOptions{}, nil)
	if err != nil {
		return err
	}
	wall, cpu, peak := time.Since(begun), cpuTime()-before, peakMemory()
	r := score.Compare(truth, res.Incidents)
	memory := "peak memory is not known here"
	if peak > 0 {
		memory = fmt.Sprintf("at most %d MiB of memory", peak>>20)
	}
	fmt.Fprintf(io.out, "%s\n%d events, %d MiB on disk: %.2f s wall, %.2f s of processors, %s\n", r.Text(text.En), o.logons, size>>20, wall.Seconds(), cpu.Seconds(), memory)
	switch {
	case !r.Pass:
		return verdict{fault.ExitNegative, "the path found is not the true one"}
	case o.logons >= 1_000_000 && (wall > maxWall || peak > maxPeak):
		return verdict{fault.ExitNegative, fmt.Sprintf("a bar is missed: %s and %d MiB are allowed for a million", maxWall, maxPeak>>20)}
	}
	return nil
}

func writeLogons(path string, n int, seed uint64) (exercise.Truth, int64, error) {
	f, err := os.Create(path)
	if err != nil {
		return exercise.Truth{}, 0, fmt.Errorf("write the events: %w", err)
	}
	truth, err := grid.Logons(f, n, seed)
	size, err2 := f.Seek(0, 1)
	err3 := f.Close()
	for _, e := range []error{err, err2, err3} {
		if e != nil {
			return truth, 0, fmt.Errorf("write the events: %w", e)
		}
	}
	return truth, size, nil
}
