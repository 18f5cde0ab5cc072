// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A copy that is taken while acts go on verifies, and can be opened and
// written on.
func TestCopy(t *testing.T) {
	l := begin(t, t.TempDir())
	done := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := l.Do(context.WithoutCancel(t.Context()), Act{Actor: "chen", Action: "test", Object: fmt.Sprint(i)}, func(context.Context) error { return nil }); err != nil {
				done <- err
				return
			}
		}
	}()
	for i := range 5 {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		err := l.Copy(func(name string, r io.Reader) error {
			b, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, name), b, 0o600)
		})
		if err != nil {
			t.Fatal(err)
		}
		n := whole(t, dir).Entries
		c := begin(t, dir)
		if err := c.Do(t.Context(), Act{Actor: "lin", Action: "test"}, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if r := whole(t, dir); r.Entries <= n {
			t.Errorf("%d entries after writing on, %d before", r.Entries, n)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Copy(func(string, io.Reader) error { return nil }); err == nil {
		t.Error("a closed log was copied")
	}
}
