// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"citywall/asset"
	"citywall/internal/durable"
	"citywall/internal/fault"
	"citywall/internal/merkle"
)

// openAction is the act of opening the log. The outcome of one that was done
// is a mark: no intent before it lacks an outcome.
const openAction = "audit.open"

// closeAction is the act of closing it in good order.
const closeAction = "audit.close"

// self is the actor of what Citywall does on its own.
const self = "citywall"

// maxUnfinished bounds the acts that one process can have had under way.
const maxUnfinished = 100_000

// Open opens or begins the log in dir (…/audit/city). Intents that the last
// process left without an outcome get the outcome "unknown", what a kill left
// half written is moved aside, and the opening itself is an entry that says
// so. A log that is shorter than its signed head, or does not lead to it, is
// not opened: somebody must look first.
func Open(dir string, realm asset.Realm, key ed25519.PrivateKey) (*Log, error) {
	return OpenAt(dir, realm, key, time.Now)
}

// OpenAt is Open with the clock that entries and heads are dated by. A clock
// that goes back breaks nothing: entries are in the order of their numbers.
func OpenAt(dir string, realm asset.Realm, key ed25519.PrivateKey, now func() time.Time) (_ *Log, err error) {
	if !realm.Valid() {
		return nil, fault.New(fault.Invalid, "open audit log: %q is no realm", realm)
	}
	if err := durable.Mkdir(dir); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l := &Log{dir: dir, realm: realm, key: key, now: now}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.closeFiles())
		}
	}()
	if l.entries, err = durable.OpenAppend(filepath.Join(dir, entriesFile), 0o600); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	if l.heads, err = durable.OpenAppend(filepath.Join(dir, headsFile), 0o600); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	hf, err := openDerived(dir, hashesFile)
	if err != nil {
		return nil, err
	}
	l.hashes = &hashFile{hf}
	of, err := openDerived(dir, offsetsFile)
	if err != nil {
		return nil, err
	}
	l.offsets = &offsetFile{of}

	detail := map[string]string{}
	if err := l.mendHeads(detail); err != nil {
		return nil, err
	}
	if err := l.load(detail); err != nil {
		return nil, err
	}
	open, err := l.unfinished()
	if err != nil {
		return nil, err
	}
	if err := l.announce(open, detail); err != nil {
		return nil, err
	}
	return l, nil
}

// announce writes the opening, and an outcome for every act that has none.
func (l *Log) announce(open []Entry, detail map[string]string) error {
	if len(open) > 0 {
		detail["unfinished"] = strconv.Itoa(len(open))
	}
	ref, err := l.append(Entry{Actor: self, Action: openAction, Object: origin(l.realm), Detail: detail, Phase: Intent})
	if err != nil {
		return err
	}
	for _, e := range open {
		if _, err := l.append(Entry{Actor: self, Action: e.Action, Object: e.Object, Phase: Outcome, Ref: &e.Seq, Result: Unknown,
			Error: "the program ended before the outcome was written"}); err != nil {
			return err
		}
	}
	_, err = l.append(Entry{Actor: self, Action: openAction, Object: origin(l.realm), Phase: Outcome, Ref: &ref, Result: Done})
	return err
}

// mendHeads reads the newest head and moves a torn one aside.
func (l *Log) mendHeads(detail map[string]string) error {
	from := max(0, l.heads.Size()-2*maxNote)
	b := make([]byte, l.heads.Size()-from)
	if _, err := l.heads.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("open audit log: heads: %w", err)
	}
	at, end := lastNote(b, l.realm)
	if torn := b[end:]; len(torn) > 0 {
		if bytes.Count(torn, []byte("\n")) >= noteLines || len(torn) > maxNote {
			return l.refuse("the file of signed heads ends in %d bytes that are no head of realm %s", len(torn), l.realm)
		}
		if err := l.aside(l.heads, from+int64(end), b[end:], headsFile, detail); err != nil {
			return err
		}
		b = b[:end]
	}
	if len(b) == 0 {
		return nil
	}
	h, err := ParseHead(string(b[at:]), l.realm, l.key.Public().(ed25519.PublicKey))
	if err != nil {
		return l.refuse("its newest signed head is not right (%v)", err)
	}
	l.head = h
	return nil
}

