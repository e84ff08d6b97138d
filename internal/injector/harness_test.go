package injector

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	testenv "github.com/openservicemesh/osm-operator/internal/testing/envtest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// timeout limits waiting for any expected state.
const timeout = 30 * time.Second

// harness is an API server and a running injector, with the permissions and the webhook that the operator creates for it.
type harness struct {
	client.Client
	config Config
	root   []byte
}

func startHarness(t *testing.T) *harness {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal(`this test needs an API server: set KUBEBUILDER_ASSETS to the folder that "go run -C hack ./cluster assets" prints`)
	}
	environment := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd", "bases")}, ErrorIfCRDPathMissing: true}
	stopGuard, err := testenv.Guard(environment)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stopGuard() })
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("the API server does not start: %v", err)
	}
	t.Cleanup(func() { _ = environment.Stop() })
	h := &harness{Client: newClient(t, config), config: Config{
		Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", Revision: "osm-v0-1-0", LogLevel: "error", WebhookCertDir: t.TempDir(),
		XDSHost: "osm-controller-v0-1-0.osm-system.svc.cluster.local", EnvoyImage: "envoy:1", InitImage: "init:1", WebhookAddress: freeAddress(t), HealthAddress: freeAddress(t),
	}}
	// The injector uses the service account of its Deployment, and has only the permissions of its roles.
	account, err := environment.AddUser(envtest.User{
		Name: "system:serviceaccount:osm-system:osm-injector", Groups: []string{"system:serviceaccounts", "system:serviceaccounts:osm-system"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := account.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", writeFile(t, t.TempDir(), "kubeconfig", kubeconfig))
	h.root = newCertificate(t, h.config.WebhookCertDir)
	h.install(t)
	return h
}

func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// install creates the objects of an injector as the operator does, except for its Deployment and webhook.
func (h *harness) install(t *testing.T) {
	t.Helper()
	h.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: h.config.Namespace}})
	objects, err := h.release(t).ControlPlane(h.parameters())
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		switch object.GetKind() {
		case "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding":
			h.create(t, object)
		}
	}
	h.create(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: names.TrustConfigMap("osm"), Namespace: h.config.Namespace},
		Data:       map[string]string{names.CABundleCert: "the root"},
	})
}

// registerWebhook registers the webhook at the address of this process.
func (h *harness) registerWebhook(t *testing.T) {
	t.Helper()
	objects, err := h.release(t).Webhooks(h.parameters(), h.root, h.root)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() != "MutatingWebhookConfiguration" {
			continue
		}
		webhooks, _, err := unstructured.NestedSlice(object.Object, "webhooks")
		if err != nil {
			t.Fatal(err)
		}
		for _, webhook := range webhooks {
			clientConfig := webhook.(map[string]any)["clientConfig"].(map[string]any)
			path := clientConfig["service"].(map[string]any)["path"].(string)
			delete(clientConfig, "service")
			clientConfig["url"] = "https://" + h.config.WebhookAddress + path
		}
		if err := unstructured.SetNestedSlice(object.Object, webhooks, "webhooks"); err != nil {
			t.Fatal(err)
		}
		h.create(t, object)
	}
}

func (h *harness) release(t *testing.T) *operand.Release {
	t.Helper()
	catalogue, err := operand.NewCatalogue("v0.1.0", h.parameters().Images)
	if err != nil {
		t.Fatal(err)
	}
	release, err := catalogue.Release("v0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func (h *harness) parameters() operand.Parameters {
	return operand.Parameters{
		Mesh: "osm", Namespace: h.config.Namespace, OperatorNamespace: names.OperatorNamespace, Revision: h.config.Revision,
		TrustDomain: h.config.TrustDomain, Controller: operand.Workload{Replicas: 1}, Injector: operand.Workload{Replicas: 1},
		Images: operand.Images{Controller: "controller:1", Injector: "injector:1", Init: "init:1", Sidecar: "envoy:1"},
	}
}

func (h *harness) create(t *testing.T, object client.Object, options ...client.CreateOption) {
	t.Helper()
	if err := h.Create(context.Background(), object, options...); err != nil {
		t.Fatalf("%T %s cannot be created: %v", object, object.GetName(), err)
	}
}

// start runs the injector until the test ends, and waits until it is ready.
func (h *harness) start(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	injector, err := New(h.config)
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- injector.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the injector failed: %v", err)
		}
	})
	eventually.Succeeds(t, timeout, "the injector is ready", func() error {
		select {
		case err := <-ended:
			ended <- nil
			t.Fatalf("the injector exited early: %v", err)
		default:
		}
		return get("http://"+h.config.HealthAddress+"/health/ready", nil)
	})
}

// get requests a URL and returns an error unless the status code is 200.
func get(url string, root []byte) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	c := &http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	response, err := c.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: response = %d %s", url, response.StatusCode, body)
	}
	return nil
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

func writeFile(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
