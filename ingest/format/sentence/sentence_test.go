// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sentence

import (
	"fmt"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	table := Parse(`
a|denied|Deny {proto} src {if}:{ip}/{port} dst {dst} by "{acl}" [{_}
a|denied|Deny {proto} src {if}:{ip}
b|login|user = {user} : user IP = {ip}
b|login|user = {user}
c|all|{rest}
d|two|{x} {y} in {z}
`)
	for _, c := range []struct{ id, in, want string }{
		{"a", `Deny tcp src out:2001:db8::1`, "denied proto=tcp if=out ip=2001:db8::1"},
		{"a", `Deny tcp src out:10.0.0.1/80 dst in:x by "acl" [0x0]`, "denied proto=tcp if=out ip=10.0.0.1 port=80 dst=in:x acl=acl"},
		{"b", `user = a: user IP = 10.0.0.1`, "login user=a ip=10.0.0.1"},
		{"b", `user = <a> : user IP =  10.0.0.1`, "login user=a ip=10.0.0.1"},
		{"b", `user = a`, "login user=a"},
		{"b", `user is a`, ""},
		{"c", `x`, "all rest=x"},
		{"d", `one two three in four in five`, "two x=one y=two three z=four in five"},
		{"e", `x`, ""},
		{"a", ``, ""},
	} {
		var got []string
		ev := table.Read(c.id, c.in, func(f, v string) { got = append(got, f+"="+v) })
		if s := strings.TrimSpace(fmt.Sprint(ev, " ", strings.Join(got, " "))); s != c.want {
			t.Errorf("%s: %s, want %s", c.in, s, c.want)
		}
	}
}

// FuzzRead: no text of any kind makes it panic, and what it gives stands in the
// text.
func FuzzRead(f *testing.F) {
	f.Add("Deny {p} src {i}:{a}/{n}", "Deny tcp src out:10.0.0.1/80")
	f.Add("{a} {b}: {c}.", "x y : z.")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if strings.ContainsAny(pattern, "\n|") {
			return
		}
		Parse("a|e|"+pattern).Read("a", text, func(_, v string) {
			if !strings.Contains(text, v) {
				t.Fatalf("%q is not in %q", v, text)
			}
		})
	})
}
