// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"encoding/binary"
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// expression is a regular expression of a rule. Package regexp decides what it
// means; whether it matches is found by an automaton whose states are made when
// a text first leads to them, at one step for each character. The automaton may
// grow to maxStateBytes; then package regexp decides the texts that lead further.
type expression struct {
	re   *regexp.Regexp
	need []string // folded texts of which a match holds one
	src  string

	plain bool // package regexp decides alone

	once  sync.Once
	least int        // characters of the shortest match
	run   runOf      // when the expression is one class, so many times or more
	auto  *automaton // nil: package regexp decides
}

// maxStateBytes bounds the states of one automaton.
const maxStateBytes = 256 << 10

// maxProgram bounds the instructions of an expression that gets an automaton:
// every state is a set of them.
const maxProgram = 600

// match reports whether the expression matches anywhere in v.
func (x *expression) match(v string) bool {
	if x.plain {
		return x.re.MatchString(v)
	}
	x.once.Do(x.prepare)
	if len(v) < x.least { // a character is a byte or more
		return false
	}
	if x.run.least > 0 {
		return x.run.in(v)
	}
	if x.auto != nil {
		if found, ok := x.auto.match(v); ok {
			return found
		}
	}
	return x.re.MatchString(v)
}

func (x *expression) prepare() {
	re, err := syntax.Parse(x.src, syntax.Perl)
	if err != nil {
		return // cannot be: regexp.Compile took it
	}
	x.least = leastOf(re, 0)
	if x.run = runOfClass(re); x.run.least > 0 {
		return
	}
	p, err := syntax.Compile(re.Simplify())
	if err != nil || len(p.Inst) > maxProgram {
		return
	}
	x.auto = newAutomaton(p)
}

// runOf is an expression such as .{1000,}: least or more characters of a class
// in a row.
type runOf struct {
	least int
	one   *syntax.Inst
}

func runOfClass(re *syntax.Regexp) runOf {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	if re.Op != syntax.OpRepeat || re.Min < 1 || re.Max >= 0 && re.Max < re.Min {
		return runOf{}
	}
	p, err := syntax.Compile(re.Sub[0].Simplify())
	if err != nil || len(p.Inst) != 3 { // fail, the class, match
		return runOf{}
	}
	switch i := &p.Inst[p.Start]; i.Op {
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return runOf{re.Min, i}
	}
	return runOf{}
}

func (r runOf) in(v string) bool {
	n := 0
	for _, c := range v { // an invalid byte is one U+FFFD, as in package regexp
		if !r.one.MatchRune(c) {
			n = 0
		} else if n++; n == r.least {
			return true
		}
	}
	return false
}

// automaton runs all threads of a program at once. Characters that no
// instruction tells apart are one class.
type automaton struct {
	prog    *syntax.Prog
	ascii   [utf8.RuneSelf]uint8
	bounds  []rune  // where a class begins, beyond ASCII too
	classOf []uint8 // of each bound
	sample  []rune  // one character of each class
	looks   looks
	start   *state
	none    *state // no thread is left
	found   *state

	full   atomic.Bool
	mu     sync.Mutex
	states map[string]*state // guarded by mu
	bytes  int               // guarded by mu
}

// looks says what the program asks of a position.
type looks struct{ begin, line, word bool }

// state is a set of threads before the next character, and what the character
// before it was, as far as the program asks.
type state struct {
	next  []atomic.Pointer[state] // by class; the last one is the end of the text
	pcs   []uint32
	prior rune // -1 at the beginning
}

// maxClasses is below 256 so that a class is one byte.
const maxClasses = 250

func newAutomaton(p *syntax.Prog) *automaton {
	a := &automaton{prog: p, none: &state{}, found: &state{}, states: map[string]*state{}}
	for i := range p.Inst {
		if in := &p.Inst[i]; in.Op == syntax.InstEmptyWidth {
			op := syntax.EmptyOp(in.Arg)
			a.looks.word = a.looks.word || op&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0
			a.looks.line = a.looks.line || op&(syntax.EmptyBeginLine|syntax.EmptyEndLine) != 0
			a.looks.begin = a.looks.begin || op&(syntax.EmptyBeginText|syntax.EmptyBeginLine) != 0
		}
	}
	if !a.classify() {
		return nil
	}
	a.start = a.state([]uint32{uint32(p.Start)}, -1)
	return a
}

