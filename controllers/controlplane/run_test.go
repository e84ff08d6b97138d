package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	testenv "github.com/openservicemesh/osm-operator/internal/testing/envtest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// The whole control plane runs against a real API server: it is ready once it has read the mesh, serves each address, writes status as the
// holder of the Lease, and ends without an error.
func TestRun(t *testing.T) {
	api := startAPIServer(t)
	config := newTestConfig(t)
	plane, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- plane.Run(ctx) }()
	eventually.Succeeds(t, time.Minute, "the control plane is ready", func() error {
		select {
		case err := <-ended:
			t.Fatalf("the control plane ended: %v", err)
		default:
		}
		return getReady(config.Addresses.Health)
	})
	for _, address := range []string{config.Addresses.XDS, config.Addresses.Webhook, config.Addresses.Report} {
		eventually.Succeeds(t, time.Minute, "a server listens", func() error {
			connection, err := net.Dial("tcp", address)
			if err == nil {
				connection.Close()
			}
			return err
		})
	}
	eventually.Succeeds(t, time.Minute, "the replica holds the Lease", func() error {
		leases, err := api.CoordinationV1().Leases(config.Namespace).List(t.Context(), metav1.ListOptions{})
		if err == nil && len(leases.Items) != 1 {
			err = fmt.Errorf("%d Leases", len(leases.Items))
		}
		return err
	})
	checkPeerStatus(t)
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the control plane ended with %v", err)
	}
}

// startAPIServer starts an API server with the definitions of the mesh, to which KUBECONFIG points.
func startAPIServer(t *testing.T) kubernetes.Interface {
	t.Helper()
	definitions, err := testenv.ReadDefinitions(crd.Own, crd.SMI, crd.MCS)
	if err != nil {
		t.Fatal(err)
	}
	environment := &envtest.Environment{CRDInstallOptions: envtest.CRDInstallOptions{CRDs: definitions}}
	stopGuard, err := testenv.Guard(environment)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stopGuard() })
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("the API server does not start; KUBEBUILDER_ASSETS is the folder that \"go run -C hack ./cluster assets\" prints: %v", err)
	}
	t.Cleanup(func() { _ = environment.Stop() })
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "kubeconfig"))
	if err := os.WriteFile(os.Getenv("KUBECONFIG"), environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	clients := kubernetes.NewForConfigOrDie(config)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "osm-system"}}
	if _, err := clients.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return clients
}

// newTestConfig returns a Config with free addresses and an authority, whose root is the webhook's certificate too.
func newTestConfig(t *testing.T) Config {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	key, err := root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"ca.crt": root.CertPEM(), "private.key": key, "tls.crt": root.CertPEM(), "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Config{
		Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", Revision: "osm-v1", PodName: "osm-controller-0", LogLevel: "error",
		CADir: dir, WebhookCertDir: dir, WriteStatus: true,
		Addresses: Addresses{Health: freeAddress(t), XDS: freeAddress(t), Webhook: freeAddress(t), Report: freeAddress(t), Debug: freeAddress(t), Peers: freeAddress(t)},
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func getReady(address string) error {
	response, err := http.Get("http://" + address + "/health/ready")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("readiness is %d", response.StatusCode)
	}
	return nil
}
