// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/detect/sigma/ruletest"
	"citywall/event"
)

// load compiles rule texts, one file each.
func load(t testing.TB, opt sigma.Options, texts ...string) (*sigma.Engine, *sigma.Report) {
	t.Helper()
	f := fstest.MapFS{}
	for i, s := range texts {
		f["r"+string(rune('a'+i))+".yml"] = &fstest.MapFile{Data: []byte(s)}
	}
	e, rep, err := sigma.Load([]sigma.Set{{Name: "test", FS: f}}, opt)
	if err != nil {
		t.Fatal(err)
	}
	return e, rep
}

func ev(t testing.TB, s string) *event.Event {
	t.Helper()
	e, err := ruletest.Event([]byte(s))
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	if e.Product == "" {
		e.Product = "test"
	}
	return e
}

// rule wraps a detection section; the product has no table, so events labelled
// with it are its own.
func rule(detection string) string {
	return "title: t\nid: 6d1f2c1e-0000-4000-8000-000000000001\nlogsource: {product: test}\ndetection:\n" + detection + "\nlevel: low\n"
}

// field makes a rule of one field.
func field(entry string) string {
	return rule("    s:\n        " + strings.ReplaceAll(entry, "\n", "\n        ") + "\n    condition: s")
}

func fires(t testing.TB, e *sigma.Engine, event string) []detect.Finding {
	t.Helper()
	return e.NewMatcher().Match(ev(t, event))
}

