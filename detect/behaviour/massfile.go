// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package behaviour

import (
	"fmt"
	"strings"
	"time"

	"citywall/detect"
	"citywall/event"
)

const (
	massWindow  = time.Minute
	massFiles   = 40 // different files with one and the same strange ending
	massFolders = 3  // in which they lie
	massShare   = 0.5
	massHosts   = 20_000
	massMost    = 1024 // files remembered of one host and program in a window
)

var massFileKind = Kind{
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1401", Detector: "mass-file", Title: "Many files get one and the same new ending", Level: detect.High,
	Formula: "Within a minute one program of a host (or one account over the network) writes at least 40 files in at least 3 folders that end in two endings of which the last is always the same (report.docx.xyz), and these are at least half of all that it writes",
	Meaning: detect.Meaning{Step: detect.StepEncrypt, Technique: "T1486", Techniques: []string{"T1486"}, Subject: "host"},
	Tags:    []string{"attack.impact", "attack.t1486"},
}

// massFile counts what programs write, by the last of two endings.
type massFile struct {
	Programs table[string, writer] `json:"programs"`
	names    *names
}

// writer is one program of a host.
type writer struct {
	Lanes lanes[written] `json:"lanes"`
	Spoke int64          `json:"spoke,omitempty"`
}

// written is what it wrote in the newest minute.
type written struct {
	Files   sliding[uint64]   `json:"files"`             // all, by hash
	Endings map[string]*ended `json:"endings,omitempty"` // of files with two endings
}

// ended is the files of one ending.
type ended struct {
	Files   ring            `json:"files"`
	Folders sliding[uint64] `json:"folders"`
	Refs    []ref           `json:"refs"`
}

const (
	massEndings = 32        // endings remembered of one program in a window
	massHeavy   = 1 << 20   // files of all programs
	massPause   = time.Hour // between two findings of one program
)

func newMassFile(n *names) *massFile {
	parts := func(x *writer) (n int) {
		for i := range x.Lanes.L {
			if y := x.Lanes.L[i].X; y != nil {
				n += len(y.Files.M)
			}
		}
		return n
	}
	return &massFile{Programs: newHeavy[string](massHosts, massHeavy, parts), names: n}
}

func (*massFile) name() string       { return "mass-file" }
func (s *massFile) forgotten() int64 { return s.Programs.Gone }

func (s *massFile) observe(r *report, e *event.Event, v *event.View) {
	if v.Action != event.File && v.Action != event.Share || v.File == "" {
		return
	}
	host := v.Host
	if host == "" {
		host = subject("", v.HostAddr)
	}
	who := v.Process
	if who == "" {
		who = s.names.used(v) + " " + subject(v.SrcHost, v.Src)
	}
	x, had := s.Programs.load(host + "\n" + strings.ToLower(who))
	defer s.Programs.settle(x, had)
	now := e.Time.Unix()
	part, y := partOf(now, massWindow), x.Lanes.pick(now, massWindow)
	file := strings.ToLower(v.File)
	if !y.Files.add(hashName(file), part, massMost) {
		return
	}
	folder, last := twoEndings(file)
	if last == "" {
		return
	}
	g := y.Endings[last]
	if g == nil {
		if len(y.Endings) >= massEndings {
			for k, o := range y.Endings {
				if part-o.Files.P >= slideParts {
					delete(y.Endings, k)
				}
			}
			if len(y.Endings) >= massEndings {
				return
			}
		}
		if y.Endings == nil {
			y.Endings = map[string]*ended{}
		}
		g = &ended{}
		y.Endings[last] = g
	}
	n := g.Files.add(part, 1)
	g.Folders.add(hashName(folder), part, massMost)
	g.Refs = keepRef(recent(g.Refs, now, massWindow), e)
	if n < massFiles || len(g.Folders.M) < massFolders || float64(n) < massShare*float64(len(y.Files.M)) || x.Spoke != 0 && apart(now, x.Spoke) < massPause {
		return
	}
	x.Spoke = now
	r.find(&massFileKind, host, g.Refs, []detect.Matched{{Field: "file", Value: v.File}, {Field: "program", Value: who}},
		fmt.Sprintf("%d files in %d folders end in .%s within a minute, of %d that it wrote", n, len(g.Folders.M), last, len(y.Files.M)))
}

// ordinary are last endings that honest programs put behind another: temporary
// copies, archives, backups, parts of downloads, signatures.
var ordinary = map[string]bool{
	"tmp": true, "temp": true, "gz": true, "bz2": true, "xz": true, "zst": true, "zip": true, "7z": true, "bak": true, "old": true, "part": true, "crdownload": true,
	"log": true, "lock": true, "sig": true, "asc": true, "sha256": true, "md5": true, "json": true, "xml": true, "js": true, "map": true, "css": true, "dll": true,
	"mui": true, "config": true, "manifest": true, "cs": true, "obj": true, "o": true, "pdb": true, "resources": true, "cache": true, "txt": true, "lnk": true, "pf": true,
}

// twoEndings gives the folder of a path and the last ending of its file, when
// that has another before it and is none that honest programs use so.
func twoEndings(path string) (folder, last string) {
	i := strings.LastIndexAny(path, `\/`)
	folder, name := path[:i+1], path[i+1:]
	parts := strings.Split(name, ".")
	n := len(parts)
	if n < 3 || parts[0] == "" || parts[n-1] == "" || len(parts[n-1]) > 32 || len(parts[n-2]) < 2 || len(parts[n-2]) > 5 || ordinary[parts[n-1]] {
		return folder, ""
	}
	return folder, parts[n-1]
}
