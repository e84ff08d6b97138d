package autoscalers

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// Component renders the HorizontalPodAutoscalers of control planes with autoscaling.
type Component struct{}

// Name implements component.Component.
func (Component) Name() string { return "autoscalers" }

// Requires implements component.Component.
func (Component) Requires() []component.Kind {
	return []component.Kind{{GroupVersionKind: schema.GroupVersionKind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}, Resource: "horizontalpodautoscalers"}}
}

// Images implements component.Component.
func (Component) Images() []component.Image { return nil }

// Render implements component.Component.
func (Component) Render(inputs component.Inputs) ([]*unstructured.Unstructured, error) {
	return component.RenderControlPlanes(inputs, func(c component.ControlPlane) ([]*unstructured.Unstructured, error) {
		return c.Release.Autoscalers(c.Parameters)
	})
}

// Health implements component.Component.
func (Component) Health(live []*unstructured.Unstructured) component.Health {
	return component.AlwaysHealthy(live)
}
