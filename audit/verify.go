// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"citywall/asset"
	"citywall/internal/fault"
	"citywall/internal/merkle"
)

// maxSentences bounds Report.Broken: one changed byte near the beginning makes
// every later head wrong.
const maxSentences = 20

// Report says what Verify found.
type Report struct {
	Entries    uint64    // entries read and right
	Heads      int       // signed heads checked and right
	Head       Head      // the newest
	Unfinished []uint64  // intents whose outcome is unknown or not there yet
	First      time.Time // of the first and last entry
	Last       time.Time
	Broken     []string // where it breaks, a sentence each; empty: whole
	Warnings   []string // what a person should know and is no break
}

// OK reports whether the log is whole.
func (r Report) OK() bool { return len(r.Broken) == 0 }

func (r *Report) broken(format string, args ...any) {
	if len(r.Broken) < maxSentences {
		r.Broken = append(r.Broken, fmt.Sprintf(format, args...))
	}
}

func (r *Report) warn(format string, args ...any) {
	if len(r.Warnings) < maxSentences {
		r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
	}
}

// Verify reads the whole log: every line, every hash, every head. known are
// notes of earlier heads kept elsewhere (printed, mailed): the log must still
// contain them. The error is for reading; what is wrong with the log is in the
// report.
func (l *Log) Verify(ctx context.Context, known ...string) (Report, error) {
	return Verify(ctx, l.dir, l.realm, l.key.Public().(ed25519.PublicKey), known...)
}

// Verify is Log.Verify for a log that nobody has open, or that another process
// has: it only reads.
func Verify(ctx context.Context, dir string, realm asset.Realm, key ed25519.PublicKey, known ...string) (Report, error) {
	v := &verifier{dir: dir, realm: realm, key: key, open: map[uint64]string{}}
	if err := v.known(known); err != nil {
		return Report{}, err
	}
	// Heads first, then entries: a head is written after its entry, so a log
	// that grows meanwhile has entries enough for every head we saw.
	heads, err := v.openHeads()
	if err != nil {
		return Report{}, err
	}
	defer heads.Close()
	if err := v.entries(ctx); err != nil {
		return Report{}, err
	}
	v.restOfHeads(heads)
	v.finish()
	return v.r, nil
}

type verifier struct {
	dir   string
	realm asset.Realm
	key   ed25519.PublicKey
	r     Report

	tree   merkle.Frontier
	next   *Head // the next head to meet, nil when there is none left
	readTo func() (*Head, error)
	keep   []Head            // known heads not met yet, by size
	open   map[uint64]string // intents without outcome: their action
	end    int64             // of the line read last

	hashes, offsets *bufio.Reader // the derived files; nil: not there, or all of it was met
}

func (v *verifier) known(notes []string) error {
	for _, n := range notes {
		h, err := ParseHead(n, v.realm, v.key)
		if err != nil {
			return fault.New(fault.Invalid, "the head to compare with: %w", err)
		}
		v.keep = append(v.keep, h)
	}
	slices.SortFunc(v.keep, func(a, b Head) int { return int(a.Size) - int(b.Size) })
	return nil
}

