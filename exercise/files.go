// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package exercise

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"citywall/exercise/logs"
	"citywall/ingest/format/evtx/evtxwrite"
)

// WriteFiles plays the exercise into a folder, as an investigator would be
// handed it:
//
//	dir/logs/evtx/HOST/CHANNEL.evtx             servers, from the archive of their agency's collector
//	dir/logs/evtx/AGENCY-workstations/…         workstations, all that forward to one collector together
//	dir/logs/firewall/NAME.log                  syslog as it arrived
//	dir/logs/syslog/HOST.log                    hypervisors, NAS, mail gateway, name server
//	dir/logs/zeek/*.log  dir/logs/suricata/eve.json
//	dir/logs/netflow/NAME.json                  where flows are sampled, in place of Zeek's logs
//	dir/topology.json                           what the bureau has drawn
//	dir/truth/truth.json                        what happened; not for the investigator
//
// Forwarded records keep the number they had at their machine. The folder may
// exist; files of the same names are replaced.
func WriteFiles(ctx context.Context, p *Play, dir string) (err error) {
	f := &folder{root: filepath.Join(dir, "logs"), text: map[string]*textFile{}, evtx: map[string]*evtxFile{}, open: p.opt.Begin}
	defer func() { err = errors.Join(err, f.close(p.end)) }()
	if err := writeJSON(filepath.Join(dir, "topology.json"), p.Topology()); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "truth", "truth.json"), p.Truth()); err != nil {
		return err
	}
	return p.Records(ctx, f.write)
}

func writeJSON(path string, v any) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// folder holds the open files: a few hundred at most, since workstations share
// theirs.
type folder struct {
	root string
	open time.Time
	text map[string]*textFile
	evtx map[string]*evtxFile
	buf  []byte
}

type textFile struct {
	f    *os.File
	w    *bufio.Writer
	zeek bool
}

type evtxFile struct {
	f *os.File
	w *evtxwrite.Writer
}

func (d *folder) write(r *logs.Record) error {
	if r.Schema.Kind == logs.Windows {
		return d.writeEVTX(r)
	}
	var name string
	switch r.Schema.Kind {
	case logs.FortiGate:
		name = filepath.Join("firewall", r.Source.Name+".log")
	case logs.Suricata:
		name = filepath.Join("suricata", "eve.json")
	case logs.Syslog:
		name = filepath.Join("syslog", r.Source.Name+".log")
	case logs.NetFlow:
		name = filepath.Join("netflow", r.Source.Name+".json")
	default:
		name = filepath.Join("zeek", r.Schema.Name+".log")
	}
	t := d.text[name]
	if t == nil {
		f, err := d.create(name)
		if err != nil {
			return err
		}
		t = &textFile{f, bufio.NewWriterSize(f, 64<<10), r.Schema.Kind == logs.Zeek}
		d.text[name] = t
		if t.zeek {
			t.w.WriteString(r.Schema.ZeekHeader(d.open.UTC())) // bufio keeps the error for Flush
		}
	}
	if t.zeek {
		d.buf = r.AppendZeekTSV(d.buf[:0])
	} else {
		d.buf = r.Append(d.buf[:0])
	}
	_, err := t.w.Write(append(d.buf, '\n'))
	return err
}

func (d *folder) writeEVTX(r *logs.Record) error {
	host, _, _ := strings.Cut(r.Source.Computer, ".")
	if strings.Contains(host, "-PC-") {
		host = r.Source.Agency + "-workstations"
	}
	name := filepath.Join("evtx", host, strings.ReplaceAll(r.Schema.Channel(), "/", "%4")+".evtx")
	e := d.evtx[name]
	if e == nil {
		f, err := d.create(name)
		if err != nil {
			return err
		}
		e = &evtxFile{f, evtxwrite.New(f)}
		d.evtx[name] = e
	}
	if err := e.w.Write(r.EVTX()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func (d *folder) create(name string) (*os.File, error) {
	path := filepath.Join(d.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.Create(path)
}

func (d *folder) close(at time.Time) error {
	var errs []error
	for _, t := range d.text {
		if t.zeek {
			t.w.WriteString("#close\t" + at.UTC().Format("2006-01-02-15-04-05") + "\n")
		}
		errs = append(errs, t.w.Flush(), t.f.Close())
	}
	for _, e := range d.evtx {
		errs = append(errs, e.w.Close(), e.f.Close())
	}
	return errors.Join(errs...)
}
