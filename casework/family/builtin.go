// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package family

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"

	"citywall/internal/fault"
)

//go:embed known.yaml
var known []byte

// Builtin returns the families of known.yaml.
func Builtin() (Base, error) {
	var b Base
	if err := yaml.Unmarshal(known, &b.Families); err != nil {
		return b, fmt.Errorf("families that Citywall knows: %w", err)
	}
	for i := range b.Families {
		b.Families[i].Source = "citywall"
	}
	return b, nil
}

// maxBase bounds a kept base.
const maxBase = 512 << 20 // bytes

// ReadBase reads what Encode wrote.
func ReadBase(r io.Reader) (Base, error) {
	var b Base
	if err := json.NewDecoder(io.LimitReader(r, maxBase)).Decode(&b); err != nil {
		return b, fault.New(fault.Invalid, "read the families that were loaded: %w", err)
	}
	return b, nil
}

// Encode writes b, for ReadBase and for people.
func (b Base) Encode() ([]byte, error) { return json.MarshalIndent(b, "", " ") }
