// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo && !noduckdb && linux

package duck

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"citywall/eventstore"
	"citywall/eventstore/storetest"
	"citywall/internal/fault"
)

// TestDiskFull fills a real small file system under a store: what was
// acknowledged is there, the refusal has a kind, and when there is room again
// the same store goes on by itself.
func TestDiskFull(t *testing.T) {
	const env = "CITYWALL_DUCK_FULL"
	if dir := os.Getenv(env); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
			t.Fatal(err)
		}
		diskFull(t, dir)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("need root: a small file system cannot be mounted")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiskFull$", "-test.v")
	cmd.Env = append(os.Environ(), env+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil && strings.Contains(err.Error(), "operation not permitted") {
		t.Skip("need a mount namespace of its own: not permitted here")
	}
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

func diskFull(t *testing.T, dir string) {
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 12<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openWith(t, Options{Dir: filepath.Join(dir, "events")})
	tr := storetest.NewTraffic(1, noon.Truncate(24*time.Hour), time.Second)
	acked, refused := int64(0), 0
	var pending []eventstore.Batch
	for i := 0; refused < 5; i++ {
		b := tr.Batch(fmt.Sprint(i), 500)
		switch err := s.Append(t.Context(), b); {
		case err == nil:
			acked += 500
		case fault.Is(err, fault.Unavailable):
			refused++
			pending = append(pending, b)
			t.Logf("batch %d: %.200v", i, err)
		default:
			t.Fatalf("batch %d: %v has no kind", i, err)
		}
		if i > 500 {
			t.Fatal("the disk does not fill")
		}
	}
	if _, err := s.Seal(t.Context(), farFuture); err == nil {
		t.Log("sealing found room")
	} else {
		t.Logf("sealing: %.200v", err)
	}
	if n, err := s.Count(t.Context(), city, week); err == nil && n != acked {
		t.Errorf("%d events, %d were acknowledged", n, acked)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for _, b := range pending {
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		acked += 500
	}
	if n := count(t, s, nil); n != acked {
		t.Errorf("with room again: %d events, %d were acknowledged", n, acked)
	}
	if _, err := s.Seal(t.Context(), farFuture); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if n := count(t, s, nil); n != acked {
		t.Errorf("sealed: %d events, %d were acknowledged", n, acked)
	}
	noMishap(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openWith(t, Options{Dir: filepath.Join(dir, "events")})
	if n := count(t, s, nil); n != acked {
		t.Errorf("opened again: %d events, %d were acknowledged", n, acked)
	}
	noMishap(t, s)
}