func (v *verifier) openHeads() (*os.File, error) {
	f, err := os.Open(filepath.Join(v.dir, headsFile))
	if err != nil {
		return nil, fault.New(fault.NotFound, "no audit log in %s: %w", v.dir, err)
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	v.readTo = v.headReader(io.NewSectionReader(f, 0, fi.Size()), 0)
	if v.next, err = v.readTo(); err != nil {
		v.r.broken("%v", err)
	}
	return f, nil
}

// headReader returns a function that yields one head after the other, nil at
// the end. After an error it yields no more.
func (v *verifier) headReader(r io.Reader, last uint64) func() (*Head, error) {
	br := bufio.NewReader(r)
	n, stop := v.r.Heads, false
	return func() (*Head, error) {
		if stop {
			return nil, nil
		}
		n++
		var note strings.Builder
		for i := range noteLines {
			s, err := br.ReadString('\n')
			note.WriteString(s)
			if err == nil {
				continue
			}
			stop = true
			if err != io.EOF {
				return nil, fmt.Errorf("signed head %d: %w", n, err)
			}
			if i == 0 && s == "" {
				return nil, nil
			}
			if !couldBeTorn([]byte(note.String()), v.realm) {
				return nil, fmt.Errorf("signed head %d is neither whole nor the beginning of one", n)
			}
			v.r.warn("the last signed head is incomplete: its writing was interrupted")
			return nil, nil
		}
		h, err := ParseHead(note.String(), v.realm, v.key)
		if err == nil && h.Size <= last {
			err = fmt.Errorf("it counts %d entries, the one before it %d", h.Size, last)
		}
		if err != nil {
			stop = true
			return nil, fmt.Errorf("signed head %d is not right: %w", n, err)
		}
		last = h.Size
		return &h, nil
	}
}

func (v *verifier) entries(ctx context.Context) (err error) {
	f, err := os.Open(filepath.Join(v.dir, entriesFile))
	if err != nil {
		return fault.New(fault.NotFound, "no audit log in %s: %w", v.dir, err)
	}
	defer f.Close()
	hashes, offsets, err := v.openDerived()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hashes(), offsets()) }()
	sc := scanner(f)
	for sc.Scan() {
		if v.tree.Size()%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !v.line(sc.Bytes()) {
			return nil
		}
	}
	switch err := sc.Err(); {
	case errors.Is(err, errTorn):
		v.r.warn("the last line is incomplete: its writing was interrupted")
	case errors.Is(err, bufio.ErrTooLong):
		v.r.broken("line %d is longer than any entry can be", v.tree.Size()+1)
	case err != nil:
		return fmt.Errorf("verify audit log: %w", err)
	}
	if fi, err := f.Stat(); err == nil && fi.Size() == v.end { // nobody wrote meanwhile
		v.leftOver(hashesFile, v.hashes)
		v.leftOver(offsetsFile, v.offsets)
	}
	return nil
}

