package cli

import (
	"context"
	"io"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/page"
	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestSettingsOfThePage has a MeshConfig, none, and one that the user cannot read. A percentage that the API server would reject counts like in the
// control plane.
func TestSettingsOfThePage(t *testing.T) {
	config := func(percentage string) []client.Object {
		c := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: names.MeshConfig}}
		c.Spec.Traffic.EnableEgress = true
		c.Spec.Observability.AccessLog.SamplingPercentage = percentage
		return []client.Object{c}
	}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Group: "config.openservicemesh.io", Resource: "meshconfigs"}, names.MeshConfig, nil)
	for name, test := range map[string]struct {
		objects []client.Object
		err     error
		want    page.Settings
		problem string
	}{
		"a tenth":         {config("10"), nil, page.Settings{Egress: true, Logged: 100_000}, ""},
		"the default":     {config(""), nil, page.Settings{Egress: true, Logged: tap.AllRequests}, ""},
		"no percentage":   {config("many"), nil, page.Settings{Egress: true, Logged: tap.AllRequests}, ""},
		"no MeshConfig":   {nil, nil, page.Settings{Logged: tap.AllRequests}, ""},
		"not for reading": {config("10"), forbidden, page.Settings{}, "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			if err := configv1alpha2.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(test.objects...).WithInterceptorFuncs(interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
					if test.err != nil {
						return test.err
					}
					return c.Get(ctx, key, object, options...)
				},
			}).Build()
			source := &pageSource{app: &app{kube: kube.NewFlags(io.Discard)}, client: c, current: mesh{Namespace: "osm-system"}}
			got, err := source.settings(t.Context())
			if got != test.want || !strings.Contains(errorText(err), test.problem) || (err != nil) != (test.problem != "") {
				t.Errorf("%+v, error %v, want %+v, %q", got, err, test.want, test.problem)
			}
		})
	}
}
