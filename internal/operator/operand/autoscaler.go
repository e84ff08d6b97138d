package operand

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Autoscaling is the range of a HorizontalPodAutoscaler and its target CPU usage.
type Autoscaling struct {
	// Min and Max bound the number of pods; Min is at least 1.
	Min, Max int32
	// CPU is the target average CPU usage, in percent of the CPU request.
	CPU int32
}

// autoscalers renders a HorizontalPodAutoscaler for each Deployment with autoscaling, with the same name, namespace and labels.
func autoscalers(objects []*unstructured.Unstructured, p Parameters) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, object := range objects {
		scaling := p.workload(object.GetName()).Autoscaling
		if object.GetKind() != "Deployment" || scaling == nil {
			continue
		}
		spec := map[string]any{}
		if err := roundTrip(autoscalerSpec(object.GetName(), *scaling), &spec); err != nil {
			return nil, err
		}
		autoscaler := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": autoscalingv2.SchemeGroupVersion.String(), "kind": "HorizontalPodAutoscaler", "spec": spec,
		}}
		autoscaler.SetName(object.GetName())
		autoscaler.SetNamespace(object.GetNamespace())
		autoscaler.SetLabels(object.GetLabels())
		all = append(all, autoscaler)
	}
	return all, nil
}

// autoscalerSpec returns the spec that scales a Deployment by the CPU usage of its pods.
func autoscalerSpec(name string, a Autoscaling) autoscalingv2.HorizontalPodAutoscalerSpec {
	return autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name},
		MinReplicas:    &a.Min, MaxReplicas: a.Max,
		Metrics: []autoscalingv2.MetricSpec{{
			Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{
				Name:   corev1.ResourceCPU,
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &a.CPU},
			},
		}},
	}
}