// TestValues goes through detection.md §2.1 and §2.2: what matches, and the
// neighbour that does not.
func TestValues(t *testing.T) {
	for _, c := range []struct{ entry, yes, no string }{
		// Strings.
		{`F: abc`, `{"F":"ABC"}`, `{"F":"abcd"}`},
		{`F: äÖ`, `{"F":"Äö"}`, `{"F":"ao"}`},
		{`F: 'a*c'`, `{"F":"abbbc"}`, `{"F":"abbbd"}`},
		{`F: 'a?c'`, `{"F":"a護c"}`, `{"F":"ac"}`},
		{`F: 'a?c'`, `{"F":"abc"}`, `{"F":"abbc"}`},
		{`F: 'a\*c'`, `{"F":"a*c"}`, `{"F":"abc"}`},
		{`F: 'a\?c'`, `{"F":"a?c"}`, `{"F":"abc"}`},
		{`F: 'C:\x'`, `{"F":"C:\\x"}`, `{"F":"C:x"}`},
		{`F: 'C:\\x'`, `{"F":"C:\\x"}`, `{"F":"C:\\\\x"}`},
		{`F: 'C:\\*'`, `{"F":"C:\\anything"}`, `{"F":"C:anything"}`},
		{`F: 'C:\\\*'`, `{"F":"C:\\*"}`, `{"F":"C:\\anything"}`},
		{`F: '\\\\srv'`, `{"F":"\\\\srv"}`, `{"F":"\\srv"}`},
		{`F: '*'`, `{"F":""}`, `{}`},
		{`F: 'a*b*c'`, `{"F":"a-b-b-c"}`, `{"F":"a-c-b"}`},
		{`F: '*a?b'`, `{"F":"xxa護b"}`, `{"F":"xxab"}`},
		{`F: '?'`, `{"F":"護"}`, `{"F":""}`},
		// Position.
		{`F|contains: 'b*d'`, `{"F":"abcde"}`, `{"F":"adcbe"}`},
		{`F|startswith: 'a?'`, `{"F":"axyz"}`, `{"F":"a"}`},
		{`F|endswith: '\x.exe'`, `{"F":"C:\\X.EXE"}`, `{"F":"C:\\xx.exe"}`},
		{`F|startswith: 'ab'`, `{"F":"abc"}`, `{"F":"cab"}`},
		// Numbers and booleans are text.
		{`F: 16`, `{"F":16}`, `{"F":"0x10"}`},
		{`F: 0x10`, `{"F":"16"}`, `{"F":"0x10"}`},
		{`F: '0x10'`, `{"F":"0x10"}`, `{"F":"16"}`},
		{`F: 1.50`, `{"F":"1.50"}`, `{"F":"1.5"}`},
		{`F: true`, `{"F":true}`, `{"F":"yes"}`},
		// Lists in rules.
		{"F:\n    - a\n    - b", `{"F":"b"}`, `{"F":"c"}`},
		{"F|contains|all:\n    - a\n    - b", `{"F":"bxa"}`, `{"F":"bx"}`},
		{"F|all|contains:\n    - a\n    - b", `{"F":"ab"}`, `{"F":"a"}`},
		// Lists in events: any element, and each by itself.
		{`F: b`, `{"F":["a","b"]}`, `{"F":["a","c"]}`},
		{`F|contains: 'a b'`, `{"F":["x","a b"]}`, `{"F":["a","b"]}`},
		{`F|contains: 'a, b'`, `{"F":"a, b"}`, `{"F":["a","b"]}`},
		{"F|contains|all:\n    - a\n    - b", `{"F":["a","b"]}`, `{"F":["a","c"]}`},
		// Null, empty, absent.
		{`F: null`, `{"G":1}`, `{"F":""}`},
		{`F: null`, `{"F":null}`, `{"F":"null"}`},
		{`F: ''`, `{"F":""}`, `{}`},
		{`F: ''`, `{"F":""}`, `{"F":null}`},
		{"F:\n    - null\n    - '-'", `{"F":"-"}`, `{"F":""}`},
		{"F:\n    - null\n    - '-'", `{}`, `{"F":"x"}`},
		{`F|exists: true`, `{"F":null}`, `{}`},
		{`F|exists: true`, `{"F":[]}`, `{}`},
		{`F|exists: false`, `{}`, `{"F":""}`},
		// Case.
		{`F|cased: aB`, `{"F":"aB"}`, `{"F":"ab"}`},
		{`F|contains|cased: aB`, `{"F":"xaBx"}`, `{"F":"xabx"}`},
		{`F|cased: 'a*B'`, `{"F":"axxB"}`, `{"F":"axxb"}`},
		// Regular expressions.
		{`F|re: 'a.c'`, `{"F":"xabcx"}`, `{"F":"XABCX"}`},
		{`F|re|i: 'a.c'`, `{"F":"XABCX"}`, `{"F":"ac"}`},
		{`F|re|ignorecase: '^a$'`, `{"F":"A"}`, `{"F":"AA"}`},
		{`F|re|m: '^b$'`, `{"F":"a\nb\nc"}`, `{"F":"abc"}`},
		{`F|re|multiline: '^b$'`, `{"F":"a\nb"}`, `{"F":"ab"}`},
		{`F|re|s: 'a.b'`, `{"F":"a\nb"}`, `{"F":"ab"}`},
		{`F|re|dotall|i: 'a.b'`, `{"F":"A\nB"}`, `{"F":"a"}`},
		{`F|re: 'a.b'`, `{"F":"axb"}`, `{"F":"a\nb"}`},
		{`F|re: ''`, `{"F":""}`, `{}`},
		{`F|re: 'x*'`, `{"F":"y"}`, `{"F":null}`},
		{`F|re|startswith: 'b|c'`, `{"F":"ca"}`, `{"F":"ab"}`},
		{`F|re|endswith: 'b|c'`, `{"F":"ab"}`, `{"F":"ba"}`},
		{`F|re|contains: 'b'`, `{"F":"abc"}`, `{"F":"ac"}`},
		{`F|re: '(shell|console)\.(aspx?|jsp)'`, `{"F":"/x/console.asp"}`, `{"F":"/x/console.php"}`},
		{`F|re|i: 'sesame'`, `{"F":"ſESAME"}`, `{"F":"SESAM"}`},
		// windash.
		{`F|windash: '-enc'`, `{"F":"/enc"}`, `{"F":"enc"}`},
		{`F|contains|windash: ' -enc '`, `{"F":"p –enc x"}`, `{"F":"p enc x"}`},
		{`F|windash|contains: '/c ab-cd'`, `{"F":"x ―C AB-CD"}`, `{"F":"x -c ab/cd"}`},
		{`F|contains|windash: '-a -b'`, `{"F":"/a —b"}`, `{"F":"/a b"}`},
		{`F|contains|windash: '—a'`, `{"F":"-a"}`, `{"F":"a"}`},
		{`F|endswith|windash: ' -f'`, `{"F":"x /f"}`, `{"F":"x /f "}`},
		// cidr.
		{`F|cidr: 10.0.0.0/8`, `{"F":"10.255.0.1"}`, `{"F":"11.0.0.1"}`},
		{`F|cidr: 10.0.0.0/8`, `{"F":"::ffff:10.1.1.1"}`, `{"F":"10.1.1"}`},
		{`F|cidr: 2001:db8::/32`, `{"F":"2001:DB8::1"}`, `{"F":"2001:db9::1"}`},
		{`F|cidr: '::ffff:10.0.0.0/104'`, `{"F":"10.1.1.1"}`, `{"F":"11.1.1.1"}`},
		{`F|cidr: fe80::/10`, `{"F":"fe80::1%eth0"}`, `{"F":"-"}`},
		{"F|cidr:\n    - 10.0.0.0/8\n    - 192.168.1.1", `{"F":"192.168.1.1"}`, `{"F":"192.168.1.2"}`},
		// Encodings.
		{`F|base64: foobar`, `{"F":"Zm9vYmFy"}`, `{"F":"zm9vymfy"}`},
		{`F|base64offset|contains: foobar`, `{"F":"xx Zm9vYmFy xx"}`, `{"F":"xx zm9vymfy xx"}`},
		{`F|base64offset|contains: foobar`, `{"F":"eGZvb2Jhcg=="}`, `{"F":"eGZvb2Jh"}`},     // "xfoobar"
		{`F|base64offset|contains: foobar`, `{"F":"eHhmb29iYXI="}`, `{"F":"eHhmb29iYg=="}`}, // "xxfoobar"
		{`F|wide|base64offset|contains: 'ab'`, `{"F":"YQBiAA=="}`, `{"F":"YWI="}`},
		{`F|utf16le|base64|contains: 'ab'`, `{"F":"YQBiAA=="}`, `{"F":"AGEAYg=="}`},
		{`F|utf16be|base64: 'ab'`, `{"F":"AGEAYg=="}`, `{"F":"YQBiAA=="}`},
		{`F|utf16|base64: 'ab'`, `{"F":"//5hAGIA"}`, `{"F":"YQBiAA=="}`},
		{`F|windash|base64offset|contains: ' -x y'`, `{"F":"IC94IHk="}`, `{"F":"IHggeQ=="}`},
		{"F|base64offset|contains|all:\n    - foobar\n    - quux", `{"F":"Zm9vYmFyIHF1dXg="}`, `{"F":"Zm9vYmFy"}`},
		// Field to field.
		{`F|fieldref: G`, `{"F":"a","G":"A"}`, `{"F":"a","G":"b"}`},
		{`F|fieldref: G`, `{"F":"a","G":["b","a"]}`, `{"F":"a"}`},
		{`F|fieldref: G`, `{"F":"*","G":"*"}`, `{"F":"a","G":"*"}`},
		{`F|fieldref|startswith: G`, `{"F":"abc","G":"ab"}`, `{"F":"ab","G":"abc"}`},
		{`F|fieldref|endswith: G`, `{"F":"abc","G":"bc"}`, `{"F":"bca","G":"bc"}`},
		{`F|fieldref|contains: G`, `{"F":"abc","G":"b"}`, `{"F":"ac","G":"b"}`},
		{`F|fieldref|neq: G`, `{"F":"a","G":"b"}`, `{"F":"a","G":"A"}`},
		{`F|fieldref|cased: G`, `{"F":"a","G":"a"}`, `{"F":"a","G":"A"}`},
		// Numbers.
		{`F|lt: 10`, `{"F":9}`, `{"F":10}`},
		{`F|lte: 10`, `{"F":"10"}`, `{"F":"10.5"}`},
		{`F|gt: 10`, `{"F":"0x0b"}`, `{"F":"0x0a"}`},
		{`F|gte: 9223372036854775807`, `{"F":"9223372036854775807"}`, `{"F":"9223372036854775806"}`},
		{`F|gt: 1.5`, `{"F":"1.6"}`, `{"F":"abc"}`},
		{`F|lt: 5`, `{"F":-3}`, `{"F":""}`},
		{`F|gt: 5`, `{"F":[1,9]}`, `{"F":[1,2]}`},
		// neq.
		{`F|neq: a`, `{"F":"b"}`, `{"F":"A"}`},
		{`F|neq: 5`, `{"F":"6"}`, `{"F":5}`},
		{`F|neq: a`, `{"F":""}`, `{}`},
		{`F|neq: a`, `{"F":"x"}`, `{"F":null}`},
		{"F|neq:\n    - a\n    - b", `{"F":"c"}`, `{"F":"b"}`},
		{`F|contains|neq: a`, `{"F":"xyz"}`, `{"F":"xaz"}`},
		{`F|neq: null`, `{"F":"x"}`, `{}`},
		// Dates.
		{`F|hour: 20`, `{"F":"2025-10-22T20:30:29.3Z"}`, `{"F":"2025-10-22T21:30:29Z"}`},
		{`F|minute: 30`, `{"F":"2025-10-22 20:30:29"}`, `{"F":"2025-10-22"}`},
		{`F|hour|gte: 20`, `{"F":"2025-10-22 23:00:00.1"}`, `{"F":"2025-10-22 19:59:59"}`},
		{`F|day: 22`, `{"F":"2025-10-22"}`, `{"F":"2025-10-21"}`},
		{`F|week: 43`, `{"F":"2025-10-22"}`, `{"F":"2025-10-27"}`},
		{`F|month|lt: 3`, `{"F":"2025-02-28T00:00:00+08:00"}`, `{"F":"2025-03-01T00:00:00+08:00"}`},
		{`F|year: 2025`, `{"F":"2025-10-22"}`, `{"F":"22 Oct 2025"}`},
		// Names of fields.
		{`ThreatName: x`, `{"Threat Name":"x"}`, `{"Threatname":"x"}`},
		{`a.b: x`, `{"a":{"b":"x"}}`, `{"a":{"c":"x"}}`},
	} {
		e, rep := load(t, sigma.Options{}, field(c.entry))
		if len(rep.Refused)+len(rep.Waiting) > 0 {
			t.Errorf("%s: refused: %v %v", c.entry, rep.Refused, rep.Waiting)
			continue
		}
		if len(fires(t, e, c.yes)) != 1 {
			t.Errorf("%s does not match %s", c.entry, c.yes)
		}
		if len(fires(t, e, c.no)) != 0 {
			t.Errorf("%s matches %s", c.entry, c.no)
		}
	}
}

