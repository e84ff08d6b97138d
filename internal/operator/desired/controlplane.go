package desired

import (
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// Images returns the images of a mesh: those of its version, unless the Mesh replaces them.
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

// controlPlane returns the control plane of a Mesh with defaults applied. It has no images, because a revision has its own field, and no
// deprecated fields.
func controlPlane(mesh *v1alpha1.Mesh) v1alpha1.ControlPlaneSpec {
	spec := v1alpha1.ControlPlaneSpec{}
	if mesh.Spec.ControlPlane != nil {
		spec = *mesh.Spec.ControlPlane.DeepCopy()
	}
	spec.LogLevel = ptr.To(ptr.Deref(spec.LogLevel, v1alpha1.DefaultControlPlaneLogLevel))
	spec.Controller, spec.Injector = ptr.To(Controller(spec)), ptr.To(Injector(spec))
	spec.Images, spec.Replicas, spec.Resources = nil, nil, nil
	return spec
}

// Controller returns the configuration of the controller with defaults applied.
func Controller(spec v1alpha1.ControlPlaneSpec) v1alpha1.WorkloadSpec {
	return workload(spec, spec.Controller)
}

// Injector returns the configuration of the injector with defaults applied.
func Injector(spec v1alpha1.ControlPlaneSpec) v1alpha1.WorkloadSpec {
	return workload(spec, spec.Injector)
}

// workload applies the deprecated fields where the workload does not set its own, and then the defaults.
func workload(spec v1alpha1.ControlPlaneSpec, declared *v1alpha1.WorkloadSpec) v1alpha1.WorkloadSpec {
	w := v1alpha1.WorkloadSpec{}
	if declared != nil {
		w = *declared.DeepCopy()
	}
	if w.Resources == nil {
		w.Resources = spec.Resources.DeepCopy()
	}
	if w.Autoscaling != nil {
		w.Autoscaling.MinReplicas = ptr.To(ptr.Deref(w.Autoscaling.MinReplicas, v1alpha1.DefaultReplicas))
		w.Autoscaling.TargetCPUUtilizationPercentage = ptr.To(
			ptr.Deref(w.Autoscaling.TargetCPUUtilizationPercentage, v1alpha1.DefaultTargetCPUUtilizationPercentage))
		return w
	}
	if w.Replicas == nil {
		w.Replicas = ptr.To(ptr.Deref(spec.Replicas, v1alpha1.DefaultReplicas))
	}
	return w
}

// operandWorkload converts a complete configuration into parameters for rendering.
func operandWorkload(w v1alpha1.WorkloadSpec) operand.Workload {
	converted := operand.Workload{
		Replicas: ptr.Deref(w.Replicas, 0), Resources: w.Resources, Labels: w.Labels, Annotations: w.Annotations,
	}
	if a := w.Autoscaling; a != nil {
		converted.Autoscaling = &operand.Autoscaling{Min: *a.MinReplicas, Max: a.MaxReplicas, CPU: *a.TargetCPUUtilizationPercentage}
	}
	return converted
}

// scheduling converts the scheduling fields of a control plane into parameters for rendering.
func scheduling(spec v1alpha1.ControlPlaneSpec) operand.Scheduling {
	s := operand.Scheduling{
		PriorityClass: ptr.Deref(spec.PriorityClassName, ""), NodeSelector: spec.NodeSelector,
		Tolerations: spec.Tolerations, Affinity: spec.Affinity, Spread: spec.TopologySpreadConstraints,
	}
	for _, secret := range spec.ImagePullSecrets {
		s.PullSecrets = append(s.PullSecrets, secret.Name)
	}
	return s
}
