// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package eventstore keeps events and finds them again.
//
// It promises that an acknowledged batch survives a kill, that each event is
// stored once however often its batch is delivered, that every read names a
// scope and a bound in time, and that no answer is partial without saying so.
// Engines live below it (duck, clickhouse) and prove themselves with package
// storetest. Nobody else writes SQL for events.
package eventstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"citywall/event"
	"citywall/identity"
	"citywall/internal/text"
)

// Batch is what is committed together. A MsgID that was committed before makes
// Append a no-op: that is how redelivery stays invisible. An empty MsgID is
// never remembered.
type Batch struct {
	MsgID  string
	Case   string // the case whose exhibits these events come from, "" for the realm's own estate
	Events []*event.Event
}

// Query asks for events. From and To bound it (To exclusive) and are required:
// an engine refuses an unbounded query as invalid. An event is found at the
// time that When gives it.
type Query struct {
	From, To time.Time
	Filter   Filter // nil: all
	Sort     Sort
	Limit    int    // page size, 1..1000; 0 means 100
	After    string // cursor of the page before, "" for the first
}

// Sort is the order of a result. Equal times are in the order of the ids;
// newest is oldest backwards.
type Sort string

// Orders. "" means Newest.
const (
	Newest Sort = "newest"
	Oldest Sort = "oldest"
)

// Page is one page of a result.
type Page struct {
	Events     []*event.Event
	Next       string      // cursor, "" at the end
	Incomplete *Incomplete // why the answer is partial, nil when it is whole
}

// Incomplete says that not all of the store took part in an answer: shards of
// a cluster do not answer, or sealed files are missing or damaged. Search has it in its page. The other questions
// return it as the error beside what they know: Count, Histogram and Top their
// numbers without those shards, Each after it passed on all that there is. So
// who does not look for it takes the answer for a failure, never for whole.
type Incomplete struct {
	Missing []int // numbers of the shards, from 1
	Of      int   // how many there are

	Days []string // UTC days of which sealed events cannot be read
}

// Error implements error.
func (i *Incomplete) Error() string {
	if len(i.Days) > 0 {
		return "incomplete: sealed events of " + strings.Join(i.Days, ", ") + " cannot be read"
	}
	what, verb := "shard", "does"
	if len(i.Missing) > 1 {
		what, verb = "shards", "do"
	}
	return fmt.Sprintf("incomplete: %s %s of %d %s not answer", what, i.Numbers(), i.Of, verb)
}

// Text says it to a person.
func (i *Incomplete) Text(l text.Lang) string {
	return text.T(l, "eventstore.incomplete", "shards", i.Numbers(), "of", strconv.Itoa(i.Of))
}

// Numbers returns "2", or "1, 3".
func (i *Incomplete) Numbers() string {
	s := make([]string, len(i.Missing))
	for k, n := range i.Missing {
		s[k] = strconv.Itoa(n)
	}
	return strings.Join(s, ", ")
}

// Bucket is one bar of a histogram.
type Bucket struct {
	Start time.Time
	Count int64
}

// Count is one value of a facet or top-N.
type Count struct {
	Value string
	Count int64
}

// Store is shared by many consumers, so its interface lives with its noun.
type Store interface {
	// Append commits the batch durably before it returns. Repeated event ids
	// within or across batches are stored once per realm and case. The store
	// looks for an id near the event's own time: a record that comes again
	// with another time (its source was read again with another zone) is
	// another event. Records without a time are recognised at any time.
	Append(ctx context.Context, b Batch) error
	// Search returns one page.
	Search(ctx context.Context, s identity.Scope, q Query) (Page, error)
	// Get returns one event or a not-found error. An id that may lie where
	// nobody answers is an unavailable error, not a not-found.
	Get(ctx context.Context, s identity.Scope, id event.ID) (*event.Event, error)
	// Count returns the number of events q selects, pages ignored.
	Count(ctx context.Context, s identity.Scope, q Query) (int64, error)
	// Histogram counts per bucket of width, empty buckets included. The first
	// begins at q.From. Width is in whole microseconds.
	Histogram(ctx context.Context, s identity.Scope, q Query, width time.Duration) ([]Bucket, error)
	// Top counts the n most frequent values of a column or native field, ties
	// in the order of the values. Values keep their case. Each element of a
	// list counts once per event.
	Top(ctx context.Context, s identity.Scope, q Query, field string, n int) ([]Count, error)
	// Each calls f for all events of q in the order of q.Sort, without paging
	// in memory. An error of f stops it.
	Each(ctx context.Context, s identity.Scope, q Query, f func(*event.Event) error) error
	// Close flushes and releases.
	Close() error
}

// Op is a comparison of one field.
type Op string

// Comparisons. All text comparisons ignore case (strings.ToLower on both
// sides). A list matches when one of its elements does; null and absent match
// nothing. Eq on some columns is a little wider, see Kind.
const (
	Eq       Op = "eq"
	Contains Op = "contains"
	Prefix   Op = "prefix"
	Suffix   Op = "suffix"
	Glob     Op = "glob" // * and ?; [*] [?] [[] stand for the characters themselves
	CIDR     Op = "cidr" // the value is an address inside the prefix
	Lt       Op = "lt"   // these four compare numbers when Value is one (see Number),
	Lte      Op = "lte"  // and then only values that are numbers match; else text
	Gt       Op = "gt"
	Gte      Op = "gte"
	Exists   Op = "exists" // there and not null (columns: known)
)

// Filter is a typed tree: And, Or, Not, Cond or Word.
type Filter interface{ filter() }

// And holds when all of its parts do; empty holds.
type And []Filter

// Or holds when one of its parts does; empty does not.
type Or []Filter

// Not negates.
type Not struct{ F Filter }

// Cond compares a field: a column name (see Columns) or a native field name,
// case ignored in both. "native.NAME" means the native field even when a
// column has that name.
type Cond struct {
	Field string
	Op    Op
	Value string
}

// Word is text in the name or value of any native field, or in one of the
// columns WordColumns.
type Word string

func (And) filter()  {}
func (Or) filter()   {}
func (Not) filter()  {}
func (Cond) filter() {}
func (Word) filter() {}
