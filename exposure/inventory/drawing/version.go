// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package drawing

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"citywall/internal/fault"
)

// State of a version.
type State string

// States.
const (
	Proposed State = "proposed" // read, and nobody has accepted it yet
	Accepted State = "accepted" // counts
	Replaced State = "replaced" // by a newer one of its name
	Refused  State = "refused"  // never counted
	Retired  State = "retired"  // counted once, and was taken out
)

// Version is a drawing as it was handed in. The file itself is not kept: it may
// hold secrets. Its hash says which it was.
type Version struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"` // versions of one name replace each other
	File      string    `json:"file"`
	SHA256    string    `json:"sha256"`
	Size      int64     `json:"size"` // bytes
	State     State     `json:"state"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
	DecidedBy string    `json:"decided_by,omitempty"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
	Segments  int       `json:"segments"`
	Hosts     int       `json:"hosts"`
	Drawing   Drawing   `json:"drawing"` // its topology is left out of lists
}

const maxName = 200 // characters

// NewVersion reads a file that somebody hands in. name "" takes the firewall's
// name, else the file's.
func NewVersion(name, file string, b []byte) (Version, error) {
	d, err := Read(b)
	if err != nil {
		return Version{}, err
	}
	for _, s := range []string{name, d.Device, file} {
		if name = strings.TrimSpace(s); name != "" {
			break
		}
	}
	switch {
	case name == "":
		return Version{}, fault.New(fault.Invalid, "give the drawing a name")
	case utf8.RuneCountInString(name) > maxName || utf8.RuneCountInString(file) > maxName:
		return Version{}, fault.New(fault.Invalid, "the name has more than %d characters", maxName)
	}
	h := sha256.Sum256(b)
	return Version{
		Name: name, File: file, SHA256: hex.EncodeToString(h[:]), Size: int64(len(b)), State: Proposed,
		Segments: len(d.Topology.Segments), Hosts: len(d.Topology.Hosts), Drawing: d,
	}, nil
}

// May reports whether a version in state s may come to state to.
func (s State) May(to State) bool {
	switch to {
	case Accepted:
		return s == Proposed || s == Replaced || s == Retired
	case Refused:
		return s == Proposed
	case Retired:
		return s == Accepted
	}
	return false
}