// aside keeps the bytes of a torn write in a file of their own and cuts them
// off. Their hash goes into the entry that reports it.
func (l *Log) aside(a *durable.Appender, at int64, torn []byte, file string, detail map[string]string) error {
	sum := sha256.Sum256(torn)
	name := fmt.Sprintf("torn-%s-%d-%x", file, at, sum[:6])
	// The name has the hash in it, so a second try after another kill meets
	// its own file.
	if _, err := durable.Create(filepath.Join(l.dir, name), 0o400, bytes.NewReader(torn)); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("open audit log: keep torn bytes: %w", err)
	}
	if err := a.Truncate(at); err != nil {
		return fmt.Errorf("open audit log: %w", err)
	}
	detail["torn_"+file] = name
	detail["torn_"+file+"_sha256"] = hex.EncodeToString(sum[:])
	return nil
}

// lastNote returns where in b the last whole note begins and ends; 0, 0 when
// there is none.
func lastNote(b []byte, realm asset.Realm) (begin, end int) {
	for rest := b; ; rest = rest[:begin] {
		begin = bytes.LastIndex(rest, []byte(origin(realm)+"\n"))
		if begin < 0 {
			return 0, 0
		}
		end = begin
		for i := 0; i < noteLines; i++ {
			n := bytes.IndexByte(b[end:], '\n')
			if n < 0 {
				end = -1
				break
			}
			end += n + 1
		}
		if end >= 0 {
			return begin, end
		}
	}
}

// load finds out how many entries there are, checks them against the newest
// head, rebuilds what follows from them when it does not fit, and moves a torn
// last line aside. Only a line that no head counts can be torn: a head is
// written after its entry is synced.
func (l *Log) load(detail map[string]string) error {
	whole, err := l.wholeLines()
	if err != nil {
		return err
	}
	n, fits, err := l.fits(whole)
	if err != nil {
		return err
	}
	if !fits {
		if n, whole, err = l.rebuild(whole); err != nil {
			return err
		}
		if n > 0 {
			detail["rebuilt"] = "hashes, offsets"
		}
	}
	switch {
	case n < l.head.Size:
		return l.refuse("it has %d entries, and a signed head counts %d", n, l.head.Size)
	case n > l.head.Size+1:
		return l.refuse("%d entries at its end are under no signed head, and a kill leaves one at most", n-l.head.Size)
	}
	root, err := merkle.Root(l.head.Size, l.hashes)
	if err != nil {
		return fmt.Errorf("open audit log: %w", err)
	}
	if l.head.Size > 0 && root != l.head.Root {
		if fits { // the hashes may be what is wrong
			if err := l.discard(); err != nil {
				return err
			}
			return l.load(detail)
		}
		return l.refuse("its entries do not lead to its signed head")
	}
	if torn := l.entries.Size() - whole; torn > 0 {
		b := make([]byte, torn)
		if _, err := l.entries.ReadAt(b, whole); err != nil {
			return fmt.Errorf("open audit log: torn bytes: %w", err)
		}
		if err := l.aside(l.entries, whole, b, entriesFile, detail); err != nil {
			return err
		}
	}
	if n > l.head.Size {
		detail["unsigned"] = strconv.FormatUint(n-1, 10) // the entry that the kill left without a head
	}
	l.size.Store(n)
	return nil
}

// wholeLines returns where the last line that has an end, ends.
func (l *Log) wholeLines() (int64, error) {
	size := l.entries.Size()
	from := max(0, size-maxLine)
	b := make([]byte, size-from)
	if _, err := l.entries.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("open audit log: entries: %w", err)
	}
	i := bytes.LastIndexByte(b, '\n')
	if i < 0 && from > 0 {
		return 0, l.refuse("its last line is longer than any entry can be")
	}
	return from + int64(i) + 1, nil
}

