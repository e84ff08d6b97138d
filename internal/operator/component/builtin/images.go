package builtin

import "github.com/openservicemesh/osm-operator/internal/operator/component"

// Variables of the operator that replace images of the control plane.
const (
	ControllerVariable = "RELATED_IMAGE_OSM_CONTROLLER"
	InjectorVariable   = "RELATED_IMAGE_OSM_INJECTOR"
	InitVariable       = "RELATED_IMAGE_OSM_INIT"
	EnvoyVariable      = "RELATED_IMAGE_ENVOY"
)

// Images returns every image that the operator runs: those of the control plane, and then those of the components.
func Images() []component.Image {
	images := []component.Image{
		{Variable: ControllerVariable, HelmKey: "controller", Field: "spec.controlPlane.images.controller"},
		{Variable: InjectorVariable, HelmKey: "injector", Field: "spec.controlPlane.images.injector"},
		{Variable: InitVariable, HelmKey: "init", Field: "spec.controlPlane.images.init"},
		{Variable: EnvoyVariable, HelmKey: "envoy", Field: "spec.sidecar.image"},
	}
	for _, c := range All() {
		images = append(images, c.Images()...)
	}
	return images
}
