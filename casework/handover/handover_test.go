// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"citywall/asset"
	"citywall/casework"
	"citywall/casework/casedb"
	"citywall/casework/docket"
	"citywall/casework/exhibit"
	"citywall/detect"
	"citywall/event"
	"citywall/eventstore"
	"citywall/identity"
	"citywall/incident"
	"citywall/incident/incidenttest"
	"citywall/internal/canon"
	"citywall/internal/db"
	"citywall/internal/fault"
)

var (
	key     = ed25519.NewKeyFromSeed([]byte("the city's key for tests, 32 B.."))
	trusted = []Trusted{{Name: "a stranger", Key: ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)}, {Name: "digital bureau", Key: key.Public().(ed25519.PublicKey)}}
	zero    = time.Date(2026, 10, 20, 1, 2, 3, 456789000, time.UTC)
	env     = Envelope{From: asset.City, To: asset.Police, Sender: "陳組長 (chen)", Reason: "涉及刑責", Time: zero}
	same    = gocmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreUnexported(event.Event{})}
)

func record(i int) *event.Event {
	return &event.Event{ID: event.NewID("fw", "s", uint64(i)), Realm: asset.City, Agency: "H01", Time: zero.Add(time.Duration(i) * time.Second), Product: "windows",
		Fields: event.Fields{{Name: "EventID", Value: event.T("4624")}, {Name: "說明", Value: event.L("<a>", "\u2028")}, {Name: "Nothing"}}, Raw: []byte{'r', 'a', 'w', byte(i), 0xff},
		Origin: event.Origin{Format: "evtx", File: "Security.evtx", SHA256: "abc", Offset: int64(i) * 512, Record: uint64(i)}}
}

func seq[T any](xs ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range xs {
			if !yield(x, nil) {
				return
			}
		}
	}
}

func small() Content {
	in := incident.Incident{ID: "engine-1", Realm: asset.City, Title: incident.Reason{Code: "ransomware"}, Parameters: map[string]string{"k": "5"}, BaselineDays: 7.5,
		Hosts: []incident.HostState{{Host: "dc01", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}}}
	return Content{Incident: in, Record: "record-1", Events: seq(record(1), record(2)),
		Findings: seq(detect.Finding{ID: "f1", Realm: asset.City, Time: zero, Events: []event.ID{record(1).ID}, Origins: []event.Origin{record(1).Origin}}),
		Reports:  map[string][]byte{"report.zh-TW.html": []byte("<p>報告"), "report.en.html": []byte("<p>report")}}
}

func seal(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func export(t testing.TB, c Content, to ...age.Recipient) ([]byte, Manifest) {
	t.Helper()
	var b bytes.Buffer
	m, err := Export(t.Context(), &b, env, c, key, to...)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), m
}

