// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"filippo.io/age"

	"citywall/asset"
	"citywall/casework"
	"citywall/casework/docket"
	"citywall/casework/exhibit"
	"citywall/detect"
	"citywall/event"
	"citywall/incident"
	"citywall/internal/fault"
	"citywall/internal/text"
)

// ageMagic begins a sealed package.
const ageMagic = "age-encryption.org/v1\n"

// Package is an opened, verified package. It is for one goroutine.
type Package struct {
	Manifest Manifest
	SHA256   string // of the manifest's bytes
	Signer   string // name of the trusted key that signed
	Sealed   bool
	Incident incident.Incident

	r     io.ReaderAt // the file
	size  int64
	close func() error
	ids   []age.Identity
}

// Open reads and verifies the package in file: seal, signature, every member,
// every record. A package that was changed is an invalid error, one that is
// not for us or of a stranger a forbidden one.
func Open(ctx context.Context, file string, trusted []Trusted, ids ...age.Identity) (*Package, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fault.New(fault.Invalid, "open package: %w", err)
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open package: %w", err), f.Close())
	}
	p, err := openAt(ctx, f, fi.Size(), trusted, ids)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p.close = f.Close
	return p, nil
}

func openAt(ctx context.Context, r io.ReaderAt, size int64, trusted []Trusted, ids []age.Identity) (*Package, error) {
	p := &Package{r: r, size: size, ids: ids}
	magic := make([]byte, len(ageMagic))
	n, err := r.ReadAt(magic, 0)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("open package: %w", err)
	}
	p.Sealed = string(magic[:n]) == ageMagic
	return p, p.verify(ctx, trusted)
}

// bytes returns the package as it was received.
func (p *Package) bytes() io.Reader { return io.NewSectionReader(p.r, 0, p.size) }

// content returns the container, from its beginning, with the seal taken off.
func (p *Package) content() (io.Reader, error) {
	if !p.Sealed {
		return p.bytes(), nil
	}
	if len(p.ids) == 0 {
		return nil, fault.New(fault.Forbidden, "the package is sealed, and no key was given to open it")
	}
	d, err := age.Decrypt(p.bytes(), p.ids...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, fault.New(fault.Forbidden, "the package is sealed to another key: ask the sender to seal it to the public.json of this realm")
	}
	if err != nil {
		return nil, changed("%v", err)
	}
	return d, nil
}

// verify reads everything once.
func (p *Package) verify(ctx context.Context, trusted []Trusted) error {
	r, err := p.content()
	if err != nil {
		return err
	}
	var manifest []byte
	n := 0
	err = read(r, func(name string, size int64, r io.Reader) error {
		n++
		if err := ctx.Err(); err != nil {
			return err
		}
		switch n {
		case 1:
			if name != manifestName || size > maxManifest {
				return changed("it does not begin with its manifest")
			}
			var err error
			if manifest, err = io.ReadAll(r); err != nil {
				return torn(err)
			}
			return nil
		case 2:
			if name != sigName || size > 1<<10 {
				return changed("the signature does not follow its manifest")
			}
			sig, err := io.ReadAll(r)
			if err != nil {
				return torn(err)
			}
			if p.Signer, err = verify(manifest, sig, trusted); err != nil {
				return err
			}
			sum := sha256.Sum256(manifest)
			p.SHA256 = hex.EncodeToString(sum[:])
			p.Manifest, err = parseManifest(manifest)
			return err
		}
		if n-3 >= len(p.Manifest.Members) {
			return changed("%s is not in its manifest", name)
		}
		return p.member(ctx, p.Manifest.Members[n-3], name, size, r)
	})
	if err != nil {
		return err
	}
	if n < 3 || n-2 != len(p.Manifest.Members) {
		return changed("members of its manifest are missing")
	}
	return nil
}

// member checks one member, and what is in it.
func (p *Package) member(ctx context.Context, m Member, name string, size int64, r io.Reader) error {
	if m.Name != name || m.Size != size {
		return changed("%s stands where %s should", name, m.Name)
	}
	h := newHashed(r, m)
	var err error
	switch name {
	case incidentName:
		var b []byte
		if b, err = io.ReadAll(h); err != nil {
			return torn(err)
		}
		if err := json.Unmarshal(b, &p.Incident); err != nil {
			return fault.New(fault.Invalid, "the package's incident cannot be read: %w", err)
		}
		if p.Incident.Realm != p.Manifest.From {
			return fault.New(fault.Invalid, "the package comes from the realm %s, and its incident is of %q", p.Manifest.From, p.Incident.Realm)
		}
	case findingsName:
		err = count(ctx, exhibit.Findings(h), p.Manifest.Findings, "findings")
	case eventsName:
		err = count(ctx, exhibit.Events(h), p.Manifest.Events, "records")
	}
	if err != nil {
		return err
	}
	return h.check()
}

