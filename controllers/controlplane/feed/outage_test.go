package feed_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// fakeServer is an API server for namespaces whose content a test sets.
type fakeServer struct {
	mu sync.Mutex
	// cached are the namespaces in lists and watches of informers; stored are those in lists of metadata.
	cached, stored []string
	// unavailable makes every request fail. Closing expired ends the watches, so that informers list again.
	unavailable bool
	expired     chan struct{}
	lists       int
}

// update changes the server's state and makes informers list again.
func (s *fakeServer) update(f func(*fakeServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
	close(s.expired)
	s.expired = make(chan struct{})
}

func (s *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	unavailable, expired, shown := s.unavailable, s.expired, s.cached
	if r.URL.Query().Get("watch") == "" {
		s.lists++
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case unavailable || r.URL.Path != "/api/v1/namespaces":
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Query().Get("sendInitialEvents") != "":
		w.WriteHeader(http.StatusUnprocessableEntity)
	case r.URL.Query().Get("watch") != "":
		_ = http.NewResponseController(w).Flush()
		select {
		case <-expired:
			_ = json.NewEncoder(w).Encode(map[string]any{"type": "ERROR", "object": metav1.Status{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: "Expired", Code: http.StatusGone,
			}})
		case <-r.Context().Done():
		}
	default:
		if partial := r.Header.Get("Accept"); strings.Contains(partial, "PartialObjectMetadataList") {
			s.mu.Lock()
			shown = s.stored
			s.mu.Unlock()
		}
		_ = json.NewEncoder(w).Encode(storedNames(shown))
	}
}

func storedNames(shown []string) corev1.NamespaceList {
	list := corev1.NamespaceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	for _, name := range shown {
		list.Items = append(list.Items, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, ResourceVersion: "1", Labels: map[string]string{names.MonitoredByLabel: "osm"},
		}})
	}
	return list
}

// startFeed starts a Feed of namespaces from a server.
func startFeed(t *testing.T, s *fakeServer) (*recordingSink, *prometheus.Registry) {
	t.Helper()
	s.expired = make(chan struct{})
	http := httptest.NewServer(s)
	t.Cleanup(http.Close)
	t.Cleanup(http.CloseClientConnections)
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, meta.RESTScopeRoot)
	config := &rest.Config{Host: http.URL}
	ages, registry := feed.NewWatchAges(time.Now), prometheus.NewRegistry()
	registry.MustRegister(ages)
	config.Wrap(ages.Wrap)
	objects, err := cache.New(config, cache.Options{Scheme: clientgoscheme.Scheme, Mapper: mapper})
	if err != nil {
		t.Fatal(err)
	}
	live, err := client.New(config, client.Options{Scheme: clientgoscheme.Scheme, Mapper: mapper})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = objects.Start(t.Context()) }()
	target := &recordingSink{entries: map[entity.Ref]catalog.Entry{}}
	f := feed.New(feed.Config{Cache: objects, Live: live, Scheme: clientgoscheme.Scheme, Sink: target, Log: logr.Discard(), Now: time.Now})
	if _, err := f.Watch(t.Context(), kinds.Workloads("osm")[0]); err != nil {
		t.Fatal(err)
	}
	return target, registry
}

func namespaceRef(name string) entity.Ref {
	return entity.Ref{Kind: entity.KindNamespace, Name: entity.Name{Namespace: name}}
}

// TestThreat46EmptyListIsConfirmed covers a list that lacks one of two objects, which is applied, and an empty list, which is
// not applied until the storage confirms it.
func TestThreat46EmptyListIsConfirmed(t *testing.T) {
	s := &fakeServer{cached: []string{"one", "two"}}
	target, _ := startFeed(t, s)
	target.await(t, "the first list", namespaceRef("two"), exists)
	s.update(func(s *fakeServer) { s.cached, s.stored = []string{"one"}, []string{"one"} })
	target.await(t, "a list without two", namespaceRef("two"), missing)
	target.await(t, "a list without two", namespaceRef("one"), exists)

	var before int
	s.update(func(s *fakeServer) { s.cached, before = nil, s.lists })
	deadline := time.Now().Add(10 * time.Second)
	for asked := 0; asked < before+2; { // the informer's list and the confirming one
		if time.Now().After(deadline) {
			t.Fatal("an empty list was not checked")
		}
		time.Sleep(10 * time.Millisecond)
		s.mu.Lock()
		asked = s.lists
		s.mu.Unlock()
	}
	target.await(t, "an empty list that the storage does not confirm", namespaceRef("one"), exists)

	s.mu.Lock()
	s.stored = nil
	s.mu.Unlock()
	target.await(t, "an empty list that the storage confirms", namespaceRef("one"), missing)
}

// TestThreat46WatchAgeGrows makes the API server unavailable. Known objects stay, and the watch age metric grows.
func TestThreat46WatchAgeGrows(t *testing.T) {
	s := &fakeServer{cached: []string{"one"}}
	target, registry := startFeed(t, s)
	target.await(t, "the first list", namespaceRef("one"), exists)
	s.update(func(s *fakeServer) { s.unavailable = true })
	age := func() float64 {
		families, err := registry.Gather()
		if err != nil || len(families) != 1 || families[0].GetName() != "osm_watch_age_seconds" || len(families[0].GetMetric()) != 1 {
			t.Fatalf("metrics %v, %v", families, err)
		}
		return families[0].GetMetric()[0].GetGauge().GetValue()
	}
	deadline := time.Now().Add(20 * time.Second)
	for age() < 1 {
		if time.Now().After(deadline) {
			t.Fatal("the age does not grow without responses")
		}
		time.Sleep(50 * time.Millisecond)
	}
	target.await(t, "while the API server is unavailable", namespaceRef("one"), exists)
	s.update(func(s *fakeServer) { s.unavailable = false; s.cached = []string{"one", "two"} })
	target.await(t, "after it came back", namespaceRef("two"), exists)
}
