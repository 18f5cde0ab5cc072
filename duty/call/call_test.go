// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package call_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"citywall/detect"
	"citywall/duty"
	"citywall/duty/call"
	"citywall/duty/dutydb"
	"citywall/internal/db/dbtest"
	"citywall/internal/text"
	"citywall/notify"
)

func TestPostgres(t *testing.T) { dbtest.OnPostgres(t) }

// mailbox is a real mail server (emersion/go-smtp) that can be down, full or
// forgetful.
type mailbox struct {
	mu     sync.Mutex
	got    []string // message texts
	refuse *smtp.SMTPError
	hang   chan struct{} // accept the text, then wait: what a stop finds half-way
}

func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{m: m}, nil }

type session struct{ m *mailbox }

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(string, *smtp.RcptOptions) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.m.refuse != nil {
		return s.m.refuse
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.m.mu.Lock()
	s.m.got = append(s.m.got, string(b))
	hang := s.m.hang
	s.m.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return nil
}
func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (m *mailbox) texts() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.got)
}

func (m *mailbox) set(e *smtp.SMTPError) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = e
}

// serve runs the server on addr ("" for a free port) and returns its address
// and how it is stopped.
func (m *mailbox) serve(t *testing.T, addr string) (string, func()) {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(m)
	s.Domain = "localhost"
	go s.Serve(l) // ends when it is closed
	return l.Addr().String(), func() { s.Close(); l.Close() }
}

// house is a watch on a clock of its own.
type house struct {
	*call.Watch
	store  *dutydb.Store
	clock  time.Time
	causes []duty.Cause
	err    error
}

func (h *house) now() time.Time { return h.clock }

