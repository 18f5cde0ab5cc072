// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"citywall/app"
	"citywall/asset"
	"citywall/audit"
	"citywall/backup"
	"citywall/eventstore/keep"
	"citywall/internal/fault"
	"citywall/internal/keys"
)

func newBackup(st streams) *cobra.Command {
	c := group("backup", "Make, verify and restore copies of the data folder", newBackupCreate(st), newBackupVerify(st), newBackupRestore(st))
	c.Long = `Copies of the whole data folder: records, events, queue, audit logs, keys,
cases, configuration. A backup holds the keys and cases of both realms in the
clear: guard its folder as you guard the data folder.` + exits
	return c
}

func newBackupCreate(st streams) *cobra.Command {
	c := &cobra.Command{
		Use: "create [DIR]", Short: "Make a backup in DIR, while everything goes on",
		Long: `Make a backup of the data folder below DIR, in a folder named by the time.
Without DIR it goes where backup.dir in citywall.yaml says. What senders were
told was accepted before it begins is in it. Files that an earlier backup in
DIR has are linked, not copied again; backups can be deleted in any order.

While citywall serve runs, the backup is made by it, as the user that os_users
in citywall.yaml names for you: a system administrator.` + exits,
		Example: "  citywall backup create /mnt/backup/citywall",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fault.New(fault.Invalid, "create wants one folder, got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			dir := ""
			if len(args) == 1 {
				abs, err := filepath.Abs(args[0])
				if err != nil {
					return err
				}
				dir = abs
			}
			client, done, err := server(c)
			if err != nil {
				return err
			}
			defer done()
			b, err := makeBackup(c.Context(), client, dir, copying(st.err, "backing up"))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(st.out, "%s\n%d files, %d bytes, of them %d newly copied\n", b.Dir, b.Files, b.Bytes, b.Copied)
			return err
		},
	}
	return c
}

