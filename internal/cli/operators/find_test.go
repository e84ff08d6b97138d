package operators_test

import (
	"context"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/internal/cli/operators"
)

func deployment(namespace, name string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, Labels: map[string]string{"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/component": "operator"},
	}}
}

func TestFind(t *testing.T) {
	for _, test := range []struct {
		name      string
		objects   []client.Object
		want      []string
		elsewhere string
	}{
		{"none", []client.Object{deployment("shop", "other")}, nil, ""},
		{"the default namespace", []client.Object{deployment("osm-operator-system", "osm-operator")}, []string{"osm-operator-system"}, ""},
		{"another namespace", []client.Object{deployment("operators", "osm-operator")}, []string{"operators"}, "operators"},
		{
			"two",
			[]client.Object{deployment("operators", "osm-operator"), deployment("osm-operator-system", "osm-operator")},
			[]string{"osm-operator-system", "operators"},
			"",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(test.objects...).Build()
			found, err := operators.Find(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			var namespaces []string
			for _, d := range found {
				namespaces = append(namespaces, d.Namespace)
			}
			elsewhere, err := operators.Elsewhere(t.Context(), c)
			if err != nil || !slices.Equal(namespaces, test.want) || elsewhere != test.elsewhere {
				t.Errorf("operators in %v, elsewhere %q (%v), want %v and %q", namespaces, elsewhere, err, test.want, test.elsewhere)
			}
		})
	}
}

// A user of one namespace may not list Deployments of the cluster.
func TestFindWithoutPermission(t *testing.T) {
	c := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(deployment("osm-operator-system", "osm-operator")).
		WithInterceptorFuncs(interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			all := &client.ListOptions{}
			if all.ApplyOptions(options).Namespace == "" {
				return apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "", nil)
			}
			return c.List(ctx, list, options...)
		}}).Build()
	if found, err := operators.Find(t.Context(), c); err != nil || len(found) != 1 {
		t.Errorf("found %d operators: %v", len(found), err)
	}
}
