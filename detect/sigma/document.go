// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Limits of a rule file.
const (
	maxFile      = 1 << 20 // bytes
	maxDocuments = 1000    // in one file
	maxNodes     = 50_000  // YAML nodes of one document
	maxDepth     = 24      // nesting of one document
)

// document is one YAML document of a file.
type document struct {
	root *yaml.Node // a mapping
	line int        // of the document's first line in the file, 1-based
	hash string     // SHA-256 of the document's bytes, hex
}

// splitDocuments cuts a file at its document markers. A marker cannot stand
// inside a scalar (YAML 1.2.2, 9.1.2), so lines are enough. The hash of a file
// with one document is that of the file, so that sha256sum gives it too.
func splitDocuments(b []byte) ([]document, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("file is longer than %d bytes", maxFile)
	}
	type piece struct {
		text []byte
		line int
	}
	var pieces []piece
	start, startLine, line := 0, 1, 1
	for at := 0; at < len(b); line++ {
		end := len(b)
		if i := bytes.IndexByte(b[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if l := b[at:end]; bytes.HasPrefix(l, []byte("---")) && (len(l) == 3 || bytes.IndexByte([]byte(" \t\r\n"), l[3]) >= 0) && at > start {
			pieces = append(pieces, piece{b[start:at], startLine})
			start, startLine = at, line
		}
		at = end
	}
	pieces = append(pieces, piece{b[start:], startLine})
	var docs []document
	for _, p := range pieces {
		var n yaml.Node
		if err := yaml.Unmarshal(p.text, &n); err != nil {
			return nil, fmt.Errorf("YAML: %w", err)
		}
		if n.Kind == 0 || len(n.Content) == 0 || n.Content[0].Tag == "!!null" {
			continue // comments only
		}
		if len(docs) == maxDocuments {
			return nil, fmt.Errorf("more than %d documents in one file", maxDocuments)
		}
		sum := sha256.Sum256(p.text)
		docs = append(docs, document{root: n.Content[0], line: p.line, hash: hex.EncodeToString(sum[:])})
	}
	if len(docs) == 1 {
		sum := sha256.Sum256(b)
		docs[0].hash = hex.EncodeToString(sum[:])
	}
	return docs, nil
}

// check walks a document once and holds it to the limits; aliases and repeated
// keys are refused, so that everything after may trust the tree.
func (d document) check() error {
	if d.root.Kind != yaml.MappingNode {
		return errors.New("document is not a mapping")
	}
	n := 0
	return d.checkNode(d.root, 0, &n)
}

func (d document) checkNode(n *yaml.Node, depth int, count *int) error {
	if *count++; *count > maxNodes {
		return fmt.Errorf("document has more than %d nodes", maxNodes)
	}
	if depth > maxDepth {
		return fmt.Errorf("line %d: nested deeper than %d", d.at(n), maxDepth)
	}
	if n.Kind == yaml.AliasNode {
		return fmt.Errorf("line %d: YAML aliases are not taken: write the value out", d.at(n))
	}
	if n.Kind == yaml.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind != yaml.ScalarNode {
				return fmt.Errorf("line %d: a key is not a text", d.at(k))
			}
			if seen[k.Value] {
				return fmt.Errorf("line %d: key %q stands twice", d.at(k), k.Value)
			}
			seen[k.Value] = true
		}
	}
	for _, c := range n.Content {
		if err := d.checkNode(c, depth+1, count); err != nil {
			return err
		}
	}
	return nil
}

// at returns the line of n in the file.
func (d document) at(n *yaml.Node) int { return d.line + n.Line - 1 }

// child returns the value of a key of a mapping, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// str returns the text of a scalar child; absent and null give "".
func str(n *yaml.Node, key string) (string, error) {
	c := child(n, key)
	if c == nil || c.Tag == "!!null" {
		return "", nil
	}
	if c.Kind != yaml.ScalarNode {
		return "", fmt.Errorf("%s: want a text", key)
	}
	return strings.TrimSpace(c.Value), nil
}

// strs returns the texts of a list child; a single text counts as a list of
// one.
func strs(n *yaml.Node, key string) ([]string, error) {
	c := child(n, key)
	if c == nil || c.Tag == "!!null" {
		return nil, nil
	}
	if c.Kind == yaml.ScalarNode {
		return []string{c.Value}, nil
	}
	if c.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s: want a list of texts", key)
	}
	out := make([]string, 0, len(c.Content))
	for _, e := range c.Content {
		if e.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%s: want a list of texts", key)
		}
		out = append(out, e.Value)
	}
	return out, nil
}

// toScalar reads a value of a detection. Whole numbers become decimal text,
// others stay as they are written: a rule's number is compared as text.
func (d document) toScalar(n *yaml.Node) (scalar, error) {
	if n.Kind != yaml.ScalarNode {
		return scalar{}, fmt.Errorf("line %d: want a single value", d.at(n))
	}
	s := scalar{text: n.Value, line: d.at(n)}
	switch n.Tag {
	case "!!null":
		s.kind, s.text = nullScalar, ""
	case "!!bool":
		s.kind = boolScalar
	case "!!int":
		s.kind = numberScalar
		var i int64
		var u uint64
		if n.Decode(&i) == nil {
			s.text = strconv.FormatInt(i, 10)
		} else if n.Decode(&u) == nil {
			s.text = strconv.FormatUint(u, 10)
		}
	case "!!float":
		s.kind = numberScalar
	}
	return s, nil
}
