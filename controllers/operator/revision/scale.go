package revision

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// begin gives a Deployment that does not exist yet the smallest number of pods that its autoscaler allows: without one it would start
// with a single pod. The next reconciliation finds the Deployment and hands the number over.
func (r *Reconciler) begin(ctx context.Context, revision *v1alpha1.MeshRevision, objects []*unstructured.Unstructured) error {
	autoscaling := revision.Spec.ControlPlane.Autoscaling
	if autoscaling == nil {
		return nil
	}
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		err := r.Client.Get(ctx, client.ObjectKeyFromObject(object), &appsv1.Deployment{})
		switch {
		case apierrors.IsNotFound(err):
			least := ptr.Deref(autoscaling.MinReplicas, v1alpha1.DefaultReplicas)
			if err := unstructured.SetNestedField(object.Object, int64(least), "spec", "replicas"); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// least is the number of pods without which a workload is not ready: all that are wanted, or under an autoscaler its minimum. That more
// pods are on their way because there is more to do does not make a control plane ill.
func (w workload) least(wanted int32) int32 {
	if w.autoscaling == nil {
		return wanted
	}
	return min(wanted, ptr.Deref(w.autoscaling.MinReplicas, v1alpha1.DefaultReplicas))
}
