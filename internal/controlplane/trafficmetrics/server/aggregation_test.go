package server_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/controlplane/trafficmetrics"
	"github.com/openservicemesh/osm-operator/internal/controlplane/trafficmetrics/server"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

const (
	api  = "/apis/metrics.smi-spec.io/v1alpha1"
	name = "v1alpha1.metrics.smi-spec.io"
)

// TestAggregatedAPI registers the server in a real API server, which forwards requests of users to it. Other clients open many connections.
func TestAggregatedAPI(t *testing.T) {
	config := envtest.StartAggregating(t).Config
	admin := kubernetes.NewForConfigOrDie(config)
	port := serve(t, config)
	register(t, config, port)
	eventually.True(t, 2*time.Minute, "the APIService is available", func() bool {
		body, err := admin.RESTClient().Get().AbsPath(api).DoRaw(t.Context())
		return err == nil && strings.Contains(string(body), `"deployments"`)
	})

	for i := range 1500 {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%20))}}
		silent, err := dialer.DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = silent.Close() })
	}

	grant(t, config, "reader", "deployments")
	reader, stranger := as(config, "reader"), as(config, "stranger")
	body, err := reader.RESTClient().Get().AbsPath(api + "/namespaces/bookstore/deployments").DoRaw(t.Context())
	if err != nil || !strings.Contains(string(body), `"success_count","value":"3"`) {
		t.Errorf("the reader gets %s: %v", body, err)
	}
	for user, paths := range map[*kubernetes.Clientset][]string{
		stranger: {"/namespaces/bookstore/deployments", "/namespaces/bookstore/deployments/bookstore-v1", "/namespaces"},
		reader:   {"/namespaces/other/deployments", "/deployments", "/namespaces/bookstore/deployments/bookstore-v1/edges", "/namespaces/bookstore/edges"},
	} {
		for _, path := range paths {
			if body, err := user.RESTClient().Get().AbsPath(api + path).DoRaw(t.Context()); !apierrors.IsForbidden(err) {
				t.Errorf("%s: %v %s, want 403", path, err, body)
			}
		}
	}
	if body, err := admin.RESTClient().Get().AbsPath(api + "/namespaces/bookstore/edges").DoRaw(t.Context()); err != nil || !strings.Contains(string(body), `"kind":"Namespace"`) {
		t.Errorf("edges of a namespace: %s %v", body, err)
	}
	rejectDirectRequests(t, port)
}

// rejectDirectRequests verifies that nobody gets the rights of a user by headers alone.
func rejectDirectRequests(t *testing.T, port int) {
	t.Helper()
	client := unverified()
	for header, value := range map[string]string{"X-Remote-User": "admin", "Authorization": "Bearer invalid", "X-Other": ""} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://localhost:%d%s/namespaces", port, api), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(header, value)
		request.Header.Set("X-Remote-Group", "system:masters")
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("a request with %s gets %d, want 401", header, answer.StatusCode)
		}
	}
	answer, err := client.Get(fmt.Sprintf("https://localhost:%d/healthz", port))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %d", answer.StatusCode)
	}
}

// serve runs the server, with a Prometheus that has one series for each query. It returns its port.
func serve(t *testing.T, config *rest.Config) int {
	t.Helper()
	metrics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"destination_namespace":"bookstore","destination_kind":"Deployment","destination_name":"bookstore-v1"},"value":[1,"3"]}]}}`)
	}))
	t.Cleanup(metrics.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := server.Server{
		Config: config, Host: "osm-traffic-metrics.osm-system.svc", Now: time.Now, Log: testr.New(t),
		Reader: &trafficmetrics.Reader{
			Client: prometheus.New(nil), Now: time.Now, Server: func() (prometheus.Target, error) { return prometheus.Target{Address: metrics.URL}, nil },
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server failed: %v", err)
		}
	})
	return listener.Addr().(*net.TCPAddr).Port
}

// register creates the APIService, and a Service that leads to the server.
func register(t *testing.T, config *rest.Config, port int) {
	t.Helper()
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-traffic-metrics"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}
	registered := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"group": "metrics.smi-spec.io", "version": "v1alpha1", "groupPriorityMinimum": int64(100), "versionPriority": int64(100),
			"service": map[string]any{"namespace": "osm-system", "name": "osm-traffic-metrics", "port": int64(port)},
		},
	}}
	for _, object := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "osm-system"}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bookstore"}}, service, registered} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// grant lets a user read one resource of the API in the namespace bookstore. It returns when the API server knows that: its cache of roles lags, and the
// answer no would be remembered.
func grant(t *testing.T, config *rest.Config, user, resource string) {
	t.Helper()
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{Namespace: "bookstore", Name: user}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"metrics.smi-spec.io"}, Resources: []string{resource}, Verbs: []string{"get", "list"}}}},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: user}},
		},
	} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: "bookstore", Verb: "get", Group: "metrics.smi-spec.io", Resource: resource},
	}}
	eventually.True(t, time.Minute, "the API server knows the role of "+user, func() bool {
		asked := review.DeepCopy()
		return c.Create(t.Context(), asked) == nil && asked.Status.Allowed
	})
}

// as returns the clients of a user.
func as(config *rest.Config, user string) *kubernetes.Clientset {
	impersonated := rest.CopyConfig(config)
	impersonated.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}}
	return kubernetes.NewForConfigOrDie(impersonated)
}
