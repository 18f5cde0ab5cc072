// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Package duty is the watch: who is on duty, whom an alarm calls, when it goes
// on to the next, and what one shift tells the other (輪值、通報、交接).
//
// An alarm has a cause that somebody must look at: an incident, a source that
// fell silent, a disk that fills. The policy says per severity whom it calls and
// after how long without acknowledgement it calls more. Everything here is
// computed from values and a given time: the same alarm, policy and roster give
// the same calls with the same ids however often it is asked, which is why
// nothing is sent twice. It never sends (duty/call) and never stores
// (duty/dutydb).
package duty

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"citywall/detect"
	"citywall/internal/text"
)

// Person is somebody who can be called.
type Person struct {
	ID       string   `json:"id"`   // short name; the login where there is one
	Name     string   `json:"name"` // as shown
	Mail     string   `json:"mail,omitempty"`
	Phone    string   `json:"phone,omitempty"`
	Agencies []string `json:"agencies,omitempty"` // whose contact at any hour this person is
	Note     string   `json:"note,omitempty"`     // "server room key", "after 22:00 only by phone"
}

// Post is what a person does on a shift.
type Post string

// Posts.
const (
	OnDuty Post = "duty" // looks first
	Lead   Post = "lead" // decides
)

// Shift is one person at one post from Begin to End (exclusive).
type Shift struct {
	ID     string    `json:"id"`
	Begin  time.Time `json:"begin"`
	End    time.Time `json:"end"`
	Person string    `json:"person"` // Person.ID
	Post   Post      `json:"post"`
}

// Note is what one shift leaves the next. It cannot be changed; the next shift
// signs that it has read it.
type Note struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Author  string    `json:"author"` // login
	Text    string    `json:"text"`
	TakenBy string    `json:"taken_by,omitempty"` // login of the first who took over
	TakenAt time.Time `json:"taken_at,omitzero"`
}

// Cause is something that somebody must look at, now.
type Cause struct {
	Subject  string               // "incident/ID", "source/NAME", "storage": one alarm each
	Severity detect.Level         //
	Title    map[text.Lang]string // one line, in both languages
	Path     string               // of the console's page, "/incidents/ID"
	Agencies []string
}

// State is where an alarm stands.
type State string

// States of an alarm.
const (
	Open  State = "open"  // nobody has taken it
	Acked State = "acked" // somebody has
	Ended State = "ended" // its cause is gone or dealt with
)

// Alarm calls people because of one cause.
type Alarm struct {
	ID       string               `json:"id"`
	Subject  string               `json:"subject"`
	Round    int                  `json:"round"` // 1, and one more each time it grows worse or comes back
	Severity detect.Level         `json:"severity"`
	Title    map[text.Lang]string `json:"title"`
	Path     string               `json:"path"`
	Agencies []string             `json:"agencies,omitempty"`
	Raised   time.Time            `json:"raised"` // of this round
	AckedBy  string               `json:"acked_by,omitempty"`
	AckedAt  time.Time            `json:"acked_at,omitzero"`
	Ended    time.Time            `json:"ended,omitzero"`
	Planned  int                  `json:"planned"` // steps of the policy that were planned in this round
	Reached  int                  `json:"reached"` // recipients they found
	Version  int64                `json:"version"`
}

// State returns where a stands.
func (a Alarm) State() State {
	switch {
	case !a.Ended.IsZero():
		return Ended
	case a.AckedBy != "":
		return Acked
	}
	return Open
}

// Channel is a way to a person or a system.
type Channel string

// Channels.
const (
	Mail    Channel = "mail"
	Webhook Channel = "webhook"
)

// CallState is where a call stands.
type CallState string

// States of a call.
const (
	Waiting CallState = "waiting" // not yet sent, or to be tried again
	Sending CallState = "sending" // handed over; found so after a stop, nobody knows whether it arrived
	Sent    CallState = "sent"    // the other side has it
	Refused CallState = "refused" // trying again cannot help
	Dropped CallState = "dropped" // acknowledged or ended before it could be sent
)

// Call is one message of an alarm to one recipient.
type Call struct {
	ID       string    `json:"id"` // see callID
	Alarm    string    `json:"alarm"`
	Round    int       `json:"round"`
	Step     int       `json:"step"` // of the rule, from 0
	Person   string    `json:"person,omitempty"`
	Channel  Channel   `json:"channel"`
	To       string    `json:"to"` // mail address or webhook name
	Due      time.Time `json:"due"`
	State    CallState `json:"state"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next,omitzero"` // of the next attempt
	At       time.Time `json:"at,omitzero"`   // when the state last changed
	Error    string    `json:"error,omitempty"`
}

// space is the namespace of alarm and call ids.
var space = uuid.MustParse("6f0e2d58-8f52-5d0a-9a36-6b3a5c1b7e11")

// alarmID is the same for the same subject, so that a cause seen twice is one
// alarm.
func alarmID(subject string) string { return uuid.NewSHA1(space, []byte("alarm\x00"+subject)).String() }

// callID is the same for the same message to the same recipient. A person on
// two lists of one step is called once, and again only at a later step.
func callID(alarm string, round, step int, ch Channel, to string) string {
	return uuid.NewSHA1(space, fmt.Appendf(nil, "%s\x00%d\x00%d\x00%s\x00%s", alarm, round, step, ch, to)).String()
}
