package revision

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// setInitialReplicas sets the replicas of an autoscaled Deployment that does not exist yet to its minimum. Otherwise it would start with
// one pod. The next reconciliation leaves the field to the autoscaler.
func (r *Reconciler) setInitialReplicas(ctx context.Context, revision *v1alpha1.MeshRevision, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		autoscaling := workloadSpec(revision, object.GetName()).Autoscaling
		if object.GetKind() != "Deployment" || autoscaling == nil {
			continue
		}
		err := r.Client.Get(ctx, client.ObjectKeyFromObject(object), &appsv1.Deployment{})
		switch {
		case apierrors.IsNotFound(err):
			if err := unstructured.SetNestedField(object.Object, int64(*autoscaling.MinReplicas), "spec", "replicas"); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// workloadSpec returns the configuration of a Deployment of the control plane, by its name.
func workloadSpec(revision *v1alpha1.MeshRevision, name string) v1alpha1.WorkloadSpec {
	if names.Component(name) == names.Injector {
		return desired.Injector(revision.Spec.ControlPlane)
	}
	return desired.Controller(revision.Spec.ControlPlane)
}

// requiredReplicas is how many ready pods a workload needs: all desired ones, or the minimum of its autoscaler. Scaling up does not make
// a control plane unready.
func (w workload) requiredReplicas(replicas int32) int32 {
	if w.autoscaling == nil {
		return replicas
	}
	return min(replicas, ptr.Deref(w.autoscaling.MinReplicas, v1alpha1.DefaultReplicas))
}
