package clusterload_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/operator/clusterload"
	"github.com/openservicemesh/osm-operator/internal/testing/loadtest"
)

func TestLoad(t *testing.T) {
	known := loadtest.Scheme(t)
	// The fake client registers unknown kinds at their first use, which is not safe for concurrent lists.
	for _, source := range slices.Concat(kinds.Workloads("osm"), kinds.Optional("osm")) {
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
	for _, object := range loadtest.Parse(t) {
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
	for _, forbidden = range []string{"none", "ServiceCIDR", "MeshPeer", "ServiceExport", "ServiceImport"} {
		loaded, err := clusterload.Load(t.Context(), reader, "osm", "osm-system")
		if err != nil {
			t.Fatal(err)
		}
		loadtest.Check(t, loaded)
	}
	forbidden = "Pod"
	if _, err := clusterload.Load(t.Context(), reader, "osm", "osm-system"); !apierrors.IsForbidden(err) {
		t.Errorf("without access to pods, the error is %v", err)
	}
}