// TestSelections goes through lists, maps, keywords and conditions.
func TestSelections(t *testing.T) {
	const abc = "    a: {A: 1}\n    b: {B: 1}\n    c: {C: 1}\n    _d: {D: 1}\n    condition: "
	for _, c := range []struct{ detection, yes, no string }{
		{"    s: {A: 1, B: 2}\n    condition: s", `{"A":1,"B":2}`, `{"A":1}`},
		{"    s:\n        - A: 1\n        - B: 2\n          C: 3\n    condition: s", `{"B":2,"C":3}`, `{"B":2}`},
		{"    s:\n        - one\n        - two words\n    condition: s", `{"M":"say TWO WORDS now"}`, `{"two":"words"}`},
		{"    s: one\n    condition: s", `{"M":["x","a one"]}`, `{"M":"two"}`},
		{"    s:\n        '|all':\n            - one\n            - two\n    condition: s", `{"M":"two","N":"one"}`, `{"M":"two"}`},
		{"    s:\n        '|re': 'o.e'\n    condition: s", `{"M":"xoNeoneX"}`, `{"M":"ONE"}`},
		{"    s:\n        - one*two\n    condition: s", `{"M":"one and two"}`, `{"M":"two and one"}`},
		{"    s:\n        - A: 1\n        - word\n    condition: s", `{"M":"a word"}`, `{"M":"1"}`},
		{"    s:\n        - 4711\n    condition: s", `{"M":"id 4711"}`, `{"M":"471"}`},
		{abc + "a or b and c", `{"A":1}`, `{"B":1}`},
		{abc + "(a or b) and c", `{"B":1,"C":1}`, `{"A":1}`},
		{abc + "not a and b", `{"B":1}`, `{"A":1,"B":1}`},
		{abc + "not (a and b)", `{"A":1}`, `{"A":1,"B":1}`},
		{abc + "a and not not b", `{"A":1,"B":1}`, `{"A":1}`},
		{abc + "a AND NOT b", `{"A":1}`, `{"A":1,"B":1}`},
		{abc + "1 of them", `{"C":1}`, `{"D":1}`},
		{abc + "all of them", `{"A":1,"B":1,"C":1}`, `{"A":1,"B":1,"D":1}`},
		{abc + "any of [abc]", ``, ``},
		{abc + "1 of _d*", `{"D":1}`, `{"A":1}`},
		{abc + "2 of them", `{"A":1,"C":1}`, `{"A":1}`},
		{abc + "not 1 of them", `{"D":1}`, `{"B":1}`},
		{"    sel_a: {A: 1}\n    sel_b: {B: 1}\n    other: {C: 1}\n    condition: all of sel_* and not other", `{"A":1,"B":1}`, `{"A":1,"B":1,"C":1}`},
		{"    x_main: {A: 1}\n    y_main: {B: 1}\n    condition: 1 of *_main", `{"B":1}`, `{"C":1}`},
		{"    a: {A: 1}\n    b: {B: 1}\n    condition:\n        - a\n        - b", `{"B":1}`, `{"C":1}`},
	} {
		e, rep := load(t, sigma.Options{}, rule(c.detection))
		if c.yes == "" {
			if len(rep.Refused) != 1 {
				t.Errorf("%s: not refused", c.detection)
			}
			continue
		}
		if len(rep.Refused) > 0 {
			t.Errorf("%s: refused: %v", c.detection, rep.Refused)
			continue
		}
		if len(fires(t, e, c.yes)) != 1 {
			t.Errorf("%s\ndoes not match %s", c.detection, c.yes)
		}
		if len(fires(t, e, c.no)) != 0 {
			t.Errorf("%s\nmatches %s", c.detection, c.no)
		}
	}
}

