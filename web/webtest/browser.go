// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Tab is a page of a real browser. What its console reports (an exception, a
// refused resource, a breach of the content security policy) fails the test.
type Tab struct {
	t    testing.TB
	ctx  context.Context
	base string

	mu    sync.Mutex // guards said
	said  []string
	calms map[string]bool // substrings of reports that the test provokes on purpose
}

// Chromium returns the path of a browser. Without one the test skips loudly,
// and fails when CITYWALL_REQUIRE names chromium.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	if strings.Contains(os.Getenv("CITYWALL_REQUIRE"), "chromium") {
		t.Fatal("need chromium: not found")
	}
	t.Skip("need chromium: not found")
	return ""
}

// Browse opens a tab of a browser of its own.
func (s *Site) Browse(t testing.TB, lang string) *Tab {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(Chromium(t)), chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 900),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", lang), chromedp.Flag("accept-lang", lang), chromedp.Flag("hide-scrollbars", true))
	actx, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, end := chromedp.NewContext(actx)
	tab := &Tab{t: t, ctx: ctx, base: s.URL, calms: map[string]bool{}}
	messages := chromedp.Console(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.IsException() || m.Type == "error" || m.Type == "warning" {
				tab.mu.Lock()
				tab.said = append(tab.said, m.Source+" "+m.URL+": "+m.Text)
				tab.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		end()
		stop()
		<-done
		tab.mu.Lock()
		defer tab.mu.Unlock()
		for _, x := range tab.said {
			calm := false
			for c := range tab.calms {
				calm = calm || strings.Contains(x, c)
			}
			if !calm {
				t.Errorf("the browser's console says: %s", x)
			}
		}
	})
	return tab
}

// Expect names a report that the test causes on purpose.
func (b *Tab) Expect(part string) { b.calms[part] = true }

// Do runs actions, for at most half a minute.
func (b *Tab) Do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeoutCause(b.ctx, 30*time.Second, errors.New("half a minute is over"))
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v (%v)\n%s", what, err, context.Cause(ctx), b.where())
	}
}

// where says which page the tab shows, for a failure.
func (b *Tab) where() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 1500)`))
	if err != nil {
		return err.Error()
	}
	return s
}

// Start opens the first page. The first call starts the browser, and a
// deadline on its context would be the browser's end.
func (b *Tab) Start(path string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(b.base+path)); err != nil {
		b.t.Fatalf("open %s: %v", path, err)
	}
}

// Go opens a page.
func (b *Tab) Go(path string) {
	b.t.Helper()
	b.Do("open "+path, chromedp.Navigate(b.base+path))
}

// Until waits for an expression to hold. A page that is being left answers
// with an error; it is asked again.
func (b *Tab) Until(what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 25*time.Second)
	defer cancel()
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.readyState === "complete" && Boolean(`+expression+`)`))
		if ok && err == nil {
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("wait until %s: never held (%v)\n%s", what, last, b.where())
		case <-tick.C:
		}
	}
}

// Text evaluates an expression to a text.
func (b *Tab) Text(expression string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// Await evaluates an expression that is a promise of a text.
func (b *Tab) Await(expression string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("await %s: %v", expression, err)
	}
	return v
}

// SignOut ends the session through the page's button.
func (b *Tab) SignOut() {
	b.t.Helper()
	b.Click(`form[action="/logout"] button`)
	b.Until("signed out", `document.querySelector('input[name="password"]') !== null`)
}

// Picture takes a picture of the whole page.
func (b *Tab) Picture(file string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 40*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatalf("picture %s: %v", file, err)
	}
	must(b.t, os.WriteFile(file, png, 0o644))
}

// Click follows the first element that matches.
func (b *Tab) Click(css string) {
	b.t.Helper()
	b.Do("click "+css, chromedp.Click(chromedp.CSS(css)))
}

// Fill writes into a field.
func (b *Tab) Fill(css, value string) {
	b.t.Helper()
	b.Do("fill "+css, chromedp.SetValue(chromedp.CSS(css), value))
}

// SignIn signs in through the form.
func (b *Tab) SignIn(p Person) {
	b.t.Helper()
	b.Click(`label.realm-` + string(p.Realm))
	b.Fill(`input[name="user"]`, p.Name)
	b.Fill(`input[name="password"]`, Password)
	b.Click(`form[action="/login"] button.primary`)
	b.Until("signed in as "+p.Name, `document.querySelector(".me-name") !== null`)
}

// Find returns the person of a role.
func Find(role string) Person {
	for _, p := range People {
		if string(p.Role) == role {
			return p
		}
	}
	panic("no person is " + role)
}

// widest names what reaches beyond the window, for a failure.
const widest = `[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.closest(".scroll, .picture, .chartbox, .within, svg")).map((e) => e.tagName + "." + e.className + " " + e.textContent.slice(0, 40)).slice(0, 8).join(" | ")`