// classify cuts the characters into classes.
func (a *automaton) classify() bool {
	bounds := []rune{0, '\n', '\n' + 1, '0', '9' + 1, 'A', 'Z' + 1, '_', '_' + 1, 'a', 'z' + 1}
	cut := func(from, to rune) { bounds = append(bounds, from, to+1) }
	for i := range a.prog.Inst {
		in := &a.prog.Inst[i]
		if in.Op != syntax.InstRune && in.Op != syntax.InstRune1 {
			continue
		}
		if len(in.Rune) == 1 {
			cut(in.Rune[0], in.Rune[0])
			for r := unicode.SimpleFold(in.Rune[0]); r != in.Rune[0]; r = unicode.SimpleFold(r) {
				cut(r, r)
			}
			continue
		}
		for k := 0; k+1 < len(in.Rune); k += 2 {
			cut(in.Rune[k], in.Rune[k+1])
		}
	}
	slices.Sort(bounds)
	a.bounds = slices.Compact(bounds)
	a.classOf = make([]uint8, len(a.bounds))
	same := map[string]int{}
	for i, r := range a.bounds {
		k := a.signature(r)
		c, ok := same[k]
		if !ok {
			if c = len(same); c == maxClasses {
				return false
			}
			same[k] = c
			a.sample = append(a.sample, r)
		}
		a.classOf[i] = uint8(c)
	}
	for c := range rune(utf8.RuneSelf) {
		a.ascii[c] = a.class(c)
	}
	return true
}

// signature says which instructions take r, and what it is to a position.
func (a *automaton) signature(r rune) string {
	k := []byte{byte(a.prior(r))}
	for i := range a.prog.Inst {
		switch in := &a.prog.Inst[i]; in.Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if in.MatchRune(r) {
				k = binary.AppendUvarint(k, uint64(i))
			}
		}
	}
	return string(k)
}

// prior is what the program can tell of the character before a position.
func (a *automaton) prior(r rune) rune {
	switch {
	case a.looks.line && r == '\n':
		return '\n'
	case a.looks.word && syntax.IsWordChar(r):
		return 'a'
	}
	return ' '
}

func (a *automaton) class(r rune) uint8 {
	i, ok := slices.BinarySearch(a.bounds, r)
	if !ok {
		i--
	}
	return a.classOf[i]
}

// match reports whether the program matches in v; ok is false when there is no
// room for more states.
func (a *automaton) match(v string) (found, ok bool) {
	s := a.start
	for i := 0; i < len(v); {
		var class uint8
		if c := v[i]; c < utf8.RuneSelf {
			class = a.ascii[c]
			i++
		} else {
			r, n := utf8.DecodeRuneInString(v[i:])
			class = a.class(r)
			i += n
		}
		next := s.next[class].Load()
		if next == nil {
			if next = a.step(s, int(class)); next == nil {
				return false, false
			}
		}
		if s = next; s == a.found || s == a.none {
			return s == a.found, true
		}
	}
	end := len(a.sample)
	next := s.next[end].Load()
	if next == nil {
		if next = a.step(s, end); next == nil {
			return false, false
		}
	}
	return next == a.found, true
}

// step makes the state that follows s after a character of the class, and
// remembers it; nil when there is no room.
func (a *automaton) step(s *state, class int) *state {
	if a.full.Load() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r := rune(-1)
	if class < len(a.sample) {
		r = a.sample[class]
	}
	reached := make([]bool, len(a.prog.Inst))
	out := make([]bool, len(a.prog.Inst))
	at := syntax.EmptyOpContext(s.prior, r)
	match := false
	var follow func(pc uint32)
	follow = func(pc uint32) {
		if reached[pc] {
			return
		}
		reached[pc] = true
		switch in := &a.prog.Inst[pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			follow(in.Out)
			follow(in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			follow(in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^at == 0 {
				follow(in.Out)
			}
		case syntax.InstMatch:
			match = true
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if r >= 0 && in.MatchRune(r) {
				out[in.Out] = true
			}
		}
	}
	for _, pc := range s.pcs {
		follow(pc)
	}
	next := a.none
	switch {
	case match:
		next = a.found
	case r >= 0:
		if a.prog.StartCond()&syntax.EmptyBeginText == 0 {
			out[a.prog.Start] = true // a match may begin at any character
		}
		var pcs []uint32
		for pc, on := range out {
			if on {
				pcs = append(pcs, uint32(pc))
			}
		}
		if len(pcs) > 0 {
			next = a.state(pcs, a.prior(r))
		}
	}
	if next != nil {
		s.next[class].Store(next)
	}
	return next
}

// state returns the state of a set of threads, nil when there is no room for
// another one. The caller holds mu.
func (a *automaton) state(pcs []uint32, prior rune) *state {
	if prior == -1 && !a.looks.begin && !a.looks.word {
		prior = ' '
	}
	key := binary.AppendVarint(nil, int64(prior))
	for _, pc := range pcs {
		key = binary.AppendUvarint(key, uint64(pc))
	}
	if s := a.states[string(key)]; s != nil {
		return s
	}
	if a.bytes += 8*(len(a.sample)+1) + 4*len(pcs) + len(key) + 100; a.bytes > maxStateBytes {
		a.full.Store(true)
		return nil
	}
	s := &state{next: make([]atomic.Pointer[state], len(a.sample)+1), pcs: pcs, prior: prior}
	a.states[string(key)] = s
	return s
}
