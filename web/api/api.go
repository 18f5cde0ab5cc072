// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package api is Citywall's JSON API under /api/v1/.
//
// Handlers are thin: decode, ask the desk, encode. The OpenAPI document is
// written by hand, served beside the API, and tested against the handlers in
// both directions. It promises that every answer is JSON in the shape that the
// document states, or {"error":{"kind","message"}}; that data is never cached;
// and that changes are POST.
//
// It never decides who may do what: that is desk and the policies.
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"citywall/internal/fault"
	"citywall/internal/text"
	"citywall/web/desk"
	"citywall/web/door"
)

// MaxBody bounds the JSON of a request.
const MaxBody = 1 << 20

// Config is what the API needs.
type Config struct {
	Desk *desk.Desk
	Door door.Door
	Log  *slog.Logger
	// LiveEvery is how often the live stream looks; 2 s when zero.
	LiveEvery time.Duration
}

// Server is the API.
type Server struct {
	Config
	mux *http.ServeMux
}

// route is one method and path of the API.
type route struct {
	method, path string
	open         bool // without a session
	do           handler
}

type handler func(w http.ResponseWriter, r *http.Request, who desk.Who) error

// Prefix is where the API lives.
const Prefix = "/api/v1"

// New returns the API's handler for paths below Prefix.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.LiveEvery == 0 {
		cfg.LiveEvery = 2 * time.Second
	}
	s := &Server{Config: cfg, mux: http.NewServeMux()}
	for _, rt := range s.routes() {
		s.mux.HandleFunc(rt.method+" "+Prefix+rt.path, s.handle(rt))
	}
	s.mux.HandleFunc(Prefix+"/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, fault.New(fault.NotFound, "no such path or method; see %s/openapi.yaml", Prefix))
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// routes is the whole API, in the order of the document.
func (s *Server) routes() []route {
	const open = true
	return []route{
		{"GET", "/version", open, s.version},
		{"GET", "/health", open, s.health},
		{"GET", "/openapi.yaml", open, s.documentYAML},
		{"GET", "/openapi.json", open, s.documentJSON},

		{"POST", "/login", open, s.login},
		{"POST", "/login/link", open, s.loginLink},
		{"GET", "/session", !open, s.session},
		{"POST", "/session/end", !open, s.logout},
		{"POST", "/session/password", !open, s.password},

		{"GET", "/live", !open, s.live},
		{"GET", "/events", !open, s.events},
		{"GET", "/events/count", !open, s.eventCount},
		{"GET", "/events/histogram", !open, s.eventHistogram},
		{"GET", "/events/top", !open, s.eventTop},
		{"GET", "/events/export", !open, s.eventExport},
		{"GET", "/events/{id}", !open, s.event},
		{"GET", "/findings", !open, s.findings},
		{"GET", "/findings/histogram", !open, s.findingHistogram},
		{"GET", "/findings/export", !open, s.findingExport},
		{"GET", "/findings/{id}", !open, s.finding},
		{"GET", "/findings/{id}/records", !open, s.findingRecords},

		{"GET", "/incidents", !open, s.incidents},
		{"GET", "/incidents/export", !open, s.incidentExport},
		{"GET", "/incidents/{id}", !open, s.incident},
		{"GET", "/incidents/{id}/history", !open, s.incidentHistory},
		{"GET", "/incidents/{id}/findings", !open, s.incidentFindings},
		{"GET", "/incidents/{id}/picture.svg", !open, s.incidentPicture},
		{"GET", "/incidents/{id}/report", !open, s.incidentReport},
		{"POST", "/incidents/{id}/state", !open, s.incidentState},
		{"POST", "/incidents/{id}/owner", !open, s.incidentOwner},
		{"POST", "/incidents/{id}/notes", !open, s.incidentNote},
		{"POST", "/incidents/{id}/merge", !open, s.incidentMerge},
		{"POST", "/incidents/{id}/unmerge", !open, s.incidentUnmerge},
		{"POST", "/incidents/{id}/split", !open, s.incidentSplit},
		{"POST", "/incidents/{id}/handover", !open, s.incidentHandover},

		{"GET", "/watch", !open, s.watch},
		{"GET", "/alarms", !open, s.alarms},
		{"GET", "/alarms/export", !open, s.alarmExport},
		{"GET", "/alarms/{id}", !open, s.alarm},
		{"POST", "/alarms/{id}/ack", !open, s.alarmAck},
		{"GET", "/roster", !open, s.roster},
		{"POST", "/people", !open, s.putPerson},
		{"POST", "/people/{id}/remove", !open, s.dropPerson},
		{"POST", "/shifts", !open, s.addShifts},
		{"POST", "/shifts/{id}/remove", !open, s.dropShift},
		{"GET", "/notes", !open, s.notes},
		{"POST", "/notes", !open, s.addHandover},
		{"POST", "/notes/{id}/take", !open, s.takeOver},

		{"GET", "/sources", !open, s.sources},
		{"GET", "/sources/{name}", !open, s.sourcePage},
		{"GET", "/catalogue", !open, s.catalogue},
		{"GET", "/senders", !open, s.senders},
		{"POST", "/senders", !open, s.registerSender},
		{"POST", "/senders/{name}", !open, s.changeSender},
		{"POST", "/senders/{name}/drop", !open, s.dropSender},
		{"GET", "/assets", !open, s.assets},
		{"GET", "/assets/export", !open, s.assetExport},
		{"GET", "/assets/devices/{id}", !open, s.asset},
		{"GET", "/assets/whom", !open, s.whom},
		{"GET", "/assets/segments", !open, s.segments},
		{"POST", "/assets/notes", !open, s.noteAsset},
		{"GET", "/assets/differences", !open, s.differences},
		{"GET", "/assets/differences/export", !open, s.differenceExport},
		{"GET", "/assets/drawings", !open, s.drawings},
		{"POST", "/assets/drawings", !open, s.importDrawing},
		{"GET", "/assets/drawings/{id}", !open, s.drawing},
		{"POST", "/assets/drawings/{id}/state", !open, s.decideDrawing},
		{"GET", "/rules", !open, s.rules},
		{"GET", "/rules/export", !open, s.ruleExport},
		{"POST", "/rules/reload", !open, s.reloadRules},
		{"POST", "/rules/try", !open, s.tryRule},
		{"GET", "/rules/{id}", !open, s.rule},
		{"POST", "/rules/{id}/off", !open, s.switchRuleOff},
		{"POST", "/rules/{id}/on", !open, s.switchRuleOn},
		{"GET", "/storage", !open, s.storage},
		{"GET", "/storage/days", !open, s.storageDays},
		{"GET", "/storage/days/export", !open, s.storageDaysExport},
		{"POST", "/storage/holds", !open, s.addHold},
		{"POST", "/storage/holds/{id}/release", !open, s.releaseHold},
		{"POST", "/storage/notices/{id}/seen", !open, s.seeNotice},
		{"POST", "/storage/backups", !open, s.makeBackup},
		{"GET", "/rules/coverage", !open, s.ruleCoverage},

		{"GET", "/inbox", !open, s.inbox},
		{"POST", "/inbox", !open, s.receive},
		{"GET", "/inbox/{id}", !open, s.waiting},
		{"POST", "/inbox/{id}/open", !open, s.openFrom},
		{"GET", "/cases", !open, s.cases},
		{"POST", "/cases", !open, s.openCase},
		{"GET", "/cases/{id}", !open, s.caseFile},
		{"POST", "/cases/{id}/status", !open, s.caseStatus},
		{"POST", "/cases/{id}/change", !open, s.caseChange},
		{"POST", "/cases/{id}/notes", !open, s.caseNote},
		{"POST", "/cases/{id}/verify", !open, s.caseVerify},
		{"GET", "/cases/{id}/exhibits/{n}", !open, s.exhibit},
		{"GET", "/cases/{id}/events", !open, s.caseEvents},
		{"GET", "/cases/{id}/events/{event}", !open, s.caseEvent},
		{"GET", "/cases/{id}/findings", !open, s.caseFindings},
		{"GET", "/cases/{id}/picture.svg", !open, s.casePicture},
		{"GET", "/cases/{id}/report", !open, s.caseReport},

		{"GET", "/users", !open, s.users},
		{"POST", "/users", !open, s.createUser},
		{"POST", "/users/{name}", !open, s.updateUser},
		{"POST", "/users/{name}/link", !open, s.userLink},
		{"POST", "/users/{name}/sessions/end", !open, s.endSessions},
		{"GET", "/tokens", !open, s.tokens},
		{"POST", "/tokens", !open, s.createToken},
		{"POST", "/tokens/{id}/revoke", !open, s.revokeToken},
		{"GET", "/audit", !open, s.auditList},
		{"GET", "/audit/head", !open, s.auditHead},
		{"POST", "/audit/verify", !open, s.auditVerify},
		{"GET", "/audit/{seq}/proof", !open, s.auditProof},
	}
}

func (s *Server) handle(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var who desk.Who
		if !rt.open {
			c, err := s.Door.Caller(r, "api")
			if err != nil {
				if fault.Is(err, fault.NotFound) {
					err = &fault.Error{Kind: Unauthenticated, Msg: "sign in first", Err: err}
				}
				s.fail(w, r, err)
				return
			}
			who = c.Who
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody(rt))
		if err := rt.do(w, r, who); err != nil {
			s.fail(w, r, err)
		}
	}
}