func file(t testing.TB, b []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "package")
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func open(t testing.TB, b []byte, ids ...age.Identity) *Package {
	t.Helper()
	p, err := Open(t.Context(), file(t, b), trusted, ids...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func collect[T any](t testing.TB, xs iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for x, err := range xs {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

func TestThereAndBack(t *testing.T) {
	id := seal(t)
	for name, to := range map[string][]age.Recipient{"sealed": {id.Recipient()}, "signed only": nil} {
		b, m := export(t, small(), to...)
		p := open(t, b, id)
		if d := gocmp.Diff(m, p.Manifest, same); d != "" || p.Signer != "digital bureau" || p.Sealed != (to != nil) || len(p.SHA256) != 64 {
			t.Errorf("%s: %+v\n%s", name, p, d)
		}
		if m.Incident != "record-1" || m.Findings != 1 || m.Events != 2 || len(m.Members) != 5 || !m.Time.Equal(zero) {
			t.Errorf("%s: %+v", name, m)
		}
		if d := gocmp.Diff(small().Incident, p.Incident, same); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if d := gocmp.Diff([]*event.Event{record(1), record(2)}, collect(t, p.Events()), same); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if fs := collect(t, p.Findings()); len(fs) != 1 || fs[0].ID != "f1" {
			t.Errorf("%s: %+v", name, fs)
		}
		if r, err := p.Report("report.zh-TW.html"); err != nil || string(r) != "<p>報告" {
			t.Errorf("%s: %q %v", name, r, err)
		}
		if _, err := p.Report("report.pdf"); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
		for range p.Events() { // one is enough
			break
		}
		if bytes.Contains(b, []byte("dc01")) == (to != nil) {
			t.Errorf("%s: what is inside can be read from outside: %v", name, to == nil)
		}
	}
}

// TestAnyTarReadsIt: the receiver needs no Citywall to look inside.
func TestAnyTarReadsIt(t *testing.T) {
	b, m := export(t, small())
	r := tar.NewReader(bytes.NewReader(b))
	var names []string
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Typeflag != tar.TypeReg || h.Mode != 0o600 {
			t.Errorf("%+v", h)
		}
		if c, err := io.ReadAll(r); err != nil || int64(len(c)) != h.Size {
			t.Errorf("%s: %d of %d bytes, %v", h.Name, len(c), h.Size, err)
		}
	}
	if got := strings.Join(names, " "); got != "manifest.json manifest.sig incident.json findings.jsonl events.jsonl report.en.html report.zh-TW.html" || len(m.Members) != len(names)-2 {
		t.Error(got)
	}
}

// TestEveryByte: each byte of a package is changed, and cuts are tried, sealed
// and not. Nothing is opened. Of the sealed payload, which one MAC guards per
// 64 KiB, one byte in thirteen stands for the others.
func TestEveryByte(t *testing.T) {
	id := seal(t)
	for name, to := range map[string][]age.Recipient{"sealed": {id.Recipient()}, "signed only": nil} {
		c := small()
		c.Reports, c.Events = nil, seq(record(1))
		good, _ := export(t, c, to...)
		refused := func(what string, b []byte) {
			t.Helper()
			_, err := openAt(t.Context(), bytes.NewReader(b), int64(len(b)), trusted, []age.Identity{id})
			if err == nil {
				t.Errorf("%s: %s: opened", name, what)
				return
			}
			if k := fault.Of(err); k != fault.Invalid && k != fault.Forbidden {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		for i := 0; i < len(good); i++ {
			if to != nil && i > 400 {
				i = min(i+12, len(good)-1)
			}
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			refused(fmt.Sprintf("byte %d of %d", i, len(good)), bad)
		}
		for cut := 0; cut < len(good); cut += 97 {
			refused(fmt.Sprintf("cut at %d", cut), good[:cut])
		}
		refused("one byte less", good[:len(good)-1])
		refused("one byte more", append(bytes.Clone(good), 0))
		refused("a block more", append(bytes.Clone(good), make([]byte, block)...))
		refused("twice", append(bytes.Clone(good), good...))
	}
}

// TestForgers have no key, or one that is not trusted, or an old package to
// make a new one from.
func TestForgers(t *testing.T) {
	b, m := export(t, small())
	parts := map[string][]byte{}
	if err := read(bytes.NewReader(b), func(name string, _ int64, r io.Reader) (err error) {
		parts[name], err = io.ReadAll(r)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	make := func(names ...string) []byte {
		t.Helper()
		var out bytes.Buffer
		w := writer{&out}
		for _, n := range names {
			if err := w.add(n, int64(len(parts[n])), bytes.NewReader(parts[n])); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	all := []string{manifestName, sigName, incidentName, findingsName, eventsName, "report.en.html", "report.zh-TW.html"}
	if !bytes.Equal(make(all...), b) {
		t.Fatal("the test builds another container than Export")
	}
	refused := func(name string, b []byte, want fault.Kind) {
		t.Helper()
		if _, err := Open(t.Context(), file(t, b), trusted); !fault.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused("a member left out", make(all[:6]...), fault.Invalid)
	refused("a member doubled", make(append(all, "report.en.html")...), fault.Invalid)
	refused("members swapped", make(manifestName, sigName, incidentName, eventsName, findingsName, "report.en.html", "report.zh-TW.html"), fault.Invalid)
	refused("no signature", make(append([]string{manifestName}, all[2:]...)...), fault.Invalid)
	refused("signature first", make(append([]string{sigName, manifestName}, all[2:]...)...), fault.Invalid)
	refused("nothing", make(), fault.Invalid)
	refused("manifest and signature alone", make(all[:2]...), fault.Invalid)

	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	good := parts[sigName]
	parts[sigName] = sign(parts[manifestName], other)
	refused("signed by a stranger", make(all...), fault.Forbidden)
	parts[sigName] = good

	// What the trusted key signed may still be nonsense: of another format, a
	// path for a name, a realm that hands over to itself.
	for name, change := range map[string]func(*Manifest){
		"another format": func(m *Manifest) { m.Format = "citywall-handover/2" },
		"a path":         func(m *Manifest) { m.Members[3].Name = "../../etc/passwd" },
		"a folder":       func(m *Manifest) { m.Members[3].Name = "a/b" },
		"hidden":         func(m *Manifest) { m.Members[3].Name = ".profile" },
		"twice":          func(m *Manifest) { m.Members[4].Name = m.Members[3].Name },
		"its own name":   func(m *Manifest) { m.Members[4].Name = manifestName },
		"a huge member":  func(m *Manifest) { m.Members[3].Size = 1 << 40 },
		"negative":       func(m *Manifest) { m.Members[3].Size = -1 },
		"another order":  func(m *Manifest) { m.Members[0], m.Members[1] = m.Members[1], m.Members[0] },
		"to itself":      func(m *Manifest) { m.To = asset.City },
		"to nobody":      func(m *Manifest) { m.To = "moon" },
		"by nobody":      func(m *Manifest) { m.Sender = "" },
		"fewer records":  func(m *Manifest) { m.Events = 1 },
		"other realm":    func(m *Manifest) { m.From, m.To = asset.Police, asset.City },
	} {
		x := m
		x.Members = append([]Member(nil), m.Members...)
		change(&x)
		mb, err := canon.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		was, wasSig := parts[manifestName], parts[sigName]
		parts[manifestName], parts[sigName] = mb, sign(mb, key)
		refused(name, make(all...), fault.Invalid)
		parts[manifestName], parts[sigName] = was, wasSig
	}
	was, wasSig := parts[manifestName], parts[sigName]
	parts[manifestName] = bytes.Replace(was, []byte(`{"events"`), []byte(`{"also":1,"events"`), 1)
	parts[sigName] = sign(parts[manifestName], key)
	refused("what this program does not know", make(all...), fault.Invalid)
	parts[manifestName], parts[sigName] = was, wasSig
}

func TestOtherKeys(t *testing.T) {
	id, other := seal(t), seal(t)
	b, _ := export(t, small(), id.Recipient())
	path := file(t, b)
	for name, c := range map[string]struct {
		trusted []Trusted
		ids     []age.Identity
		want    string
	}{
		"sealed to another": {trusted, []age.Identity{other}, "sealed to another key"},
		"no key at all":     {trusted, nil, "no key was given"},
		"nobody trusted":    {nil, []age.Identity{id}, "not trusted here"},
		"a short key":       {[]Trusted{{Name: "x", Key: key.Public().(ed25519.PublicKey)[:16]}}, []age.Identity{id}, "not trusted here"},
	} {
		if _, err := Open(t.Context(), path, c.trusted, c.ids...); !fault.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, err := Open(t.Context(), path, trusted, other, id) // a ring with the right one in it
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := Open(t.Context(), path+".no", trusted, id); !fault.Is(err, fault.Invalid) {
		t.Errorf("no file: %v", err)
	}
	if f := Fingerprint(key.Public().(ed25519.PublicKey)); len(f) != 39 {
		t.Errorf("fingerprint %q", f)
	}
}

func TestExportRefuses(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("store is down")
	for name, c := range map[string]struct {
		ctx    context.Context
		env    Envelope
		change func(*Content)
	}{
		"a report with a path": {t.Context(), env, func(c *Content) { c.Reports["../x"] = nil }},
		"a report in Chinese":  {t.Context(), env, func(c *Content) { c.Reports["報告.html"] = nil }},
		"another manifest":     {t.Context(), env, func(c *Content) { c.Reports["manifest.json"] = nil }},
		"too many reports": {t.Context(), env, func(c *Content) {
			for i := range maxMembers {
				c.Reports[fmt.Sprint(i)] = nil
			}
		}},
		"records that break": {t.Context(), env, func(c *Content) {
			c.Events = func(yield func(*event.Event, error) bool) { yield(nil, broken) }
		}},
		"no incident": {t.Context(), env, func(c *Content) { c.Incident.ID, c.Record = "", "" }},
		"to itself":   {t.Context(), Envelope{From: asset.City, To: asset.City, Sender: "x"}, func(*Content) {}},
		"by nobody":   {t.Context(), Envelope{From: asset.City, To: asset.Police}, func(*Content) {}},
		"cancelled":   {ctx, env, func(*Content) {}},
	} {
		content := small()
		c.change(&content)
		if _, err := Export(c.ctx, io.Discard, c.env, content, key); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "citywall-handover-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	b, m := export(t, Content{Incident: small().Incident}) // neither findings nor records
	if p := open(t, b); m.Incident != "engine-1" || len(collect(t, p.Events())) != 0 {
		t.Errorf("%+v", m)
	}
}

// TestChangedAfterOpen: the file is exchanged while it is imported.
func TestChangedAfterOpen(t *testing.T) {
	b, _ := export(t, small())
	path := file(t, b)
	p, err := Open(t.Context(), path, trusted)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	bad := bytes.Replace(b, []byte(`"agency":"H01"`), []byte(`"agency":"H99"`), 1)
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, last = range p.Events() {
	}
	if !fault.Is(last, fault.Invalid) {
		t.Errorf("%v", last)
	}
}

func newDocket(t *testing.T) *docket.Docket {
	t.Helper()
	dir := t.TempDir()
	d, err := db.Open(t.Context(), filepath.Join(dir, "police.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	s, err := casedb.Open(t.Context(), d, casework.Scheme{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := exhibit.Open(filepath.Join(dir, "cases"))
	if err != nil {
		t.Fatal(err)
	}
	return &docket.Docket{Store: s, Vault: v}
}

// TestImport: from the city's incident to a police case with the same bytes.
func TestImport(t *testing.T) {
	id := seal(t)
	c := small()
	c.Incident = incidenttest.Hospital()
	b, m := export(t, c, id.Recipient())
	p := open(t, b, id)
	d := newDocket(t)
	ctx := t.Context()
	f, err := Import(ctx, d, p, "wu", "lin", "")
	if err != nil {
		t.Fatal(err)
	}
	if f.Title != "資訊局移交資安事件 record-1" || f.Owner != "lin" || f.Source.Package != m.ID || f.Source.Signer != "digital bureau" || f.Source.SHA256 != p.SHA256 ||
		f.Source.Kind != casework.FromHandover || f.Incident == nil || len(f.Exhibits) != 5 {
		t.Errorf("%+v", f)
	}
	if d := gocmp.Diff(incidenttest.Hospital(), *f.Incident, same); d != "" {
		t.Error(d)
	}
	// The exhibits are the members, byte for byte, and the package itself.
	for _, x := range f.Exhibits {
		want := ""
		for _, y := range m.Members {
			if y.Name == x.Name {
				want = y.SHA256
			}
		}
		if x.Kind == casework.ExhibitPackage {
			r, err := d.Vault.File(ctx, f.ID, x)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, b) {
				t.Errorf("the package is kept as %d bytes, %v", len(got), err)
			}
			r.Close()
			continue
		}
		if x.SHA256 != want {
			t.Errorf("%s: SHA-256 %s, in the package %s", x.Name, x.SHA256, want)
		}
	}
	if ps, err := d.Vault.Verify(ctx, f.ID, f.Exhibits); err != nil || len(ps) != 0 {
		t.Errorf("%v %v", ps, err)
	}
	sc := identity.Scope{Realm: asset.Police, Case: f.ID}
	page, err := d.Vault.Search(ctx, sc, eventstore.Query{Filter: eventstore.Word("4624")})
	if err != nil || len(page.Events) != 2 || page.Events[0].Realm != asset.Police || !bytes.Equal(page.Events[1].Raw, record(1).Raw) {
		t.Errorf("%+v %v", page, err)
	}
	if _, err := Import(ctx, d, p, "wu", "", ""); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), f.Number) {
		t.Errorf("again: %v", err)
	}
	if s, err := d.Strays(ctx); err != nil || len(s) != 0 {
		t.Errorf("%v %v", s, err)
	}
}

func FuzzContainer(f *testing.F) {
	var b bytes.Buffer
	if _, err := Export(context.Background(), &b, env, small(), key); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:block])
	f.Add(make([]byte, 2*block))
	f.Fuzz(func(t *testing.T, in []byte) {
		// What is accepted is written the one way there is.
		var out bytes.Buffer
		w := writer{&out}
		err := read(bytes.NewReader(in), func(name string, size int64, r io.Reader) error { return w.add(name, size, r) })
		if err != nil {
			return
		}
		if err := w.end(); err != nil || !bytes.Equal(in, out.Bytes()) {
			t.Fatalf("read %d bytes, wrote %d others (%v)", len(in), out.Len(), err)
		}
	})
}

func BenchmarkExportAndOpen20k(b *testing.B) {
	id := seal(b)
	c := small()
	c.Events = func(yield func(*event.Event, error) bool) {
		for i := range 20_000 {
			e := record(i)
			e.Raw = bytes.Repeat([]byte("x"), 600)
			if !yield(e, nil) {
				return
			}
		}
	}
	dir := b.TempDir()
	b.ReportAllocs()
	for b.Loop() {
		f, err := os.Create(filepath.Join(dir, "p"))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Export(b.Context(), f, env, c, key, id.Recipient()); err != nil {
			b.Fatal(err)
		}
		fi, err := f.Stat()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(fi.Size())
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
		p, err := Open(b.Context(), f.Name(), trusted, id)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