// fits reports whether hashes and offsets agree in length, and in their last
// element, with the entries in the first size bytes; n is then their number.
func (l *Log) fits(size int64) (n uint64, ok bool, err error) {
	oi, err := l.offsets.f.Stat()
	if err != nil {
		return 0, false, fmt.Errorf("open audit log: %w", err)
	}
	hi, err := l.hashes.f.Stat()
	if err != nil {
		return 0, false, fmt.Errorf("open audit log: %w", err)
	}
	n = uint64(oi.Size() / 8)
	if oi.Size()%8 != 0 || hi.Size() != int64(merkle.Count(n))*hashSize {
		return 0, false, nil
	}
	if n == 0 {
		return 0, size == 0, nil
	}
	ends, err := l.offsets.ends(n-1, n)
	if err != nil || ends[1] != size {
		return 0, false, nil // rebuilding finds out what is wrong
	}
	line, err := l.line(ends[0], ends[1])
	if err != nil {
		return 0, false, nil
	}
	e, err := parse(line)
	if err != nil || e.Seq != n-1 {
		return 0, false, nil
	}
	// Neither file is synced as it grows. What a program left that was killed
	// is not trusted, whatever it looks like.
	clean := e.Action == closeAction && e.Phase == Outcome
	leaf, err := l.hashes.At(merkle.Count(n - 1))
	return n, clean && err == nil && leaf == merkle.Leaf(line), nil
}

func (l *Log) discard() error {
	if err := errors.Join(l.hashes.f.Truncate(0), l.offsets.f.Truncate(0)); err != nil {
		return fmt.Errorf("open audit log: rebuild: %w", err)
	}
	return nil
}

// rebuild derives hashes and offsets from the first size bytes of entries. It
// returns how many entries there are and where they end: before size when the
// last line, under no head yet, is all there but not what was written, since
// the blocks of one write can reach the disk out of order.
func (l *Log) rebuild(size int64) (n uint64, whole int64, err error) {
	if err := l.discard(); err != nil {
		return 0, 0, err
	}
	sc := scanner(io.NewSectionReader(l.entries, 0, size))
	for sc.Scan() {
		line := sc.Bytes()
		end := whole + int64(len(line)) + 1
		e, err := parse(line)
		if err == nil && e.Seq != n {
			err = fmt.Errorf("is entry %d, expected %d", e.Seq, n)
		}
		if err != nil && end == size && n >= l.head.Size {
			return n, whole, nil
		}
		if err != nil {
			return 0, 0, l.refuse("line %d %v", n+1, err)
		}
		if err := l.derive(n, line, end); err != nil {
			return 0, 0, fmt.Errorf("open audit log: rebuild: %w", err)
		}
		n, whole = n+1, end
	}
	if err := sc.Err(); err != nil {
		return 0, 0, fmt.Errorf("open audit log: rebuild: %w", err)
	}
	return n, whole, nil
}

func scanner(r io.Reader) *bufio.Scanner {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 64<<10), maxLine)
	sc.Split(func(data []byte, atEOF bool) (int, []byte, error) { // bufio.ScanLines would drop a \r
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			return i + 1, data[:i], nil
		}
		if atEOF && len(data) > 0 {
			return 0, nil, errTorn
		}
		return 0, nil, nil
	})
	return sc
}

var errTorn = errors.New("the last line has no end")

// unfinished returns the intents without outcome, looking back to the last
// opening that was done.
func (l *Log) unfinished() ([]Entry, error) {
	ended := map[uint64]bool{}
	var open []Entry
	err := l.back(l.size.Load(), func(seq uint64, line []byte) (bool, error) {
		e, err := l.entry(seq, line)
		if err != nil {
			return false, err
		}
		switch {
		case e.Phase == Outcome && e.Action == openAction && e.Result == Done:
			return false, nil
		case e.Phase == Outcome:
			ended[*e.Ref] = true
		case !ended[e.Seq]:
			open = append(open, e)
		}
		if len(open) > maxUnfinished {
			return false, l.refuse("more than %d acts at its end have no outcome", maxUnfinished)
		}
		return true, nil
	})
	slices.Reverse(open)
	return open, err
}

// refuse is the error for a log that must be looked at by a person.
func (l *Log) refuse(format string, args ...any) error {
	return fault.New(fault.Unavailable,
		"the audit log in %s was changed or damaged: %s. Run citywall audit verify, keep a copy of the folder, and restore it from a backup; to go on with a new log, move the folder aside",
		l.dir, fmt.Sprintf(format, args...))
}