// makeBackup asks for a backup and reads the lines of the answer.
func makeBackup(ctx context.Context, client *http.Client, dir string, say func(backup.Progress)) (keep.Backup, error) {
	body, err := json.Marshal(map[string]string{"dir": dir})
	if err != nil {
		return keep.Backup{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://citywall/api/v1/storage/backups", bytes.NewReader(body))
	if err != nil {
		return keep.Backup{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	r, err := ask(client, req, asset.City)
	if err != nil {
		return keep.Backup{}, err
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct {
			Progress *backup.Progress `json:"progress"`
			Backup   *keep.Backup     `json:"backup"`
			Error    *struct {
				Kind    fault.Kind `json:"kind"`
				Message string     `json:"message"`
			} `json:"error"`
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return keep.Backup{}, fmt.Errorf("read the answer: %w", err)
		}
		switch {
		case l.Progress != nil:
			say(*l.Progress)
		case l.Error != nil:
			return keep.Backup{}, fault.New(l.Error.Kind, "%s", l.Error.Message)
		case l.Backup != nil:
			return *l.Backup, nil
		}
	}
	return keep.Backup{}, errors.Join(lines.Err(), errors.New("the answer ended before the backup did: no backup was made"))
}

// copying says how far something is, once it has taken two seconds, every
// second.
func copying(w io.Writer, what string) func(backup.Progress) {
	began, said := time.Now(), time.Time{}
	return func(p backup.Progress) {
		now := time.Now()
		if now.Sub(began) < 2*time.Second || now.Sub(said) < time.Second {
			return
		}
		said = now
		fmt.Fprintf(w, "citywall: %s: %d files, %d MiB, %s\n", what, p.Files, p.Bytes>>20, p.File)
	}
}

// keyFlag names the key that must have signed a backup.
func keyFlag(c *cobra.Command) *string {
	return c.Flags().String("key", "", "the city's public.json, from keys/city of the data folder; without it the one in the backup is taken at its word")
}

func signer(name string) (ed25519.PublicKey, error) {
	if name == "" {
		return nil, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read --key: %w", err)
	}
	p, err := keys.ParsePublic(b)
	if err != nil {
		return nil, err
	}
	return p.Verifier()
}

func newBackupVerify(st streams) *cobra.Command {
	c := &cobra.Command{
		Use: "verify DIR", Short: "Read a backup and say what is wrong with it",
		Long: `Read a backup, or the newest one in a folder of backups: every file and its
hash, the signature, and the audit logs in it. No server and no data folder are
needed.

Exit codes: 0 whole, 1 failed, 2 wrong usage, 3 something is wrong (it says what).`,
		Example: "  citywall backup verify /mnt/backup/citywall --key public.json",
		Args:    exactly(1, "the folder of a backup"),
	}
	key := keyFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		pub, err := signer(*key)
		if err != nil {
			return err
		}
		dir, err := backup.Find(args[0])
		if err != nil {
			return err
		}
		r, err := backup.Verify(c.Context(), dir, pub, copying(st.err, "reading"))
		if err != nil {
			return err
		}
		logs, err := verifyLogs(c.Context(), filepath.Join(dir, "data"))
		if err != nil {
			r.Problems = append(r.Problems, err.Error())
		}
		r.Problems = append(r.Problems, logs...)
		fmt.Fprintf(st.out, "%s: %d files, %d bytes, begun %s by version %s\n", r.Dir, len(r.Manifest.Files), r.Bytes, r.Manifest.Created.UTC().Format(time.RFC3339), r.Manifest.Program)
		if pub == nil && r.Key != nil {
			fmt.Fprintf(st.out, "note: signed by key %s; give --key to be sure whose that is\n", hex.EncodeToString(r.Key))
		}
		for _, n := range r.Manifest.Notes {
			fmt.Fprintln(st.out, "note: "+n)
		}
		for _, p := range r.Problems {
			fmt.Fprintln(st.out, "WRONG: "+oneLine(p))
		}
		if len(r.Problems) > 0 {
			return verdict{fault.ExitNegative, fmt.Sprintf("%d things are wrong with the backup", len(r.Problems))}
		}
		_, err = fmt.Fprintln(st.out, "whole")
		return err
	}
	return c
}

// verifyLogs reads the audit logs of a data folder or a copy of one and returns
// what is broken in them.
func verifyLogs(ctx context.Context, dir string) ([]string, error) {
	var out []string
	for _, r := range []asset.Realm{asset.City, asset.Police} {
		pub, err := auditKey(dir, r)
		if err != nil {
			return out, err
		}
		key, err := pub.Verifier()
		if err != nil {
			return out, err
		}
		rep, err := audit.Verify(ctx, filepath.Join(dir, "audit", string(r)), r, key)
		if err != nil {
			return out, fmt.Errorf("audit log of %s: %w", r, err)
		}
		for _, b := range rep.Broken {
			out = append(out, fmt.Sprintf("audit log of %s: %s", r, b))
		}
	}
	return out, nil
}

func newBackupRestore(st streams) *cobra.Command {
	c := &cobra.Command{
		Use: "restore DIR", Short: "Make a data folder from a backup",
		Long: `Copy a backup, or the newest one in a folder of backups, into the data folder
named by --data, which must be empty or not there: nothing is ever overwritten.
Every byte is checked on the way. The next start takes in what was hot and what
waited in the queue.` + exits,
		Example: "  citywall backup restore /mnt/backup/citywall --data /srv/citywall",
		Args:    exactly(1, "the folder of a backup"),
	}
	key := keyFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		pub, err := signer(*key)
		if err != nil {
			return err
		}
		to, err := dataDir(c)
		if err != nil {
			return err
		}
		if app.Held(to) {
			return fault.New(fault.Conflict, "a server holds %s: nothing is overwritten; name another folder with --data", to)
		}
		dir, err := backup.Find(args[0])
		if err != nil {
			return err
		}
		m, err := backup.Restore(c.Context(), dir, to, pub, copying(st.err, "restoring"))
		if err != nil {
			return err
		}
		broken, err := verifyLogs(c.Context(), to)
		if err != nil {
			return err
		}
		for _, n := range m.Notes {
			fmt.Fprintln(st.out, "note: "+n)
		}
		if len(broken) > 0 {
			for _, b := range broken {
				fmt.Fprintln(st.out, "BROKEN: "+oneLine(b))
			}
			return verdict{fault.ExitNegative, "the files are restored as they were backed up, and an audit log among them is broken"}
		}
		_, err = fmt.Fprintf(st.out, "%s: %d files of %s; the audit logs verify\n", to, len(m.Files), m.Created.UTC().Format(time.RFC3339))
		return err
	}
	return c
}
