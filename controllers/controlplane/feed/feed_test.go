package feed_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

// recordingSink records the latest entry of every object.
type recordingSink struct {
	mu      sync.Mutex
	entries map[entity.Ref]catalog.Entry
}

func (s *recordingSink) Apply(changes []catalog.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, change := range changes {
		s.entries[change.Ref] = change.Entry
	}
}

// await waits until check accepts the entry of ref, which is nil if there is none.
func (s *recordingSink) await(t *testing.T, what string, ref entity.Ref, check func(catalog.Entry) bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		s.mu.Lock()
		entry := s.entries[ref]
		s.mu.Unlock()
		if check(entry) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v is %+v", what, ref, entry)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func exists(e catalog.Entry) bool  { return e != nil }
func missing(e catalog.Entry) bool { return e == nil }

// feedTest is a running Feed with a real API server that defines all SMI kinds but TrafficSplit.
type feedTest struct {
	client client.Client
	sink   *recordingSink
	split  *apiextensionsv1.CustomResourceDefinition
	config *rest.Config
}

func start(t *testing.T) *feedTest {
	config := envtest.Start(t)
	definitions := envtest.Definitions(t, crd.Own, crd.SMI)
	isSplit := func(d *apiextensionsv1.CustomResourceDefinition) bool { return d.Spec.Names.Kind == "TrafficSplit" }
	w := &feedTest{sink: &recordingSink{entries: map[entity.Ref]catalog.Entry{}}, config: config}
	w.split = definitions[slices.IndexFunc(definitions, isSplit)]
	envtest.Install(t, config, slices.DeleteFunc(definitions, isSplit)...)

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	w.create(t, namespace("before", "osm"))
	w.run(t, scheme)
	return w
}

func (w *feedTest) run(t *testing.T, scheme *runtime.Scheme) {
	httpClient, err := rest.HTTPClientFor(w.config)
	if err != nil {
		t.Fatal(err)
	}
	mapper, err := apiutil.NewDynamicRESTMapper(w.config, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := cache.New(w.config, cache.Options{Scheme: scheme, Mapper: mapper, ByObject: kinds.CacheOptions()})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = objects.Start(t.Context()) }()
	f := feed.New(feed.Config{Cache: objects, Live: w.client, Scheme: scheme, Sink: w.sink, Log: logr.Discard(), Now: time.Now})
	var synced []toolscache.InformerSynced
	for _, source := range kinds.Workloads("osm") {
		one, err := f.Watch(t.Context(), source)
		if err != nil {
			t.Fatal(err)
		}
		synced = append(synced, one)
	}
	watcher := traffic.Watcher{Feed: f, Definitions: traffic.NewDefinitions(mapper, w.client), Log: logr.Discard()}
	policies, err := watcher.Start(t.Context(), append(kinds.Policies(), kinds.Network()...))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range policies {
		synced = append(synced, one)
	}
	if !toolscache.WaitForCacheSync(t.Context().Done(), synced...) {
		t.Fatal("the first lists were not delivered")
	}
}

func (w *feedTest) create(t *testing.T, object client.Object) {
	t.Helper()
	if err := w.client.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func namespace(name, mesh string) *corev1.Namespace {
	ns := &corev1.Namespace{}
	ns.Name, ns.Labels = name, map[string]string{names.MonitoredByLabel: mesh}
	return ns
}

func smi(apiVersion, kind, name string, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind, "spec": spec}}
	u.SetNamespace("before")
	u.SetName(name)
	return u
}

func TestFeed(t *testing.T) {
	w := start(t)
	before := entity.Ref{Kind: entity.KindNamespace, Name: entity.Name{Namespace: "before"}}
	w.sink.mu.Lock()
	if w.sink.entries[before] == nil {
		t.Error("the Feed has synced, but the sink lacks an existing object")
	}
	w.sink.mu.Unlock()
	ranges := entity.Ref{Kind: entity.KindServiceCIDR, Name: entity.Name{Name: "kubernetes"}}
	w.sink.await(t, "the ranges of Services", ranges, func(e catalog.Entry) bool {
		entry, ok := e.(*catalog.ServiceCIDR)
		return ok && len(entry.Ranges) > 0
	})

	ns := namespace("before", "other")
	if err := w.client.Update(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	w.sink.await(t, "a namespace that changes its mesh", before, func(e catalog.Entry) bool {
		entry, ok := e.(*catalog.Namespace)
		return ok && !entry.Monitored
	})

	group := smi("specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", "paths", map[string]any{"matches": []any{
		map[string]any{"name": "all", "pathRegex": "/.*", "headers": map[string]any{"x-user": "me"}},
	}})
	w.create(t, group)
	ref := entity.Ref{Kind: entity.KindHTTPRouteGroup, Name: entity.Name{Namespace: "before", Name: "paths"}}
	w.sink.await(t, "a new policy", ref, exists)
	if err := w.client.Delete(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	w.sink.await(t, "a deleted policy", ref, missing)

	envtest.Install(t, w.config, w.split)
	w.create(t, smi("split.smi-spec.io/v1alpha4", "TrafficSplit", "late", map[string]any{
		"service": "web", "backends": []any{map[string]any{"service": "web-v1", "weight": int64(1)}},
	}))
	w.sink.await(t, "a policy of a kind that was defined later",
		entity.Ref{Kind: entity.KindTrafficSplit, Name: entity.Name{Namespace: "before", Name: "late"}}, exists)
}
