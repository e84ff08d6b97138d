package dashboards

import "github.com/openservicemesh/osm-operator/internal/platform/prometheus"

// meshVariable is the first variable of dashboards about a whole mesh.
var meshVariable = Variable{Name: "mesh", Label: "mesh", Selector: "osm_version_info"}

// operatorMesh is meshVariable for the metrics of the operator.
var operatorMesh = Variable{Name: "mesh", Label: "mesh", Selector: "osm_operator_mesh_info"}

func meshAndEnvoyDetails() Dashboard {
	const processes = `{instance=~"$osm_controller_instance|$osm_injector_instance"}`
	const controllers, injectors = `{instance=~"$osm_controller_instance"}`, `{instance=~"$osm_injector_instance"}`
	const injection = `{instance=~"$osm_injector_instance", path="/mutate-pod-creation"}`
	const xds = `{instance=~"$osm_controller_instance", resource_type=~"$xds_path"}`
	return Dashboard{
		File: "osm-mesh-envoy-details", UID: "OSMMeshAndEnvoyDetails", Title: "OSM Mesh and Envoy Details", Folder: ControlPlane,
		Description: "The controller and the injector, and what they send to sidecars.",
		Variables: []Variable{
			{Name: "osm_controller_instance", Label: "instance", Selector: "osm_proxy_connect_count", All: true},
			{Name: "osm_injector_instance", Label: "instance", Selector: `osm_admission_webhook_response_total{kind="Pod"}`, All: true},
			{Name: "xds_path", Label: "resource_type", Selector: "osm_proxy_config_update_time_count", All: true},
		},
		Rows: []Row{{Title: "Mesh", Panels: []Panel{
			number("Monitored namespaces", Count, "max(osm_resource_namespace_count"+controllers+")"),
			number("Connected proxies", Count, "sum(osm_proxy_connect_count"+controllers+")"),
			lines("CPU", Cores, "sum by (instance) (rate(process_cpu_seconds_total"+processes+"[$__rate_interval]))", "{{instance}}"),
			lines("Memory (RSS)", Bytes, "process_resident_memory_bytes"+processes, "{{instance}}"),
		}}, {Title: "Injector", Panels: []Panel{
			buckets("Sidecar injector timings", Seconds, "osm_http_response_duration", injection),
			quantiles("Sidecar injector timings by quantile", "", "osm_http_response_duration", injection, ""),
			lines("Injector webhooks", PerSecond, "sum by (success) (rate(osm_admission_webhook_response_total"+
				injectors[:len(injectors)-1]+`, kind="Pod"}[$__rate_interval]))`, "success={{success}}"),
		}}, {Title: "Certificates", Panels: []Panel{
			buckets("Certificate issue timings", Seconds, "osm_cert_issued_time", controllers),
			quantiles("Certificate issue timings by quantile", "", "osm_cert_issued_time", controllers, ""),
		}}, {Title: "xDS", Panels: []Panel{
			quantiles("xDS path timings", "From a change to the acknowledgement of a sidecar.", "osm_proxy_config_update_time", xds, "resource_type"),
			lines("xDS updates", PerSecond, "sum by (type) (rate(osm_proxy_response_send_success_count"+controllers+"[$__rate_interval]))", "{{type}}"),
		}}, {Title: "Errors", Panels: []Panel{
			{Title: "Increase of errors", Unit: PerSecond, Exceptional: true, Queries: errorQueries(`{instance=~"$osm_controller_instance|$osm_injector_instance"`)},
			failures("Controller: rejected configuration", "Resources that sidecars rejected (NACK).", PerSecond,
				"sum by (type) (rate(osm_proxy_response_rejected_count"+controllers+"[$__rate_interval]))", "{{type}}"),
			failures("Injector: rejected pods", "", PerSecond,
				`sum(rate(osm_admission_webhook_response_total{instance=~"$osm_injector_instance", kind="Pod", success="false"}[$__rate_interval]))`, "rejected"),
		}}},
	}
}

