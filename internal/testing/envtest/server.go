package envtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// Start starts an API server and its etcd, which stop with the test. No controllers run: nothing collects garbage or makes a
// Deployment ready.
func Start(t *testing.T) *rest.Config {
	t.Helper()
	return StartServer(t).Config
}

// Install creates CustomResourceDefinitions and waits until the API server serves them.
func Install(t *testing.T, config *rest.Config, definitions ...*apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	if _, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{CRDs: definitions}); err != nil {
		t.Fatalf("a CustomResourceDefinition cannot be installed: %v", err)
	}
}

// Definitions reads all CustomResourceDefinitions from file systems, such as config/crd's.
func Definitions(t *testing.T, systems ...fs.FS) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	all, err := ReadDefinitions(systems...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ReadDefinitions is Definitions outside a test.
func ReadDefinitions(systems ...fs.FS) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	var all []*apiextensionsv1.CustomResourceDefinition
	for _, files := range systems {
		err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(files, path)
			if err != nil {
				return err
			}
			definition := &apiextensionsv1.CustomResourceDefinition{}
			all = append(all, definition)
			return yaml.UnmarshalStrict(content, definition)
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Server is an API server that can be stopped and restarted.
type Server struct {
	// Config is the client configuration of an administrator. It stays valid across restarts.
	Config      *rest.Config
	environment *envtest.Environment
}

// StartServer starts an API server and its etcd, which stop with the test. No controllers run: nothing collects garbage or
// makes a Deployment ready.
func StartServer(t *testing.T) *Server {
	t.Helper()
	return startServer(t, nil)
}

// startServer starts an API server with further flags.
func startServer(t *testing.T, flags map[string]string) *Server {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("this test needs an API server: run `make test-envtest`, or set KUBEBUILDER_ASSETS to what `go run -C hack ./cluster assets` prints")
	}
	environment := &envtest.Environment{ControlPlaneStopTimeout: 20 * time.Second}
	api := environment.ControlPlane.GetAPIServer()
	stopGuard, err := guarded(environment, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stopGuard() })
	// At shutdown the server waits for watches, which do not end, for as long as a request may take.
	api.Configure().Set("request-timeout", "10s")
	for flag, value := range flags {
		api.Configure().Set(flag, value)
	}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("the API server cannot be started: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("the API server cannot be stopped: %v", err)
		}
	})
	return &Server{Config: config, environment: environment}
}

// Stop stops the API server. Its storage keeps running.
func (s *Server) Stop(t *testing.T) {
	t.Helper()
	if err := s.environment.ControlPlane.GetAPIServer().Stop(); err != nil {
		t.Fatalf("the API server cannot be stopped: %v", err)
	}
}

// Restart starts the server at the same address, with the same keys and objects.
func (s *Server) Restart(t *testing.T) {
	t.Helper()
	if err := s.environment.ControlPlane.GetAPIServer().Start(); err != nil {
		t.Fatalf("the API server cannot be restarted: %v", err)
	}
}

// proxyName is the name in the certificate with which the API server forwards requests.
const proxyName = "front-proxy-client"

// StartAggregating starts an API server that forwards requests to the servers of APIServices, as clusters do.
func StartAggregating(t *testing.T) *Server {
	t.Helper()
	dir := t.TempDir()
	writeProxyCertificate(t, dir)
	return startServer(t, map[string]string{
		"requestheader-client-ca-file":       filepath.Join(dir, "tls.crt"),
		"requestheader-allowed-names":        proxyName,
		"requestheader-username-headers":     "X-Remote-User",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"proxy-client-cert-file":             filepath.Join(dir, "tls.crt"),
		"proxy-client-key-file":              filepath.Join(dir, "tls.key"),
	})
}

// writeProxyCertificate writes a certificate for clients that is its own root.
func writeProxyCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: proxyName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: certificate}, "tls.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