// maxBody lets packages, drawings and trials in; everything else is a small JSON
// object.
func maxBody(rt route) int64 {
	if rt.method == "POST" && rt.path == "/inbox" {
		return 2 << 30 // the desk bounds it by its own configuration
	}
	if rt.method == "POST" && rt.path == "/assets/drawings" {
		return desk.MaxDrawing
	}
	if rt.method == "POST" && rt.path == "/rules/try" {
		return MaxTrial
	}
	return MaxBody
}

// fail writes an error. After the answer has begun there is nothing left to
// say, and the connection is broken so that nobody takes half for whole.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var begun *begunError
	if errors.As(err, &begun) {
		s.Log.WarnContext(r.Context(), "answer broken off", "path", r.URL.Path, "err", begun.err)
		panic(http.ErrAbortHandler)
	}
	status, p := Explain(r.Context(), s.Log, err)
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="citywall"`)
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "30")
	}
	w.Header().Del("Content-Disposition")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]Problem{"error": p}) // the client may be gone
}

// begunError is an error after the first byte of the answer.
type begunError struct{ err error }

func (e *begunError) Error() string { return e.err.Error() }
func (e *begunError) Unwrap() error { return e.err }

// put answers with JSON.
func put(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n')) // the client may be gone
	return nil
}

// take reads the JSON object of a request. Unknown members are errors: a
// misspelt name must not be a silent default.
func take(r *http.Request, v any) error {
	if mt, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mt != "application/json" {
		return fault.New(fault.Invalid, "send a JSON object with Content-Type: application/json")
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return err
		}
		return fault.New(fault.Invalid, "read the JSON object: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fault.New(fault.Invalid, "one JSON object is expected, and nothing after it")
	}
	return nil
}

// number reads a whole number from the query, def when absent.
func number(r *http.Request, name string, def, low, high int) (int, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return def, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		return 0, fault.New(fault.Invalid, "%s=%q: want a whole number from %d to %d", name, v, low, high)
	}
	return n, nil
}

// moment reads a time from the query.
func moment(r *http.Request, name string) (time.Time, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		return t, fault.New(fault.Invalid, "%s=%q: want a time as 2026-11-24T08:00:00Z", name, v)
	}
	return t.UTC(), nil
}

// list reads a parameter that is comma-separated, repeated, or both.
func list(r *http.Request, name string) []string {
	var out []string
	for _, v := range strings.Split(strings.Join(r.URL.Query()[name], ","), ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// lang is the language of sentences: ?lang=, else Accept-Language, else English.
func lang(r *http.Request) text.Lang {
	if v := r.URL.Query().Get("lang"); v != "" {
		l, _ := text.ParseLang(v)
		return l
	}
	l, _ := text.ParseLang(r.Header.Get("Accept-Language"))
	return l
}

// attach names the file of a download. The name is ours, never a stranger's.
func attach(w http.ResponseWriter, media, name string) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}