// errorQueries count errors of all kinds. OSM has one metric with error codes instead.
func errorQueries(matchers string) []Query {
	rate := func(metric, more, legend string) Query {
		return Query{Expr: "sum(rate(" + metric + matchers + more + "}[$__rate_interval]))", Legend: legend}
	}
	return []Query{
		rate("osm_proxy_response_rejected_count", "", "rejected configuration"),
		rate("osm_proxy_response_send_error_count", "", "failed sends"),
		rate("osm_cert_issue_error_count", "", "failed certificates"),
		rate("osm_http_response_total", `, code=~"5.."`, "failed HTTP requests"),
	}
}

func pushPath() Dashboard {
	const m = `{mesh="$mesh"}`
	rate := func(metric, by string) string {
		return "sum by (" + by + ") (rate(" + metric + m + "[$__rate_interval]))"
	}
	return Dashboard{
		File: "osm-push-path", UID: "OSMPushPath", Title: "OSM Push Path", Folder: ControlPlane,
		Description: "The way of a change from the API server to the last acknowledgement of a sidecar.",
		Variables:   []Variable{meshVariable},
		Rows: []Row{{Title: "Latency", Panels: []Panel{
			quantiles("Change to last acknowledgement", "", "osm_change_seconds", m, ""),
			quantiles("Stages of a change", "", "osm_change_stage_seconds", m, "stage"),
			quantiles("Change to acknowledgement of each sidecar", "", "osm_proxy_config_update_time", m, "resource_type"),
			buckets("Changes", Seconds, "osm_change_seconds", m),
		}}, {Title: "Load", Panels: []Panel{
			lines("Watch events", PerSecond, rate("osm_k8s_api_event_count", "type"), "{{type}}"),
			lines("Changes that affect sidecars", PerSecond, "sum(rate(osm_proxy_broadcast_event_count"+m+"[$__rate_interval]))", "changes"),
			lines("Waiting changes", Count, "max by (pod) (osm_events_queued"+m+")", "{{pod}}"),
			lines("Age of watches", Seconds, "max by (resource) (osm_watch_age_seconds"+m+")", "{{resource}}"),
		}}, {Title: "Sidecars", Panels: []Panel{
			lines("Connected sidecars", Count, "sum by (pod) (osm_proxy_connect_count"+m+")", "{{pod}}"),
			lines("Reconnects", PerSecond, "sum(rate(osm_proxy_reconnect_count"+m+"[$__rate_interval]))", "reconnects"),
			lines("Responses", PerSecond, rate("osm_proxy_response_send_success_count", "type"), "{{type}}"),
			lines("Requests", PerSecond, rate("osm_proxy_xds_request_count", "type"), "{{type}}"),
			lines("Sent configuration", BytesPerSecond, rate("osm_proxy_response_bytes_total", "type"), "{{type}}"),
			failures("Rejected configuration", "Each is a resource that a sidecar does not use. Its policy is quarantined.", PerSecond, rate("osm_proxy_response_rejected_count", "type"), "{{type}}"),
			failures("Rejected streams", "", PerSecond, rate("osm_proxy_rejected_count", "reason"), "{{reason}}"),
		}}, {Title: "Processes", Panels: []Panel{
			lines("CPU", Cores, "sum by (pod) (rate(process_cpu_seconds_total"+m+"[$__rate_interval]))", "{{pod}}"),
			lines("Memory (RSS)", Bytes, "sum by (pod) (process_resident_memory_bytes"+m+")", "{{pod}}"),
			lines("Goroutines", Count, "sum by (pod) (go_goroutines"+m+")", "{{pod}}"),
		}}},
	}
}

