package desired

import (
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// Images are the images that a mesh runs: those of its version, unless the Mesh declares others.
func Images(mesh *v1alpha1.Mesh, version operand.Images) operand.Images {
	if mesh.Spec.ControlPlane == nil || mesh.Spec.ControlPlane.Images == nil {
		return version
	}
	declared := mesh.Spec.ControlPlane.Images
	version.Controller = ptr.Deref(declared.Controller, version.Controller)
	version.Injector = ptr.Deref(declared.Injector, version.Injector)
	version.Init = ptr.Deref(declared.Init, version.Init)
	return version
}

// controlPlane is the shape of a control plane with defaults applied. Its images are not in it: a revision has them already.
func controlPlane(mesh *v1alpha1.Mesh) v1alpha1.ControlPlaneSpec {
	shape := v1alpha1.ControlPlaneSpec{}
	if mesh.Spec.ControlPlane != nil {
		shape = *mesh.Spec.ControlPlane.DeepCopy()
	}
	shape.Images = nil
	shape.LogLevel = ptr.To(ptr.Deref(shape.LogLevel, v1alpha1.DefaultControlPlaneLogLevel))
	if a := shape.Autoscaling; a != nil {
		a.MinReplicas = ptr.To(ptr.Deref(a.MinReplicas, v1alpha1.DefaultReplicas))
		a.TargetCPUUtilization = ptr.To(ptr.Deref(a.TargetCPUUtilization, v1alpha1.DefaultTargetCPUUtilization))
		return shape
	}
	shape.Replicas = ptr.To(ptr.Deref(shape.Replicas, v1alpha1.DefaultReplicas))
	return shape
}

// autoscaling is what autoscalers are rendered with; nil without any.
func autoscaling(shape v1alpha1.ControlPlaneSpec) *operand.Autoscaling {
	a := shape.Autoscaling
	if a == nil {
		return nil
	}
	return &operand.Autoscaling{
		Min: ptr.Deref(a.MinReplicas, v1alpha1.DefaultReplicas), Max: a.MaxReplicas,
		CPU: ptr.Deref(a.TargetCPUUtilization, v1alpha1.DefaultTargetCPUUtilization),
	}
}

// scheduling is where the pods of a control plane run.
func scheduling(shape v1alpha1.ControlPlaneSpec) operand.Scheduling {
	s := operand.Scheduling{
		PriorityClass: ptr.Deref(shape.PriorityClassName, ""), NodeSelector: shape.NodeSelector,
		Tolerations: shape.Tolerations, Affinity: shape.Affinity, Spread: shape.TopologySpreadConstraints,
	}
	for _, secret := range shape.ImagePullSecrets {
		s.PullSecrets = append(s.PullSecrets, secret.Name)
	}
	return s
}
