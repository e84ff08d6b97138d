package webhook

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// fakeCluster holds one namespace, as cached and as live.
type fakeCluster struct {
	cached, live inject.Namespace
	settings     configv1alpha2.MeshConfigSpec
	reach        inject.Reach
	reachErr     error
	namespaceErr error
	trustFor     []string
	freshReads   int
	trustErr     error
	takesOver    bool
	oldKubelets  bool
}

func (f *fakeCluster) Namespace(_ context.Context, name string, fresh bool) (inject.Namespace, error) {
	ns := f.cached
	if fresh {
		f.freshReads++
		ns = f.live
	}
	ns.Name = name
	return ns, f.namespaceErr
}

func (f *fakeCluster) Settings(context.Context) (configv1alpha2.MeshConfigSpec, error) {
	return f.settings, nil
}

func (f *fakeCluster) HasOldKubelets(context.Context) (bool, error) { return f.oldKubelets, nil }

func (f *fakeCluster) TakesOver(context.Context) (bool, error) { return f.takesOver, nil }

func (f *fakeCluster) Reach(context.Context, configv1alpha2.MeshConfigSpec) (inject.Reach, error) {
	return f.reach, f.reachErr
}

func (f *fakeCluster) EnsureTrust(_ context.Context, namespace string) error {
	f.trustFor = append(f.trustFor, namespace)
	return f.trustErr
}

func member() inject.Namespace {
	return inject.Namespace{
		Labels:      map[string]string{names.MonitoredByLabel: "osm"},
		Annotations: map[string]string{names.InjectionAnnotation: "enabled"},
	}
}

func newMemberCluster() *fakeCluster { return &fakeCluster{cached: member(), live: member()} }

func testHandler(cluster Cluster) *Handler {
	return &Handler{
		Config: inject.Config{
			Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", Revision: "osm-v0-1-0", EnvoyImage: "envoy", InitImage: "init",
		},
		Cluster: cluster,
		NewUUID: func() string { return "7f7c1f0e" },
		Log:     logr.Discard(),
	}
}

func testMetrics(t *testing.T) (*Metrics, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	return NewMetrics(registry, time.Now), registry
}

var errUnavailable = errors.New("the API server is unavailable")