// count reads all of xs and compares their number with the manifest's.
func count[T any](ctx context.Context, xs iter.Seq2[T, error], want int64, what string) error {
	n := int64(0)
	for _, err := range xs {
		if err != nil {
			return changed("its %s: %v", what, err)
		}
		if n++; n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if n != want {
		return changed("%d %s are in it, its manifest counts %d", n, what, want)
	}
	return nil
}

// hashed hashes what is read of a member.
type hashed struct {
	io.Reader
	m   Member
	sum func() string
}

func newHashed(r io.Reader, m Member) *hashed {
	h := sha256.New()
	return &hashed{io.TeeReader(r, h), m, func() string { return hex.EncodeToString(h.Sum(nil)) }}
}

// check reads the rest and compares.
func (h *hashed) check() error {
	if _, err := io.Copy(io.Discard, h); err != nil {
		return torn(err)
	}
	if h.sum() != h.m.SHA256 {
		return changed("%s is not what its manifest says", h.m.Name)
	}
	return nil
}

// errStop ends a reading that has what it wants.
var errStop = errors.New("stop")

// with reads the package again up to a member and calls f with its bytes. The
// hash is checked again: the file may have been changed since Open.
func (p *Package) with(name string, f func(io.Reader) error) error {
	r, err := p.content()
	if err != nil {
		return err
	}
	n := 0
	err = read(r, func(at string, _ int64, r io.Reader) error {
		if n++; at != name {
			return nil
		}
		if n < 3 || n-3 >= len(p.Manifest.Members) || p.Manifest.Members[n-3].Name != name {
			return changed("%s has moved since it was opened", name)
		}
		h := newHashed(r, p.Manifest.Members[n-3])
		if err := f(h); err != nil {
			return err
		}
		if err := h.check(); err != nil {
			return err
		}
		return errStop
	})
	switch {
	case errors.Is(err, errStop):
		return nil
	case err == nil:
		return fault.New(fault.NotFound, "the package has no %s", name)
	}
	return err
}

// Findings yields the findings of the package. An error at the end says that
// the file was changed since it was opened.
func (p *Package) Findings() iter.Seq2[detect.Finding, error] {
	return again(p, findingsName, exhibit.Findings)
}

// Events yields the original records of the package, as Findings does.
func (p *Package) Events() iter.Seq2[*event.Event, error] {
	return again(p, eventsName, exhibit.Events)
}

func again[T any](p *Package, name string, decode func(io.Reader) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := p.with(name, func(r io.Reader) error {
			for x, err := range decode(r) {
				if err != nil {
					return err
				}
				if !yield(x, nil) {
					return errStop
				}
			}
			return nil
		})
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// Reports returns the names of the reports in the package.
func (p *Package) Reports() []string {
	var out []string
	for _, m := range p.Manifest.Members[3:] {
		out = append(out, m.Name)
	}
	return out
}

// Report returns one report.
func (p *Package) Report(name string) ([]byte, error) {
	var b []byte
	err := p.with(name, func(r io.Reader) (err error) {
		b, err = io.ReadAll(r)
		return err
	})
	return b, err
}

// Close closes the file.
func (p *Package) Close() error { return p.close() }

// Import opens a case from the package: the package itself as received, its
// reports, findings and original records become exhibits, the incident the
// snapshot. A package that was imported before is a conflict that names its
// case. Without a title the case gets one from the catalogue.
func Import(ctx context.Context, d *docket.Docket, p *Package, actor, owner, title string) (casework.File, error) {
	if p.Manifest.To != asset.Police {
		return casework.File{}, fault.New(fault.Invalid, "the package is for the realm %s", p.Manifest.To)
	}
	if title == "" {
		title = text.T(text.ZhTW, "casework.handed_over_title", "incident", p.Manifest.Incident)
	}
	origin := "package " + p.Manifest.ID
	files := []docket.File{{Kind: casework.ExhibitPackage, Name: p.Manifest.ID + ".citywall", Origin: p.Manifest.Sender, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(p.bytes()), nil
	}}}
	for _, name := range p.Reports() {
		files = append(files, docket.File{Kind: casework.ExhibitReport, Name: name, Origin: origin, Open: func() (io.ReadCloser, error) {
			b, err := p.Report(name)
			return io.NopCloser(bytes.NewReader(b)), err
		}})
	}
	return d.Open(ctx, docket.New{
		Title: title, Owner: owner, OpenedBy: actor, Incident: &p.Incident, Findings: p.Findings(), Events: p.Events(), Files: files,
		Source: casework.Source{Kind: casework.FromHandover, Package: p.Manifest.ID, SHA256: p.SHA256, Signer: p.Signer, Sender: p.Manifest.Sender, Incident: p.Manifest.Incident},
	})
}
