package controlplane

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// Component renders the objects of one kind that each control plane has.
type Component struct {
	component.Passive
	name   string
	kind   component.Kind
	render func(component.ControlPlane) ([]*unstructured.Unstructured, error)
	// alias renders the objects for the suffix of an earlier canary; nil for none. They select the active control plane, because a sidecar
	// keeps the host that it was injected with.
	alias func(component.ControlPlane) ([]*unstructured.Unstructured, error)
}

// Services are those of a mesh for sidecars, webhooks and reports. They select its active control plane, and a canary has Services of its own.
func Services() Component {
	return Component{
		name: "services", kind: component.V1("", "Service", "services"),
		render: func(c component.ControlPlane) ([]*unstructured.Unstructured, error) {
			if c.Parameters.CanarySuffix == "" {
				return c.Release.Services(c.Parameters)
			}
			return c.Release.CanaryServices(c.Parameters, false)
		},
		alias: func(active component.ControlPlane) ([]*unstructured.Unstructured, error) {
			return active.Release.CanaryServices(active.Parameters, true)
		},
	}
}

// DisruptionBudgets are the PodDisruptionBudgets of control planes with more than one replica.
func DisruptionBudgets() Component {
	return Component{
		name: "disruption-budgets", kind: component.V1("policy", "PodDisruptionBudget", "poddisruptionbudgets"),
		render: func(c component.ControlPlane) ([]*unstructured.Unstructured, error) {
			return c.Release.DisruptionBudgets(c.Parameters)
		},
	}
}

// Autoscalers are the HorizontalPodAutoscalers of control planes with autoscaling.
func Autoscalers() Component {
	kind := component.V1("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
	kind.Version = "v2"
	return Component{name: "autoscalers", kind: kind, render: func(c component.ControlPlane) ([]*unstructured.Unstructured, error) {
		return c.Release.Autoscalers(c.Parameters)
	}}
}

// Name implements component.Component.
func (c Component) Name() string { return c.name }

// Requires implements component.Component.
func (c Component) Requires() []component.Kind { return []component.Kind{c.kind} }

// Render implements component.Component.
func (c Component) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	objects, err := component.RenderControlPlanes(inputs, c.render)
	if err != nil || c.alias == nil || len(inputs.ControlPlanes) == 0 {
		return objects, err
	}
	for _, suffix := range inputs.Aliases {
		active := inputs.ControlPlanes[0]
		active.Parameters.CanarySuffix = suffix
		aliases, err := c.alias(active)
		if err != nil {
			return nil, err
		}
		objects = append(objects, aliases...)
	}
	return objects, nil
}
