package builtin

import (
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/autoscalers"
	"github.com/openservicemesh/osm-operator/internal/operator/component/disruptionbudgets"
	"github.com/openservicemesh/osm-operator/internal/operator/component/egressgateway"
	"github.com/openservicemesh/osm-operator/internal/operator/component/grafana"
	"github.com/openservicemesh/osm-operator/internal/operator/component/ingressgateway"
	"github.com/openservicemesh/osm-operator/internal/operator/component/jaeger"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	"github.com/openservicemesh/osm-operator/internal/operator/component/services"
	"github.com/openservicemesh/osm-operator/internal/operator/component/trafficmetrics"
	"github.com/openservicemesh/osm-operator/internal/operator/dashboards"
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
