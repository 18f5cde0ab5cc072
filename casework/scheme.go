// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package casework

// Scheme is how case numbers are written: a pattern with the places {year}
// (ROC year), {unit} and {seq}. The zero value means "{year}-{unit}-{seq}",
// unit 刑, six digits: 115-刑-000123.
type Scheme struct {
	Pattern string `json:"pattern" yaml:"pattern"`
	Unit    string `json:"unit" yaml:"unit"`
	Digits  int    `json:"digits" yaml:"digits"`
}