// TestRefused holds that what is not understood is refused with a reason, and
// never evaluated in part.
func TestRefused(t *testing.T) {
	const s = "    s: {A: 1}\n    condition: "
	for _, c := range []struct{ rule, reason, class string }{
		{field(`F|fuzzy: a`), `unknown modifier "fuzzy"`, "modifier"},
		{field(`F|i: a`), "belongs to re", "modifier"},
		{field(`F|contains|base64: a`), "must stand before", "modifier"},
		{field(`F|base64: 'a*'`), "cannot encode the wildcards", "detection"},
		{field(`F|re|cidr: a`), "exclude one another", "modifier"},
		{field(`F|re: 'a(?=b)'`), "no lookaround", "detection"},
		{field(`F|re: '('`), "regular expression", "detection"},
		{field(`F|cidr: here`), "is not a network", "detection"},
		{field(`F|gt: ten`), "wants a number", "detection"},
		{field(`F|exists: maybe`), "wants true or false", "detection"},
		{field(`F|contains: null`), "null takes no modifier", "detection"},
		{field(`F: []`), "has no values", "detection"},
		{field("F:\n    - [a]"), "single value", "detection"},
		{field("F: {G: a}"), "single value", "detection"},
		{field("F|lt|gt: 1"), "two comparisons", "modifier"},
		{rule(s + "s | count() by A > 5"), "correlation rule", "aggregation"},
		{rule(s + "s near x"), "unexpected", "condition"},
		{rule(s + "x"), `names "x"`, "condition"},
		{rule(s + "1 of x*"), "no selection is named like", "condition"},
		{rule(s + "s and"), "ends where", "condition"},
		{rule(s + "(s"), "not closed", "condition"},
		{rule(s + "s s"), "unexpected", "condition"},
		{rule(s + "3 of them"), "only 1", "condition"},
		{rule(s + "''"), "ends where", "condition"},
		{rule("    s: {A: 1}"), "no condition", "condition"},
		{rule("    condition: s"), "no selection", "detection"},
		{rule("    s: []\n    condition: s"), "an empty list", "detection"},
		{rule("    s: {}\n    condition: s"), "an empty map", "detection"},
		{rule("    s:\n        - ''\n    condition: s"), "empty keyword", "detection"},
		{rule("    s:\n        A: 1\n        A: 2\n    condition: s"), `key "A" stands twice`, "yaml"},
		{rule("    s: &x {A: 1}\n    t: *x\n    condition: s"), "aliases are not taken", "yaml"},
		{"title: t\n\tx", "YAML", "yaml"},
		{"logsource: {product: test}\ndetection: {s: {A: 1}, condition: s}", "title is missing", "attributes"},
		{"title: t\ndetection: {s: {A: 1}, condition: s}", "logsource is missing", "detection"},
		{"title: t\nlogsource: {definition: x}\ndetection: {s: {A: 1}, condition: s}", "names no category", "detection"},
		{"title: t\nlogsource: {product: test}\n", "detection is missing", "detection"},
		{strings.Replace(field("F: a"), "level: low", "level: grave", 1), `level "grave"`, "attributes"},
		{field("F: a") + "status: fresh\n", `status "fresh"`, "attributes"},
		{field("F: a") + "status: unsupported\n", "marks it unsupported", "detection"},
		{field("F: a") + "taxonomy: ecs\n", "taxonomy", "attributes"},
		{field("F: a") + "action: global\n", "before Sigma 2", "attributes"},
		{field("F: a") + "citywall: {step: dance}\n", "is no step", "detection"},
		{field("F: a") + "citywall: {stepp: entry}\n", "unknown key", "detection"},
		{field("F: a") + "citywall: {compromise: true}\n", "step is missing", "detection"},
	} {
		e, rep := load(t, sigma.Options{}, c.rule)
		if len(rep.Refused) != 1 || !strings.Contains(rep.Refused[0].Reason, c.reason) || rep.Refused[0].Class != c.class || rep.ByReason[c.class] != 1 {
			t.Errorf("%s\nrefused: %+v, want %q of class %s", c.rule, rep.Refused, c.reason, c.class)
		}
		if n := len(e.Rules()); n != 0 {
			t.Errorf("%s\n%d rules are loaded all the same", c.rule, n)
		}
	}
}

