package components

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// gizmoServer is an API server that serves the kind Gizmo at times.
type gizmoServer struct {
	discovery.DiscoveryInterface
	serves   bool
	requests int
}

func (s *gizmoServer) ServerResourcesForGroupVersion(version string) (*metav1.APIResourceList, error) {
	s.requests++
	if !s.serves {
		return nil, apierrors.NewNotFound(schema.GroupResource{}, version)
	}
	return &metav1.APIResourceList{APIResources: []metav1.APIResource{{Kind: "Gizmo"}}}, nil
}

// watchStarter is a controller that counts its watches.
type watchStarter struct {
	controller.Controller
	watched *int
}

func (w watchStarter) Watch(source.Source) error {
	*w.watched++
	return nil
}

// watchStopper is the cache of a watchStarter.
type watchStopper struct {
	cache.Cache
	watched *int
}

func (w watchStopper) RemoveInformer(context.Context, client.Object) error {
	*w.watched--
	return nil
}

func newGizmoKinds(server *gizmoServer, watched *int) *Watches {
	return &Watches{
		discovery: server, controller: watchStarter{watched: watched}, cache: watchStopper{watched: watched},
		answers: map[schema.GroupVersion]served{}, watched: map[schema.GroupVersionKind]bool{},
	}
}

// TestKindsFollowTheirDefinitions looks for a kind like the events of its definition do: at once, and again after definitionDelay. The API
// server begins and ends to serve the kind in between. No other event follows, so the second look must not use the answer of the first.
func TestKindsFollowTheirDefinitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, watched := &gizmoServer{}, 0
		kinds := newGizmoKinds(server, &watched)
		look := func(want bool, wantWatched int) {
			t.Helper()
			got, err := kinds.Ensure(t.Context(), component.V1("example.com", "Gizmo", "gizmos"))
			if err != nil || got != want || watched != wantWatched {
				t.Fatalf("the kind is served: %t (%v), with %d watches; want %t with %d", got, err, watched, want, wantWatched)
			}
		}
		for range 2 {
			kinds.forget()
			look(false, 0)
			server.serves = true
			time.Sleep(definitionDelay)
			look(true, 1)

			before := server.requests
			time.Sleep(discoveryPeriod / 2)
			look(true, 1)
			if server.requests != before {
				t.Errorf("%d requests although the definition has not changed, want none", server.requests-before)
			}

			kinds.forget()
			look(true, 1)
			server.serves = false
			time.Sleep(definitionDelay)
			look(false, 0)
		}
	})
}

// TestDefinitionsAreLookedAtTwice uses the queue of controllers, which merges requests for the same Mesh.
func TestDefinitionsAreLookedAtTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, mesh := meshWithPrometheus(t, v1alpha1.PrometheusManaged)
		definition := definitions()
		definition.Name = "servicemonitors.monitoring.coreos.com"
		queue := priorityqueue.New[reconcile.Request]("components")
		began := time.Now()
		var looks []time.Duration
		go func() {
			for request, shutdown := queue.Get(); !shutdown; request, shutdown = queue.Get() {
				if request.Name == mesh.Name {
					looks = append(looks, time.Since(began))
				}
				queue.Done(request)
			}
		}()
		r.onDefinition(newGizmoKinds(&gizmoServer{}, new(int))).
			Create(t.Context(), event.TypedCreateEvent[*metav1.PartialObjectMetadata]{Object: definition}, queue)
		time.Sleep(time.Hour)
		queue.ShutDown()
		synctest.Wait()
		if !slices.Equal(looks, []time.Duration{0, definitionDelay}) {
			t.Errorf("the Mesh is reconciled after %s, want at once and after %s", looks, definitionDelay)
		}
	})
}

// hangingServer does not answer about one group version until it is released.
type hangingServer struct {
	*gizmoServer
	version         string
	asked, released chan struct{}
}

func (s *hangingServer) ServerResourcesForGroupVersion(version string) (*metav1.APIResourceList, error) {
	if version == s.version {
		s.asked <- struct{}{}
		<-s.released
	}
	return s.gizmoServer.ServerResourcesForGroupVersion(version)
}

// TestHangingDiscoveryBlocksNoOtherKind asks for a kind of an aggregated API that hangs, and for another kind meanwhile.
func TestHangingDiscoveryBlocksNoOtherKind(t *testing.T) {
	server := &hangingServer{
		gizmoServer: &gizmoServer{serves: true}, version: "hangs.example.com/v1", asked: make(chan struct{}, 9), released: make(chan struct{}),
	}
	kinds := newGizmoKinds(server.gizmoServer, new(int))
	kinds.discovery = server
	ensure := func(group string) bool {
		is, err := kinds.Ensure(t.Context(), component.V1(group, "Gizmo", "gizmos"))
		return is && err == nil
	}
	first, second := make(chan bool, 1), make(chan bool, 1)
	go func() { first <- ensure("hangs.example.com") }()
	<-server.asked
	go func() {
		second <- ensure("example.com")
		kinds.forget()
		second <- true
	}()
	for _, what := range []string{"another kind", "a change of a definition"} {
		select {
		case ok := <-second:
			if !ok {
				t.Errorf("%s: the kind is not served", what)
			}
		case <-time.After(10 * time.Second):
			close(server.released)
			t.Fatalf("a kind whose discovery hangs blocks %s", what)
		}
	}
	close(server.released)
	if !<-first {
		t.Error("the kind is not served after the API server has answered")
	}
	// The answer is from before the change of a definition.
	if ensure("hangs.example.com"); len(server.asked) != 1 {
		t.Errorf("%d further requests, want one", len(server.asked))
	}
}

// clients is a manager with a server.
type clients struct {
	manager.Manager
	config *rest.Config
}

func (c clients) GetConfig() *rest.Config     { return c.config }
func (c clients) GetHTTPClient() *http.Client { return http.DefaultClient }

// TestDiscoveryEnds asks a server that never answers. The client of a manager has no timeout.
func TestDiscoveryEnds(t *testing.T) {
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	defer server.Close()
	defer close(ended)
	kinds, err := newWatches(clients{config: &rest.Config{Host: server.URL, Timeout: 100 * time.Millisecond}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := kinds.Ensure(t.Context(), component.V1("example.com", "Gizmo", "gizmos"))
		answer <- err
	}()
	select {
	case err := <-answer:
		if err == nil {
			t.Error("no error for a server that does not answer")
		}
	case <-time.After(10 * time.Second):
		t.Error("discovery has no time limit")
	}
}
