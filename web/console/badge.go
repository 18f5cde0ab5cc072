// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"html/template"

	"citywall/casework"
	"citywall/detect"
	"citywall/detect/rulebook"
	"citywall/duty"
	"citywall/incident"
	"citywall/incident/narrate"
	"citywall/internal/text"
	"citywall/web/desk"
)

// Badges tell by shape and word; colour comes on top. Each shape is a path in
// a 12 × 12 box.
const (
	shapeOctagon  = "M4 1h4l3 3v4l-3 3H4L1 8V4z"
	shapeTriangle = "M6 1l5.5 10h-11z"
	shapeSquare   = "M1.5 1.5h9v9h-9z"
	shapeDot      = "M6 2a4 4 0 1 0 0 8a4 4 0 1 0 0-8z"
	shapeRing     = "M6 1a5 5 0 1 0 0 10a5 5 0 1 0 0-10zm0 2a3 3 0 1 1 0 6a3 3 0 1 1 0-6z"
	shapeDiamond  = "M6 .5L11.5 6L6 11.5L.5 6z"
	shapeHalf     = "M6 1a5 5 0 0 0 0 10zm0 0a5 5 0 0 1 0 10V9.6a3.6 3.6 0 0 0 0-7.2z"
	shapeTick     = "M1.5 6.5L3 5l2 2l4-4.5L10.5 4L5 10z"
	shapeCross    = "M2.6 1L6 4.4L9.4 1L11 2.6L7.6 6L11 9.4L9.4 11L6 7.6L2.6 11L1 9.4L4.4 6L1 2.6z"
	shapeBars     = "M2 1h3v10H2zM7 1h3v10H7z"
)

// badge is a shape with a word.
func badge(class, shape, word string) template.HTML {
	return template.HTML(`<span class="badge ` + class + `"><svg viewBox="0 0 12 12" width="11" height="11" aria-hidden="true"><path d="` + shape + `" fill-rule="evenodd"/></svg>` +
		template.HTMLEscapeString(word) + `</span>`)
}

func levelBadge(l text.Lang, v detect.Level) template.HTML {
	shapes := map[detect.Level]string{
		detect.Critical: shapeOctagon, detect.High: shapeTriangle, detect.Medium: shapeSquare, detect.Low: shapeDot, detect.Informational: shapeRing,
	}
	return badge("level-"+v.String(), shapes[v], narrate.Level(l, v))
}

func stateBadge(l text.Lang, v incident.State) template.HTML {
	shapes := map[incident.State]string{
		incident.New: shapeDot, incident.Triaged: shapeHalf, incident.Contained: shapeBars, incident.Closed: shapeTick,
	}
	class := map[incident.State]string{incident.New: "state-new", incident.Triaged: "state-triaged", incident.Contained: "state-contained", incident.Closed: "state-closed"}[v]
	return badge("plain "+class, shapes[v], narrate.State(l, v))
}

func statusBadge(l text.Lang, v casework.Status) template.HTML {
	shapes := map[casework.Status]string{
		casework.Open: shapeDot, casework.Investigating: shapeHalf, casework.Suspended: shapeBars, casework.Closed: shapeTick,
	}
	class := map[casework.Status]string{casework.Open: "state-new", casework.Investigating: "state-triaged", casework.Suspended: "state-contained", casework.Closed: "state-closed"}[v]
	return badge("plain "+class, shapes[v], text.T(l, "console.status."+string(v)))
}

func sourceBadge(l text.Lang, v desk.SourceState) template.HTML {
	shapes := map[desk.SourceState]string{
		desk.SourceOK: shapeTick, desk.SourceLate: shapeTriangle, desk.SourceSilent: shapeCross, desk.SourceNever: shapeRing,
	}
	class := map[desk.SourceState]string{desk.SourceOK: "good", desk.SourceLate: "level-medium", desk.SourceSilent: "level-high", desk.SourceNever: "level-informational"}[v]
	return badge(class, shapes[v], text.T(l, "console.source."+string(v)))
}

func alarmBadge(l text.Lang, v duty.State) template.HTML {
	shapes := map[duty.State]string{duty.Open: shapeTriangle, duty.Acked: shapeHalf, duty.Ended: shapeTick}
	class := map[duty.State]string{duty.Open: "level-high", duty.Acked: "state-triaged", duty.Ended: "state-closed"}[v]
	return badge("plain "+class, shapes[v], text.T(l, "console.alarm."+string(v)))
}

