package servertest

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// statusTest runs the status controllers with a real API server that defines all kinds but UDPRoute.
type statusTest struct {
	client.Client
	config *rest.Config
	udp    *apiextensionsv1.CustomResourceDefinition
	// reject replaces the rejections that sidecars report.
	reject func(...report.Rejection)
}

func start(t *testing.T) statusTest {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	w := statusTest{config: envtest.Start(t)}
	w.config.WarningHandlerWithContext = rest.NoWarnings{}
	definitions := envtest.Definitions(t, crd.Own, crd.SMI)
	isUDP := func(d *apiextensionsv1.CustomResourceDefinition) bool { return d.Spec.Names.Kind == "UDPRoute" }
	w.udp = definitions[slices.IndexFunc(definitions, isUDP)]
	envtest.Install(t, w.config, slices.DeleteFunc(definitions, isUDP)...)
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.Client, err = client.New(w.config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	w.run(t, scheme)
	return w
}

// since is when the first sidecar got no answer from a server.
var since = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// run runs the status controllers until the test ends.
func (w *statusTest) run(t *testing.T, scheme *runtime.Scheme) {
	t.Helper()
	mgr, err := ctrl.NewManager(w.config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Client:     client.Options{Cache: &client.CacheOptions{Unstructured: true}},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)}, // each test has a manager
	})
	if err != nil {
		t.Fatal(err)
	}
	leader := &status.Leader{}
	var rejected atomic.Pointer[[]report.Rejection]
	rejected.Store(&[]report.Rejection{})
	rejections := status.NewRejections(func() report.Rejections {
		return report.Rejections{Rejections: *rejected.Load(), Failures: []report.ServerFailure{
			{Cluster: "external-authorization", ServiceAccount: "shop/web", Sidecars: 1, Since: since},
			{Cluster: "external-authorization|namespace", Policy: "shop/own", ServiceAccount: "shop/web", Sidecars: 2, Since: since},
		}}
	}, func(context.Context) ([]reportclient.Answer[report.Rejections], error) {
		return nil, reportclient.ErrNoReplicas
	}, time.Now)
	w.reject = func(list ...report.Rejection) {
		rejected.Store(&list)
		rejections.Changed()
	}
	definitions, mesh := traffic.NewDefinitions(mgr.GetRESTMapper(), mgr.GetAPIReader()), mirror.New()
	err = status.Writers{
		Leader: leader, Rejections: rejections, Mesh: "osm", Namespace: "osm-system",
		LookupHost: func(context.Context, string) ([]string, error) { return nil, nil }, Mirror: mesh, Definitions: definitions,
	}.Setup(mgr)
	if err != nil {
		t.Fatal(err)
	}
	addEncryption(t, mgr, definitions, leader, rejections)
	clients := kubernetes.NewForConfigOrDie(w.config)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{}, 5)
	for _, part := range []manager.RunnableFunc{
		mgr.Start,
		mesh.Run,
		func(ctx context.Context) error { return feedMirror(ctx, mgr, definitions, mesh) },
		func(ctx context.Context) error { return leader.Run(ctx, clients, "osm-system", "one", logr.Discard()) },
		func(ctx context.Context) error { return rejections.Run(ctx, leader.Leading, logr.Discard()) },
	} {
		go func() {
			if err := part(ctx); err != nil {
				t.Errorf("a part of the status controllers failed: %v", err)
			}
			ended <- struct{}{}
		}()
	}
	t.Cleanup(func() {
		stop()
		for range cap(ended) {
			<-ended
		}
	})
}

// feedMirror feeds all objects of the API server into a mirror.
func feedMirror(ctx context.Context, mgr manager.Manager, definitions *traffic.Definitions, mesh *mirror.Mirror) error {
	objects := feed.New(feed.Config{Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), Scheme: mgr.GetScheme(), Sink: mesh, Log: logr.Discard(), Now: time.Now})
	settings := kinds.MeshConfig(func(*configv1alpha2.MeshConfig) {})
	settings.Namespace = "osm-system"
	for _, source := range append(kinds.Workloads("osm"), settings) {
		if _, err := objects.Watch(ctx, source); err != nil {
			return err
		}
	}
	watcher := traffic.Watcher{Feed: objects, Definitions: definitions, Log: logr.Discard()}
	if _, err := watcher.Start(ctx, slices.Concat(kinds.Policies(), kinds.GatewayAPI("osm"))); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// create creates the objects of a YAML text.
