package builtin

import (
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/controlplane"
	"github.com/openservicemesh/osm-operator/internal/operator/component/egressgateway"
	"github.com/openservicemesh/osm-operator/internal/operator/component/grafana"
	"github.com/openservicemesh/osm-operator/internal/operator/component/ingressgateway"
	"github.com/openservicemesh/osm-operator/internal/operator/component/jaeger"
	"github.com/openservicemesh/osm-operator/internal/operator/component/peergateway"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/operator/component/trafficmetrics"
	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// All returns every component, in the order in which status.components lists them.
func All() []component.Component {
	pages := grafana.NewPages(dashboards.Grafana)
	return []component.Component{
		controlplane.Services(),
		controlplane.DisruptionBudgets(),
		controlplane.Autoscalers(),
		prometheus.Managed{},
		prometheus.Monitors{},
		grafana.Managed{Pages: pages},
		grafana.Dashboards{Pages: pages},
		grafana.Shared{Pages: pages},
		jaeger.Managed{},
		trafficmetrics.Server{},
		trafficmetrics.API{},
		ingressgateway.Managed{},
		egressgateway.Managed{},
		peergateway.Managed{},
	}
}

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
	return append(images, lists.FlatMap(All(), component.Component.Images)...)
}
