// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"citywall/asset"
	"citywall/event"
	"citywall/exposure/estate"
	"citywall/exposure/inventory"
	"citywall/exposure/inventory/drawing"
	"citywall/incident/report"
	"citywall/ingest/file"
	"citywall/internal/fault"
	"citywall/internal/text"
)

func newAsset(io streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "asset",
		Short: "What is drawn of the network, what is really there, and how they differ",
		Long: `Drawings are firewall configurations (FortiGate, Cisco ASA, the XML export of Palo
Alto) and lists of machines as CSV; what is really there is told by records. No
device is asked. read, and diff with logs, need no server; the other commands
speak of the inventory that a data folder keeps.`,
	}
	c.AddCommand(
		newAssetRead(io), newAssetDiff(io), newAssetList(io), newAssetContact(io), newAssetImport(io), newAssetDrawings(io),
		newAssetDecide(io, "accept", drawing.Accepted, "Let a drawing count"),
		newAssetDecide(io, "refuse", drawing.Refused, "Refuse a proposed drawing"),
		newAssetDecide(io, "retire", drawing.Retired, "Take out a drawing that counts"),
	)
	return c
}

func newAssetRead(io streams) *cobra.Command {
	return &cobra.Command{
		Use: "read FILE…", Short: "Read drawings and print the topology for citywall.yaml or --config",
		Long: `Read firewall configurations and lists of machines, join them, and print the
topology as YAML: it goes under topology: in citywall.yaml, or into the file of
investigate --config. What could not be used, and where the drawings contradict
each other, goes to standard error. Passwords and keys are not read.

CSV needs a heading: name, address, role, agency, owner, os, contact; or prefix,
segment, zone, agency, contact; or the same in Chinese (主機名稱, IP位址, …).

Exit codes: 0 done, 1 failed, 2 wrong usage or file, 3 parts could not be used.`,
		Example: "  citywall asset read fw01.conf asa.txt machines.csv > topology.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			t, bad, err := readDrawings(io, args)
			if err != nil {
				return err
			}
			enc := yaml.NewEncoder(io.out)
			enc.SetIndent(2)
			if err := enc.Encode(map[string]asset.Topology{"topology": t}); err != nil {
				return err
			}
			if bad > 0 {
				return verdict{code: fault.ExitNegative, msg: fmt.Sprintf("%d things could not be used or contradict each other", bad)}
			}
			return nil
		},
	}
}

// readDrawings reads and joins files; bad counts what could not be used.
func readDrawings(s streams, files []string) (t asset.Topology, bad int, err error) {
	var ts []asset.Topology
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return t, 0, err
		}
		d, err := drawing.Read(b)
		if err != nil {
			return t, 0, fault.New(fault.Invalid, "%s: %w", f, err)
		}
		for _, n := range d.Notes {
			fmt.Fprintf(s.err, "citywall: %s: %s\n", f, n)
		}
		bad += d.Skipped
		ts = append(ts, d.Topology)
	}
	t, clash := inventory.Merge(ts...)
	for _, c := range clash {
		fmt.Fprintln(s.err, "citywall: "+c)
	}
	return t, bad + len(clash), nil
}

func newAssetDiff(io streams) *cobra.Command {
	var drawings []string
	var format string
	c := &cobra.Command{
		Use: "diff [--drawing FILE LOGS…]", Short: "Compare drawings with what is seen",
		Long: `Without logs: what differs now between the accepted drawings and the traffic that
the running Citywall sees. With logs: compare drawings with what logs show: networks and machines that nobody has drawn,
machines in another network than drawn, machines that serve what their role does
not say, traffic between segments that no policy of the drawings allows, and what
is drawn and was not seen. A drawing may also be a topology in
YAML, as citywall asset read prints it.

Exit codes: 0 they agree, 1 failed, 2 wrong usage or file, 3 they differ.`,
		Example: "  citywall asset diff\n  citywall asset diff --drawing fw01.conf --drawing machines.csv /var/log/zeek\n  citywall asset diff --drawing topology.yaml --format csv logs.zip > differences.csv",
		RunE: func(c *cobra.Command, args []string) error {
			ds, err := differences(c, io, drawings, args)
			if err != nil {
				return err
			}
			if err := printDifferences(io.out, format, ds); err != nil {
				return err
			}
			if len(ds) > 0 {
				return verdict{code: fault.ExitNegative, msg: fmt.Sprintf("drawing and traffic differ in %d points", len(ds))}
			}
			return nil
		},
	}
	c.Flags().StringArrayVar(&drawings, "drawing", nil, "firewall configuration, CSV or topology YAML; may be given several times")
	c.Flags().StringVar(&format, "format", "text", "text, csv or json")
	return c
}