func (w statusTest) create(t *testing.T, text string) {
	t.Helper()
	for _, document := range strings.Split(text, "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		if err := w.Create(t.Context(), object); err != nil {
			t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// waitForCondition waits until an object of the namespace shop has a condition with part in its message, and returns the object.
func (w statusTest) waitForCondition(t *testing.T, apiVersion, kind, name, condition, want, part string) *unstructured.Unstructured {
	t.Helper()
	return w.waitForConditionIn(t, "shop", apiVersion, kind, name, condition, want, part)
}

func (w statusTest) waitForConditionIn(t *testing.T, namespace, apiVersion, kind, name, condition, want, part string) *unstructured.Unstructured {
	t.Helper()
	object, last := &unstructured.Unstructured{}, ""
	object.SetAPIVersion(apiVersion)
	object.SetKind(kind)
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		if err := w.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object); err != nil {
			return false, err
		}
		var typed struct {
			Status struct {
				Conditions []metav1.Condition `json:"conditions"`
			} `json:"status"`
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
			return false, err
		}
		for _, c := range typed.Status.Conditions {
			if c.Type == condition {
				last = string(c.Status) + " " + c.Reason + ": " + c.Message
				return strings.HasPrefix(last, want) && strings.Contains(c.Message, part) && c.ObservedGeneration == object.GetGeneration(), nil
			}
		}
		return false, nil
	})
	if err != nil {
		t.Fatalf("%s %s: %s is %q, want %q with %q: %v", kind, name, condition, last, want, part, err)
	}
	return object
}

// waitForNoStatus waits until the status of an object in the namespace shop is empty.
func (w statusTest) waitForNoStatus(t *testing.T, apiVersion, kind, name string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(apiVersion)
	object.SetKind(kind)
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		if err := w.Get(ctx, client.ObjectKey{Namespace: "shop", Name: name}, object); err != nil {
			return false, err
		}
		status, _, err := unstructured.NestedMap(object.Object, "status")
		return len(status) == 0, err
	})
	if err != nil {
		t.Fatalf("%s %s: the status is %v, want none: %v", kind, name, object.Object["status"], err)
	}
	return object
}

const mesh = `
apiVersion: v1
kind: Namespace
metadata: {name: osm-system}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm}}
---
apiVersion: config.openservicemesh.io/v1alpha2
kind: MeshConfig
metadata: {name: osm-mesh-config, namespace: osm-system}
spec: {featureFlags: {enableRetryPolicy: false}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 80}], selector: {app: web}}`

const policies = `
apiVersion: policy.openservicemesh.io/v1alpha1
kind: Retry
metadata: {name: retry, namespace: shop}
spec:
  source: {kind: ServiceAccount, name: client, namespace: shop}
  destinations: [{kind: Service, name: web, namespace: shop}]
  retryPolicy: {retryOn: 5xx, perTryTimeout: 1s, numRetries: 2, retryBackoffBaseInterval: 25ms}
---
apiVersion: policy.openservicemesh.io/v1alpha1
kind: UpstreamTrafficSetting
metadata: {name: a, namespace: shop}
spec: {host: web.shop.svc.cluster.local}
---
apiVersion: policy.openservicemesh.io/v1alpha1
kind: UpstreamTrafficSetting
metadata: {name: b, namespace: shop}
spec: {host: web.shop.svc.cluster.local}
---
apiVersion: policy.openservicemesh.io/v1alpha1
kind: Backpressure
metadata: {name: old, namespace: shop, labels: {app: web}}
spec: {maxConnections: 1}
---
apiVersion: split.smi-spec.io/v1alpha2
kind: TrafficSplit
metadata: {name: split, namespace: shop}
spec: {service: web, backends: [{service: web-v2, weight: 1}], matches: [{kind: HTTPRouteGroup, name: canary}]}`

