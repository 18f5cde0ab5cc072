// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citywall/ingest/format"
	"citywall/internal/fault"
)

func TestFollow(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	w.write("a.log", line(1)+"\n"+line(2)+"\r\n\n"+line(3)[:50])
	w.look()
	w.want(line(1), line(2))
	w.write("a.log", line(3)[50:]+"\n")
	w.look()
	w.want(line(1), line(2), line(3))
	m := w.ms[len(w.ms)-1]
	if m.Source != "web-1" || m.Listener != "watch" || m.File != w.path("a.log") || !strings.HasPrefix(m.Stream, "file:") || m.Realm != "city" || m.Delayed {
		t.Errorf("message %+v", m)
	}
	r := m.Records[0]
	if want := int64(len(line(1)) + 1 + len(line(2)) + 3); r.Offset != want || r.Seq != uint64(want) || r.Line != 4 {
		t.Errorf("record at %d, seq %d, line %d; want %d, line 4", r.Offset, r.Seq, r.Line, want)
	}
	if !w.ms[0].Delayed {
		t.Error("what was there before we looked is not near real time")
	}
	w.write("a.log", "<13>no end")
	w.look()
	w.want(line(1), line(2), line(3))
	w.later(w.cfg.Stable)
	w.want(line(1), line(2), line(3), "<13>no end")
	if st := w.w.Stats(); st.Files != 1 || st.Records != 4 || st.Behind != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestRotation(t *testing.T) {
	for name, rotate := range map[string]func(*world){
		"renamed within the folder": func(w *world) {
			w.ok(os.Rename(w.path("a.log"), w.path("a.log.1")))
		},
		"renamed out of the folder": func(w *world) {
			w.ok(os.Rename(w.path("a.log"), filepath.Join(filepath.Dir(w.dir), "a.log.1")))
		},
		"renamed to a name that is not wanted": func(w *world) {
			w.ok(os.Rename(w.path("a.log"), w.path("a.log.tmp")))
		},
		"copied and truncated": func(w *world) {
			b, err := os.ReadFile(w.path("a.log"))
			w.ok(err)
			w.ok(os.WriteFile(w.path("a-2026.log"), b, 0o600))
			w.ok(os.Truncate(w.path("a.log"), 0))
		},
		"renamed and compressed": func(w *world) {
			b, err := os.ReadFile(w.path("a.log"))
			w.ok(err)
			w.ok(os.WriteFile(w.path("a.log.1.gz"), pack(b), 0o600))
			w.ok(os.Remove(w.path("a.log")))
		},
	} {
		for _, restart := range []string{"running", "stopped", "killed"} {
			if name == "renamed out of the folder" && restart != "running" {
				continue // where it went only the open file knows
			}
			t.Run(name+", "+restart, func(t *testing.T) {
				w := newWorld(t, t.TempDir(), nil)
				w.write("a.log", line(1)+"\n"+line(2)+"\n")
				w.look()
				w.write("a.log", line(3)+"\n") // not read before the rotation
				switch restart {
				case "stopped":
					w.ok(w.w.save())
					w.w.closeAll()
				case "killed":
					w.w.closeAll()
				}
				rotate(w)
				w.write("a.log", line(4)+"\n")
				if restart != "running" {
					w.start()
				}
				w.look()
				w.later(w.cfg.Stable)
				w.later(time.Hour)
				if len(w.order) != 4 {
					t.Errorf("%d lines stored, want 4: %.100q", len(w.order), w.order)
				}
				w.write("a.log", line(5)+"\n")
				w.look()
				if n := len(w.order); w.order[n-1] != line(5) || n != 5 {
					t.Errorf("after the rotation: %d lines", n)
				}
			})
		}
	}
}

func TestWriterThatKeepsTheRenamedFile(t *testing.T) {
	w := newWorld(t, t.TempDir(), func(c *Config) { c.Include = []string{"*.log"} })
	w.write("a.log", line(1)+"\n")
	w.look()
	w.ok(os.Rename(w.path("a.log"), w.path("a.log.1")))
	w.write("a.log", line(2)+"\n")
	w.later(time.Minute)
	w.write("a.log.1", line(3)+"\n") // its writer was not told yet
	w.later(time.Minute)
	w.want(line(1), line(2), line(3))
	w.later(2 * readRotated)
	if st := w.w.Stats(); st.Files != 1 {
		t.Errorf("%d files known, want the new one only", st.Files)
	}
}

func pack(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func TestReplacedFileIsNew(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	w.write("a.log", line(1)+"\n"+line(2)+"\n")
	w.look()
	// In place, and longer than before: only the content tells.
	w.ok(os.WriteFile(w.path("a.log"), []byte(line(3)+"\n"+line(4)+"\n"+line(5)+"\n"), 0o600))
	w.later(time.Second)
	w.want(line(1), line(2), line(3), line(4), line(5))
}

// Two files that begin alike and go on differently: nothing of either is lost.
func TestFilesThatBeginAlike(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	w.write("a.log", line(1)+"\n"+line(2)+"\n")
	w.look()
	w.write("b.log", line(1)+"\n"+line(2)+"\n")
	w.look()
	w.write("a.log", line(3)+"\n")
	w.write("b.log", line(4)+"\n")
	w.look()
	w.want(line(1), line(2), line(3), line(4))
}

func TestFullQueue(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	w.full = true
	w.write("a.log", line(1)+"\n")
	w.write("b.evtx", "ElfFile\x00 rest")
	w.look()
	w.later(w.cfg.Stable)
	if w.want(); len(w.blobs) != 0 {
		t.Errorf("blobs %v", w.blobs)
	}
	w.kill()
	w.full = false
	w.look()
	w.want(line(1))
	w.later(w.cfg.Stable)
	w.later(w.cfg.Stable)
	if len(w.blobs) != 1 || w.w.Stats().Whole != 1 {
		t.Errorf("blobs %v, stats %+v", w.blobs, w.w.Stats())
	}
}

// A kill between the acknowledgement and the saved offset: the lines are read
// again and have the ids they had.
func TestKilledBeforeTheOffsetIsSaved(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	w.write("a.log", line(1)+"\n")
	w.look()
	w.write("a.log", line(2)+"\n")
	w.look()
	before := len(w.ms)
	w.kill()
	w.look()
	if len(w.ms) == before {
		t.Fatal("nothing was read again: the test does not test it")
	}
	w.want(line(1), line(2))
}

func TestWholeFiles(t *testing.T) {
	w := newWorld(t, t.TempDir(), func(c *Config) { c.MaxWhole = 1 << 20 })
	w.write("a.evtx", "ElfFile\x00 one")
	w.write("photo.jpg", "\xff\xd8\xff\x00\x00")
	w.write("c.zip", "PK\x03\x04"+strings.Repeat("\x00", 2<<20))
	w.look()
	w.later(w.cfg.Stable / 2)
	w.write("a.evtx", " and more") // still being copied
	w.later(w.cfg.Stable / 2)
	if len(w.blobs) != 0 {
		t.Fatalf("read while it grew: %q", w.blobs)
	}
	w.later(w.cfg.Stable)
	w.later(w.cfg.Stable)
	if len(w.blobs) != 1 || w.blobs["blob0"] != "ElfFile\x00 one and more" {
		t.Fatalf("blobs %q", w.blobs)
	}
	m := w.ms[0]
	if m.Blob == nil || m.Blob.Size != 21 || m.File != w.path("a.evtx") || !m.Delayed || len(m.Records) != 0 {
		t.Errorf("message %+v", m)
	}
	if notes := strings.Join(w.w.Stats().Notes, "\n"); !strings.Contains(notes, "photo.jpg: not a log") || !strings.Contains(notes, "c.zip") || !strings.Contains(notes, "max_whole") {
		t.Errorf("notes %q", notes)
	}
	w.stop()
	w.look()
	w.later(w.cfg.Stable)
	w.later(w.cfg.Stable)
	if len(w.blobs) != 1 {
		t.Errorf("read again after a restart: %q", w.blobs)
	}
	// The same name, another log.
	w.ok(os.WriteFile(w.path("a.evtx"), []byte("ElfFile\x00 another one, longer"), 0o600))
	w.look()
	w.later(w.cfg.Stable)
	if len(w.blobs) != 2 {
		t.Errorf("blobs %q", w.blobs)
	}
}

func TestModeWholeTakesText(t *testing.T) {
	w := newWorld(t, t.TempDir(), func(c *Config) { c.Mode = Whole })
	w.write("a.log", line(1)+"\n")
	w.look()
	w.later(w.cfg.Stable)
	if w.want(); len(w.blobs) != 1 {
		t.Errorf("blobs %q", w.blobs)
	}
}

const zeekHead = "#separator \\x09\n#set_separator\t,\n#path\tconn\n#fields\tts\tuid\tid.orig_h\n#types\ttime\tstring\taddr\n"

// Lines that mean nothing alone travel with their header, after a restart too.
func TestHeaders(t *testing.T) {
	t.Run("zeek", func(t *testing.T) {
		w := newWorld(t, t.TempDir(), nil)
		w.write("conn.log", zeekHead+"1.0\tCa\t10.0.0.1\n")
		w.look()
		w.write("conn.log", "2.0\tCb\t10.0.0.2\n")
		w.stop()
		w.look()
		other := strings.ReplaceAll(zeekHead, "conn", "http")
		w.write("conn.log", "#close\t2026\n"+other+"3.0\tCc\t10.0.0.3\n")
		w.look()
		w.want("1.0\tCa\t10.0.0.1", "2.0\tCb\t10.0.0.2", "3.0\tCc\t10.0.0.3")
		for i, want := range []string{zeekHead, zeekHead, other} {
			if m := w.ms[i]; string(m.Head) != want || m.Format != "zeek" {
				t.Errorf("message %d: format %q, head %q", i, m.Format, m.Head)
			}
		}
	})
	t.Run("iis", func(t *testing.T) {
		const head = "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time c-ip cs-method sc-status\n"
		w := newWorld(t, t.TempDir(), nil)
		w.write("u_ex260313.log", head+"2026-03-13 10:50:00 10.0.0.1 GET 200\n")
		w.look()
		other := strings.ReplaceAll(head, "c-ip", "s-ip")
		w.write("u_ex260313.log", "2026-03-13 10:50:01 10.0.0.1 GET 404\n"+other+"2026-03-13 10:50:02 10.0.0.9 GET 200\n")
		w.look()
		w.want("2026-03-13 10:50:00 10.0.0.1 GET 200", "2026-03-13 10:50:01 10.0.0.1 GET 404", "2026-03-13 10:50:02 10.0.0.9 GET 200")
		for i, want := range []string{head, head, other} {
			if m := w.ms[i]; string(m.Head) != want || m.Format != "iis" {
				t.Errorf("message %d: format %q, head %q", i, m.Format, m.Head)
			}
		}
	})
	t.Run("csv", func(t *testing.T) {
		w := newWorld(t, t.TempDir(), nil)
		w.write("alerts.csv", "time,name,ip,host,short\n1,a,10.0.0.1,h,s\n")
		w.look()
		w.write("alerts.csv", "2,b,10.0.0.1,h,s\n")
		w.stop()
		w.look()
		w.want("1,a,10.0.0.1,h,s", "2,b,10.0.0.1,h,s")
		for _, m := range w.ms {
			if string(m.Head) != "time,name,ip,host,short\n" || m.Format != "csv" {
				t.Errorf("format %q, head %q", m.Format, m.Head)
			}
		}
	})
	t.Run("csv with a mapping", func(t *testing.T) {
		w := newWorld(t, t.TempDir(), func(c *Config) { c.CSV = &format.CSVMapping{Time: "when"} })
		w.write("x.csv", "when;what\n1;a\n")
		w.look()
		if m := w.ms[0]; m.Format != "csv" || !strings.Contains(string(m.CSV), `"time":"when"`) || string(m.Head) != "when;what\n" {
			t.Errorf("message %+v", m)
		}
	})
	t.Run("none", func(t *testing.T) {
		w := newWorld(t, t.TempDir(), nil)
		w.write("eve.json", "{\"timestamp\":\"2026-10-20T00:00:00Z\",\"event_type\":\"flow\"}\n")
		w.look()
		if m := w.ms[0]; m.Format != "" || m.Head != nil {
			t.Errorf("message %+v", m)
		}
	})
}

func TestLongLine(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	long := strings.Repeat("y", format.MaxRecord+500)
	w.write("a.log", long+"\n"+line(1)+"\n")
	w.look()
	w.want(long[:format.MaxRecord], long[format.MaxRecord:], line(1))
	if w.w.Stats().Cut != 1 {
		t.Errorf("stats %+v", w.w.Stats())
	}
}

func TestWhatIsListed(t *testing.T) {
	w := newWorld(t, t.TempDir(), func(c *Config) { c.Include, c.Recursive = []string{"*.log"}, true })
	w.ok(os.Mkdir(w.path("sub"), 0o700))
	for i, n := range []string{"a.log", "sub/b.log", "c.txt", ".hidden.log"} {
		w.write(n, line(i)+"\n")
	}
	w.ok(os.WriteFile(filepath.Join(w.data, "secret.log"), []byte("secret\n"), 0o600))
	w.ok(os.Symlink(filepath.Join(w.data, "secret.log"), w.path("link.log")))
	w.look()
	w.want(line(0), line(1))

	w.cfg.Path, w.cfg.Include = w.path("*/b*"), nil
	w.start()
	w.look()
	if n := w.w.Stats().Files; n != 1 {
		t.Errorf("a pattern finds %d files", n)
	}
}

// Whatever is done to a log between two looks, restarts and kills among it,
// every line is stored once.
func TestEveryLineOnce(t *testing.T) {
	base := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		w := newWorld(t, filepath.Join(base, fmt.Sprint(runs)), nil)
		defer w.w.closeAll()
		var want []string
		partial := ""
		next := func() string {
			want = append(want, line(len(want)))
			return want[len(want)-1] + "\n"
		}
		gen := 0
		exists := func() bool { fi, err := os.Stat(w.path("a.log")); return err == nil && fi.Size() > 0 }
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				text := partial
				for range rapid.IntRange(1, 5).Draw(t, "lines") {
					text += next()
				}
				partial = ""
				w.write("a.log", text)
			},
			"append half a line": func(t *rapid.T) {
				l := partial + next()
				k := rapid.IntRange(1, len(l)-1).Draw(t, "bytes")
				w.write("a.log", l[:k])
				partial = l[k:]
			},
			"look": func(t *rapid.T) { w.look() },
			"look later": func(t *rapid.T) {
				if partial != "" {
					t.Skip("a writer does not rest in the middle of a line for as long as Stable")
				}
				w.later(time.Duration(rapid.IntRange(1, 8).Draw(t, "s")) * time.Second)
			},
			"restart":    func(t *rapid.T) { w.stop() },
			"kill":       func(t *rapid.T) { w.kill() },
			"full queue": func(t *rapid.T) { w.full = true; w.look(); w.full = false },
			"rotate": func(t *rapid.T) {
				if partial != "" || !exists() {
					t.Skip("writers rotate between lines")
				}
				gen++
				old := w.path(fmt.Sprintf("a.log.%d", gen))
				b, err := os.ReadFile(w.path("a.log"))
				w.ok(err)
				switch rapid.SampledFrom([]string{"rename", "copy", "compress"}).Draw(t, "how") {
				case "rename":
					w.ok(os.Rename(w.path("a.log"), old))
				case "copy":
					w.ok(os.WriteFile(old, b, 0o600))
					if rapid.Bool().Draw(t, "look between") {
						w.look()
					}
					w.ok(os.Truncate(w.path("a.log"), 0))
				case "compress":
					w.ok(os.WriteFile(old+".gz", pack(b), 0o600))
					w.ok(os.Remove(w.path("a.log")))
				}
			},
			"": func(t *rapid.T) {
				seen := map[string]int{}
				for _, l := range w.order {
					if seen[l]++; seen[l] > 1 {
						t.Fatalf("twice: %.20q", l)
					}
				}
			},
		})
		w.write("a.log", partial+next())
		for range 4 {
			w.later(w.cfg.Stable)
		}
		seen := map[string]bool{}
		for _, l := range w.order {
			seen[l] = true
		}
		for _, l := range want {
			if !seen[l] {
				t.Fatalf("lost: %.20q", l)
			}
		}
		if len(w.order) != len(want) {
			t.Fatalf("%d lines stored, %d written", len(w.order), len(want))
		}
	})
}

