package injector

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache/informertest"
	"sigs.k8s.io/controller-runtime/pkg/cluster"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
)

// cachedCluster is a cluster that has a cache only.
type cachedCluster struct {
	cluster.Cluster
	cache cache.Cache
}

// GetCache implements cluster.Cluster.
func (c cachedCluster) GetCache() cache.Cache { return c.cache }

// GetRESTMapper implements cluster.Cluster. It knows no kind.
func (cachedCluster) GetRESTMapper() meta.RESTMapper { return meta.NewDefaultRESTMapper(nil) }

// TestSettings_LogLevelIsLive creates a MeshConfig and changes it. A logger that exists already follows.
func TestSettings_LogLevelIsLive(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme, metav1.AddMetaToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	informers := &informertest.FakeInformers{Scheme: scheme}
	o := &objects{cluster: cachedCluster{cache: informers}, log: logging.New("warn")}
	derived := o.log.WithName("webhook")
	if err := o.sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !o.synced.Load() || derived.Enabled() {
		t.Fatalf("synced %t, info %t before the MeshConfig exists; want true, and the level of the flag", o.synced.Load(), derived.Enabled())
	}
	events, err := informers.FakeInformerFor(t.Context(), &configv1alpha2.MeshConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var earlier *configv1alpha2.MeshConfig
	for _, step := range []struct {
		level              string
		info, debug, trace bool
	}{{"info", true, false, false}, {"trace", true, true, true}, {"debug", true, true, false}, {"error", false, false, false}} {
		config := &configv1alpha2.MeshConfig{}
		config.Spec.Observability.OSMLogLevel = step.level
		if earlier == nil {
			events.Add(config)
		} else {
			events.Update(earlier, config)
		}
		earlier = config
		if derived.Enabled() != step.info || derived.V(1).Enabled() != step.debug || derived.V(2).Enabled() != step.trace {
			t.Errorf("%s: info %t, debug %t, trace %t; want %t, %t, %t", step.level,
				derived.Enabled(), derived.V(1).Enabled(), derived.V(2).Enabled(), step.info, step.debug, step.trace)
		}
	}
}
