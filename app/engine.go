// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"citywall/asset"
	"citywall/eventstore"
	"citywall/eventstore/clickhouse"
	"citywall/eventstore/duck"
	"citywall/internal/db"
	"citywall/internal/fault"
)

// Engines of the event store.
const (
	DuckDB     = "duckdb"
	ClickHouse = "clickhouse"
)

// Records says where the records of both realms lie. With PostgreSQL each realm
// has its own user, and its own database or schema; its backups are the site's.
type Records struct {
	Engine        db.Engine `yaml:"engine"`          // sqlite or postgres
	CityDSNFile   string    `yaml:"city_dsn_file"`   // holds a connection string: secret
	PoliceDSNFile string    `yaml:"police_dsn_file"` // of the other realm
}

// Validate explains what is wrong. It opens no file and no connection.
func (r Records) Validate() error {
	switch r.Engine {
	case db.SQLite:
		if r.CityDSNFile != "" || r.PoliceDSNFile != "" {
			return fault.New(fault.Invalid, "records.city_dsn_file and records.police_dsn_file lead to PostgreSQL, but records.engine is sqlite: say postgres, or leave them out")
		}
	case db.Postgres:
		if r.CityDSNFile == "" || r.PoliceDSNFile == "" {
			return fault.New(fault.Invalid, "records.engine is postgres: records.city_dsn_file and records.police_dsn_file must both name a file with a connection string")
		}
		if filepath.Clean(r.CityDSNFile) == filepath.Clean(r.PoliceDSNFile) {
			return fault.New(fault.Invalid, "records.city_dsn_file and records.police_dsn_file are the same: the realms need a user and a database or schema each")
		}
	default:
		return fault.New(fault.Invalid, "records.engine is %q: it must be sqlite or postgres", r.Engine)
	}
	return nil
}

// Validate explains what is wrong. It opens no file and no connection.
func (s Store) Validate() error {
	if s.MemoryMB < 128 || s.Threads < 1 {
		return fault.New(fault.Invalid, "store.memory_mb must be at least 128 and store.threads at least 1")
	}
	switch s.Engine {
	case DuckDB:
		if !s.ClickHouse.Empty() {
			return fault.New(fault.Invalid, "store.clickhouse is given, but store.engine is duckdb: say clickhouse, or leave it out")
		}
		return nil
	case ClickHouse:
		return s.ClickHouse.Validate()
	}
	return fault.New(fault.Invalid, "store.engine is %q: it must be duckdb or clickhouse", s.Engine)
}

// CheckFiles reads what the configuration of the data folder dir names beside
// itself, secrets among it, and says what is wrong with it.
func (c Config) CheckFiles(dir string) error {
	if c.Records.Engine == db.Postgres {
		for _, f := range []string{c.Records.CityDSNFile, c.Records.PoliceDSNFile} {
			if _, err := secret(dir, f); err != nil {
				return err
			}
		}
	}
	if c.Store.Engine == ClickHouse {
		_, err := clickhouseOptions(c.Store.ClickHouse, dir)
		return err
	}
	return nil
}

// secret reads the one secret in a file, its last line break left out. A file
// that others may read is refused.
func secret(dir, name string) (string, error) {
	p := name
	if !filepath.IsAbs(p) {
		p = filepath.Join(dir, p)
	}
	f, err := os.Open(p)
	if err != nil {
		return "", fault.New(fault.Invalid, "read a secret: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return "", fault.New(fault.Invalid, "read a secret: %w", err)
	}
	if runtime.GOOS != "windows" && fi.Mode().Perm()&0o077 != 0 {
		return "", fault.New(fault.Invalid, "the secret in %s can be read by other users: chmod 600 %s", p, p)
	}
	const most = 64 << 10
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return "", fault.New(fault.Invalid, "read a secret: %w", err)
	}
	s := strings.TrimRight(string(b), "\r\n")
	if s == "" || len(b) > most || strings.ContainsAny(s, "\r\n\x00") {
		return "", fault.New(fault.Invalid, "%s does not hold one line with a secret", p)
	}
	return s, nil
}

func clickhouseOptions(c clickhouse.Config, dir string) (clickhouse.Options, error) {
	o := clickhouse.Options{Addrs: c.Addrs, Cluster: c.Cluster, Database: c.Database, User: c.User}
	var err error
	if c.PasswordFile != "" {
		if o.Password, err = secret(dir, c.PasswordFile); err != nil {
			return o, err
		}
	}
	if c.TLS {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if c.CAFile != "" {
		p := c.CAFile
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return o, fault.New(fault.Invalid, "read store.clickhouse.ca_file: %w", err)
		}
		o.TLS.RootCAs = x509.NewCertPool()
		if !o.TLS.RootCAs.AppendCertsFromPEM(b) {
			return o, fault.New(fault.Invalid, "store.clickhouse.ca_file %s holds no certificate in PEM", p)
		}
	}
	return o, nil
}

// openEvents opens the event store of the configured engine.
func (a *App) openEvents(ctx context.Context) (eventstore.Store, error) {
	hot := a.data.path("events", "hot.duckdb")
	if a.cfg.Store.Engine == ClickHouse {
		o, err := clickhouseOptions(a.cfg.Store.ClickHouse, a.data.dir)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(hot); err == nil {
			a.log.Warn("events from before store.engine was clickhouse stay in this file and are not shown; say duckdb to see them again", "file", hot)
		}
		o.Now = a.now
		return clickhouse.Open(ctx, o)
	}
	return duck.Open(ctx, duck.Options{
		Dir: a.data.path("events"), MemoryLimit: fmt.Sprintf("%dMB", a.cfg.Store.MemoryMB), Threads: a.cfg.Store.Threads, Room: a.storeRoom(), Now: a.now,
	})
}

// openRecords opens the records of a realm in the configured engine. Records
// are never moved from one to the other by themselves, and an empty database
// must not pass for the one that a city worked with.
func (a *App) openRecords(ctx context.Context, name asset.Realm) (*db.DB, error) {
	file := a.data.path(string(name) + ".db")
	if a.cfg.Records.Engine != db.Postgres {
		return db.Open(ctx, file)
	}
	if _, err := os.Stat(file); err == nil {
		return nil, fault.New(fault.Conflict, "records.engine is postgres, but %s of before lies here, and its records are not moved by themselves: say sqlite, or move the file away to begin with an empty database", file)
	}
	f := a.cfg.Records.CityDSNFile
	if name == asset.Police {
		f = a.cfg.Records.PoliceDSNFile
	}
	dsn, err := secret(a.data.dir, f)
	if err != nil {
		return nil, err
	}
	d, err := db.OpenPostgres(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f, err)
	}
	return d, nil
}
