// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"citywall/internal/fault"
)

// MailConfig says how mail leaves. The zero value sends none.
type MailConfig struct {
	Addr         string        `yaml:"addr"` // host:port of the mail server (submission)
	TLS          string        `yaml:"tls"`  // starttls (default), tls, or none (a server on this machine only)
	From         string        `yaml:"from"` // address, or "Name <address>"
	User         string        `yaml:"user"` // "" signs in nowhere
	PasswordFile string        `yaml:"password_file"`
	CAFile       string        `yaml:"ca_file"` // PEM, when the server's certificate is of a private authority
	Timeout      time.Duration `yaml:"timeout"` // of one delivery; 0 means 30 s
}

// Validate returns an invalid error that says what to mend.
func (c MailConfig) Validate() error {
	if c == (MailConfig{}) {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fault.New(fault.Invalid, "alarm.mail.addr is %q: want host:port of the mail server", c.Addr)
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		return fault.New(fault.Invalid, "alarm.mail.from is %q: want an address, or Name <address>", c.From)
	}
	switch c.TLS {
	case "", "starttls", "tls":
	case "none":
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fault.New(fault.Invalid, "alarm.mail.tls is none, and %s is not this machine: mail would cross the network in the clear", host)
		}
	default:
		return fault.New(fault.Invalid, "alarm.mail.tls is %q: want starttls, tls or none", c.TLS)
	}
	if (c.User == "") != (c.PasswordFile == "") {
		return fault.New(fault.Invalid, "alarm.mail.user and alarm.mail.password_file belong together: give both or neither")
	}
	return nil
}

// Mail sends mail.
type Mail struct {
	cfg      MailConfig
	host     string
	port     int
	tls      *tls.Config
	password string
}

// NewMail reads what c names.
func NewMail(c MailConfig) (*Mail, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return nil, fault.New(fault.Invalid, "alarm.mail.addr is %q: want host:port", c.Addr)
	}
	m := &Mail{cfg: c, host: host, tls: &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}}
	if m.port, err = strconv.Atoi(port); err != nil {
		return nil, fault.New(fault.Invalid, "alarm.mail.addr: port %q is no number", port)
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("alarm.mail.ca_file: %w", err)
		}
		m.tls.RootCAs = x509.NewCertPool()
		if !m.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "alarm.mail.ca_file %s holds no certificate", c.CAFile)
		}
	}
	if m.password, err = secret(c.PasswordFile); err != nil {
		return nil, fmt.Errorf("alarm.mail.password_file: %w", err)
	}
	return m, nil
}

// Send hands msg to the mail server. One connection a message: alarms are few,
// and a connection that broke must not take the next one with it.
func (m *Mail) Send(ctx context.Context, msg Message) error {
	timeout := m.cfg.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	x := gomail.NewMsg()
	if err := x.From(m.cfg.From); err != nil {
		return permanent{fmt.Errorf("mail from %q: %w", m.cfg.From, err)}
	}
	if err := x.To(msg.To); err != nil {
		return permanent{fmt.Errorf("mail to %q: %w", msg.To, err)}
	}
	// A subject is one line whatever an event put into it.
	x.Subject(strings.Join(strings.Fields(msg.Subject), " "))
	x.SetMessageIDWithValue(msg.ID + "@citywall")
	x.SetDateWithValue(msg.Time)
	x.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: nobody's out-of-office answers
	if msg.Urgent {
		x.SetImportance(gomail.ImportanceUrgent)
	}
	x.SetBodyString(gomail.TypeTextPlain, msg.Text)
	opts := []gomail.Option{gomail.WithPort(m.port), gomail.WithTimeout(timeout), gomail.WithTLSConfig(m.tls), gomail.WithoutNoop()}
	switch m.cfg.TLS {
	case "tls":
		opts = append(opts, gomail.WithSSL())
	case "none":
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if m.cfg.User != "" {
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(m.cfg.User), gomail.WithPassword(m.password))
	}
	c, err := gomail.NewClient(m.host, opts...)
	if err != nil {
		return fmt.Errorf("mail to %s: %w", msg.To, err)
	}
	if err := c.DialAndSendWithContext(ctx, x); err != nil {
		err = fmt.Errorf("mail to %s over %s: %w", msg.To, m.cfg.Addr, err)
		var s *gomail.SendError
		if errors.As(err, &s) && s.ErrorCode() >= 500 && s.ErrorCode() < 600 { // RFC 5321 §4.2.1: permanent negative completion
			return permanent{err}
		}
		return err
	}
	return nil
}