// openDerived opens hashes and offsets. They are no evidence, but List and
// Prove lean on them.
func (v *verifier) openDerived() (closeHashes, closeOffsets func() error, err error) {
	open := func(name string) (*bufio.Reader, func() error, error) {
		f, err := os.Open(filepath.Join(v.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			v.r.warn("%s is not there; it is rebuilt at the next start", name)
			return nil, func() error { return nil }, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("verify audit log: %w", err)
		}
		return bufio.NewReader(f), f.Close, nil
	}
	if v.hashes, closeHashes, err = open(hashesFile); err != nil {
		return nil, nil, err
	}
	if v.offsets, closeOffsets, err = open(offsetsFile); err != nil {
		return nil, nil, errors.Join(err, closeHashes())
	}
	return closeHashes, closeOffsets, nil
}

// derived compares the next bytes of a derived file and returns the reader, or
// nil when there is nothing more to compare. An end before its time is no
// break: these files are not synced.
func (v *verifier) derived(r *bufio.Reader, name string, want []byte) *bufio.Reader {
	if r == nil {
		return nil
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		return nil
	}
	if !bytes.Equal(got, want) {
		v.r.broken("%s does not fit entry %d (it follows from the entries: after a loss of power the next start rebuilds it)", name, v.tree.Size()-1)
		return nil
	}
	return r
}

func (v *verifier) leftOver(name string, r *bufio.Reader) {
	if r == nil {
		return
	}
	if _, err := r.ReadByte(); err == nil {
		v.r.broken("%s has more than the entries account for", name)
	}
}

// line checks one entry and returns whether reading on makes sense.
func (v *verifier) line(b []byte) bool {
	n := v.tree.Size()
	e, err := parse(b)
	if err != nil {
		v.r.broken("line %d %v", n+1, err)
		return false
	}
	if e.Seq != n {
		v.r.broken("line %d is entry %d, expected %d: entries are missing, doubled or out of order", n+1, e.Seq, n)
		return false
	}
	if e.Realm != v.realm {
		v.r.broken("entry %d is of realm %s", n, e.Realm)
	}
	if e.Time.Before(v.r.Last) {
		v.r.warn("entry %d (%s) is earlier than the one before it (%s): the clock was set back",
			n, e.Time.Format(time.RFC3339), v.r.Last.Format(time.RFC3339))
	}
	if n == 0 {
		v.r.First = e.Time
	}
	v.r.Last = e.Time
	switch action, waits := "", false; e.Phase {
	case Intent:
		v.open[n] = e.Action
	case Outcome:
		if action, waits = v.open[*e.Ref]; !waits || action != e.Action {
			v.r.broken("entry %d is an outcome of entry %d, which waits for none of this kind", n, *e.Ref)
		}
		delete(v.open, *e.Ref)
		if e.Result == Unknown {
			v.r.Unfinished = append(v.r.Unfinished, *e.Ref)
		}
	}
	if e.Action == openAction && e.Phase == Intent {
		v.kept(e)
	}
	hs := v.tree.Append(merkle.Leaf(b))
	v.end += int64(len(b)) + 1
	want := make([]byte, 0, len(hs)*int(hashSize))
	for i := range hs {
		want = append(want, hs[i][:]...)
	}
	v.hashes = v.derived(v.hashes, hashesFile, want)
	v.offsets = v.derived(v.offsets, offsetsFile, binary.BigEndian.AppendUint64(nil, uint64(v.end)))
	v.meet()
	v.r.Entries = v.tree.Size()
	return true
}

// kept checks that torn bytes which an opening reports are still kept.
func (v *verifier) kept(e Entry) {
	for _, file := range []string{entriesFile, headsFile} {
		name, ok := e.Detail["torn_"+file]
		if !ok {
			continue
		}
		b, err := os.ReadFile(filepath.Join(v.dir, filepath.Base(name)))
		if err != nil {
			v.r.broken("entry %d: the torn bytes in %s cannot be read: %v", e.Seq, name, err)
			continue
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != e.Detail["torn_"+file+"_sha256"] {
			v.r.broken("entry %d: the torn bytes in %s were changed", e.Seq, name)
		}
	}
}

// meet compares the tree with the heads of its present size.
func (v *verifier) meet() {
	n := v.tree.Size()
	for len(v.keep) > 0 && v.keep[0].Size <= n {
		if h := v.keep[0]; h.Size == n && h.Root != v.tree.Root() || h.Size == 0 && h.Root != merkle.Empty() {
			v.r.broken("the first %d entries are not those under the given head of %s", n, h.Time.Format(time.RFC3339))
		}
		v.keep = v.keep[1:]
	}
	if v.next == nil || v.next.Size != n {
		return
	}
	if v.next.Root != v.tree.Root() {
		v.r.broken("the first %d entries do not lead to their signed head: one of them was changed", n)
	} else {
		v.r.Heads++
		v.r.Head = *v.next
	}
	var err error
	if v.next, err = v.readTo(); err != nil {
		v.r.broken("%v", err)
	}
}

// restOfHeads looks at the heads that were written while the entries were
// read, and at those that count more entries than there are.
func (v *verifier) restOfHeads(f *os.File) {
	n := v.tree.Size()
	if v.next != nil {
		v.r.broken("a signed head counts %d entries, and %d are there: entries are missing", v.next.Size, n)
	}
	for _, h := range v.keep {
		v.r.broken("the given head of %s counts %d entries, and %d are there: entries are missing", h.Time.Format(time.RFC3339), h.Size, n)
	}
	if !v.r.OK() {
		return
	}
	last := v.r.Head.Size
	if n > last {
		// A writer may have signed them since: the newest head decides.
		if h, err := newestHead(f, v.realm, v.key); err == nil && h.Size > last && h.Size+1 >= n {
			v.r.warn("the log grew while it was read: the last %d entries read were not compared with their heads", n-last)
			return
		}
	}
	switch n - last {
	case 0:
	case 1:
		v.r.warn("entry %d is under no signed head: the program ended before it could sign", n-1)
	default:
		v.r.broken("the last %d entries are under no signed head, and a kill leaves one at most", n-last)
	}
}

func newestHead(f *os.File, realm asset.Realm, key ed25519.PublicKey) (Head, error) {
	fi, err := f.Stat()
	if err != nil {
		return Head{}, err
	}
	from := max(0, fi.Size()-2*maxNote)
	b := make([]byte, fi.Size()-from)
	if _, err := f.ReadAt(b, from); err != nil {
		return Head{}, err
	}
	i, j := lastNote(b, realm)
	return ParseHead(string(b[i:j]), realm, key)
}

// finish fills in what is known at the end.
func (v *verifier) finish() {
	for seq := range v.open {
		v.r.Unfinished = append(v.r.Unfinished, seq)
	}
	slices.Sort(v.r.Unfinished)
}
