// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"citywall/internal/fault"
	"citywall/internal/text"
)

//go:embed catalogue/*.yaml
var catalogueFiles embed.FS

// Kind is a product and how it is told to send.
type Kind struct {
	Key     string   `yaml:"key" json:"key"`
	Name    string   `yaml:"name" json:"name"`                 // of the product
	Chinese string   `yaml:"zh-TW" json:"zh-TW,omitempty"`     // when the name is words and not a product's
	Group   string   `yaml:"group" json:"group"`               // firewall, network, windows, linux, web, mail, security, storage, other
	Silence string   `yaml:"silence" json:"-"`                 // a sensible limit, "30m"; "" leaves it to be learned
	Recipes []Recipe `yaml:"recipes" json:"ways"`              // the best way first
	Format  string   `yaml:"format" json:"format"`             // page of the format, below ingest/format
	Product string   `yaml:"product" json:"product,omitempty"` // what its records say that they are of (Event.Product); "": several, or not known
}

// Title returns the name for people.
func (k Kind) Title(l text.Lang) string {
	if l == text.ZhTW && k.Chinese != "" {
		return k.Chinese
	}
	return k.Name
}

// Recipe is one way of sending.
type Recipe struct {
	Transport string               `yaml:"transport" json:"transport"`
	Where     map[text.Lang]string `yaml:"where" json:"where"`   // what is done where, one sentence
	Config    string               `yaml:"config" json:"config"` // to paste; {host} {port} {url} {token} {name} {folder} are filled in
	After     map[text.Lang]string `yaml:"after" json:"after"`   // what to do then, or what to mind; may be empty
}

// Places are what a recipe is filled with.
type Places struct {
	Host, Port, URL, Token, Name, Folder string

	Trouble string // why nobody would arrive there: NoListener, ThisMachine, or ""
}

// Troubles of Places.
const (
	NoListener  = "none"     // nothing listens for the transport
	ThisMachine = "loopback" // the listener can be reached from this machine only
)

// Listener is what citywall.yaml needs for a syslog transport so that devices can
// reach it; "" for other transports.
func Listener(transport string) string {
	both := "syslog:\n  - {name: syslog-udp, net: udp, addr: \"0.0.0.0:5514\"}\n  - {name: syslog-tcp, net: tcp, addr: \"0.0.0.0:5514\"}\n"
	switch transport {
	case SyslogUDP, SyslogTCP:
		return both
	case SyslogTLS:
		return both + "  - {name: syslog-tls, net: tls, addr: \"0.0.0.0:6514\", cert: /etc/citywall/tls.crt, key: /etc/citywall/tls.key}\n"
	case NetFlow:
		return "netflow:\n  - {name: netflow, addr: \"0.0.0.0:2055\"}\n"
	}
	return ""
}

// Fill returns the configuration with its places filled in.
func (r Recipe) Fill(p Places) string {
	return strings.NewReplacer("{host}", p.Host, "{port}", p.Port, "{url}", p.URL, "{token}", p.Token, "{name}", p.Name, "{folder}", p.Folder).Replace(r.Config)
}

// Groups lists the groups in the order people meet them.
func Groups() []string {
	return []string{"firewall", "network", "windows", "linux", "web", "mail", "security", "storage", "other"}
}

var loaded = sync.OnceValues(func() ([]Kind, error) { return parse(catalogueFiles) })

// Catalogue returns all kinds by group and name.
func Catalogue() ([]Kind, error) { return loaded() }

// KindOf returns the kind of that key.
func KindOf(key string) (Kind, error) {
	all, err := loaded()
	if err != nil {
		return Kind{}, err
	}
	if i := slices.IndexFunc(all, func(k Kind) bool { return k.Key == key }); i >= 0 {
		return all[i], nil
	}
	return Kind{}, fault.New(fault.NotFound, "the catalogue has no product %q", key)
}

func parse(fsys fs.FS) ([]Kind, error) {
	names, err := fs.Glob(fsys, "catalogue/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []Kind
	for _, n := range names {
		b, err := fs.ReadFile(fsys, n)
		if err != nil {
			return nil, err
		}
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		var ks []Kind
		if err := d.Decode(&ks); err != nil {
			return nil, fmt.Errorf("catalogue %s: %w", n, err)
		}
		out = append(out, ks...)
	}
	order := map[string]int{}
	for i, g := range Groups() {
		order[g] = i
	}
	slices.SortStableFunc(out, func(a, b Kind) int {
		if a.Group != b.Group {
			return order[a.Group] - order[b.Group]
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, nil
}