func build(t *testing.T, where, smtpAddr string, hooks map[string]call.Sender) *house {
	t.Helper()
	h := &house{clock: time.Date(2026, 3, 10, 2, 0, 0, 0, time.UTC)} // 10:00 in Taipei
	var err error
	if h.store, err = dutydb.Open(t.Context(), dbtest.Again(t, where), h.now); err != nil {
		t.Fatal(err)
	}
	mail, err := notify.NewMail(notify.MailConfig{Addr: smtpAddr, TLS: "none", From: "Citywall <citywall@city.example>", Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	p := duty.DefaultPolicy()
	if hooks != nil {
		p = duty.Policy{Rules: []duty.Rule{{Severity: []string{"critical"}, Steps: []duty.Step{{To: []string{"webhook:ops"}}}}}}
	}
	h.Watch = call.New(call.Config{
		Store: h.store, Policy: p, Mail: mail, Webhooks: hooks, Lang: text.ZhTW, URL: func() string { return "https://citywall.city.example" }, Now: h.now,
		Causes: func(context.Context) ([]duty.Cause, error) { return h.causes, h.err },
	})
	return h
}

func (h *house) roster(t *testing.T) {
	t.Helper()
	for _, p := range []duty.Person{{ID: "chen", Name: "陳", Mail: "chen@city.example"}, {ID: "wu", Name: "吳", Mail: "wu@city.example"}} {
		if err := h.store.PutPerson(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	err := h.store.AddShifts(t.Context(), []duty.Shift{
		{Person: "chen", Post: duty.OnDuty, Begin: h.clock.Add(-time.Hour), End: h.clock.Add(24 * time.Hour)},
		{Person: "wu", Post: duty.Lead, Begin: h.clock.Add(-time.Hour), End: h.clock.Add(24 * time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

var attack = duty.Cause{Subject: "incident/1", Severity: detect.Critical, Path: "/incidents/1", Title: map[text.Lang]string{text.ZhTW: "醫院遭加密\r\nBcc: evil@x", text.En: "a hospital is encrypted"}}

func (h *house) tick(t *testing.T) {
	t.Helper()
	if err := h.Tick(t.Context(), false); err != nil {
		t.Fatal(err)
	}
}

// TestMailServerDown: a mail server that is down for three hours delays calls
// and loses none; when it is back each arrives once.
func TestMailServerDown(t *testing.T) {
	m := &mailbox{}
	addr, stop := m.serve(t, "")
	stop() // the port is known, nobody listens
	h := build(t, dbtest.Where(t), addr, nil)
	h.roster(t)
	h.causes = []duty.Cause{attack}
	for range 36 { // three hours, every five minutes
		h.tick(t)
		h.clock = h.clock.Add(5 * time.Minute)
	}
	p, err := h.store.List(t.Context(), dutydb.Query{})
	if err != nil || len(p.Alarms) != 1 {
		t.Fatalf("%v, alarms %+v", err, p.Alarms)
	}
	_, calls, err := h.store.Alarm(t.Context(), p.Alarms[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	var want []string // id of each call
	for _, c := range calls {
		if c.State != duty.Waiting || c.Attempts < 5 || c.Error == "" {
			t.Errorf("after three hours: %+v", c)
		}
		want = append(want, c.ID)
	}
	if len(want) != 4 { // chen; chen and wu; wu (there is no next shift within a day)
		t.Fatalf("%d calls planned: %+v", len(want), calls)
	}
	if tr, err := h.store.Trouble(t.Context(), 3); err != nil || len(tr) != 4 {
		t.Errorf("trouble shown: %d, %v", len(tr), err)
	}
	_, stop = m.serve(t, addr)
	defer stop()
	for range 12 {
		h.tick(t)
		h.clock = h.clock.Add(5 * time.Minute)
	}
	got := m.texts()
	if len(got) != len(want) {
		t.Fatalf("%d mails arrived, want %d", len(got), len(want))
	}
	for _, id := range want {
		n := 0
		for _, s := range got {
			if strings.Contains(s, "<"+id+"@citywall>") {
				n++
			}
			if strings.Contains(s, "\nBcc:") {
				t.Error("a title became a header")
			}
		}
		if n != 1 {
			t.Errorf("call %s arrived %d times", id, n)
		}
	}
}

// TestClockSetBack: calls that wait for another attempt do not wait an hour
// longer because the clock was set back.
func TestClockSetBack(t *testing.T) {
	m := &mailbox{}
	addr, stop := m.serve(t, "")
	stop()
	h := build(t, dbtest.Where(t), addr, nil)
	h.roster(t)
	h.causes = []duty.Cause{attack}
	for range 12 {
		h.tick(t)
		h.clock = h.clock.Add(5 * time.Minute)
	}
	_, stop = m.serve(t, addr)
	defer stop()
	h.clock = h.clock.Add(-time.Hour - 5*time.Minute) // before the alarm was raised
	h.tick(t)
	if got := len(m.texts()); got == 0 {
		t.Error("an hour back: nothing was sent")
	}
	for range 12 {
		h.clock = h.clock.Add(5 * time.Minute)
		h.tick(t)
	}
	if got := len(m.texts()); got != 4 {
		t.Errorf("%d mails arrived, want 4", got)
	}
}

// TestAcknowledge: what was not sent yet is dropped, no step follows, and
// nobody acknowledges twice.
func TestAcknowledge(t *testing.T) {
	m := &mailbox{refuse: &smtp.SMTPError{Code: 451, Message: "later"}}
	addr, stop := m.serve(t, "")
	defer stop()
	h := build(t, dbtest.Where(t), addr, nil)
	h.roster(t)
	h.causes = []duty.Cause{attack}
	h.tick(t)
	p, err := h.store.List(t.Context(), dutydb.Query{States: []duty.State{duty.Open}})
	if err != nil || len(p.Alarms) != 1 {
		t.Fatalf("%v, %+v", err, p)
	}
	a := p.Alarms[0]
	if _, err := h.store.Ack(t.Context(), "chen", a.ID, a.Version); err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.Ack(t.Context(), "wu", a.ID, a.Version); err == nil || !strings.Contains(err.Error(), "chen") {
		t.Errorf("a second acknowledgement: %v", err)
	}
	m.set(nil)
	for range 10 {
		h.clock = h.clock.Add(10 * time.Minute)
		h.tick(t)
	}
	if got := m.texts(); len(got) != 0 {
		t.Errorf("%d mails after the acknowledgement", len(got))
	}
	_, calls, err := h.store.Alarm(t.Context(), a.ID)
	if err != nil || len(calls) != 1 || calls[0].State != duty.Dropped {
		t.Errorf("%v, %+v", err, calls)
	}
	// It grows no worse, but ends and comes back: a new round calls again.
	h.causes = nil
	h.tick(t)
	h.causes = []duty.Cause{attack}
	h.tick(t)
	if got := m.texts(); len(got) != 1 {
		t.Errorf("%d mails of the second round, want 1", len(got))
	}
}

// TestRefused: an address that does not exist is not tried again, the next step
// still calls.
func TestRefused(t *testing.T) {
	m := &mailbox{refuse: &smtp.SMTPError{Code: 550, Message: "no such user"}}
	addr, stop := m.serve(t, "")
	defer stop()
	h := build(t, dbtest.Where(t), addr, nil)
	h.roster(t)
	h.causes = []duty.Cause{attack}
	h.tick(t)
	m.set(nil)
	h.clock = h.clock.Add(9 * time.Minute)
	h.tick(t)
	if got := m.texts(); len(got) != 0 {
		t.Fatalf("a refused call was tried again")
	}
	h.clock = h.clock.Add(time.Minute)
	h.tick(t)
	if got := m.texts(); len(got) != 2 {
		t.Errorf("the second step sent %d, want 2", len(got))
	}
}

// TestInterrupted: a call that was being sent when Citywall stopped is sent
// again after the start, under the same id, and only then.
func TestInterrupted(t *testing.T) {
	m := &mailbox{hang: make(chan struct{})}
	addr, stop := m.serve(t, "")
	defer stop()
	where := dbtest.Where(t)
	h := build(t, where, addr, nil)
	h.roster(t)
	h.causes = []duty.Cause{attack}
	calls, err := h.store.Watch(t.Context(), h.causes, duty.DefaultPolicy())
	if err != nil || len(calls) != 1 {
		t.Fatalf("%v, %v", err, calls)
	}
	taken, err := h.store.Take(t.Context(), 10, false) // as far as a process got that was killed here
	if err != nil || len(taken) != 1 {
		t.Fatalf("%v, %v", err, taken)
	}
	close(m.hang)
	h2 := build(t, where, addr, nil)
	h2.causes = h.causes
	h2.tick(t)
	if got := m.texts(); len(got) != 0 {
		t.Fatalf("sent while another may still be sending")
	}
	if err := h2.Tick(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := h2.Tick(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if got := m.texts(); len(got) != 1 || !strings.Contains(got[0], "<"+taken[0].ID+"@citywall>") {
		t.Errorf("%d mails", len(got))
	}
}

// TestBlind: when the causes cannot be read, no alarm ends, what waits is sent,
// and the watch says that it is blind.
func TestBlind(t *testing.T) {
	m := &mailbox{}
	addr, stop := m.serve(t, "")
	defer stop()
	h := build(t, dbtest.Where(t), addr, nil)
	h.roster(t)
	h.causes = []duty.Cause{attack}
	m.set(&smtp.SMTPError{Code: 421, Message: "busy"})
	h.tick(t)
	m.set(nil)
	h.err = errors.New("the records are gone")
	h.clock = h.clock.Add(time.Minute)
	if err := h.Tick(t.Context(), false); err == nil || h.Err() == nil {
		t.Error("the watch hides that it is blind")
	}
	if open, _, err := h.store.Counts(t.Context()); err != nil || open != 1 {
		t.Errorf("open alarms %d, %v", open, err)
	}
	if got := m.texts(); len(got) != 1 {
		t.Errorf("%d mails", len(got))
	}
}

// TestWebhook: signed, with the call's id as key, repeated while the receiver
// answers 5xx and never after it took it.
func TestWebhook(t *testing.T) {
	var mu sync.Mutex
	var keys []string
	status := http.StatusServiceUnavailable
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		w.WriteHeader(status)
	}))
	defer srv.Close()
	hook, err := notify.NewWebhook(notify.WebhookConfig{Name: "ops", URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	h := build(t, dbtest.Where(t), "127.0.0.1:1", map[string]call.Sender{"ops": hook})
	h.causes = []duty.Cause{attack}
	h.tick(t)
	mu.Lock()
	status = http.StatusNoContent
	mu.Unlock()
	for range 5 {
		h.clock = h.clock.Add(time.Minute)
		h.tick(t)
	}
	if len(keys) != 2 || keys[0] != keys[1] || keys[0] == "" {
		t.Errorf("posted with keys %v, want the same twice", keys)
	}
}
