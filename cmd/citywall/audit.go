// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"citywall/asset"
	"citywall/audit"
	"citywall/internal/fault"
	"citywall/internal/keys"
)

func newAudit(io streams) *cobra.Command {
	return group("audit", "Verify the audit logs, and prove single entries", newAuditVerify(io), newAuditProve(io), newAuditCheck(io))
}

// auditKey reads the public key by which a realm's heads are verified.
func auditKey(dir string, r asset.Realm) (keys.Public, error) {
	b, err := os.ReadFile(filepath.Join(dir, "keys", string(r), "public.json"))
	if err != nil {
		return keys.Public{}, fmt.Errorf("read the public key of %s: %w", r, err)
	}
	return keys.ParsePublic(b)
}

func realmFlag(c *cobra.Command) *string {
	return c.Flags().String("realm", "city", "city or police")
}

func newAuditVerify(io streams) *cobra.Command {
	var known []string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Read a whole audit log and say whether it is whole",
		Long: `Read the audit log of a realm from the data folder: every line, every hash, every
signed head. With --known FILE (a head that was printed or mailed earlier) a log
whose end was cut off is found too. A running server need not be stopped.

Exit codes: 0 whole, 1 failed, 2 wrong usage, 3 the log is broken (it says where).`,
		Example: "  citywall audit verify --realm police --known head-2026-11.txt",
		Args:    exactly(0, "no arguments"),
	}
	realm := realmFlag(c)
	c.Flags().StringArrayVar(&known, "known", nil, "file with an earlier signed head (repeatable)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		dir, err := dataDir(c)
		if err != nil {
			return err
		}
		r := asset.Realm(*realm)
		pub, err := auditKey(dir, r)
		if err != nil {
			return err
		}
		key, err := pub.Verifier()
		if err != nil {
			return err
		}
		var notes []string
		for _, f := range known {
			b, err := os.ReadFile(f)
			if err != nil {
				return fmt.Errorf("read a known head: %w", err)
			}
			notes = append(notes, string(b))
		}
		rep, err := audit.Verify(c.Context(), filepath.Join(dir, "audit", string(r)), r, key, notes...)
		if err != nil {
			return err
		}
		fmt.Fprintf(io.out, "%s: %d entries, %d signed heads\n", r, rep.Entries, rep.Heads)
		for _, s := range rep.Warnings {
			fmt.Fprintln(io.out, "note: "+s)
		}
		for _, s := range rep.Broken {
			fmt.Fprintln(io.out, "BROKEN: "+s)
		}
		if !rep.OK() {
			return verdict{fault.ExitNegative, "the audit log is broken"}
		}
		_, err = fmt.Fprintln(io.out, strings.TrimSpace(rep.Head.Note))
		return err
	}
	return c
}

func newAuditProve(st streams) *cobra.Command {
	c := &cobra.Command{
		Use: "prove SEQ", Short: "Write the proof that an entry is in the log",
		Long:    "Write entry, signed head and inclusion proof (RFC 6962) as JSON, for somebody who has the realm's public key." + exits,
		Example: "  citywall audit prove 42 --realm police > proof.json", Args: exactly(1, "the number of an entry"),
	}
	realm := realmFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		client, done, err := server(c)
		if err != nil {
			return err
		}
		defer done()
		b, err := get(c.Context(), client, asset.Realm(*realm), "/audit/"+args[0]+"/proof", nil)
		if err != nil {
			return err
		}
		defer b.Close()
		_, err = io.Copy(st.out, b)
		return err
	}
	return c
}

func newAuditCheck(io streams) *cobra.Command {
	var keyFile string
	c := &cobra.Command{
		Use: "check FILE", Short: "Check a proof against a realm's public key",
		Long:    "Check a proof that citywall audit prove wrote; no data folder is needed.\n\nExit codes: 0 it holds, 1 failed, 2 wrong usage, 3 it does not hold.",
		Example: "  citywall audit check proof.json --key public.json --realm police", Args: exactly(1, "a proof"),
	}
	realm := realmFlag(c)
	c.Flags().StringVar(&keyFile, "key", "", "the realm's public.json")
	c.RunE = func(_ *cobra.Command, args []string) error {
		b, err := os.ReadFile(keyFile)
		if err != nil {
			return fmt.Errorf("read --key: %w", err)
		}
		pub, err := keys.ParsePublic(b)
		if err != nil {
			return err
		}
		key, err := pub.Verifier()
		if err != nil {
			return err
		}
		if b, err = os.ReadFile(args[0]); err != nil {
			return fmt.Errorf("read the proof: %w", err)
		}
		var p audit.Proof
		if err := json.Unmarshal(b, &p); err != nil {
			return fault.New(fault.Invalid, "%s is no proof: %w", args[0], err)
		}
		e, h, err := audit.CheckProof(p, asset.Realm(*realm), key)
		if err != nil {
			return verdict{fault.ExitNegative, "the proof does not hold: " + err.Error()}
		}
		_, err = fmt.Fprintf(io.out, "entry %d of %d, signed %s: %s %s %s\n", e.Seq, h.Size, h.Time.UTC().Format("2006-01-02T15:04:05Z"), e.Actor, e.Action, e.Object)
		return err
	}
	return c
}
