package takeover_test

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
)

const (
	plainKind, servedKind, brokenKind = "meshconfigs.config.openservicemesh.io", "egresses.policy.openservicemesh.io", "trafficsplits.split.smi-spec.io"
	otherKind                         = "widgets.example.com"
)

// TestConversionsRepair takes only conversion webhooks without a Service out of definitions of OSM, and reads those without a webhook again only when they have changed.
func TestConversionsRepair(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	reads := map[string]int{}
	counted := interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
		if _, ok := object.(*apiextensionsv1.CustomResourceDefinition); ok {
			reads[key.Name]++
		}
		return c.Get(ctx, key, object, options...)
	}}
	c := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(counted).WithObjects(
		definition(plainKind, ""), definition(servedKind, "osm-bootstrap"), definition(brokenKind, "gone"), definition(otherKind, "gone"),
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-bootstrap"}},
	).Build()
	conversions := takeover.NewConversions(c, c)
	requireRepaired(t, conversions, brokenKind)
	requireRepaired(t, conversions)
	requireRepaired(t, conversions)
	if reads[plainKind] != 1 || reads[brokenKind] != 2 || reads[servedKind] != 3 || reads[otherKind] != 0 {
		t.Errorf("the definitions were read %v times", reads)
	}

	changed := definition(plainKind, "gone")
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(changed), changed); err != nil {
		t.Fatal(err)
	}
	changed.Generation++
	changed.Spec = definition(plainKind, "gone").Spec
	if err := c.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	requireRepaired(t, conversions, plainKind)
}

// requireRepaired requires that a repair changes the definitions with these names.
func requireRepaired(t *testing.T, c *takeover.Conversions, want ...string) {
	t.Helper()
	got, err := c.Repair(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) || len(want) == 1 && got[0] != want[0] {
		t.Fatalf("repaired %v, want %v", got, want)
	}
}

// definition returns a definition, with a conversion webhook if a Service is given.
func definition(name, service string) *apiextensionsv1.CustomResourceDefinition {
	d := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1}}
	if service != "" {
		d.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.WebhookConverter, Webhook: &apiextensionsv1.WebhookConversion{
			ClientConfig: &apiextensionsv1.WebhookClientConfig{Service: &apiextensionsv1.ServiceReference{Namespace: "osm-system", Name: service}},
		}}
	}
	return d
}

// TestConversionsAreTold checks that an Event names the repaired definitions, and that nothing is told without one.
func TestConversionsAreTold(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	withAddress := definition(plainKind, "gone")
	withAddress.Spec.Conversion.Webhook.ClientConfig = nil
	deleted := interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
		if key.Name == servedKind {
			return apierrors.NewNotFound(apiextensionsv1.Resource("customresourcedefinitions"), key.Name)
		}
		return c.Get(ctx, key, object, options...)
	}}
	c := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(deleted).WithObjects(withAddress, definition(servedKind, "gone"), definition(brokenKind, "gone")).Build()
	conversions, recorder := takeover.NewConversions(c, c), events.NewFakeRecorder(10)
	for range 2 {
		if err := conversions.RepairFor(t.Context(), &v1alpha1.Mesh{}, recorder); err != nil {
			t.Fatal(err)
		}
	}
	if len(recorder.Events) != 1 {
		t.Fatalf("there are %d events", len(recorder.Events))
	}
	if text := <-recorder.Events; !strings.Contains(text, "the conversion webhook of "+brokenKind+" was taken out") {
		t.Errorf("the event is %s", text)
	}
}
