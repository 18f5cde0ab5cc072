// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package drawing

import (
	"fmt"
	"slices"
	"testing"
)

// TestPaths: what policies accept between interfaces and zones, written out by
// hand.
func TestPaths(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		FortiGate: {`config system interface
    edit "lan"
        set ip 10.1.0.254 255.255.255.0
    next
    edit "srv"
        set ip 10.2.0.254 255.255.255.0
    next
    edit "guest"
        set ip 10.3.0.254 255.255.255.0
    next
end
config system zone
    edit "people"
        set interface "lan" "guest"
    next
end
config firewall policy
    edit 1
        set name "web"
        set srcintf "people"
        set dstintf "srv"
        set action accept
        set service "HTTPS" "HTTP"
    next
    edit 2
        set srcintf "srv"
        set dstintf "lan"
        set action accept
        set service "HTTPS" "our own"
    next
    edit 3
        set srcintf "guest"
        set dstintf "lan"
        set service "ALL"
    next
    edit 4
        set srcintf "guest"
        set dstintf "lan"
        set action accept
        set status disable
        set service "ALL"
    next
end
config router static
    edit 1
        set dst 10.9.0.0 255.255.0.0
        set device "srv"
    next
end
`, []string{
			"10.1.0.0/24>10.2.0.0/24 [443 80] policy 1 web", "10.1.0.0/24>10.9.0.0/16 [443 80] policy 1 web",
			"10.3.0.0/24>10.2.0.0/24 [443 80] policy 1 web", "10.3.0.0/24>10.9.0.0/16 [443 80] policy 1 web",
			"10.2.0.0/24>10.1.0.0/24 [] policy 2", "10.9.0.0/16>10.1.0.0/24 [] policy 2",
			"10.2.0.0/24>10.9.0.0/16 [] both behind srv", "10.9.0.0/16>10.2.0.0/24 [] both behind srv",
		}},
		PANOS: {`<?xml version="1.0"?><config><devices><entry name="d"><network><interface><ethernet>
<entry name="e1"><layer3><ip><entry name="10.1.0.254/24"/></ip></layer3></entry>
<entry name="e2"><layer3><ip><entry name="10.2.0.254/24"/></ip></layer3></entry></ethernet></interface></network>
<vsys><entry name="v"><zone><entry name="people"><network><layer3><member>e1</member></layer3></network></entry><entry name="servers"><network><layer3><member>e2</member></layer3></network></entry></zone>
<rulebase><security><rules>
<entry name="out"><from><member>people</member></from><to><member>any</member></to><action>allow</action></entry>
<entry name="never"><from><member>servers</member></from><to><member>people</member></to><action>deny</action></entry>
<entry name="off"><from><member>servers</member></from><to><member>people</member></to><action>allow</action><disabled>yes</disabled></entry>
</rules></security></rulebase></entry></vsys></entry></devices></config>`, []string{"10.1.0.0/24>10.2.0.0/24 [] rule out"}},
	} {
		d, err := Read([]byte(c.file))
		if err != nil || d.Kind != name {
			t.Errorf("%s: read as %s, %v", name, d.Kind, err)
			continue
		}
		var got []string
		for _, p := range d.Topology.Paths {
			got = append(got, fmt.Sprintf("%s>%s %v %s", p.From, p.To, p.Ports, p.Note))
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, c.want)
		}
	}
}
