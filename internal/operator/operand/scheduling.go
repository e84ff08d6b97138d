package operand

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
)

// Scheduling configures where the pods of a control plane run, and their image pull secrets. An empty field keeps the value of the
// manifests.
type Scheduling struct {
	// PriorityClass is the name of a PriorityClass.
	PriorityClass string
	// NodeSelector is added to the node selector of the manifests.
	NodeSelector map[string]string
	// Tolerations replace those of the manifests.
	Tolerations []corev1.Toleration
	// Affinity replaces that of the manifests. A pod term without a selector selects the pods of the same Deployment.
	Affinity *corev1.Affinity
	// Spread replaces the constraints of the manifests. One without a selector selects the pods of the same Deployment.
	Spread []corev1.TopologySpreadConstraint
	// PullSecrets are the names of image pull Secrets in the namespace of the mesh.
	PullSecrets []string
}

// fillScheduling sets the scheduling fields of a Deployment.
func fillScheduling(d *deployment, s Scheduling) error {
	pod := d.Spec.Template.Spec
	if s.PriorityClass != "" {
		pod.WithPriorityClassName(s.PriorityClass)
	}
	pod.WithNodeSelector(s.NodeSelector)
	for _, name := range s.PullSecrets {
		pod.WithImagePullSecrets(corev1ac.LocalObjectReference().WithName(name))
	}
	if len(s.Tolerations) > 0 {
		pod.Tolerations = nil
		if err := roundTrip(s.Tolerations, &pod.Tolerations); err != nil {
			return err
		}
	}
	return fillPodPlacement(d, s)
}

// Schedule sets the scheduling fields of the pods of a Deployment that is not part of the manifests. labels select these pods.
func Schedule(pod corev1.PodSpec, labels map[string]string, s Scheduling) (corev1.PodSpec, error) {
	template := corev1ac.PodTemplateSpec().WithSpec(corev1ac.PodSpec())
	if err := roundTrip(pod, template.Spec); err != nil {
		return pod, err
	}
	d := appsv1ac.DeploymentSpec().WithSelector(metav1ac.LabelSelector().WithMatchLabels(labels)).WithTemplate(template)
	if err := fillScheduling(&deployment{Spec: d}, s); err != nil {
		return pod, err
	}
	pod = corev1.PodSpec{}
	return pod, roundTrip(template.Spec, &pod)
}

// fillPodPlacement sets the affinity and the topology spread constraints of a Deployment.
func fillPodPlacement(d *deployment, s Scheduling) error {
	pod := d.Spec.Template.Spec
	if s.Affinity != nil {
		pod.Affinity = corev1ac.Affinity()
		if err := roundTrip(s.Affinity, pod.Affinity); err != nil {
			return err
		}
	}
	if len(s.Spread) > 0 {
		pod.TopologySpreadConstraints = nil
		if err := roundTrip(s.Spread, &pod.TopologySpreadConstraints); err != nil {
			return err
		}
	}
	if d.Spec.Selector == nil {
		return fmt.Errorf("it has no selector")
	}
	for i := range pod.TopologySpreadConstraints {
		defaultSelector(&pod.TopologySpreadConstraints[i].LabelSelector, d.Spec.Selector)
	}
	for _, term := range podTerms(pod.Affinity) {
		defaultSelector(&term.LabelSelector, d.Spec.Selector)
	}
	return nil
}

// defaultSelector sets an absent selector to that of the Deployment. For Kubernetes an absent selector matches no pods.
func defaultSelector(selector **metav1ac.LabelSelectorApplyConfiguration, own *metav1ac.LabelSelectorApplyConfiguration) {
	if *selector == nil {
		*selector = metav1ac.LabelSelector().WithMatchLabels(own.MatchLabels)
	}
}

// podTerms returns the terms of pod affinity and anti-affinity.
func podTerms(affinity *corev1ac.AffinityApplyConfiguration) []*corev1ac.PodAffinityTermApplyConfiguration {
	if affinity == nil {
		return nil
	}
	var terms []*corev1ac.PodAffinityTermApplyConfiguration
	add := func(required []corev1ac.PodAffinityTermApplyConfiguration, preferred []corev1ac.WeightedPodAffinityTermApplyConfiguration) {
		for i := range required {
			terms = append(terms, &required[i])
		}
		for i := range preferred {
			if preferred[i].PodAffinityTerm != nil {
				terms = append(terms, preferred[i].PodAffinityTerm)
			}
		}
	}
	if near := affinity.PodAffinity; near != nil {
		add(near.RequiredDuringSchedulingIgnoredDuringExecution, near.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if far := affinity.PodAntiAffinity; far != nil {
		add(far.RequiredDuringSchedulingIgnoredDuringExecution, far.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	return terms
}

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
		if err := roundTrip(AutoscalerSpec(object.GetName(), *scaling), &spec); err != nil {
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

// AutoscalerSpec returns the spec that scales a Deployment by the CPU usage of its pods.
func AutoscalerSpec(name string, a Autoscaling) autoscalingv2.HorizontalPodAutoscalerSpec {
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
