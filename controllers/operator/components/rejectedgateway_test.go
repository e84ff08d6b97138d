package components

import (
	"context"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// rejectService makes the API server reject a Service, as it does with an annotation that it does not understand.
func (b *gatewayBench) rejectService(name string) {
	c := interceptor.NewClient(b.Client.(client.WithWatch), interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			named, ok := object.(interface {
				GetName() string
				GetKind() string
			})
			if ok && named.GetName() == name && named.GetKind() == "Service" {
				return apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, name, field.ErrorList{field.Invalid(field.NewPath("metadata"), "x", "no range")})
			}
			return c.Apply(ctx, object, options...)
		},
	})
	b.Applier = apply.New(c, events.NewFakeRecorder(100))
}

// rejectedGateways returns what the operator publishes about rejected Gateways.
func (b *gatewayBench) rejectedGateways(t *testing.T) string {
	t.Helper()
	class := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass"}}
	if err := b.Client.Get(t.Context(), client.ObjectKey{Name: "osm"}, class); err != nil {
		t.Fatal(err)
	}
	return class.GetAnnotations()[names.RejectedGatewaysAnnotation]
}

// TestRejectedGatewayStopsNoOther has a Gateway with an object that the API server rejects. The component serves the others, the Mesh stays ready, and the
// control plane reads why, until the object is accepted.
func TestRejectedGatewayStopsNoOther(t *testing.T) {
	b := newGatewayBench(t)
	api, web := names.DedicatedGateway("shop", "api"), names.DedicatedGateway("shop", "web")
	b.gateways = []*unstructured.Unstructured{userGateway("api"), userGateway("web")}
	accepting := b.Applier
	b.rejectService(api)
	b.reconcile(t, v1alpha1.GatewayDeploymentPerGateway, "")
	b.makeAvailable(t, api, web)
	status, got := b.reconcile(t, v1alpha1.GatewayDeploymentPerGateway, "")
	if !slices.Equal(got, []string{web}) || !status.Ready || status.Reason != v1alpha1.ReasonGatewaysRejected || !strings.Contains(status.Message, "Service osm-system/"+api+" cannot be applied") {
		t.Errorf("there are %q, want web only; the component is %+v, want one that is ready and names the Service", got, status)
	}
	if text := b.rejectedGateways(t); !strings.Contains(text, api) || !strings.Contains(text, "no range") || strings.Contains(text, web) {
		t.Errorf("the control plane reads %q, want why api is rejected", text)
	}
	b.Applier = accepting
	if status, got := b.reconcile(t, v1alpha1.GatewayDeploymentPerGateway, ""); !slices.Equal(got, []string{api, web}) || status.Message != "" || b.rejectedGateways(t) != "" {
		t.Errorf("accepted again, there are %q with the message %q, and the control plane reads %q", got, status.Message, b.rejectedGateways(t))
	}
}

// TestFaultsOfTheMeshAreNotThoseOfAGateway checks that the component still fails if an object of its own is rejected.
func TestFaultsOfTheMeshAreNotThoseOfAGateway(t *testing.T) {
	b := newGatewayBench(t)
	b.rejectService(names.IngressGateway)
	if status, _ := b.reconcile(t, v1alpha1.GatewayDeploymentShared, ""); status.Ready || status.Reason != v1alpha1.ReasonApplyFailed {
		t.Errorf("the component is %+v, want ApplyFailed", status)
	}
}
