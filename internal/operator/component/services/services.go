package services

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// Component renders the Services of a mesh: for sidecars, for webhooks and for reports.
type Component struct{}

// Name implements component.Component.
func (Component) Name() string { return "services" }

// Requires implements component.Component.
func (Component) Requires() []component.Kind {
	return []component.Kind{{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "Service"}, Resource: "services"}}
}

// Images implements component.Component.
func (Component) Images() []component.Image { return nil }

// Render implements component.Component. The Services of the mesh select its active control plane, and a canary has Services of its own.
// An alias keeps the name of an earlier canary and selects the active control plane, because a sidecar keeps the host that it was injected
// with.
func (Component) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	objects, err := component.RenderControlPlanes(inputs, func(c component.ControlPlane) ([]*unstructured.Unstructured, error) {
		if c.Parameters.CanarySuffix == "" {
			return c.Release.Services(c.Parameters)
		}
		return c.Release.CanaryServices(c.Parameters, false)
	})
	if err != nil || len(inputs.ControlPlanes) == 0 {
		return nil, err
	}
	for _, suffix := range inputs.Aliases {
		active := inputs.ControlPlanes[0]
		active.Parameters.CanarySuffix = suffix
		aliases, err := active.Release.CanaryServices(active.Parameters, true)
		if err != nil {
			return nil, err
		}
		objects = append(objects, aliases...)
	}
	return objects, nil
}

// Health implements component.Component.
func (Component) Health(live []*unstructured.Unstructured) component.Health {
	return component.AlwaysHealthy(live)
}
