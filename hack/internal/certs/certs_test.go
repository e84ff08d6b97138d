package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/network"
)

func TestWrittenCertificatesVerify(t *testing.T) {
	dir, plan, now := t.TempDir(), network.Default(), time.Now()
	if err := Write(dir, plan, now); err != nil {
		t.Fatal(err)
	}
	for _, l := range certificates(plan) {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, l.file+".crt"), filepath.Join(dir, l.file+".key"))
		if err != nil {
			t.Errorf("%s: %v", l.file, err)
			continue
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(read(t, filepath.Join(dir, l.authority+".crt")))
		for _, host := range append(l.subject.Hosts, "") {
			usage := x509.ExtKeyUsageServerAuth
			if host == "" {
				usage = x509.ExtKeyUsageClientAuth
			}
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
				t.Errorf("%s for host %q: %v", l.file, host, err)
			}
		}
	}
}

func TestOnlyServersGetServerCertificates(t *testing.T) {
	a, err := NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := a.Issue(Subject{Name: "someone"})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range cert.Leaf.ExtKeyUsage {
		if u == x509.ExtKeyUsageServerAuth {
			t.Error("a client certificate may act as a server")
		}
	}
}

// TestFurtherNode checks that a further node has an identity of its own, from the cluster's authority, and nothing else of the cluster.
func TestFurtherNode(t *testing.T) {
	cluster, dir := t.TempDir(), t.TempDir()
	worker := network.Default().Worker(3)
	if err := Write(cluster, network.Default(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := WriteNode(dir, cluster, worker, time.Now()); err != nil {
		t.Fatal(err)
	}
	certificate := parse(t, read(t, filepath.Join(dir, Kubelet+".crt")))
	if err := certificate.CheckSignatureFrom(parse(t, read(t, filepath.Join(cluster, ClusterCA+".crt")))); err != nil {
		t.Error(err)
	}
	if got := certificate.Subject.CommonName; got != "system:node:osm-local-3" {
		t.Errorf("the node is %s", got)
	}
	if config := string(read(t, filepath.Join(dir, ProxyUser+".kubeconfig"))); !strings.Contains(config, network.Default().APIServer()) {
		t.Errorf("kube-proxy of the node does not call the cluster's API server:\n%s", config)
	}
	for _, secret := range []string{ClusterCA + ".key", ServiceAccount + ".key", AdminUser + ".kubeconfig"} {
		if _, err := os.Stat(filepath.Join(dir, secret)); err == nil {
			t.Errorf("the node has %s", secret)
		}
	}
	if err := WriteNode(t.TempDir(), dir, worker, time.Now()); err == nil {
		t.Error("a node joins a cluster without an authority")
	}
}

func TestKeysAreReadableOnlyByOwner(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, network.Default(), time.Now()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	secrets := 0
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), ".crt") || strings.HasSuffix(e.Name(), ".pub") {
			continue
		}
		secrets++
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode().Perm())
		}
	}
	if secrets < 10 {
		t.Errorf("only %d keys and kubeconfigs were written", secrets)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func parse(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}
