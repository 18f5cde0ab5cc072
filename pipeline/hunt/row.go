// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"citywall/detect"
	"citywall/detect/sigma"
	"citywall/event"
	"citywall/pipeline/logs"
)

// between joins the values of one field, as readers of such tables know it.
const between = " ¦ "

// Pair is a field and its value.
type Pair struct{ Name, Value string }

// Pairs are fields in an order of their own. In JSON they are one object.
type Pairs []Pair

// add puts a value to a name, and joins it to what stands there already.
func (p *Pairs) add(name, value string) {
	for i := range *p {
		if x := &(*p)[i]; x.Name == name {
			if x.Value != value {
				x.Value += between + value
			}
			return
		}
	}
	*p = append(*p, Pair{name, value})
}

// String returns "name: value ¦ name: value".
func (p Pairs) String() string {
	var b strings.Builder
	for i, x := range p {
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(x.Name + ": " + x.Value)
	}
	return b.String()
}

// MarshalJSON implements json.Marshaler.
func (p Pairs) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, x := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, s := range []string{x.Name, x.Value} {
			if j > 0 {
				b.WriteByte(':')
			}
			if err := e.Encode(s); err != nil {
				return nil, err
			}
			b.Truncate(b.Len() - 1) // Encode's line end
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON implements json.Unmarshaler; the order stays.
func (p *Pairs) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	*p = nil
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		var x [2]string
		for i := range x {
			t, err := d.Token()
			if err != nil {
				return err
			}
			var ok bool
			if x[i], ok = t.(string); !ok {
				return fmt.Errorf("%v where a text must be", t)
			}
		}
		*p = append(*p, Pair{x[0], x[1]})
	}
	_, err := d.Token()
	return err
}

// Row is one rule that one record met. A rule that counts has the record that
// completed it, and how many there were.
type Row struct {
	Time       time.Time    `json:"time"`
	RuleID     string       `json:"rule_id"`
	RuleTitle  string       `json:"rule_title"`
	RuleAuthor string       `json:"rule_author"` // DRL 1.1 asks for it in every export
	Level      detect.Level `json:"level"`
	Computer   string       `json:"computer"`
	Channel    string       `json:"channel"`
	EventID    string       `json:"event_id"`
	RecordID   uint64       `json:"record_id"`
	File       string       `json:"file"`
	Inner      string       `json:"path_in_archive"`
	Offset     int64        `json:"offset"`
	Carved     bool         `json:"carved"`
	Matched    Pairs        `json:"matched"`
	Details    Pairs        `json:"details"`
	Behaviour  bool         `json:"behaviour,omitempty"` // no rule and record, but what a detector says of many records

	more more
}

// more is what some profiles add.
type more struct {
	Extra    Pairs    `json:"extra_field_info,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	Status   string   `json:"status,omitempty"`
	RuleFile string   `json:"rule_file,omitempty"`
	RuleHash string   `json:"rule_hash,omitempty"`
	Provider string   `json:"provider,omitempty"`
	Events   int      `json:"events,omitempty"` // records of a rule that counts
}

// fullRow is a row with everything, for the way over the disk.
type fullRow struct {
	Row
	More more `json:"more"`
}

// compare orders rows: by time, place in the evidence, and rule.
func compare(a, b *Row) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.File, b.File), cmp.Compare(a.Inner, b.Inner), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.RecordID, b.RecordID),
		cmp.Compare(a.RuleID, b.RuleID), cmp.Compare(a.more.RuleHash, b.more.RuleHash), cmp.Compare(len(a.Matched), len(b.Matched)))
}

// rowOf returns the row of a finding. e is its record, nil for a rule that
// counts.
func rowOf(e *event.Event, f *detect.Finding, rule *sigma.Rule, all bool) Row {
	r := Row{
		Time: f.Time.UTC(), RuleID: f.Rule.ID, RuleTitle: f.Rule.Title, RuleAuthor: f.Rule.Author, Level: f.Rule.Level, Computer: f.Host, Channel: f.View.Channel, EventID: f.View.EventID,
		Matched: Pairs{}, Details: Pairs{},
		more: more{Tags: f.Tags, Status: f.Rule.Status, RuleFile: f.Rule.File, RuleHash: f.Rule.Hash},
	}
	if rule != nil && rule.Kind != "" {
		r.more.Events = len(f.Events)
	}
	if n := len(f.Origins); n > 0 {
		o := f.Origins[n-1]
		r.RecordID, r.File, r.Inner, r.Offset, r.Carved = o.Record, o.File, o.Inner, o.Offset, o.Carved
	}
	for _, m := range f.Matched {
		r.Matched.add(m.Field, m.Value)
	}
	if e == nil {
		r.Details = viewDetails(&f.View)
		return r
	}
	r.Computer, r.Channel, r.EventID = logs.Computer(e, &f.View), logs.Channel(e, &f.View), logs.EventID(e, &f.View)
	r.more.Provider = e.Fields.Str("Provider_Name")
	if len(r.Matched) == 0 && r.EventID != "" { // all that the rule asks for is what led the record to it
		r.Matched.add("EventID", r.EventID)
	}
	r.Details, r.more.Extra = details(e, r.Channel, r.EventID, all)
	return r
}

// viewDetails is what the normalised view says, for findings without a record of
// their own.
func viewDetails(v *event.View) Pairs {
	out := Pairs{}
	for _, x := range []Pair{
		{"Src", cmp.Or(v.SrcHost, addr(v.Src))}, {"Dst", cmp.Or(v.DstHost, addr(v.Dst))},
		{"User", v.User.String()}, {"Target", v.Target.String()}, {"Process", v.Process}, {"Command", v.Command}, {"File", v.File}, {"Message", v.Message},
	} {
		if x.Value != "" {
			out = append(out, x)
		}
	}
	return out
}

func addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// mitre splits tags into tactics, techniques and the rest.
func mitre(tags []string) (tactics, techniques, other []string) {
	for _, t := range tags {
		name, ok := strings.CutPrefix(t, "attack.")
		switch {
		case !ok:
			other = append(other, t)
		case len(name) > 1 && strings.ContainsRune("tsgc", rune(name[0])) && name[1] >= '0' && name[1] <= '9':
			techniques = append(techniques, strings.ToUpper(name))
		default:
			tactics = append(tactics, name)
		}
	}
	return tactics, techniques, other
}

func number(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func join(s []string) string { return strings.Join(s, between) }
