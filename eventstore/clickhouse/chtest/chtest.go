// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package chtest runs a ClickHouse cluster of some shards on this machine, one
// server each. For tests only. Without clickhouse-server a test skips loudly,
// and CITYWALL_REQUIRE=clickhouse turns the skip into a failure.
package chtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Name is the name of the cluster.
const Name = "city"

// Cluster is a running cluster. A method's i counts from 0.
type Cluster struct {
	Addrs []string // native protocol, one of each shard

	dir   string
	nodes []*server
}

type server struct {
	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it ended
}

// Start starts a cluster that ends with the test.
func Start(t testing.TB, shards int) *Cluster {
	t.Helper()
	c, err := Run(shards)
	if errors.Is(err, exec.ErrNotFound) {
		if strings.Contains(os.Getenv("CITYWALL_REQUIRE"), "clickhouse") {
			t.Fatal("need clickhouse-server: not found")
		}
		t.Skip("need clickhouse-server: not found")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Run starts a cluster. The caller closes it. A port that was free a moment ago
// may be taken when its server starts: then it begins again.
func Run(shards int) (*Cluster, error) {
	for try := 1; ; try++ {
		c, err := run(shards)
		if err == nil || try == 5 || !strings.Contains(err.Error(), "Address already in use") {
			return c, err
		}
	}
}

func run(shards int) (c *Cluster, err error) {
	bin, err := exec.LookPath("clickhouse-server")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "chtest")
	if err != nil {
		return nil, err
	}
	c = &Cluster{dir: dir}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	ports, err := freePorts(3 * shards)
	if err != nil {
		return c, err
	}
	var remote strings.Builder
	for i := range shards {
		fmt.Fprintf(&remote, "<shard><replica><host>127.0.0.1</host><port>%d</port></replica></shard>", ports[3*i])
		c.Addrs = append(c.Addrs, fmt.Sprint("127.0.0.1:", ports[3*i]))
	}
	users := filepath.Join(dir, "users.xml")
	if err := os.WriteFile(users, []byte(usersFile), 0o600); err != nil {
		return c, err
	}
	for i := range shards {
		s := &server{dir: filepath.Join(dir, fmt.Sprint(i+1))}
		for _, d := range []string{"data", "tmp", "format"} {
			if err := os.MkdirAll(filepath.Join(s.dir, d), 0o700); err != nil {
				return c, err
			}
		}
		text := strings.NewReplacer("DIR", s.dir, "USERS", users, "TCP", fmt.Sprint(ports[3*i]), "HTTP", fmt.Sprint(ports[3*i+1]), "INTER", fmt.Sprint(ports[3*i+2]),
			"CLUSTER", "<"+Name+">"+remote.String()+"</"+Name+">").Replace(configFile)
		if err := os.WriteFile(filepath.Join(s.dir, "config.xml"), []byte(text), 0o600); err != nil {
			return c, err
		}
		c.nodes = append(c.nodes, s)
		if err := s.start(bin); err != nil {
			return c, err
		}
	}
	for i := range c.nodes {
		if err := c.answers(i); err != nil {
			return c, err
		}
	}
	return c, nil
}

// The root element is what versions before 20 ask for, and later ones take.
const configFile = `<yandex>
<logger><level>warning</level><log>DIR/log</log><errorlog>DIR/errors</errorlog></logger>
<tcp_port>TCP</tcp_port><http_port>HTTP</http_port><interserver_http_port>INTER</interserver_http_port><interserver_http_host>127.0.0.1</interserver_http_host>
<listen_host>127.0.0.1</listen_host>
<path>DIR/data/</path><tmp_path>DIR/tmp/</tmp_path><format_schema_path>DIR/format/</format_schema_path>
<users_config>USERS</users_config><default_profile>default</default_profile><default_database>default</default_database>
<mark_cache_size>67108864</mark_cache_size>
<remote_servers>CLUSTER</remote_servers>
</yandex>
`

const usersFile = `<yandex>
<profiles><default><max_memory_usage>2000000000</max_memory_usage><max_threads>1</max_threads><background_pool_size>2</background_pool_size></default></profiles>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
<quotas><default></default></quotas>
</yandex>
`

// freePorts returns ports below those that Linux gives to outgoing connections
// and to port 0: a server that is killed must find its port free when it comes
// back.
func freePorts(n int) ([]int, error) {
	const from, to = 20_000, 32_000
	var out []int
	for try := 0; len(out) < n; try++ {
		p := from + rand.IntN(to-from)
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", p))
		if err != nil {
			if try == 1000 {
				return nil, err
			}
			continue
		}
		defer l.Close() // all at the end, so that they differ
		out = append(out, p)
	}
	return out, nil
}

func (s *server) start(bin string) error {
	out, err := os.Create(filepath.Join(s.dir, "out"))
	if err != nil {
		return err
	}
	defer out.Close()
	s.cmd = exec.Command(bin, "--config-file="+filepath.Join(s.dir, "config.xml"))
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, out, out
	// A test that is killed takes its servers with it. That is bound to the
	// thread that starts them, so the thread stays as long as they.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // how it ended is told by who ended it
		}
	}()
	return <-started
}

// answers waits until server i does.
func (c *Cluster) answers(i int) error {
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{c.Addrs[i]}, DialTimeout: time.Second})
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline := time.Now().Add(time.Minute)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		err := conn.Ping(ctx)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-c.nodes[i].done:
			b, _ := os.ReadFile(filepath.Join(c.nodes[i].dir, "out"))
			e, _ := os.ReadFile(filepath.Join(c.nodes[i].dir, "errors"))
			return fmt.Errorf("clickhouse-server ended:\n%s\n%s", b, e)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("clickhouse-server does not answer: %w", err)
		}
	}
}

// Kill kills the server of a shard and waits for its end.
func (c *Cluster) Kill(t testing.TB, i int) {
	t.Helper()
	if err := c.nodes[i].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.nodes[i].done
}

// Signal sends a signal to the server of a shard.
func (c *Cluster) Signal(t testing.TB, i int, sig syscall.Signal) {
	t.Helper()
	if err := c.nodes[i].cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// Restart starts the killed server of a shard and waits for it.
func (c *Cluster) Restart(t testing.TB, i int) {
	t.Helper()
	if err := c.nodes[i].start(c.nodes[i].cmd.Path); err != nil {
		t.Fatal(err)
	}
	if err := c.answers(i); err != nil {
		t.Fatal(err)
	}
}

// CPU returns the processor time that all servers took so far.
func (c *Cluster) CPU(t testing.TB) time.Duration {
	t.Helper()
	var ticks int64
	for _, s := range c.nodes {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		// proc(5): fields 14 and 15, counted behind the name in brackets.
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		for _, x := range f[11:13] {
			n, err := strconv.ParseInt(x, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ of Linux
}

// Bytes returns what the servers' folders hold.
func (c *Cluster) Bytes(t testing.TB) (n int64) {
	t.Helper()
	err := filepath.WalkDir(c.dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // merged away meanwhile
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if i, err := d.Info(); err == nil {
			n += i.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Close ends all servers and deletes what they kept.
func (c *Cluster) Close() {
	for _, s := range c.nodes {
		if s.done == nil {
			continue
		}
		_ = s.cmd.Process.Kill() // an error says that it ended before
		<-s.done
	}
	os.RemoveAll(c.dir)
}