// differences are those of drawings and logs, or without either those that the
// server knows.
func differences(c *cobra.Command, s streams, drawings, logs []string) ([]inventory.Difference, error) {
	switch {
	case len(drawings) == 0 && len(logs) == 0:
		return liveDifferences(c)
	case len(drawings) == 0:
		return nil, fault.New(fault.Invalid, "give at least one --drawing to compare with")
	case len(logs) == 0:
		return nil, fault.New(fault.Invalid, "give the logs to compare with")
	}
	t, err := topologyOf(s, drawings)
	if err != nil {
		return nil, err
	}
	o, err := observe(c.Context(), s, logs, t)
	if err != nil {
		return nil, err
	}
	return inventory.Diff(t, o.Machines(), o.Talks()), nil
}

// topologyOf reads drawings, among them topologies in YAML.
func topologyOf(s streams, files []string) (asset.Topology, error) {
	var ts []asset.Topology
	var other []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return asset.Topology{}, err
		}
		if !bytes.HasPrefix(bytes.TrimSpace(b), []byte("topology:")) {
			other = append(other, f)
			continue
		}
		var doc struct {
			Topology asset.Topology `yaml:"topology"`
		}
		d := yaml.NewDecoder(bytes.NewReader(b))
		d.KnownFields(true)
		if err := d.Decode(&doc); err != nil {
			return asset.Topology{}, fault.New(fault.Invalid, "%s: %w", f, err)
		}
		ts = append(ts, doc.Topology)
	}
	if len(other) > 0 {
		t, _, err := readDrawings(s, other)
		if err != nil {
			return t, err
		}
		ts = append(ts, t)
	}
	t, clash := inventory.Merge(ts...)
	for _, c := range clash {
		fmt.Fprintln(s.err, "citywall: "+c)
	}
	return t, nil
}

// maxMachines is how many machines are told apart in logs.
const maxMachines = 200_000

// observe reads logs and returns what they show, counted in the segments of t.
func observe(ctx context.Context, s streams, paths []string, t asset.Topology) (*inventory.Observed, error) {
	o := inventory.New(maxMachines)
	o.Place = t.PlaceOf
	stats, err := file.Read(ctx, paths, file.Options{}, func(e *event.Event) error {
		o.See(e, e.View())
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, st := range stats {
		if st.Problem != "" {
			fmt.Fprintf(s.err, "citywall: %s: %s\n", st.File, st.Problem)
		}
	}
	if o.Left > 0 {
		fmt.Fprintf(s.err, "citywall: %d records named addresses beyond the first %d and were left out\n", o.Left, o.Len())
	}
	return o, nil
}

func printDifferences(w io.Writer, format string, ds []inventory.Difference) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if ds == nil {
			ds = []inventory.Difference{}
		}
		return enc.Encode(map[string][]inventory.Difference{"differences": ds})
	case "csv":
		c := csv.NewWriter(w)
		rows := [][]string{{"kind", "name", "address", "prefix", "roles", "drawn", "count", "agency", "contact", "first", "last", "to", "port"}}
		for _, d := range ds {
			row := []string{string(d.Kind), d.Name, "", "", rolesText(d.Roles), d.Drawn, strconv.Itoa(d.Count), d.Agency, d.Contact, "", "", d.To, ""}
			if d.Addr.IsValid() {
				row[2] = d.Addr.String()
			}
			if d.Prefix.IsValid() {
				row[3] = d.Prefix.String()
			}
			if d.Machine != nil {
				row[9], row[10] = d.Machine.First.Format("2006-01-02T15:04:05Z"), d.Machine.Last.Format("2006-01-02T15:04:05Z")
			}
			if d.Talk != nil {
				row[9], row[10], row[12] = d.Talk.First.Format("2006-01-02T15:04:05Z"), d.Talk.Last.Format("2006-01-02T15:04:05Z"), strconv.Itoa(int(d.Talk.Port))
			}
			for i := range row {
				row[i] = report.Cell(row[i])
			}
			rows = append(rows, row)
		}
		return c.WriteAll(rows)
	case "text":
		for _, d := range ds {
			at := ""
			if d.Addr.IsValid() {
				at = d.Addr.String()
			}
			fmt.Fprintf(w, "%-16s %-24s %-16s %s\n", d.Kind, oneLine(d.Name), at, oneLine(estate.Explain(text.En, d)))
		}
		return nil
	}
	return fault.New(fault.Invalid, "no format %q; there are text, csv and json", format)
}

func rolesText(rs []asset.Role) string {
	words := make([]string, len(rs))
	for i, r := range rs {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}