func ruleBadge(l text.Lang, v rulebook.State) template.HTML {
	shapes := map[rulebook.State]string{
		rulebook.Loaded: shapeTick, rulebook.Off: shapeHalf, rulebook.Unrouted: shapeDiamond, rulebook.Waiting: shapeRing, rulebook.Refused: shapeCross,
	}
	class := map[rulebook.State]string{rulebook.Loaded: "good", rulebook.Off: "level-medium", rulebook.Unrouted: "level-informational", rulebook.Waiting: "level-low", rulebook.Refused: "level-high"}[v]
	return badge(class, shapes[v], text.T(l, "console.rule."+string(v)))
}

// gradeBadge shows the line of the picture: solid, dashed, dotted.
func gradeBadge(l text.Lang, v incident.Grade) template.HTML {
	dash := map[incident.Grade]string{incident.Inferred: ` stroke-dasharray="6 3.5"`, incident.Assumed: ` stroke-dasharray="1 4" stroke-linecap="round"`}[v]
	class := map[incident.Grade]string{incident.Observed: "grade-observed", incident.Inferred: "grade-inferred", incident.Assumed: "grade-assumed"}[v]
	return template.HTML(`<span class="grade ` + class + `"><svg width="30" height="8" aria-hidden="true"><path d="M1 4h28" fill="none" stroke-width="2"` + dash + `/></svg>` +
		template.HTMLEscapeString(narrate.Grade(l, v)) + `</span>`)
}

// icons are drawn for Citywall on a 20 × 20 grid.
var icons = map[string]string{
	"now":       "M3 10h3l2-6 4 12 2-6h3",
	"incidents": "M10 3l7 13H3zM10 8v4M10 14v.5",
	"findings":  "M4 5h12M4 10h12M4 15h7M15 13.5v3M13.5 15h3",
	"watch":     "M10 3.500a4.500 4.500 0 0 1 4.500 4.500v3l1.500 3H4l1.500-3V8A4.500 4.500 0 0 1 10 3.500zM8.500 16.500h3",
	"search":    "M9 4a5 5 0 1 0 0 10a5 5 0 1 0 0-10zM12.7 12.7L17 17",
	"cases":     "M3 6h5l1.5 2H17v8H3zM3 8h14",
	"sources":   "M10 3v7M6.5 7L10 10.5 13.5 7M4 12v4h12v-4",
	"assets":    "M3 4h14v8H3zM7 16h6M10 12v4",
	"rules":     "M5 3h7l3 3v11H5zM8 9h5M8 12h5",
	"storage":   "M4 5.500c0-1.400 2.700-2.500 6-2.500s6 1.100 6 2.500v9c0 1.400-2.700 2.500-6 2.500s-6-1.100-6-2.500zM4 5.500c0 1.400 2.700 2.500 6 2.500s6-1.100 6-2.500M4 10c0 1.400 2.700 2.500 6 2.500s6-1.100 6-2.500",
	"users":     "M7.5 4a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 1 0 0-5.6zM2.5 16c.4-3 2.3-4.4 5-4.4s4.600 1.400 5 4.400M13 5.200a2.400 2.400 0 0 1 0 4.600M14.500 12c1.800.4 2.800 1.700 3 4",
	"audit":     "M5 3h10v14H5zM7.500 7h5M7.500 10h5M7.500 13l1.200 1.200L11.500 12",
	"help":      "M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14zM8 8c.2-1.300 1-1.800 2-1.800s2 .7 2 1.800c0 1.500-2 1.500-2 3.200M10 13.500v.4",
	"download":  "M10 3v9M6.500 9L10 12.500 13.500 9M4 16h12",
	"shield":    "M10 3l6 2v4.500c0 3.500-2.500 6-6 7.500c-3.500-1.500-6-4-6-7.500V5z",
	"clock":     "M10 3a7 7 0 1 0 0 14a7 7 0 1 0 0-14zM10 6v4l3 2",
	"door":      "M6 3h8v14H6zM11.500 10v.5",
	"cut":       "M4 4l12 12M4 16l5-5M11 9l5-5",
	"case":      "M3 7h14v9H3zM7.500 7V4.500h5V7M3 11h14",
	"sun":       "M10 6.500a3.500 3.500 0 1 0 0 7a3.500 3.500 0 1 0 0-7zM10 2v2M10 16v2M2 10h2M16 10h2M4.300 4.300l1.400 1.400M14.300 14.300l1.400 1.400M15.700 4.300l-1.400 1.400M5.700 14.300l-1.400 1.400",
	"moon":      "M15.500 12.500A6.500 6.500 0 0 1 7.500 4.500a6.500 6.500 0 1 0 8 8z",
	"out":       "M8 4H4v12h4M12 6.500L15.500 10 12 13.500M15 10H8",
	"close":     "M5 5l10 10M15 5L5 15",
	"next":      "M8 5l5 5-5 5",
}

func icon(name string) template.HTML {
	return template.HTML(`<svg class="icon" viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="` + icons[name] + `"/></svg>`)
}
