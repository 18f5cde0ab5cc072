// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"citywall/detect"
)

// meaning reads a rule's `citywall:` block, or derives what correlation needs
// from ATT&CK tags and level. rules/README.md documents both.
func meaning(doc document, r *Rule) (detect.Meaning, error) {
	tech := techniques(r.Tags)
	block := child(doc.root, "citywall")
	if block == nil {
		return derive(r, tech), nil
	}
	if block.Kind != yaml.MappingNode {
		return detect.Meaning{}, fmt.Errorf("citywall: want a mapping")
	}
	m := detect.Meaning{Techniques: tech}
	for i := 0; i+1 < len(block.Content); i += 2 {
		k, v := block.Content[i].Value, block.Content[i+1]
		if v.Kind != yaml.ScalarNode {
			return m, fmt.Errorf("citywall: %s: want a single value", k)
		}
		var err error
		switch k {
		case "step":
			if m.Step = detect.Step(v.Value); !steps[m.Step] {
				err = fmt.Errorf("%q is no step", v.Value)
			}
		case "technique":
			if m.Technique = strings.ToUpper(v.Value); !techniqueForm.MatchString(m.Technique) {
				err = fmt.Errorf("%q is no technique", v.Value)
			}
		case "subject":
			switch m.Subject = v.Value; v.Value {
			case "host", "src", "dst", "user":
			default:
				err = fmt.Errorf("%q is none of host, src, dst, user", v.Value)
			}
		case "observer":
			m.Observer, err = flag(v)
		case "compromise":
			m.Compromise, err = flag(v)
		case "anchor":
			m.Anchor, err = flag(v)
		default:
			err = fmt.Errorf("unknown key")
		}
		if err != nil {
			return m, fmt.Errorf("citywall: %s: %w", k, err)
		}
	}
	if m.Step == "" {
		return m, fmt.Errorf("citywall: step is missing")
	}
	if m.Technique == "" && len(tech) > 0 {
		m.Technique = tech[0]
	}
	return m, nil
}

func flag(v *yaml.Node) (bool, error) {
	var b bool
	if err := v.Decode(&b); err != nil {
		return false, fmt.Errorf("%q is neither true nor false", v.Value)
	}
	return b, nil
}

var (
	techniqueForm = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)
	techniqueTag  = regexp.MustCompile(`^attack\.(t[0-9]{4}(?:\.[0-9]{3})?)$`)
)

func techniques(tags []string) []string {
	var out []string
	for _, t := range tags {
		if m := techniqueTag.FindStringSubmatch(strings.ToLower(t)); m != nil {
			out = append(out, strings.ToUpper(m[1]))
		}
	}
	return out
}

var steps = map[detect.Step]bool{
	detect.StepRecon: true, detect.StepEntry: true, detect.StepWebShell: true, detect.StepExecution: true,
	detect.StepPersist: true, detect.StepPrivilege: true, detect.StepCredential: true, detect.StepDiscovery: true,
	detect.StepLateral: true, detect.StepControl: true, detect.StepExfil: true, detect.StepEvasion: true,
	detect.StepInhibit: true, detect.StepEncrypt: true, detect.StepNote: true, detect.StepOther: true,
}

// techniqueStep is asked before tacticStep: a technique says more. The first
// entry that is one of the rule's techniques, or its parent, decides; the order
// is from the end of an attack to its beginning.
var techniqueStep = []struct {
	technique string
	step      detect.Step
}{
	{"T1486", detect.StepEncrypt},
	{"T1490", detect.StepInhibit},
	{"T1489", detect.StepInhibit},
	{"T1485", detect.StepInhibit},
	{"T1505.003", detect.StepWebShell},
	{"T1567", detect.StepExfil},
	{"T1048", detect.StepExfil},
	{"T1041", detect.StepExfil},
	{"T1537", detect.StepExfil},
	{"T1021", detect.StepLateral},
	{"T1570", detect.StepLateral},
	{"T1550", detect.StepLateral},
	{"T1563", detect.StepLateral},
	{"T1003", detect.StepCredential},
	{"T1558", detect.StepCredential},
	{"T1110", detect.StepCredential},
	{"T1555", detect.StepCredential},
	{"T1562", detect.StepEvasion},
	{"T1070", detect.StepEvasion},
	{"T1219", detect.StepControl},
	{"T1071", detect.StepControl},
	{"T1572", detect.StepControl},
	{"T1090", detect.StepControl},
	{"T1190", detect.StepEntry},
	{"T1133", detect.StepEntry},
	{"T1566", detect.StepEntry},
	{"T1595", detect.StepRecon},
	{"T1046", detect.StepDiscovery},
	{"T1018", detect.StepDiscovery},
}

