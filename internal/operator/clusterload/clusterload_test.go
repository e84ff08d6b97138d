package clusterload_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/operator/clusterload"
)

const objects = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.0.0.1, selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-0, namespace: shop, labels: {app: web}}, spec: {serviceAccountName: web}}
---
{apiVersion: access.smi-spec.io/v1alpha3, kind: TrafficTarget, metadata: {name: in, namespace: shop}, spec: {destination: {kind: ServiceAccount, name: web, namespace: shop}, sources: [{kind: Group, name: x}], rules: [{kind: HTTPRouteGroup, name: all}]}}
---
{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: osm-system}, spec: {traffic: {enablePermissiveTrafficPolicyMode: true}}}
---
{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: elsewhere}, spec: {traffic: {enableEgress: true}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: shop}}
`

func scheme(t *testing.T) *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func parse(t *testing.T) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for text := range strings.SplitSeq(objects, "---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	return all
}

func check(t *testing.T, loaded *load.Loaded, wantEgress bool) {
	t.Helper()
	view := loaded.Catalog.View()
	if diff := cmp.Diff([]identity.ServiceAccount{{Namespace: "shop", Name: "web"}}, view.ServiceIdentities(catalog.Name{Namespace: "shop", Name: "web"})); diff != "" {
		t.Errorf("identities behind shop/web (-want +got):\n%s", diff)
	}
	if got := view.Settings().Egress; got != wantEgress {
		t.Errorf("egress is %t: the MeshConfig of another namespace was used", got)
	}
	if len(loaded.Findings) == 0 || loaded.Findings[0].Kind != catalog.KindTrafficTarget || loaded.Findings[0].Name.String() != "shop/in" {
		t.Errorf("findings are %v: the source of kind Group should be one, of TrafficTarget shop/in", loaded.Findings)
	}
}

func TestLoad(t *testing.T) {
	known := scheme(t)
	// The fake client registers unknown kinds at their first use, which is not safe for concurrent lists.
	for _, source := range slices.Concat(kinds.Workloads("osm"), kinds.Policies(), kinds.GatewayAPI("osm"), kinds.Network()) {
		kind, err := apiutil.GVKForObject(source.Object, known)
		if err != nil {
			t.Fatal(err)
		}
		if known.Recognizes(kind) {
			continue
		}
		known.AddKnownTypeWithName(kind, &unstructured.Unstructured{})
		known.AddKnownTypeWithName(kind.GroupVersion().WithKind(kind.Kind+"List"), &unstructured.UnstructuredList{})
	}
	builder := fake.NewClientBuilder().WithScheme(known)
	for _, object := range parse(t) {
		builder.WithObjects(object)
	}
	// Who may read the mesh may not always read the network of the cluster.
	forbidden := ""
	builder.WithInterceptorFuncs(interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		if kind := list.GetObjectKind().GroupVersionKind().Kind; strings.TrimSuffix(kind, "List") == forbidden {
			return apierrors.NewForbidden(schema.GroupResource{Resource: forbidden}, "", nil)
		}
		return c.List(ctx, list, options...)
	}})
	reader := builder.Build()
	for _, forbidden = range []string{"none", "ServiceCIDR"} {
		loaded, err := clusterload.Load(t.Context(), reader, "osm", "osm-system")
		if err != nil {
			t.Fatal(err)
		}
		check(t, loaded, false)
	}
	forbidden = "Pod"
	if _, err := clusterload.Load(t.Context(), reader, "osm", "osm-system"); !apierrors.IsForbidden(err) {
		t.Errorf("without access to pods, the error is %v", err)
	}
}
