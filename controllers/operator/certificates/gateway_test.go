package certificates

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A Secret without a record in the status would stay for ever when the declaration changes before the next status.
func TestGatewaySecretIsRecordedBeforeItExists(t *testing.T) {
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.MeshConfig}}
	config.Spec.Certificate.IngressGateway = &configv1alpha2.IngressGatewayCertSpec{
		SubjectAltNames: []string{"gateway.ingress.cluster.local"}, ValidityDuration: "1h",
		Secret: corev1.SecretReference{Namespace: namespace, Name: names.NginxCertSecret},
	}
	for name, problem := range map[string]error{"recorded": nil, "not recorded": errors.New("the API server is away")} {
		t.Run(name, func(t *testing.T) {
			r, p := newReconciler(t, config), passOf(root)
			p.mesh.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady}}
			var steps []string
			c := interceptor.NewClient(r.Client.(client.WithWatch), interceptor.Funcs{
				SubResourceApply: func(context.Context, client.Client, string, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
					steps = append(steps, "status")
					return problem
				},
				Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
					steps = append(steps, "Secret")
					return nil
				},
			})
			r.Client, r.Status, r.Applier = c, status.NewWriter(c), apply.New(c, r.Recorder)
			if err := r.reconcileGateway(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			want := []string{"status", "Secret"}
			if problem != nil {
				want = want[:1]
			}
			if len(steps) != len(want) || steps[0] != want[0] || !errors.Is(p.gateway.problem, problem) {
				t.Errorf("the writes are %v, want %v; the problem is %v", steps, want, p.gateway.problem)
			}
		})
	}
}
