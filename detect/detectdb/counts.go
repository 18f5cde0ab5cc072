// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package detectdb

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"citywall/detect"
	"citywall/identity"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// RuleCount is how often a rule fired.
type RuleCount struct {
	Rule  detect.Rule `json:"rule"`
	Count int64       `json:"count"`
	Hosts int64       `json:"hosts"` // distinct
	First time.Time   `json:"first"`
	Last  time.Time   `json:"last"`
}

// HostCount is how many findings are about a host.
type HostCount struct {
	Host   string       `json:"host"`
	Agency string       `json:"agency,omitempty"`
	Count  int64        `json:"count"`
	Rules  int64        `json:"rules"` // distinct
	Max    detect.Level `json:"max"`
	First  time.Time    `json:"first"`
	Last   time.Time    `json:"last"`
}

// Bucket is one bar of a histogram.
type Bucket struct {
	Start  time.Time `json:"start"`
	Counts [5]int64  `json:"counts"` // by detect.Level
}

// CountByRule counts per rule, most frequent first. Zero times do not bound.
func (s *Store) CountByRule(ctx context.Context, sc identity.Scope, from, to time.Time) ([]RuleCount, error) {
	var rows []struct {
		RuleID string
		N      int64
		Hosts  int64
		First  int64
		Last   int64
	}
	if err := s.where(s.d.NewSelect().Model((*findingRow)(nil)), sc, Query{From: from, To: to}).
		ColumnExpr("rule_id, count(*) AS n, count(DISTINCT NULLIF(host, '')) AS hosts, min(time_us) AS first, max(time_us) AS last").
		Group("rule_id").OrderExpr("n DESC, rule_id").Scan(ctx, &rows); err != nil {
		return nil, db.Err("count findings by rule", err)
	}
	var rules []ruleRow
	if err := s.d.NewSelect().Model(&rules).Scan(ctx); err != nil {
		return nil, db.Err("count findings by rule", err)
	}
	byID := make(map[string]string, len(rules))
	for _, r := range rules {
		byID[r.ID] = r.Doc
	}
	out := make([]RuleCount, len(rows))
	for i, r := range rows {
		out[i] = RuleCount{Count: r.N, Hosts: r.Hosts, First: at(r.First), Last: at(r.Last)}
		if err := json.Unmarshal([]byte(byID[r.RuleID]), &out[i].Rule); err != nil {
			return nil, fmt.Errorf("count findings by rule: rule %s: %w", r.RuleID, err)
		}
	}
	return out, nil
}

// CountByHost counts per host, severest and most frequent first, at most n.
// Findings about no host are left out.
func (s *Store) CountByHost(ctx context.Context, sc identity.Scope, from, to time.Time, n int) ([]HostCount, error) {
	var rows []struct {
		Host   string
		Agency string
		N      int64
		Rules  int64
		Level  detect.Level
		First  int64
		Last   int64
	}
	if err := s.where(s.d.NewSelect().Model((*findingRow)(nil)), sc, Query{From: from, To: to}).Where("host <> ''").
		ColumnExpr("host, max(agency) AS agency, count(*) AS n, count(DISTINCT rule_id) AS rules, max(level) AS level, min(time_us) AS first, max(time_us) AS last").
		Group("host").OrderExpr("level DESC, n DESC, host").Limit(int64(max(n, 1))).Scan(ctx, &rows); err != nil {
		return nil, db.Err("count findings by host", err)
	}
	out := make([]HostCount, len(rows))
	for i, r := range rows {
		out[i] = HostCount{Host: r.Host, Agency: r.Agency, Count: r.N, Rules: r.Rules, Max: r.Level, First: at(r.First), Last: at(r.Last)}
	}
	return out, nil
}

// maxBuckets bounds a histogram.
const maxBuckets = 2000

// Histogram counts per bucket of width and level, empty buckets included. q
// must have both ends; at most 2,000 buckets.
func (s *Store) Histogram(ctx context.Context, sc identity.Scope, q Query, width time.Duration) ([]Bucket, error) {
	us := width.Microseconds()
	if q.From.IsZero() || !q.To.After(q.From) || us <= 0 {
		return nil, fault.New(fault.Invalid, "histogram of findings: it needs a beginning, a later end and a width")
	}
	from := q.From.UnixMicro()
	n := (q.To.UnixMicro() - from + us - 1) / us
	if n > maxBuckets {
		return nil, fault.New(fault.Invalid, "histogram of findings: %d buckets are more than %d: take a larger width", n, maxBuckets)
	}
	var rows []struct {
		Bucket int64
		Level  int
		N      int64
	}
	if err := s.where(s.d.NewSelect().Model((*findingRow)(nil)), sc, q).
		ColumnExpr("(time_us - ?) / ? AS bucket, level, count(*) AS n", from, us).
		GroupExpr("1, 2").Scan(ctx, &rows); err != nil {
		return nil, db.Err("histogram of findings", err)
	}
	out := make([]Bucket, n)
	for i := range out {
		out[i].Start = at(from + int64(i)*us)
	}
	for _, r := range rows {
		out[r.Bucket].Counts[min(max(r.Level, 0), 4)] += r.N
	}
	return out, nil
}
