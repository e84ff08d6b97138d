package dashboards

// destinations matches upstream clusters of Services and of destinations outside the mesh. A cluster with the suffix |local is the
// application behind a sidecar: its requests are counted at the client already.
const destinations = `envoy_cluster_name!~"osm-controller|envoy-.*|passthrough-outbound|(liveness|readiness|startup)_cluster.*|.*[|]local"`

// upstream are the variables and matchers of a dashboard about the upstream clusters of some clients.
type upstream struct {
	matchers  string
	variables []Variable
}

// with returns the matchers and another one.
func (u upstream) with(matcher string) string { return "{" + u.matchers + ", " + matcher + "}" }

func (u upstream) rate(metric, matcher string) string {
	return "sum by (envoy_cluster_name) (rate(" + metric + u.with(matcher) + "[$__rate_interval]))"
}

// requests are the panels about responses by their class.
func (u upstream) requests() Row {
	return Row{Title: "Requests", Panels: []Panel{
		lines("Success", PerSecond, u.rate("envoy_cluster_upstream_rq_xx", destinations+`, envoy_response_code_class=~"1|2|3"`), "{{envoy_cluster_name}}"),
		failures("Failure", "Responses with a status of 400 or more, a denial by a policy among them.", PerSecond,
			u.rate("envoy_cluster_upstream_rq_xx", destinations+`, envoy_response_code_class=~"4|5"`), "{{envoy_cluster_name}}"),
		lines("All requests", PerSecond, u.rate("envoy_cluster_upstream_rq_total", destinations), "{{envoy_cluster_name}}"),
	}}
}

// connections are the panels about connections and their errors.
func (u upstream) connections() Row {
	total := func(metric string) Query {
		return Query{Expr: "sum(rate(envoy_cluster_" + metric + u.with(destinations) + "[$__rate_interval]))", Legend: metric}
	}
	return Row{Title: "Connections", Panels: []Panel{
		lines("Active connections", Count, "sum by (envoy_cluster_name) (envoy_cluster_upstream_cx_active"+u.with(destinations)+")", "{{envoy_cluster_name}}"),
		{Title: "Connection and request errors", Unit: PerSecond, Queries: []Query{
			total("upstream_cx_connect_timeout"), total("upstream_cx_connect_fail"), total("upstream_cx_destroy_remote_with_active_rq"),
			total("upstream_cx_destroy_local_with_active_rq"), total("upstream_rq_pending_failure_eject"), total("upstream_rq_pending_overflow"),
			total("upstream_rq_timeout"), total("upstream_rq_rx_reset"), total("upstream_rq_tx_reset"),
		}},
	}}
}

// bytes are the panels about data from the client's perspective: it sends what its upstream connections transmit.
func (u upstream) bytes() Row {
	return Row{Title: "Data", Panels: []Panel{
		lines("Bytes sent", BytesPerSecond, u.rate("envoy_cluster_upstream_cx_tx_bytes_total", destinations), "{{envoy_cluster_name}}"),
		lines("Bytes received", BytesPerSecond, u.rate("envoy_cluster_upstream_cx_rx_bytes_total", destinations), "{{envoy_cluster_name}}"),
	}}
}

// namespaceOfSource is the first variable of dashboards about clients.
var namespaceOfSource = Variable{Name: "source_namespace", Label: "source_namespace", Selector: "envoy_server_live"}

func podToService() Dashboard {
	u := upstream{
		matchers: `source_namespace="$source_namespace", source_pod_name=~"$source_pod"`,
		variables: []Variable{namespaceOfSource, {
			Name: "source_pod", Label: "source_pod_name", Selector: `envoy_server_live{source_namespace="$source_namespace"}`, All: true,
		}},
	}
	return Dashboard{
		File: "osm-pod-to-service", UID: "OSMPodToServiceMetrics", Title: "OSM Pod to Service Metrics", Folder: DataPlane,
		Description: "What pods of a namespace send to Services, as their sidecars count it.",
		Variables:   u.variables, Rows: []Row{u.requests(), u.connections(), u.bytes()},
	}
}

func workloadToService() Dashboard {
	u := upstream{
		matchers: `source_namespace="$source_namespace", source_workload_kind=~"$source_workload_kind", source_workload_name=~"$source_workload_name"`,
		variables: []Variable{
			namespaceOfSource,
			{Name: "source_workload_kind", Label: "source_workload_kind", Selector: `envoy_server_live{source_namespace="$source_namespace"}`, All: true},
			{Name: "source_workload_name", Label: "source_workload_name", Selector: `envoy_server_live{source_namespace="$source_namespace", source_workload_kind=~"$source_workload_kind"}`, All: true},
		},
	}
	return Dashboard{
		File: "osm-workload-to-service", UID: "OSMWorkloadToServiceMetrics", Title: "OSM Workload to Service Metrics", Folder: DataPlane,
		Description: "What workloads of a namespace send to Services, as their sidecars count it.",
		Variables:   u.variables, Rows: []Row{u.requests(), u.connections(), u.bytes()},
	}
}

