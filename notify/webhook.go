// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"citywall/internal/fault"
)

// WebhookConfig is one receiver over HTTP.
type WebhookConfig struct {
	Name       string        `yaml:"name"`
	URL        string        `yaml:"url"`         // https, or http on this machine
	SecretFile string        `yaml:"secret_file"` // signs the body; "" sends it unsigned
	Timeout    time.Duration `yaml:"timeout"`     // 0 means 15 s
}

// Validate returns an invalid error that says what to mend.
func (c WebhookConfig) Validate() error {
	if c.Name == "" {
		return fault.New(fault.Invalid, "a webhook needs a name")
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fault.New(fault.Invalid, "webhook %s: the URL must begin with https://", c.Name)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fault.New(fault.Invalid, "webhook %s: http is for receivers on this machine; use https", c.Name)
	}
	return nil
}

// Webhook posts messages as JSON.
type Webhook struct {
	cfg    WebhookConfig
	secret string
	client *http.Client
}

// SignatureHeader holds "t=<unix seconds>,v1=<hex>" where v1 is HMAC-SHA256 of
// "<t>.<body>" under the shared secret.
const SignatureHeader = "Citywall-Signature"

// NewWebhook reads what c names.
func NewWebhook(c WebhookConfig) (*Webhook, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s, err := secret(c.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", c.Name, err)
	}
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	// A redirect would carry an alarm to a place nobody configured.
	client := &http.Client{Timeout: c.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Webhook{cfg: c, secret: s, client: client}, nil
}

// Send posts msg and wants a 2xx answer.
func (w *Webhook) Send(ctx context.Context, msg Message) error {
	body, err := json.Marshal(struct {
		ID      string            `json:"id"`
		Time    time.Time         `json:"time"`
		Subject string            `json:"subject"`
		Text    string            `json:"text"`
		Urgent  bool              `json:"urgent"`
		Data    map[string]string `json:"data,omitempty"`
	}{msg.ID, msg.Time.UTC(), msg.Subject, msg.Text, msg.Urgent, msg.Data})
	if err != nil {
		return permanent{fmt.Errorf("webhook %s: %w", w.cfg.Name, err)}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return permanent{w.hide(err)}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", msg.ID)
	req.Header.Set("User-Agent", "citywall")
	if w.secret != "" {
		req.Header.Set(SignatureHeader, Sign(w.secret, msg.Time, body))
	}
	res, err := w.client.Do(req)
	if err != nil {
		return w.hide(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)); err != nil && res.StatusCode/100 != 2 {
		return w.hide(err)
	}
	switch {
	case res.StatusCode/100 == 2:
		return nil
	case res.StatusCode/100 == 4 && res.StatusCode != http.StatusRequestTimeout && res.StatusCode != http.StatusTooManyRequests:
		return permanent{fmt.Errorf("webhook %s answers %s", w.cfg.Name, res.Status)}
	}
	return fmt.Errorf("webhook %s answers %s", w.cfg.Name, res.Status)
}

// hide drops the URL from an error: many receivers put their secret into it.
func (w *Webhook) hide(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("webhook %s: %w", w.cfg.Name, err)
}

// Sign returns the value of SignatureHeader.
func Sign(secret string, t time.Time, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(h, "%d.", t.Unix())
	h.Write(body)
	return fmt.Sprintf("t=%d,v1=%s", t.Unix(), hex.EncodeToString(h.Sum(nil)))
}