// tacticStep in the order it is asked: a rule often names several tactics, and
// what narrows most comes first. Both old and new names of tactics occur
// (defense-evasion became stealth and defense-impairment).
var tacticStep = []struct {
	tactic string
	step   detect.Step
}{
	{"exfiltration", detect.StepExfil},
	{"lateral-movement", detect.StepLateral},
	{"credential-access", detect.StepCredential},
	{"command-and-control", detect.StepControl},
	{"initial-access", detect.StepEntry},
	{"impact", detect.StepInhibit},
	{"privilege-escalation", detect.StepPrivilege},
	{"persistence", detect.StepPersist},
	{"defense-impairment", detect.StepEvasion},
	{"defense-evasion", detect.StepEvasion},
	{"discovery", detect.StepDiscovery},
	{"reconnaissance", detect.StepRecon},
	{"execution", detect.StepExecution},
	{"stealth", detect.StepEvasion},
}

// telling are the techniques that, met by a rule of level high or critical,
// mean that the subject is under foreign control. Whatever administrators also
// do (services, tasks, scripts, discovery) is left out on purpose.
var telling = []string{"T1486", "T1490", "T1505.003", "T1003", "T1055", "T1558"}

// anchors are the end points that backward search starts from
// (attackpath.md §4.3).
var anchors = []string{"T1486", "T1490", "T1070.001"}

// derive gives a rule without a `citywall:` block its meaning. It is
// conservative: compromise and anchor need level high, a telling technique and
// a status better than experimental.
func derive(r *Rule, tech []string) detect.Meaning {
	m := detect.Meaning{Step: detect.StepOther, Techniques: tech}
	if len(tech) > 0 {
		m.Technique = tech[0]
	}
	m.Step = stepOf(r.Tags, tech)
	if t, ok := firstOf(tech, techniqueStep[:]); ok {
		m.Technique = t
	}
	if r.Level >= detect.High && (r.Status == "stable" || r.Status == "test") {
		m.Compromise = anyUnder(tech, telling)
		m.Anchor = anyUnder(tech, anchors)
	}
	if r.LogSource.Product == "zeek" || r.LogSource.Product == "suricata" || r.LogSource.Category == "firewall" {
		m.Observer, m.Subject = true, "src"
	}
	return m
}

func stepOf(tags, tech []string) detect.Step {
	for _, x := range techniqueStep {
		if anyUnder(tech, []string{x.technique}) {
			return x.step
		}
	}
	have := map[string]bool{}
	for _, t := range tags {
		if s, ok := strings.CutPrefix(strings.ToLower(t), "attack."); ok {
			have[strings.ReplaceAll(s, "_", "-")] = true
		}
	}
	for _, x := range tacticStep {
		if have[x.tactic] {
			return x.step
		}
	}
	return detect.StepOther
}

// firstOf returns the rule's own technique that decided the step.
func firstOf(tech []string, table []struct {
	technique string
	step      detect.Step
},
) (string, bool) {
	for _, x := range table {
		for _, t := range tech {
			if under(t, x.technique) {
				return t, true
			}
		}
	}
	return "", false
}

func anyUnder(tech, table []string) bool {
	for _, t := range tech {
		for _, x := range table {
			if under(t, x) {
				return true
			}
		}
	}
	return false
}

// under reports whether technique t is parent or one of its sub-techniques.
func under(t, parent string) bool {
	return t == parent || strings.HasPrefix(t, parent+".")
}
