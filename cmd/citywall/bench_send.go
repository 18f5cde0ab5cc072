// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

// sentLoad is what a sender counted.
type sentLoad struct {
	HTTP int64   `json:"http"` // records acknowledged
	TCP  int64   `json:"tcp"`  // records written to a connection that was closed in order
	UDP  int64   `json:"udp"`
	CPU  float64 `json:"cpu"` // seconds
}

type benchSendOptions struct {
	file, to, tcp, udp string
	senders, seconds   int
}

// newBenchSend is the process that bench serve starts.
func newBenchSend(io streams) *cobra.Command {
	var o benchSendOptions
	c := &cobra.Command{
		Use: "send", Short: "Send an encoded load (started by bench serve)", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := sendAll(c.Context(), o)
			if err != nil {
				return err
			}
			return json.NewEncoder(io.out).Encode(r)
		},
	}
	f := c.Flags()
	f.StringVar(&o.file, "file", "", "the load")
	f.StringVar(&o.to, "to", "", "ingest URL")
	f.StringVar(&o.tcp, "tcp", "", "syslog over TCP, host:port")
	f.StringVar(&o.udp, "udp", "", "syslog over UDP, host:port")
	f.IntVar(&o.senders, "senders", 8, "connections")
	f.IntVar(&o.seconds, "seconds", 60, "how long")
	return c
}

func readLoad(file string) ([]load, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dec := gob.NewDecoder(bufio.NewReaderSize(f, 1<<20))
	var out []load
	for {
		var l load
		err := dec.Decode(&l)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the load: %w", err)
		}
		out = append(out, l)
	}
}

// sendAll sends the load from several connections, again from the beginning when
// it is used up, until the time is over. A connection over TCP is closed only
// when the server has read it to its end.
func sendAll(ctx context.Context, o benchSendOptions) (sentLoad, error) {
	loads, err := readLoad(o.file)
	if err != nil {
		return sentLoad{}, err
	}
	if len(loads) == 0 {
		return sentLoad{}, errors.New("the load is empty")
	}
	run := uuid.NewString()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: o.senders}}
	deadline := time.Now().Add(time.Duration(o.seconds) * time.Second)
	var next, acked, tcp, udp atomic.Int64
	errs := make([]error, o.senders)
	var wg sync.WaitGroup
	for i := range o.senders {
		wg.Go(func() {
			s := sender1{o: o, client: client}
			for time.Now().Before(deadline) && ctx.Err() == nil {
				n := next.Add(1) - 1
				l := &loads[n%int64(len(loads))]
				if errs[i] = s.send(ctx, l, run+"/"+strconv.FormatInt(n, 10)); errs[i] != nil {
					return
				}
				switch l.Kind {
				case "http":
					acked.Add(int64(l.Lines))
				case "tcp":
					tcp.Add(int64(l.Lines))
				default:
					udp.Add(int64(l.Lines))
				}
			}
			errs[i] = s.close()
		})
	}
	wg.Wait()
	return sentLoad{acked.Load(), tcp.Load(), udp.Load(), cpuTime().Seconds()}, errors.Join(errs...)
}

// sender1 is one connection of each kind.
type sender1 struct {
	o        benchSendOptions
	client   *http.Client
	tcp, udp net.Conn
}

func (s *sender1) send(ctx context.Context, l *load, key string) error {
	var d net.Dialer
	var err error
	switch l.Kind {
	case "tcp":
		if s.tcp == nil {
			if s.tcp, err = d.DialContext(ctx, "tcp", s.o.tcp); err != nil {
				return err
			}
		}
		_, err = s.tcp.Write(l.Body)
		return err
	case "udp":
		if s.udp == nil {
			if s.udp, err = d.DialContext(ctx, "udp", s.o.udp); err != nil {
				return err
			}
		}
		_, err = s.udp.Write(l.Body)
		return err
	}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.to, bytes.NewReader(l.Body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+l.Token)
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("Content-Type", "application/x-ndjson")
		resp, err := s.client.Do(req)
		if err != nil {
			return err
		}
		msg, _ := io.ReadAll(io.LimitReader(resp.Body, 1024)) // for the error only
		resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK:
			return nil
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			select { // the server asks to wait: that is part of what is measured
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		default:
			return fmt.Errorf("the server answers %s: %s", resp.Status, bytes.TrimSpace(msg))
		}
	}
}

// close ends the TCP connection for writing and waits until the server has read
// to the end and closed it too.
func (s *sender1) close() error {
	if s.udp != nil {
		s.udp.Close()
	}
	c, ok := s.tcp.(*net.TCPConn)
	if !ok {
		return nil
	}
	defer c.Close()
	if err := c.CloseWrite(); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		return fmt.Errorf("the server did not read the connection to its end: %w", err)
	}
	return nil
}
