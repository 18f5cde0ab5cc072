// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package rspamd

import (
	"strings"

	"citywall/ingest/format"
)

// verdict reads Rspamd's default log_format:
//
//	id: <mid>, qid: <q>, ip: 203.0.113.9, user: u, from: <a>, (default: F (reject): [16.50/15.00] [SYM(5.10){x;},…]), len: 1234, …
func verdict(b *format.Body, s string) {
	put := func(k, v string) {
		if v != "" {
			b.Add(k, v)
		}
	}
	i := strings.LastIndex(s, "(default: ")
	if i < 0 {
		return
	}
	letter(put, strings.TrimRight(s[:i], ", "))
	rest := s[i+len("(default: "):]
	spam, rest, ok := strings.Cut(rest, " (")
	action, rest, ok2 := strings.Cut(rest, "): [")
	scores, rest, ok3 := strings.Cut(rest, "] [")
	if !ok || !ok2 || !ok3 || len(spam) > 4 {
		return
	}
	put("is_spam", spam)
	put("action", action)
	if score, required, ok := strings.Cut(scores, "/"); ok {
		put("score", score)
		put("required_score", required)
	}
	list, tail, ok := strings.Cut(rest, "]), ")
	if !ok {
		list, tail = strings.TrimRight(rest, "])"), ""
	}
	for n, sym := range symbols(list) {
		if n == 256 {
			break
		}
		put("symbols", sym)
	}
	for part := range strings.SplitSeq(tail, ", ") {
		if k, v, ok := strings.Cut(strings.TrimSpace(part), ": "); ok && len(k) < 24 && k != "" && b.Len() < format.MaxFields {
			put(k, strings.Trim(v, "<>, "))
		}
	}
}

// letter reads what stands before the verdict, from the right: Message-Id and
// sender are the letter's own text.
func letter(put func(k, v string), s string) {
	type found struct{ k, v string }
	var out []found
	for _, x := range [...]struct{ key, sep string }{{"from", ", from: <"}, {"user", ", user: "}, {"ip", ", ip: "}, {"qid", ", qid: <"}} {
		if i := strings.LastIndex(s, x.sep); i >= 0 {
			out = append(out, found{x.key, strings.TrimSuffix(s[i+len(x.sep):], ">")})
			s = s[:i]
		}
	}
	if id, ok := strings.CutPrefix(s, "id: <"); ok {
		put("message_id", strings.TrimSuffix(id, ">"))
	}
	for i := len(out) - 1; i >= 0; i-- {
		put(out[i].k, out[i].v)
	}
}

// symbols splits by commas outside of { }.
func symbols(s string) []string {
	var out []string
	depth, start := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			depth = max(depth-1, 0)
		case ',':
			if depth == 0 {
				out = append(out, s[start:i])
				start = i + 1
			}
		}
	}
	return append(out, s[start:])
}
