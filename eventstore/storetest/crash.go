// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"citywall/asset"
	"citywall/event"
	"citywall/eventstore"
)

const (
	crashDir   = "CITYWALL_STORETEST_CRASH_DIR"
	crashFirst = "CITYWALL_STORETEST_CRASH_FIRST"
	crashSize  = 300 // events a batch
	crashStep  = 200 // batch n begins at event n*crashStep, so neighbours overlap
	crashStop  = 400 // batches; a child that is not killed ends here
	crashKills = 6
)

// Crash kills a process that appends, again and again at a random moment, and
// looks whether what it acknowledged is there, once. It runs the test binary
// again as the child: call it alone in a Test function.
func Crash(t *testing.T, open Open) {
	if dir := os.Getenv(crashDir); dir != "" {
		appendUntilKilled(t, open, dir)
		return
	}
	dir := t.TempDir()
	acked := -1
	for range crashKills {
		acked = max(acked, killed(t, dir, acked))
		s := open(t, dir)
		verify(t, s, acked)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if acked < 0 {
		t.Error("nothing was acknowledged before any kill: the test shows nothing")
	}
	t.Logf("%d kills, %d batches acknowledged", crashKills, acked+1)
}

func crashBatch(n int) eventstore.Batch {
	b := eventstore.Batch{MsgID: fmt.Sprint("m", n)}
	for i := n * crashStep; i < n*crashStep+crashSize; i++ {
		b.Events = append(b.Events, &event.Event{
			ID: event.NewID("crash", "", uint64(i)), Realm: asset.City, Time: begin.Add(time.Duration(i) * 3 * time.Second),
			Fields: event.Fields{{Name: "i", Value: event.T(strconv.Itoa(i))}}, Raw: []byte(strings.Repeat("x", i%500)),
		})
	}
	return b
}

// appendUntilKilled is the child. It says "ack N" after each batch.
func appendUntilKilled(t *testing.T, open Open, dir string) {
	first, err := strconv.Atoi(os.Getenv(crashFirst))
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	for n := first; n < crashStop; n++ {
		mustAppend(t, s, crashBatch(n))
		fmt.Println("ack", n)
	}
	s.Close()
}

// killed runs the child from one batch before the first that was not
// acknowledged, kills it, and returns the last that was.
func killed(t *testing.T, dir string, acked int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprint(crashFirst, "=", max(0, acked)))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// After a random number of acknowledgements, at a random moment of the
	// work that follows. The pipe is read to its end: what was said counts.
	after := 1 + rand.IntN(12)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, ok := strings.CutPrefix(lines.Text(), "ack ")
		if !ok {
			continue
		}
		if acked, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
		if after--; after == 0 {
			timer := time.AfterFunc(time.Duration(rand.IntN(40_000))*time.Microsecond, func() { cmd.Process.Kill() })
			defer timer.Stop()
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if cmd.ProcessState.Success() {
		t.Fatal("the child ended before it was killed; make crashStop larger")
	}
	if ws := err.Error(); !strings.Contains(ws, "killed") {
		t.Fatalf("the child failed by itself: %v", err)
	}
	return acked
}

// verify: acknowledged ⊆ stored ⊆ sent, each event once, and whole.
func verify(t *testing.T, s eventstore.Store, acked int) {
	t.Helper()
	seen := map[event.ID]bool{}
	last := -1
	for _, e := range each(t, s, city, ever) {
		i, err := strconv.Atoi(e.Fields.Str("i"))
		if err != nil || e.ID != event.NewID("crash", "", uint64(i)) || len(e.Raw) != i%500 {
			t.Fatalf("a damaged event: %v", e)
		}
		if seen[e.ID] {
			t.Fatalf("event %d is stored twice", i)
		}
		seen[e.ID] = true
		last = max(last, i)
	}
	stored := len(seen)
	if acked >= 0 && stored < acked*crashStep+crashSize {
		t.Fatalf("%d batches were acknowledged, but only %d events are stored", acked+1, stored)
	}
	// Batches are whole: the events are 0 to last, and last ends a batch.
	if stored != last+1 || stored > 0 && (stored-crashSize)%crashStep != 0 {
		t.Fatalf("%d events are stored, the last is %d: a batch is in pieces", stored, last)
	}
	if stored > (acked+2)*crashStep+crashSize {
		t.Fatalf("%d events are stored, more than were sent", stored)
	}
}
