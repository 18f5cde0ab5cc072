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
	ID: "8d0f8f8e-54c6-4b8e-9c0f-7c1a0c5b1401", Title: "Many files get one and the same new ending", Level: detect.High,
	Formula: "Within a minute one program of a host (or one account over the network) writes at least 40 files in at least 3 folders that end in two endings of which the last is always the same (report.docx.xyz), and these are at least half of all that it writes",
	Meaning: detect.Meaning{Step: detect.StepEncrypt, Technique: "T1486", Techniques: []string{"T1486"}, Subject: "host"},
	Tags:    []string{"attack.impact", "attack.t1486"},
}

// massFile counts what programs write, by the last of two endings.
type massFile struct {
	Programs table[writer] `json:"programs"`
}

// writer is one program of a host in a window that begins with its first file.
type writer struct {
	From    int64             `json:"from"`
	Files   map[uint64]bool   `json:"files"`   // all that it writes, by hash
	Endings map[string]*ended `json:"endings"` // of files with two endings
	Told    bool              `json:"told,omitempty"`
	Spoke   int64             `json:"spoke,omitempty"`
}

// ended is the files of one ending.
type ended struct {
	Files   int             `json:"files"`
	Folders map[uint64]bool `json:"folders"`
	Refs    []ref           `json:"refs"`
}

const (
	massEndings = 32        // endings remembered of one program in a window
	massPause   = time.Hour // between two findings of one program
)

func newMassFile() *massFile { return &massFile{Programs: newTable[writer](massHosts)} }

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
		who = accountOf(v) + " " + subject(v.SrcHost, v.Src)
	}
	x := s.Programs.make(host + "\n" + strings.ToLower(who))
	now := e.Time.Unix()
	over, late := window(now, x.From, massWindow)
	if x.Files != nil && late {
		return
	}
	if x.Files == nil || over {
		*x = writer{From: now, Files: map[uint64]bool{}, Endings: map[string]*ended{}, Spoke: x.Spoke}
	}
	file := strings.ToLower(v.File)
	h := hashName(file)
	if x.Files[h] || len(x.Files) >= massMost {
		return
	}
	x.Files[h] = true
	folder, last := twoEndings(file)
	if last == "" {
		return
	}
	g := x.Endings[last]
	if g == nil {
		if len(x.Endings) >= massEndings {
			return
		}
		g = &ended{Folders: map[uint64]bool{}}
		x.Endings[last] = g
	}
	g.Files++
	g.Folders[hashName(folder)] = true
	g.Refs = keepRef(g.Refs, e)
	if x.Told || g.Files < massFiles || len(g.Folders) < massFolders || float64(g.Files) < massShare*float64(len(x.Files)) {
		return
	}
	x.Told = true
	if x.Spoke != 0 && apart(now, x.Spoke) < massPause {
		return
	}
	x.Spoke = now
	r.find(&massFileKind, host, g.Refs, []detect.Matched{{Field: "file", Value: v.File}, {Field: "program", Value: who}},
		fmt.Sprintf("%d files in %d folders end in .%s within %s, of %d that it wrote", g.Files, len(g.Folders), last, apart(now, x.From), len(x.Files)))
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
