package dashboards

import "github.com/openservicemesh/osm-operator/internal/platform/prometheus"

// requestRate is the rate of the requests of a mesh that matchers select.
func requestRate(matchers string) string {
	return `rate(osm_request_total{mesh="$mesh",` + matchers + "}[$__rate_interval])"
}

func overview() Dashboard {
	const m = `{mesh="$mesh"}`
	const by = "destination_namespace, destination_service"
	const service = "{{destination_namespace}}/{{destination_service}}"
	rate := func(metric, by string) string {
		return "sum by (" + by + ") (rate(" + metric + m + "[$__rate_interval]))"
	}
	return Dashboard{
		File: "osm-mesh-overview", UID: "OSMMeshOverview", Title: "OSM Mesh Overview", Folder: DataPlane,
		Description: "The whole mesh on one page. Clients measure requests; servers measure denials.",
		Variables:   []Variable{meshVariable},
		Rows: []Row{{Title: "Mesh", Panels: []Panel{
			number("Connected sidecars", Count, "sum(osm_proxy_connect_count"+m+")"),
			number("Namespaces", Count, "max(osm_resource_namespace_count"+m+")"),
			number("Requests", PerSecond, "sum(rate(osm_request_total"+m+"[$__rate_interval]))"),
			number("Success", Ratio, "sum("+prometheus.Succeeded(requestRate)+") / sum(rate(osm_request_total"+m+"[$__rate_interval]))"),
			number("Quarantined policies", Count, "max(osm_policy_quarantined_count"+m+")"),
		}}, {Title: "Services", Panels: []Panel{
			lines("Requests", PerSecond, rate("osm_request_total", by), service),
			failures("Failed requests", "Status 500 and more, no response, or a failure of gRPC.", PerSecond,
				"sum by ("+by+") ("+prometheus.Failed(requestRate)+")", service),
			lines("Latency (p99)", Milliseconds, "histogram_quantile(0.99, "+rate("osm_request_duration_ms_bucket", "le, "+by)+")", service),
			{Title: "Data", Description: "Of HTTP and TCP.", Unit: BytesPerSecond, Queries: []Query{
				{Expr: `sum(rate(envoy_cluster_upstream_cx_tx_bytes_total{mesh="$mesh", ` + destinations + "}[$__rate_interval]))", Legend: "requests"},
				{Expr: `sum(rate(envoy_cluster_upstream_cx_rx_bytes_total{mesh="$mesh", ` + destinations + "}[$__rate_interval]))", Legend: "responses"},
			}},
		}}, {Title: "TCP", Panels: []Panel{
			lines("Opened connections", PerSecond, rate("osm_tcp_connections_opened_total", by), service),
			{Title: "Data of closed connections", Unit: BytesPerSecond, Exceptional: true, Queries: []Query{
				{Expr: "sum(rate(osm_tcp_request_bytes_total" + m + "[$__rate_interval]))", Legend: "requests"},
				{Expr: "sum(rate(osm_tcp_response_bytes_total" + m + "[$__rate_interval]))", Legend: "responses"},
			}},
		}}, {Title: "Edges", Panels: []Panel{{
			Title: "Who calls whom", Kind: Table, Unit: PerSecond,
			Queries: []Query{{Expr: rate("osm_request_total", "source_namespace, source_name, "+by+", response_code, grpc_status") + " > 0"}},
		}}}},
	}
}

