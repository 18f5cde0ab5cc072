// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citywall/asset"
	"citywall/exposure/estate"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
	"citywall/internal/fault"
)

// These commands speak of the inventory that a data folder keeps, as the user
// that os_users names.

func newAssetImport(s streams) *cobra.Command {
	var name string
	var accept bool
	c := &cobra.Command{
		Use: "import FILE…", Short: "Hand in drawings of the network",
		Long: `Hand in firewall configurations and lists of machines, as citywall asset read
reads them. Each becomes a proposal, whose id is printed; it counts when it is
accepted, with --accept at once. Versions of one name replace each other. The
file is not kept, its SHA-256 is; who handed in and who accepted stands in the
audit log.` + exits,
		Example: "  citywall asset import fw01.conf\n  citywall asset import machines.csv --name 'hospital machines' --accept",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if name != "" && len(args) > 1 {
				return fault.New(fault.Invalid, "--name is for one file")
			}
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			for _, f := range args {
				b, err := os.ReadFile(f)
				if err != nil {
					return err
				}
				v, err := handIn(c.Context(), client, name, filepath.Base(f), b)
				if err != nil {
					return fmt.Errorf("%s: %w", f, err)
				}
				for _, n := range v.Drawing.Notes {
					fmt.Fprintf(s.err, "citywall: %s: %s\n", f, oneLine(n))
				}
				if accept {
					if _, err := post(c.Context(), client, asset.City, "/assets/drawings/"+v.ID+"/state", map[string]string{"state": string(drawing.Accepted)}); err != nil {
						return fmt.Errorf("%s: %w", f, err)
					}
					v.State = drawing.Accepted
				}
				printDrawing(s.out, v)
			}
			return nil
		},
	}
	c.Flags().StringVar(&name, "name", "", "name of the drawing; the firewall's or the file's without it")
	c.Flags().BoolVar(&accept, "accept", false, "let it count at once")
	return c
}

