package builtin

import (
	"github.com/openservicemesh/osm-operator/internal/component"
	"github.com/openservicemesh/osm-operator/internal/component/autoscalers"
	"github.com/openservicemesh/osm-operator/internal/component/disruptionbudgets"
	"github.com/openservicemesh/osm-operator/internal/component/egressgateway"
	"github.com/openservicemesh/osm-operator/internal/component/grafana"
	"github.com/openservicemesh/osm-operator/internal/component/ingressgateway"
	"github.com/openservicemesh/osm-operator/internal/component/jaeger"
	"github.com/openservicemesh/osm-operator/internal/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/component/services"
	"github.com/openservicemesh/osm-operator/internal/component/trafficmetrics"
	"github.com/openservicemesh/osm-operator/internal/dashboards"
)

// All returns every component, in the order in which status.components lists them.
func All() []component.Component {
	pages := grafana.NewPages(dashboards.Grafana)
	return []component.Component{
		services.Component{},
		disruptionbudgets.Component{},
		autoscalers.Component{},
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
	}
}