// The whole thing with the system's own notices and a real clock.
func TestRun(t *testing.T) {
	w := newWorld(t, t.TempDir(), func(c *Config) { c.Poll, c.Stable = 100*time.Millisecond, time.Second })
	ctx, cancel := context.WithCancel(context.Background())
	run := func() chan error {
		var err error
		w.w, err = New(w.cfg, w.data, Parts{Publish: w.publish, PutBlob: w.putBlob, DropBlob: w.dropBlob}, slog.New(slog.DiscardHandler))
		w.ok(err)
		done := make(chan error, 1)
		go func() { done <- w.w.Run(ctx) }()
		return done
	}
	stored := func(n int) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			w.mu.Lock()
			k := len(w.order)
			w.mu.Unlock()
			if k == n {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d lines stored, want %d", k, n)
			}
		}
	}
	done := run()
	w.write("a.log", line(1)+"\n")
	stored(1)
	w.ok(os.Rename(w.path("a.log"), w.path("a.log.1")))
	w.write("a.log", line(2)+"\n")
	stored(2)
	cancel()
	w.ok(<-done)
	w.write("a.log", line(3)+"\n")
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	done = run()
	stored(3)
	cancel()
	w.ok(<-done)
}

func TestSavedStateOfANewerVersion(t *testing.T) {
	w := newWorld(t, t.TempDir(), nil)
	w.write("a.log", line(1)+"\n")
	w.look()
	w.ok(w.w.save())
	b, err := os.ReadFile(w.w.state)
	w.ok(err)
	w.ok(os.WriteFile(w.w.state, bytes.Replace(b, []byte(`"version":1`), []byte(`"version":2`), 1), 0o600))
	if _, err := New(w.cfg, w.data, Parts{}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("%v", err)
	}
}

func TestConfig(t *testing.T) {
	ok := Defaults()
	ok.Path = "/var/log"
	if err := ok.Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"path":      func(c *Config) { c.Path = "" },
		"pattern":   func(c *Config) { c.Include = []string{"[a"} },
		"realm":     func(c *Config) { c.Realm = "" },
		"mode":      func(c *Config) { c.Mode = "sometimes" },
		"zone":      func(c *Config) { c.Zone = "Nowhere/City" },
		"stable":    func(c *Config) { c.Stable = 0 },
		"poll":      func(c *Config) { c.Poll = 0 },
		"max_whole": func(c *Config) { c.MaxWhole = 0 },
	} {
		c := ok
		change(&c)
		if err := c.Validate(); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