func handIn(ctx context.Context, client *http.Client, name, file string, b []byte) (v drawing.Version, err error) {
	q := url.Values{"name": {name}, "file": {file}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://citywall/api/v1/assets/drawings?"+q.Encode(), bytes.NewReader(b))
	if err != nil {
		return v, err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	r, err := ask(client, req, asset.City)
	if err != nil {
		return v, err
	}
	defer r.Close()
	return v, answer(r, &v)
}

func answer(r io.Reader, v any) error {
	if err := json.NewDecoder(r).Decode(v); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

func printDrawing(w io.Writer, v drawing.Version) {
	fmt.Fprintf(w, "%s  %-9s %-10s %s  %d networks, %d machines  %s  sha256:%s\n", v.ID, v.State, v.Drawing.Kind, oneLine(v.Name), v.Segments, v.Hosts, v.By, v.SHA256)
}

func newAssetDrawings(s streams) *cobra.Command {
	return &cobra.Command{
		Use: "drawings", Short: "List the drawings that were handed in",
		Long:    "List the drawings that were handed in, newest first: id, state, kind, name, who and which file." + exits,
		Example: "  citywall asset drawings",
		Args:    exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			var list struct {
				Items []drawing.Version `json:"items"`
			}
			if err := asked(c, "/assets/drawings", nil, &list); err != nil {
				return err
			}
			for _, v := range list.Items {
				printDrawing(s.out, v)
			}
			return nil
		},
	}
}

// asked reads a JSON answer of the server.
func asked(c *cobra.Command, path string, q url.Values, v any) error {
	client, done, err := server(c)
	if err != nil {
		return err
	}
	defer done()
	r, err := get(c.Context(), client, asset.City, path, q)
	if err != nil {
		return err
	}
	defer r.Close()
	return answer(r, v)
}

// newAssetDecide is accept, refuse or retire.
func newAssetDecide(s streams, verb string, to drawing.State, short string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID", Short: short,
		Long:    short + ". What it changes is shown by the console before; pages count with it at once, incidents and rules when Citywall is started next." + exits,
		Example: "  citywall asset " + verb + " 019ab3f2-7c4e-7d11-9f2a-5b1d9e0c7a31",
		Args:    exactly(1, "the id of a drawing"),
		RunE: func(c *cobra.Command, args []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			b, err := post(c.Context(), client, asset.City, "/assets/drawings/"+url.PathEscape(args[0])+"/state", map[string]string{"state": string(to)})
			if err != nil {
				return err
			}
			var v drawing.Version
			if err := answer(bytes.NewReader(b), &v); err != nil {
				return err
			}
			printDrawing(s.out, v)
			return nil
		},
	}
}

func newAssetList(s streams) *cobra.Command {
	q := map[string]*string{"text": new(string), "agency": new(string), "segment": new(string), "role": new(string), "drawn": new(string), "sort": new(string)}
	var format string
	c := &cobra.Command{
		Use: "list", Short: "List the machines that were seen",
		Long: `List the machines that records show, joined with what is drawn: address, name,
network, roles, whom to call, and when it was seen last.

Exit codes: 0 there are some, 1 failed, 2 wrong usage, 3 there are none.`,
		Example: "  citywall asset list --drawn no --sort first\n  citywall asset list --format csv > machines.csv",
		Args:    exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			v := url.Values{"format": {format}}
			if format == "text" {
				v.Set("format", "jsonl")
			}
			for k, p := range q {
				if *p != "" {
					v.Set(k, *p)
				}
			}
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			r, err := get(c.Context(), client, asset.City, "/assets/export", v)
			if err != nil {
				return err
			}
			defer r.Close()
			if format != "text" {
				_, err := io.Copy(s.out, r)
				return err
			}
			n := 0
			for d := json.NewDecoder(r); d.More(); n++ {
				var x estate.Device
				if err := d.Decode(&x); err != nil {
					return fmt.Errorf("read the answer: %w", err)
				}
				segment := "-"
				if x.Segment != nil {
					segment = x.Segment.Name
				}
				fmt.Fprintf(s.out, "%-16s %-24s %-16s %-24s %-24s %s\n", x.ID, oneLine(x.Name), oneLine(segment), rolesText(x.Known), oneLine(x.Contact), x.Last.Format(time.RFC3339))
			}
			if n == 0 {
				return verdict{code: fault.ExitNegative, msg: "no machine matches"}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(q["text"], "text", "", "in name, address, hardware address, network, owner, contact or source")
	f.StringVar(q["agency"], "agency", "", "of this agency")
	f.StringVar(q["segment"], "segment", "", "in this drawn network; - for none")
	f.StringVar(q["role"], "role", "", "with this role")
	f.StringVar(q["drawn"], "drawn", "", "yes: on a list; no: on none")
	f.StringVar(q["sort"], "sort", "", "name, address, segment or first; seen last first without it")
	f.StringVar(&format, "format", "text", "text, csv or jsonl")
	return c
}

func newAssetContact(s streams) *cobra.Command {
	var owner, contact string
	c := &cobra.Command{
		Use: "contact MACHINE|NETWORK", Short: "Write whose a machine or network is and whom to call",
		Long: `Write whose a machine (by its id in citywall asset list) or a drawn network (by
its prefix) is, and whom to call at any hour. What citywall.yaml or an accepted
drawing says stands before it.` + exits,
		Example: "  citywall asset contact 10.20.33.5@hospital --contact 'Lin 0900-000-002'\n  citywall asset contact 10.20.33.0/24 --contact 'computer room 02-0000-0000'",
		Args:    exactly(1, "a machine or a prefix"),
		RunE: func(c *cobra.Command, args []string) error {
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			n, err := noteOf(c.Context(), client, args[0])
			if err != nil {
				return err
			}
			if c.Flags().Changed("owner") {
				n.Owner = owner
			}
			if c.Flags().Changed("contact") {
				n.Contact = contact
			}
			_, err = post(c.Context(), client, asset.City, "/assets/notes", map[string]any{"subject": n.Subject, "owner": n.Owner, "contact": n.Contact, "version": n.Version})
			return err
		},
	}
	c.Flags().StringVar(&owner, "owner", "", "whose it is")
	c.Flags().StringVar(&contact, "contact", "", "name and telephone")
	return c
}

// noteOf returns what is written of a machine or network now.
func noteOf(ctx context.Context, client *http.Client, what string) (inventory.Note, error) {
	var list struct {
		Items []estate.Segment `json:"items"`
		Note  inventory.Note   `json:"note"`
	}
	path := "/assets/devices/" + url.PathEscape(what)
	network := strings.Contains(what, "/")
	if network {
		path = "/assets/segments"
	}
	r, err := get(ctx, client, asset.City, path, nil)
	if err != nil {
		return list.Note, err
	}
	defer r.Close()
	if err := answer(r, &list); err != nil || !network {
		return list.Note, err
	}
	for _, x := range list.Items {
		if x.Prefix.String() == what {
			return x.Note, nil
		}
	}
	return list.Note, fault.New(fault.NotFound, "no network %s is drawn", what)
}

// liveDifferences asks the server what differs now.
func liveDifferences(c *cobra.Command) ([]inventory.Difference, error) {
	client, done, err := server(c)
	if err != nil {
		return nil, err
	}
	defer done()
	r, err := get(c.Context(), client, asset.City, "/assets/differences/export", url.Values{"format": {"jsonl"}})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []inventory.Difference
	for d := json.NewDecoder(r); d.More(); {
		var x inventory.Difference
		if err := d.Decode(&x); err != nil {
			return nil, fmt.Errorf("read the answer: %w", err)
		}
		out = append(out, x)
	}
	return out, nil
}
