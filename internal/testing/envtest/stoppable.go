package envtest

import (
	"os"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Server is an API server that can go away and come back.
type Server struct {
	// Config reaches it as an administrator, before and after it was away.
	Config      *rest.Config
	environment *envtest.Environment
}

// StartServer starts an API server and its etcd; they stop with the test. No controller runs beside it: nothing collects
// garbage, and nothing makes a Deployment ready.
func StartServer(t *testing.T) *Server {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("this test needs an API server: run `make test-envtest`, or set KUBEBUILDER_ASSETS to what `go run -C hack ./cluster assets` prints")
	}
	environment := &envtest.Environment{ControlPlaneStopTimeout: 20 * time.Second}
	api := environment.ControlPlane.GetAPIServer()
	// Its certificates and the key that it signs tokens with outlive it only in a folder that is not its own.
	api.CertDir = t.TempDir()
	// When it ends it waits as long as a request may take for watches, which do not end by themselves.
	api.Configure().Set("request-timeout", "10s")
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("the API server does not start: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("the API server does not stop: %v", err)
		}
	})
	return &Server{Config: config, environment: environment}
}

// Stop ends the API server. Its store stays.
func (s *Server) Stop(t *testing.T) {
	t.Helper()
	if err := s.environment.ControlPlane.GetAPIServer().Stop(); err != nil {
		t.Fatalf("the API server does not stop: %v", err)
	}
}

// Return starts it again at the same address, with the same keys and objects.
func (s *Server) Return(t *testing.T) {
	t.Helper()
	if err := s.environment.ControlPlane.GetAPIServer().Start(); err != nil {
		t.Fatalf("the API server does not come back: %v", err)
	}
}
