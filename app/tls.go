// SPDX-FileCopyrightText: 2026 The Citywall Authors
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"strings"
	"time"

	"citywall/internal/durable"
)

// consoleTLS returns the TLS configuration of the console, nil on loopback
// without a certificate. Beyond loopback there is no plain HTTP: without a
// given certificate one is made and kept, and its fingerprint is what people
// compare at their first visit.
func consoleTLS(c Console, d *data, now time.Time) (cfg *tls.Config, fingerprint string, err error) {
	cert, key := c.Cert, c.Key
	if cert == "" {
		if loopback(c.Addr) {
			return nil, "", nil
		}
		cert, key = d.path("keys", "console.crt"), d.path("keys", "console.key")
		if err := makeCertificate(cert, key, c, now); err != nil {
			return nil, "", fmt.Errorf("make the console's certificate: %w", err)
		}
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, "", fmt.Errorf("load the console's certificate: %w", err)
	}
	sum := sha256.Sum256(pair.Certificate[0])
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, hex.EncodeToString(sum[:]), nil
}

// makeCertificate writes a self-signed certificate for ten years unless there
// is one.
func makeCertificate(cert, key string, c Console, now time.Time) error {
	if _, err := os.Stat(cert); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	t := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Citywall console"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	host, _, _ := net.SplitHostPort(c.Addr)
	url := strings.TrimPrefix(strings.TrimPrefix(c.URL, "https://"), "http://")
	name, _, _ := strings.Cut(url, "/")
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	for _, n := range []string{host, name} {
		if ip := net.ParseIP(n); ip != nil && !ip.IsUnspecified() {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if n != "" && ip == nil {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	if h, err := os.Hostname(); err == nil {
		t.DNSNames = append(t.DNSNames, h)
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, &t, &k.PublicKey, k)
	if err != nil {
		return err
	}
	kb, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return err
	}
	if err := durable.Replace(key, 0o600, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kb})); err != nil {
		return err
	}
	return durable.Replace(cert, 0o644, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
