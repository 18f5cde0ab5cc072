// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package city

import (
	"fmt"
	"net/netip"
	"strings"
)

var (
	surnames = strings.Fields(`chen lin huang chang lee wang wu liu tsai yang hsu cheng hsieh kuo hung chiu tseng liao lai chou yeh su chuang lu chiang ho hsiao lo kao pan chien chu
		chung peng yu tu tai fan sung fang shih tan yao`)
	syllables = strings.Fields(`mei ling chun hui ya ting wei chih hao yu hsin chia ming kuan jung shu fen li hua yi chieh ju han pei tzu kai sheng cheng po jui wen an`)
)

// name returns an unused account name: surname and the initials of a given
// name, with a number for the second of that name.
func (b *builder) name() string {
	g1, g2 := syllables[b.r.IntN(len(syllables))], syllables[b.r.IntN(len(syllables))]
	n := surnames[b.r.IntN(len(surnames))] + "." + g1[:1] + g2
	b.names[n]++
	if k := b.names[n]; k > 1 {
		return fmt.Sprintf("%s%d", n, k)
	}
	return n
}

// outside makes the web sites that people visit. Their addresses share the
// documentation ranges with the intruders', so that no range gives anyone away.
func (b *builder) outside() {
	words := strings.Fields(`news mail maps bank weather video cloud shop travel learn wiki photo search forum market paper radio sport health train book job game music office
		drive chat meet form print laws stats budget parks water power phone post`)
	for i, w := range words {
		for k := range 2 {
			a := addr("198.%d.%d.%d", 18+b.r.IntN(2), b.r.IntN(256), 1+b.r.IntN(254))
			if i%9 == 0 {
				a = addr("203.0.113.%d", 130+b.r.IntN(110))
			}
			b.Outside = append(b.Outside, Site{
				Name: fmt.Sprintf("%s%d.example", w, k+1), Addr: a, Plain: b.r.IntN(6) == 0,
			})
		}
	}
}

// countries, most frequent first.
var countries = []string{"Taiwan", "Taiwan", "Taiwan", "United States", "Japan", "Singapore", "Hong Kong", "Netherlands"}

// Country names where a firewall's address table places an outside address.
func Country(a netip.Addr) string {
	b := a.As4()
	return countries[(int(b[1])*7+int(b[2])*3+int(b[3]))%len(countries)]
}
