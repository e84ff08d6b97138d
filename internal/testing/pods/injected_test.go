package pods_test

import (
	"net/netip"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/encoding/protojson"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/initconfig"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// injected creates a pod from its manifest as a cluster does: the injector mutates it, osm-init applies its document, and Envoy
// starts with the files of osm-init. It returns the mutated pod as well. The sidecar has no destinations.
func injected(t *testing.T, n *pods.Network, manifest string, settings configv1alpha2.MeshConfigSpec) (*corev1.Pod, *pods.Pod) {
	t.Helper()
	before := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(manifest), before); err != nil {
		t.Fatal(err)
	}
	pod, err := inject.Mutate(before, inject.Namespace{Name: "shop"}, inject.Config{
		Mesh: "osm", Namespace: "osm-system", TrustDomain: trustDomain, EnvoyImage: "envoy", InitImage: "init", Settings: settings,
	}, "uuid")
	if err != nil {
		t.Fatal(err)
	}
	document, err := initconfig.Parse(pod.Spec.InitContainers[0].Args)
	if err != nil {
		t.Fatal(err)
	}
	config := n.Bootstrap(pod.Name)
	// Only the families of the addresses matter.
	document.Bootstrap.PodIPs = []netip.Addr{netip.IPv6Unspecified()}
	if !n.IPv6Alone {
		document.Bootstrap.PodIPs = append(document.Bootstrap.PodIPs, netip.IPv4Unspecified())
	}
	static := rendered(t, document.Bootstrap).GetStaticResources()
	config.StaticResources.Listeners = static.GetListeners()
	for _, cluster := range static.GetClusters() {
		// The tests use their own control plane.
		if cluster.GetName() != names.Controller {
			config.StaticResources.Clusters = append(config.StaticResources.Clusters, cluster)
		}
	}
	p := n.Custom(t, pod.Name, document.Redirect, config)
	p.Configure(t, &scope.Scope{Common: scope.Common{Key: scope.Key{Identity: books, Class: scope.Class{IPv6: true}}, TrustDomain: trustDomain}})
	return pod, p
}

// rendered returns the bootstrap that osm-init writes.
func rendered(t *testing.T, config bootstrap.Config) *bootstrapv3.Bootstrap {
	t.Helper()
	config.ServiceAccount, config.Namespace, config.Dirs = "books", "shop", bootstrap.DefaultDirs()
	files, err := bootstrap.Render(config)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON(files[0].Content)
	if err != nil {
		t.Fatal(err)
	}
	parsed := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(text, parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}
