// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

// Command citywall defends a city against ransomware and investigates it
// afterwards.
//
// Every subcommand is a file here: its help with examples and exit codes, its
// options, and a run function that a test can call. It parses, calls one
// package, and prints; it holds no logic of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	_ "time/tzdata" // zones of senders must resolve on a bare host and on Windows

	"github.com/spf13/cobra"

	"citywall/internal/fault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, streams{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:])
	stop()
	os.Exit(code)
}

// streams are what a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// verdict is the outcome of a command that worked and has to say no: exit 3, or
// 1 where the help says so.
type verdict struct {
	code int
	msg  string
}

func (v verdict) Error() string { return v.msg }

// run executes one command line and returns its exit code.
func run(ctx context.Context, io streams, args []string) int {
	root := newRoot(io)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return fault.ExitDone
	}
	var v verdict
	if errors.As(err, &v) {
		if v.msg != "" {
			fmt.Fprintln(io.err, "citywall: "+v.msg)
		}
		return v.code
	}
	fmt.Fprintln(io.err, "citywall: "+err.Error())
	return fault.ExitCode(err)
}

// exits is the common end of every command's help.
const exits = "\n\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 negative verdict or partial input."

func newRoot(io streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "citywall",
		Short: "Citywall (護城) defends a city against ransomware and investigates it afterwards",
		Long: `Citywall (護城) is one program with which a city defends itself against
ransomware and investigates it afterwards.

Begin with the demo: a simulated city is attacked, and Citywall says where and
when it began, how it went, and what to cut off.` + exits,
		Example: `  citywall demo
  citywall investigate evidence.zip
  citywall serve`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.PersistentFlags().String("data", "", "data folder (default: CITYWALL_DATA, else the user's data directory)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fault.New(fault.Invalid, "%w; see citywall %s --help", err, c.Name())
	})
	root.AddCommand(
		newDemo(io), newInvestigate(io), newHunt(io), newLogs(io), newServe(io), newExercise(io), newSearch(io), newDuty(io), newSource(io), newAsset(io), newRules(io), newAudit(io), newHold(io), newCase(io), newFamily(io), newBackup(io), newConfig(io), newVersion(io), newBench(io),
	)
	root.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fault.New(fault.Invalid, "there is no command %q; citywall --help lists them", args[0])
		}
		return nil
	}
	root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return root
}

// group is a command that only holds subcommands.
func group(use, short string, sub ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: exactly(0, "a subcommand"), RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(sub...)
	return c
}

// exactly checks the number of arguments; -n means at least n.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case n >= 0 && len(args) == n, n < 0 && len(args) >= -n:
			return nil
		case n == 0 && c.HasSubCommands():
			return fault.New(fault.Invalid, "%s has no subcommand %q; see citywall %s --help", c.Name(), args[0], c.Name())
		}
		return fault.New(fault.Invalid, "%s wants %s, got %d arguments; see citywall %s --help", c.Name(), what, len(args), c.Name())
	}
}

// dataDir returns the data folder: flag, environment, else the user's data
// directory.
func dataDir(c *cobra.Command) (string, error) {
	if d, _ := c.Flags().GetString("data"); d != "" {
		return filepath.Abs(d)
	}
	if d := os.Getenv("CITYWALL_DATA"); d != "" {
		return filepath.Abs(d)
	}
	if d := os.Getenv("XDG_DATA_HOME"); d != "" {
		return filepath.Join(d, "citywall"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the data folder: %w; give --data DIR", err)
	}
	if d := os.Getenv("LOCALAPPDATA"); d != "" {
		return filepath.Join(d, "citywall"), nil
	}
	return filepath.Join(home, ".local", "share", "citywall"), nil
}