// TestPlaceholders: known values expand, unknown ones make the rule wait.
func TestPlaceholders(t *testing.T) {
	opt := sigma.Options{Placeholders: map[string][]string{"Admins": {"root", "adm-*"}, "OS": {"a", "b"}, "None": nil}}
	for _, c := range []struct{ entry, yes, no string }{
		{`F|expand: '%Admins%'`, `{"F":"ADM-7"}`, `{"F":"admin"}`},
		{`F|contains|expand: '%Admins%'`, `{"F":"x root x"}`, `{"F":"x"}`},
		{`F|expand|startswith: '%OS%-%OS%'`, `{"F":"b-a!"}`, `{"F":"a-c"}`},
		{`F|expand: '100\%'`, `{"F":"100%"}`, `{"F":"100"}`},
		{`F: '%Admins%'`, `{"F":"%admins%"}`, `{"F":"root"}`},
		{"F|contains|all|expand:\n    - '%OS%'\n    - x", `{"F":"bx"}`, `{"F":"b"}`},
	} {
		e, rep := load(t, opt, field(c.entry))
		if rep.Loaded != 1 {
			t.Errorf("%s: %+v", c.entry, rep)
			continue
		}
		if len(fires(t, e, c.yes)) != 1 || len(fires(t, e, c.no)) != 0 {
			t.Errorf("%s: wrong on %s or %s", c.entry, c.yes, c.no)
		}
	}
	for _, name := range []string{"Unknown", "None"} {
		_, rep := load(t, opt, field(`F|expand: '%`+name+`%'`))
		if len(rep.Waiting) != 1 || !strings.Contains(rep.Waiting[0].Reason, "%"+name+"%") || len(rep.Refused) != 0 || rep.ByReason["placeholder"] != 1 {
			t.Errorf("%s: %+v", name, rep)
		}
	}
}
