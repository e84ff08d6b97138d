package webhook

import (
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
)

// TestCacheOfTheOldestKubernetes creates the cache for a cluster with the kinds of the oldest supported version only. It has no ServiceCIDRs.
func TestCacheOfTheOldestKubernetes(t *testing.T) {
	scheme := runtime.NewScheme()
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	for _, kind := range []string{"ConfigMap", "Service", "LimitRange"} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	mapper.Add(configv1alpha2.GroupVersion.WithKind("MeshConfig"), meta.RESTScopeNamespace)
	options := CacheOptions("osm", "osm-system")
	options.Scheme, options.Mapper, options.HTTPClient = scheme, mapper, http.DefaultClient
	if _, err := cache.New(&rest.Config{}, options); err != nil {
		t.Errorf("the injector does not start without ServiceCIDRs: %v", err)
	}
}
