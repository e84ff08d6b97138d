package envtest

import (
	"os"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

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
	// Certificates and the key of tokens survive a restart only in a separate directory.
	api.CertDir = t.TempDir()
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
