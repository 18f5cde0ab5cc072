// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"io"
	"net/http"
)

// serveOne runs one request through a handler and returns its answer as it is
// written: exports may be larger than memory.
func serveOne(h http.Handler, r *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	w := &pipeWriter{pw: pw, header: http.Header{}, ready: make(chan struct{})}
	r.RequestURI = r.URL.RequestURI()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	go func() {
		h.ServeHTTP(w, r)
		w.WriteHeader(http.StatusOK) // no effect when a status was written
		pw.Close()
	}()
	select {
	case <-w.ready:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: pr, Request: r, ContentLength: -1,
	}, nil
}

// pipeWriter is the http.ResponseWriter of serveOne. Its fields belong to the
// handler's goroutine until ready is closed.
type pipeWriter struct {
	pw     *io.PipeWriter
	header http.Header
	sent   http.Header
	status int
	ready  chan struct{}
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
	close(w.ready)
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pw.Write(b)
}

// Flush implements http.Flusher: what is written is through at once.
func (w *pipeWriter) Flush() { w.WriteHeader(http.StatusOK) }