func rollout() Dashboard {
	const m = `{mesh="$mesh"}`
	return Dashboard{
		File: "osm-rollout", UID: "OSMRollout", Title: "OSM Rollout", Folder: ControlPlane,
		Description: "Upgrades and rollbacks of the mesh. The metrics are those of the operator.",
		Variables:   []Variable{operatorMesh},
		Rows: []Row{{Title: "Now", Panels: []Panel{
			{Title: "Version", Kind: Table, Queries: []Query{{Expr: "osm_operator_mesh_info" + m}}},
			number("Ready", Count, "max(osm_operator_mesh_ready"+m+")"),
			{Title: "Time in phase", Kind: Table, Unit: Seconds, Queries: []Query{{Expr: "time() - max by (phase) (osm_operator_mesh_phase_start_timestamp_seconds" + m + ")"}}},
			{
				Title: "Gates", Description: "The state of each gate of the last upgrade.", Kind: Table, Exceptional: true,
				Queries: []Query{{Expr: "max by (gate, state) (osm_operator_gate_state" + m + ") == 1"}},
			},
		}}, {Title: "Sidecars", Panels: []Panel{
			lines("Sidecars by revision", Count, "max by (revision) (osm_operator_proxies"+m+")", "{{revision}}"),
			{Title: "Outdated and ready sidecars", Queries: []Query{
				{Expr: "max(osm_operator_proxies_outdated" + m + ")", Legend: "outdated"}, {Expr: "max(osm_operator_proxies_ready" + m + ")", Legend: "ready"},
			}},
			{Title: "Restarted workloads and changed slots", Unit: Count, Exceptional: true, Queries: []Query{
				{Expr: "sum(increase(osm_operator_workload_restarts_total" + m + "[$__rate_interval]))", Legend: "workloads"},
				{Expr: "sum(increase(osm_operator_slot_changes_total" + m + "[$__rate_interval]))", Legend: "slots"},
			}},
			lines("Connected sidecars", Count, "sum by (pod) (osm_proxy_connect_count"+m+")", "{{pod}}"),
		}}, {Title: "History", Panels: []Panel{
			lines("Upgrades", Count, "max by (result) (osm_operator_history_entries"+m+")", "{{result}}"),
			failures("Reverted changes", "Objects of the mesh that were changed or deleted outside the operator.", Count,
				"sum by (kind) (increase(osm_operator_drift_repairs_total"+m+"[$__rate_interval]))", "{{kind}}"),
			failures("Rollbacks", "", Count, "sum(increase(osm_operator_rollbacks_total"+m+"[$__range])) > 0", "rollbacks"),
		}}, {Title: "Traffic meanwhile", Panels: []Panel{
			lines("Failed requests", Ratio, "(sum("+prometheus.Failed(requestRate)+") or vector(0)) / sum(rate(osm_request_total"+m+"[$__rate_interval]))",
				"failed requests"),
		}}},
	}
}

func certificates() Dashboard {
	const m = `{mesh="$mesh"}`
	return Dashboard{
		File: "osm-certificates", UID: "OSMCertificates", Title: "OSM Certificates", Folder: ControlPlane,
		Description: "Time until certificates expire, and how they are issued.",
		Variables:   []Variable{meshVariable},
		Rows: []Row{{Title: "Expiry", Panels: []Panel{
			lines("Time left: controller", Seconds, "min by (certificate) (osm_cert_expiration_timestamp_seconds"+m+") - time()", "{{certificate}}"),
			lines("Time left: operator", Seconds, "min by (certificate) (osm_operator_certificate_expiration_timestamp_seconds"+m+") - time()", "{{certificate}}"),
			lines("Blockers of a rotation", Count, "max(osm_operator_rotation_blockers"+m+")", "blockers"),
		}}, {Title: "Issuance", Panels: []Panel{
			lines("Issued certificates", PerSecond, "sum by (pod) (rate(osm_cert_issued_count"+m+"[$__rate_interval]))", "{{pod}}"),
			quantiles("Time to issue", "", "osm_cert_issued_time", m, ""),
			failures("Failed attempts", "While the issuer is away, workloads keep their certificates until they expire.", PerSecond,
				"sum by (pod) (rate(osm_cert_issue_error_count"+m+"[$__rate_interval]))", "{{pod}}"),
		}}},
	}
}
