package operand

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
)

// Scheduling is where the pods of a control plane run, and with which secrets their images are pulled. What is empty keeps what the
// manifests say.
type Scheduling struct {
	// PriorityClass is the name of a PriorityClass.
	PriorityClass string
	// NodeSelector are labels of nodes, beside those of the manifests.
	NodeSelector map[string]string
	// Tolerations replace those of the manifests.
	Tolerations []corev1.Toleration
	// Affinity replaces that of the manifests. Terms about pods without a selector are about those of the same Deployment.
	Affinity *corev1.Affinity
	// Spread replaces the constraints of the manifests. One without a selector is about the pods of the same Deployment.
	Spread []corev1.TopologySpreadConstraint
	// PullSecrets are names of Secrets in the namespace of the mesh.
	PullSecrets []string
}

// fillScheduling gives the pods of a Deployment their place.
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
	return fillNeighbours(d, s)
}

// fillNeighbours gives the pods of a Deployment their places beside each other.
func fillNeighbours(d *deployment, s Scheduling) error {
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
		selectOwn(&pod.TopologySpreadConstraints[i].LabelSelector, d.Spec.Selector)
	}
	for _, term := range podTerms(pod.Affinity) {
		selectOwn(&term.LabelSelector, d.Spec.Selector)
	}
	return nil
}

// selectOwn makes a selector that says nothing one for the pods of the Deployment: to Kubernetes it would be one for none.
func selectOwn(selector **metav1ac.LabelSelectorApplyConfiguration, own *metav1ac.LabelSelectorApplyConfiguration) {
	if *selector == nil {
		*selector = metav1ac.LabelSelector().WithMatchLabels(own.MatchLabels)
	}
}

// podTerms are the terms about other pods.
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