func serviceToService() Dashboard {
	u := upstream{
		matchers: `source_namespace="$source_namespace", source_service=~"$source_service", envoy_cluster_name=~"$destination_service"`,
		variables: []Variable{
			namespaceOfSource,
			{Name: "source_service", Label: "source_service", Selector: `envoy_server_live{source_namespace="$source_namespace"}`, All: true},
			{
				Name: "destination_service", Label: "envoy_cluster_name", All: true,
				Selector: `envoy_cluster_upstream_cx_total{source_namespace="$source_namespace", source_service=~"$source_service", ` + destinations + `}`,
			},
		},
	}
	return Dashboard{
		File: "osm-service-to-service", UID: "OSMServiceToServiceMetrics", Title: "OSM Service to Service Metrics", Folder: DataPlane,
		Description: "Traffic from pods with an app label to a Service, as the sidecars of the source count it.",
		Variables:   u.variables, Rows: []Row{u.requests(), u.connections(), u.bytes()},
	}
}

func controlPlaneTraffic() Dashboard {
	const matchers = `{source_namespace=~"$source_namespace", source_service=~"$source_service", envoy_cluster_name="osm-controller"`
	rate := func(metric string) string { return "sum(rate(" + metric + matchers + "}[$__rate_interval]))" }
	return Dashboard{
		File: "osm-control-plane", UID: "OSMControlPlaneMetrics", Title: "OSM Control Plane Metrics", Folder: ControlPlane,
		Description: "Connections of sidecars to the control plane, as the sidecars count them.",
		Variables: []Variable{
			{Name: "source_namespace", Label: "source_namespace", Selector: "envoy_server_live", All: true},
			{Name: "source_service", Label: "source_service", Selector: `envoy_server_live{source_namespace=~"$source_namespace"}`, All: true},
		},
		Rows: []Row{{Title: "Streams", Panels: []Panel{
			lines("Success count", Count, "sum(envoy_cluster_upstream_rq_xx"+matchers+`, envoy_response_code_class="2"})`, "accepted streams"),
			failures("Failure count", "Streams that the control plane did not accept.", Count,
				"sum(envoy_cluster_upstream_rq_xx"+matchers+`, envoy_response_code_class=~"4|5"})`, "rejected streams"),
			lines("Active connections to the control plane", Count, "sum(envoy_cluster_upstream_cx_active"+matchers+"})", "connections"),
			lines("Connected sidecars", Count, `sum(envoy_control_plane_connected_state{source_namespace=~"$source_namespace", source_service=~"$source_service"})`, "sidecars"),
		}}, {Title: "Traffic", Panels: []Panel{
			{Title: "Traffic to the control plane", Unit: BytesPerSecond, Queries: []Query{
				{Expr: rate("envoy_cluster_upstream_cx_tx_bytes_total"), Legend: "sent"},
				{Expr: rate("envoy_cluster_upstream_cx_rx_bytes_total"), Legend: "received"},
			}},
			{Title: "Connection and request errors", Unit: PerSecond, Queries: []Query{
				{Expr: rate("envoy_cluster_upstream_cx_connect_timeout"), Legend: "connection timeouts"},
				{Expr: rate("envoy_cluster_upstream_cx_connect_fail"), Legend: "failed connections"},
				{Expr: rate("envoy_cluster_upstream_cx_destroy_remote_with_active_rq"), Legend: "closed by the control plane"},
				{Expr: rate("envoy_cluster_upstream_rq_rx_reset"), Legend: "reset by the control plane"},
			}},
		}}},
	}
}

func workloadToWorkload() Dashboard {
	const matchers = `{source_namespace="$source_namespace", source_kind=~"$source_workload_kind", source_name=~"$source_workload_name"}`
	const by = "destination_namespace, destination_kind, destination_name"
	latency := func(title, quantile string) Panel {
		buckets := "rate(osm_request_duration_ms_bucket" + matchers + "[$__rate_interval])"
		return lines(title, Milliseconds, "histogram_quantile("+quantile+", sum by (le, "+by+") ("+buckets+"))",
			"{{destination_namespace}}/{{destination_name}}")
	}
	return Dashboard{
		File: "osm-workload-to-workload", UID: "OSMWorkloadToWorkloadMetrics", Title: "OSM Workload to Workload Metrics", Folder: DataPlane,
		Description: "Latency and results of requests between workloads, as the sidecars of the clients measure them.",
		Variables: []Variable{
			{Name: "source_namespace", Label: "source_namespace", Selector: "osm_request_total"},
			{Name: "source_workload_kind", Label: "source_kind", Selector: `osm_request_total{source_namespace="$source_namespace"}`, All: true},
			{Name: "source_workload_name", Label: "source_name", Selector: `osm_request_total{source_namespace="$source_namespace", source_kind=~"$source_workload_kind"}`, All: true},
		},
		Rows: []Row{{Title: "Latency", Panels: []Panel{
			latency("Request latency (P99)", "0.99"), latency("Request latency (P90)", "0.9"), latency("Request latency (P50)", "0.5"),
		}}, {Title: "Requests", Panels: []Panel{
			lines("Requests", PerSecond, "sum by ("+by+") (rate(osm_request_total"+matchers+"[$__rate_interval]))",
				"{{destination_namespace}}/{{destination_name}}"),
			lines("Requests by response code", PerSecond, "sum by (response_code) (rate(osm_request_total"+matchers+"[$__rate_interval]))",
				"{{response_code}}"),
		}}},
	}
}
