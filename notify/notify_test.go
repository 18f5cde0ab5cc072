// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMailConfig(t *testing.T) {
	ok := MailConfig{Addr: "mail.city.example:587", From: "Citywall <a@city.example>"}
	if err := ok.Validate(); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]MailConfig{
		"no port":          {Addr: "mail", From: "a@b.example"},
		"no sender":        {Addr: "mail:25"},
		"in the clear":     {Addr: "mail:25", From: "a@b.example", TLS: "none"},
		"user, no file":    {Addr: "mail:25", From: "a@b.example", User: "x"},
		"no such security": {Addr: "mail:25", From: "a@b.example", TLS: "ssl3"},
	} {
		if c.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestWebhookConfig(t *testing.T) {
	for _, u := range []string{"", "ftp://x", "http://hooks.example/x", "https://"} {
		if (WebhookConfig{Name: "x", URL: u}).Validate() == nil {
			t.Errorf("%q: accepted", u)
		}
	}
	for _, u := range []string{"https://hooks.example/x", "http://127.0.0.1:9/x", "http://localhost/x"} {
		if err := (WebhookConfig{Name: "x", URL: u}).Validate(); err != nil {
			t.Error(err)
		}
	}
}

// TestWebhookSigned verifies the signature as a receiver would: HMAC-SHA256
// over time and body.
func TestWebhookSigned(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var sig string
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sig = r.Header.Get(SignatureHeader)
		body, _ = io.ReadAll(r.Body)
	}))
	defer srv.Close()
	w, err := NewWebhook(WebhookConfig{Name: "ops", URL: srv.URL, SecretFile: file})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send(t.Context(), Message{ID: "1", Subject: "s", Text: "t", Time: time.Unix(1000, 0)}); err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, []byte("s3cret"))
	h.Write(append([]byte("1000."), body...))
	if want := "t=1000,v1=" + hex.EncodeToString(h.Sum(nil)); sig != want {
		t.Errorf("signature %s, want %s", sig, want)
	}
}

// TestWebhookErrors: what can help to try again, and that the URL, which often
// is the secret, stands in no error.
func TestWebhookErrors(t *testing.T) {
	for status, permanent := range map[int]bool{400: true, 404: true, 410: true, 408: false, 429: false, 500: false, 503: false, 302: false} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}))
		w, err := NewWebhook(WebhookConfig{Name: "ops", URL: srv.URL + "/token-abc"})
		if err != nil {
			t.Fatal(err)
		}
		err = w.Send(t.Context(), Message{ID: "1"})
		if err == nil || Permanent(err) != permanent {
			t.Errorf("%d: %v, permanent %v", status, err, Permanent(err))
		}
		srv.Close()
		if err = w.Send(t.Context(), Message{ID: "1"}); err == nil || Permanent(err) || strings.Contains(err.Error(), "token-abc") {
			t.Errorf("nobody listens: %v", err)
		}
	}
}