func verdicts() Dashboard {
	const m = `{mesh="$mesh"}`
	const by = "destination_namespace, destination_service"
	return Dashboard{
		File: "osm-policy-verdicts", UID: "OSMPolicyVerdicts", Title: "OSM Policy Verdicts", Folder: DataPlane,
		Description: "What policies allow and deny, as the sidecars of servers count it.",
		Variables:   []Variable{meshVariable},
		Rows: []Row{{Title: "HTTP", Panels: []Panel{
			lines("Verdicts", PerSecond, "sum by (verdict) (rate(osm_inbound_request_total"+m+"[$__rate_interval]))", "{{verdict}}"),
			failures("Denied requests", "", PerSecond, `sum by (`+by+`) (rate(osm_inbound_request_total{mesh="$mesh", verdict="denied"}[$__rate_interval]))`,
				"{{destination_namespace}}/{{destination_service}}"),
			{
				Title: "Denied clients", Kind: Table, Unit: PerSecond, Exceptional: true,
				Queries: []Query{{Expr: `sum by (source_identity, ` + by + `) (rate(osm_inbound_request_total{mesh="$mesh", verdict="denied"}[$__rate_interval])) > 0`}},
			},
		}}, {Title: "TCP", Panels: []Panel{
			failures("Closed connections by verdict", "TCP connections count when they end.", PerSecond,
				"sum by (verdict) (rate(osm_inbound_tcp_connections_closed_total"+m+"[$__rate_interval]))", "{{verdict}}"),
			failures("Connections without any permission", "Their clients cannot send a request.", PerSecond,
				"sum by (source_identity, destination_namespace, destination_name) (rate(osm_inbound_connections_denied_total"+m+"[$__rate_interval]))",
				"{{source_identity}} to {{destination_namespace}}/{{destination_name}}"),
		}}, {Title: "Denials on both sides", Panels: []Panel{
			failures("Denied connections and requests", "As sidecars of clients and of servers report them to the control plane.", PerSecond,
				"sum by (side, reason) (rate(osm_denied_total"+m+"[$__rate_interval]))", "{{reason}}, at the {{side}}"),
			{
				Title: "Denied clients and their destinations", Kind: Table, Unit: PerSecond, Exceptional: true,
				Queries: []Query{{Expr: "sum by (source_namespace, source_account, destination_namespace, destination_service, destination_address, side, reason) " +
					"(rate(osm_denied_total" + m + "[$__rate_interval])) > 0"}},
			},
		}}, {Title: "Policies", Panels: []Panel{
			number("Quarantined policies", Count, "max(osm_policy_quarantined_count"+m+")"),
			failures("Rejected policies", "Sidecars rejected the configuration that results from them.", Count,
				"sum by (kind) (increase(osm_policy_rejected_count"+m+"[$__rate_interval]))", "{{kind}}"),
			failures("Rejected at admission", "", PerSecond,
				`sum by (kind) (rate(osm_admission_webhook_response_total{mesh="$mesh", success="false"}[$__rate_interval]))`, "{{kind}}"),
		}}},
	}
}

func dataPlanePerformance() Dashboard {
	const sidecars = `{namespace="$namespace", pod=~"$pod"}`
	const containers = `{namespace="$namespace", pod=~"$pod", container=~"$container", container!=""`
	fromNodes := func(title string, unit Unit, expr string) Panel {
		return failures(title, "Needs a Prometheus that scrapes cAdvisor of the nodes.", unit, expr, "{{pod}}/{{container}}")
	}
	const cpu, memory = "container_cpu_usage_seconds_total", "container_memory_rss"
	rate := func(matchers string) string {
		return "sum by (pod, container) (rate(" + cpu + matchers + "[$__rate_interval]))"
	}
	return Dashboard{
		File: "osm-data-plane-performance", UID: "OSMDataPlanePerformanceMetrics", Title: "OSM Data Plane Performance Metrics", Folder: DataPlane,
		Description: "CPU and memory of sidecars and applications.",
		Variables: []Variable{
			{Name: "namespace", Label: "namespace", Selector: "envoy_server_live"},
			{Name: "pod", Label: "pod", Selector: `envoy_server_live{namespace="$namespace"}`, All: true},
			{Name: "container", Label: "container", Selector: `container_memory_rss{namespace="$namespace", pod=~"$pod"}`, All: true},
		},
		Rows: []Row{{Title: "Sidecars, as they report it", Panels: []Panel{
			lines("Envoy: memory of the process", Bytes, "max by (pod) (envoy_server_memory_physical_size"+sidecars+")", "{{pod}}"),
			lines("Envoy: allocated memory", Bytes, "max by (pod) (envoy_server_memory_allocated"+sidecars+")", "{{pod}}"),
			lines("Envoy: connections", Count, "max by (pod) (envoy_server_total_connections"+sidecars+")", "{{pod}}"),
			lines("Envoy: workers", Count, "max by (pod) (envoy_server_concurrency"+sidecars+")", "{{pod}}"),
		}}, {Title: "Containers", Panels: []Panel{
			fromNodes("Envoy CPU usage", Cores, rate(`{namespace="$namespace", pod=~"$pod", container=~"envoy|envoy-standby"}`)),
			fromNodes("Envoy RSS usage", Bytes, "sum by (pod, container) ("+memory+`{namespace="$namespace", pod=~"$pod", container=~"envoy|envoy-standby"})`),
			fromNodes("Container CPU usage", Cores, rate(containers+"}")),
			fromNodes("Container RSS usage", Bytes, "sum by (pod, container) ("+memory+containers+"})"),
		}}},
	}
}
