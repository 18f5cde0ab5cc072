// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestScripts runs testdata/*.txtar. The comment of an archive is the script,
// its files lie in the working folder:
//
//	citywall ARGS…     run a command ('single quotes' hold an argument together)
//	exit N             the last command's exit code
//	stdout RE          its output matches; !stdout: does not
//	stderr RE          likewise
//	stdin FILE         what the next command reads
//	same FILE          its output is the file's content
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, s := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(s), ".txtar"), func(t *testing.T) { runScript(t, s) })
	}
}

func runScript(t *testing.T, name string) {
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range a.Files {
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("CITYWALL_DATA", filepath.Join(dir, "data"))
	var out, errs bytes.Buffer
	var in []byte
	code := 0
	for i, line := range strings.Split(string(a.Comment), "\n") {
		line = strings.TrimSpace(line)
		verb, rest, _ := strings.Cut(line, " ")
		bad := func(f string, args ...any) {
			t.Helper()
			t.Errorf("line %d, %s: "+f+"\nstdout:\n%s\nstderr:\n%s", append(append([]any{i + 1, line}, args...), cut(out.String()), cut(errs.String()))...)
		}
		switch verb {
		case "", "#":
		case "citywall":
			out.Reset()
			errs.Reset()
			code = run(context.Background(), streams{bytes.NewReader(in), &out, &errs}, words(rest))
			in = nil
		case "exit":
			if want, _ := strconv.Atoi(rest); code != want {
				bad("exit code %d", code)
			}
		case "stdout", "!stdout":
			if regexp.MustCompile("(?m)"+rest).Match(out.Bytes()) != (verb == "stdout") {
				bad("not so")
			}
		case "stderr", "!stderr":
			if regexp.MustCompile("(?m)"+rest).Match(errs.Bytes()) != (verb == "stderr") {
				bad("not so")
			}
		case "stdin":
			if in, err = os.ReadFile(rest); err != nil {
				t.Fatal(err)
			}
		case "same":
			b, err := os.ReadFile(rest)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b, out.Bytes()) {
				bad("the output differs from %s", rest)
			}
		default:
			t.Fatalf("line %d: no verb %q", i+1, verb)
		}
	}
}

func cut(s string) string {
	if len(s) > 3000 {
		return s[:3000] + "…"
	}
	return s
}

// words splits at spaces outside single quotes.
func words(s string) []string {
	var out []string
	quoted, open := false, false
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\'':
			quoted, open = !quoted, true
		case r == ' ' && !quoted:
			if open {
				out = append(out, b.String())
				b.Reset()
				open = false
			}
		default:
			b.WriteRune(r)
			open = true
		}
	}
	if open {
		out = append(out, b.String())
	}
	return out
}