func TestStatusOfPolicies(t *testing.T) {
	const policy, split = "policy.openservicemesh.io/v1alpha1", "split.smi-spec.io/v1alpha4"
	w := start(t)
	w.create(t, mesh)
	w.create(t, policies)

	w.waitForCondition(t, policy, "Retry", "retry", "Accepted", "False Disabled", "enableRetryPolicy of MeshConfig osm-system/osm-mesh-config")
	second := w.waitForCondition(t, policy, "UpstreamTrafficSetting", "b", "Accepted", "False Conflicted", "UpstreamTrafficSetting shop/a is older")
	if word, _, _ := unstructured.NestedString(second.Object, "status", "currentStatus"); word != "error" {
		t.Errorf("currentStatus is %q, want error", word)
	}
	first := w.waitForNoStatus(t, policy, "UpstreamTrafficSetting", "a")
	w.waitForCondition(t, policy, "Backpressure", "old", "Accepted", "False Conflicted", "has precedence")
	w.waitForCondition(t, split, "TrafficSplit", "split", "ResolvedRefs", "False RefNotFound", "HTTPRouteGroup shop/canary does not exist, so it selects no requests: create it, or correct the name. Service shop/web-v2 does not exist")

	config := &configv1alpha2.MeshConfig{}
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: "osm-system", Name: names.MeshConfig}, config); err != nil {
		t.Fatal(err)
	}
	config.Spec.FeatureFlags.EnableRetryPolicy = true
	config.Spec.Certificate = configv1alpha2.CertificateSpec{ServiceCertValidityDuration: "24h", CertKeyBitSize: 2048}
	if err := w.Update(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	w.waitForCondition(t, policy, "Retry", "retry", "Accepted", "True Accepted", "in force")

	if err := w.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	w.waitForNoStatus(t, policy, "UpstreamTrafficSetting", "b")

	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-v2"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	if err := w.Create(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	w.create(t, "{apiVersion: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, metadata: {name: canary, namespace: shop}, spec: {matches: [{name: all}]}}")
	w.waitForCondition(t, split, "TrafficSplit", "split", "ResolvedRefs", "True ResolvedRefs", "in force")

	envtest.Install(t, w.config, w.udp)
	w.create(t, "{apiVersion: specs.smi-spec.io/v1alpha4, kind: UDPRoute, metadata: {name: dns, namespace: shop}, spec: {matches: {ports: [53]}}}")
	w.waitForCondition(t, "specs.smi-spec.io/v1alpha4", "UDPRoute", "dns", "Accepted", "True NotCaptured", "is not enforced")
}

// TestServiceAnswers checks the conditions for servers that do not answer sidecars. In the MeshConfig, the condition of the operator stays.
func TestServiceAnswers(t *testing.T) {
	w := start(t)
	w.create(t, mesh)
	w.create(t, `
apiVersion: config.openservicemesh.io/v1alpha2
kind: ExtensionService
metadata: {name: opa, namespace: shop}
spec: {host: opa.example.com, port: 9191, protocol: h2c}
---
apiVersion: policy.openservicemesh.io/v1alpha1
kind: ExternalAuthorization
metadata: {name: own, namespace: shop}
spec: {extensionService: {namespace: shop, name: opa}}`)
	w.waitForCondition(t, "policy.openservicemesh.io/v1alpha1", "ExternalAuthorization", "own", "ServiceAnswers", "False ServiceNotAnswering", "2 sidecars (service accounts shop/web) get no answer")
	w.waitForCondition(t, "policy.openservicemesh.io/v1alpha1", "ExternalAuthorization", "own", "Ready", "False ServiceNotAnswering", "status 503")

	object := &configv1alpha2.MeshConfig{}
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: "osm-system", Name: names.MeshConfig}, object); err != nil {
		t.Fatal(err)
	}
	object.Status.Conditions = []metav1.Condition{{
		Type: "Accepted", Status: metav1.ConditionTrue, Reason: "Accepted", LastTransitionTime: metav1.NewTime(since), ObservedGeneration: 2,
	}}
	if err := w.Status().Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	setServer := func(enabled bool) {
		t.Helper()
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: "osm-system", Name: names.MeshConfig}, object); err != nil {
			t.Fatal(err)
		}
		object.Spec.Traffic.InboundExternalAuthorization = configv1alpha2.ExternalAuthorizationSpec{Enable: enabled, Address: "opa.example.com", Port: 9191, Timeout: "1s"}
		object.Spec.Certificate = configv1alpha2.CertificateSpec{ServiceCertValidityDuration: "24h", CertKeyBitSize: 2048}
		if err := w.Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	setServer(true)
	w.waitForConditionIn(t, "osm-system", "config.openservicemesh.io/v1alpha2", "MeshConfig", names.MeshConfig, "ServiceAnswers", "False ServiceNotAnswering", "1 sidecars (service accounts shop/web)")
	w.waitForConditionIn(t, "osm-system", "config.openservicemesh.io/v1alpha2", "MeshConfig", names.MeshConfig, "Accepted", "True Accepted", "")
	setServer(false)
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		if err := w.Get(ctx, client.ObjectKey{Namespace: "osm-system", Name: names.MeshConfig}, object); err != nil {
			return false, err
		}
		return len(object.Status.Conditions) == 1 && object.Status.Conditions[0].Type == "Accepted", nil
	})
	if err != nil {
		t.Errorf("without a server the conditions are %+v", object.Status.Conditions)
	}
}
