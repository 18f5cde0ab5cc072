// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"gopkg.in/yaml.v3"

	"citywall/web/desk"
)

//go:embed openapi.yaml
var document []byte

// asJSON is the document as JSON, converted once: the file cannot change.
var asJSON = sync.OnceValues(func() ([]byte, error) {
	var v any
	if err := yaml.Unmarshal(document, &v); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return json.MarshalIndent(v, "", " ")
})

func (s *Server) documentYAML(w http.ResponseWriter, _ *http.Request, _ desk.Who) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(document) // the client may be gone
	return nil
}

func (s *Server) documentJSON(w http.ResponseWriter, _ *http.Request, _ desk.Who) error {
	b, err := asJSON()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b)
	return nil
}
