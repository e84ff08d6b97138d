package rules_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus/rules"
	"github.com/openservicemesh/osm-operator/internal/testing/promtest"
)

// series are the samples of series, one a minute.
type series map[string]string

// alertCase is a state of the mesh "osm" and the alert that it causes at a time.
type alertCase struct {
	alert  string
	name   string
	series series
	at     string
	fires  bool
}

var alertCases = []alertCase{
	{"OSMControlPlaneDown", "no controller answers", series{`up{job="osm-controller", mesh="osm"}`: "0x20"}, "10m", true},
	{"OSMControlPlaneDown", "one of two answers", series{
		`up{job="osm-controller", mesh="osm", pod="a"}`: "0x20", `up{job="osm-controller", mesh="osm", pod="b"}`: "1x20",
	}, "10m", false},
	{"OSMControlPlaneDown", "only that of another mesh answers", series{`up{job="osm-controller", mesh="other"}`: "1x20"}, "10m", true},
	{"OSMInjectorDown", "no injector answers", series{`up{job="osm-injector", mesh="osm"}`: "0x20", `up{job="osm-controller", mesh="osm"}`: "1x20"}, "10m", true},
	{"OSMInjectorDown", "one of two answers", series{
		`up{job="osm-injector", mesh="osm", pod="a"}`: "0x20", `up{job="osm-injector", mesh="osm", pod="b"}`: "1x20",
	}, "10m", false},
	{"OSMOperatorDown", "it was stopped", series{`osm_operator_mesh_ready{mesh="osm"}`: "1x5 _x40"}, "40m", true},
	{"OSMOperatorDown", "another one answers", series{`osm_operator_mesh_ready{mesh="other"}`: "1x40"}, "40m", true},
	{"OSMOperatorDown", "its leader changes", series{`osm_operator_mesh_ready{mesh="osm"}`: "1x5 _x3 1x40"}, "40m", false},
	{"OSMMeshNotReady", "idle and not ready", series{
		`osm_operator_mesh_ready{mesh="osm"}`: "0x40", `osm_operator_mesh_phase_start_timestamp_seconds{mesh="osm", phase="Idle"}`: "0x40",
	}, "30m", true},
	{"OSMMeshNotReady", "an upgrade", series{
		`osm_operator_mesh_ready{mesh="osm"}`: "0x40", `osm_operator_mesh_phase_start_timestamp_seconds{mesh="osm", phase="Workloads"}`: "0x40",
	}, "30m", false},
	{"OSMGatewayDown", "no pod of the ingress gateway", series{`osm_operator_component_ready{mesh="osm", component="ingress-gateway"}`: "0x20"}, "10m", true},
	{"OSMGatewayDown", "another component", series{`osm_operator_component_ready{mesh="osm", component="jaeger"}`: "0x20"}, "10m", false},
	{"OSMComponentsNotReady", "a component", series{`osm_operator_component_ready{mesh="osm", component="jaeger"}`: "0x40"}, "30m", true},
	{"OSMComponentsNotReady", "it starts", series{`osm_operator_component_ready{mesh="osm", component="jaeger"}`: "0x5 1x40"}, "30m", false},
	{"OSMComponentsNotReady", "a gateway", series{`osm_operator_component_ready{mesh="osm", component="egress-gateway"}`: "0x40"}, "30m", false},
	{"OSMRotationBlocked", "for more than a day", series{`osm_operator_rotation_blockers{mesh="osm"}`: "1x1500"}, "1450m", true},
	{"OSMRotationBlocked", "it continues every hour", series{`osm_operator_rotation_blockers{mesh="osm"}`: "1x60 0x5 1x1400"}, "1450m", false},
	{"OSMSidecarsDisconnected", "one of two is disconnected", series{
		`envoy_control_plane_connected_state{mesh="osm", pod="a"}`: "0x20", `envoy_control_plane_connected_state{mesh="osm", pod="b"}`: "1x20",
	}, "15m", true},
	{"OSMSidecarsDisconnected", "it reconnects", series{`envoy_control_plane_connected_state{mesh="osm"}`: "0x5 1x20"}, "15m", false},
	{"OSMConfigurationRejected", "a rejection", series{`osm_proxy_response_rejected_count{mesh="osm", type="RDS"}`: "0x5 1x20"}, "8m", true},
	{"OSMConfigurationRejected", "an old rejection", series{`osm_proxy_response_rejected_count{mesh="osm", type="RDS"}`: "1x30"}, "20m", false},
	{"OSMPoliciesQuarantined", "one for ten minutes", series{`osm_policy_quarantined_count{mesh="osm"}`: "1x20"}, "10m", true},
	{"OSMPoliciesQuarantined", "one for two minutes", series{`osm_policy_quarantined_count{mesh="osm"}`: "1x2 0x20"}, "10m", false},
	{"OSMWorkloadCertificateExpiring", "five minutes left", series{`osm_cert_expiration_timestamp_seconds{mesh="osm", certificate="workload"}`: "1200x20"}, "17m", true},
	{"OSMWorkloadCertificateExpiring", "an hour left", series{`osm_cert_expiration_timestamp_seconds{mesh="osm", certificate="workload"}`: "4500x20"}, "15m", false},
	{"OSMRootCertificateExpiring", "a root with 20 days left", series{`osm_operator_certificate_expiration_timestamp_seconds{mesh="osm", certificate="root"}`: "1728000x90"}, "80m", true},
	{"OSMRootCertificateExpiring", "an issuer with 20 days left", series{`osm_operator_certificate_expiration_timestamp_seconds{mesh="osm", certificate="issuer"}`: "1728000x90"}, "80m", false},
	{"OSMRootCertificateExpiring", "an issuer with 2 days left", series{`osm_operator_certificate_expiration_timestamp_seconds{mesh="osm", certificate="issuer"}`: "172800x90"}, "80m", true},
	{"OSMRootCertificateExpiring", "a root that only the control plane reports", series{`osm_cert_expiration_timestamp_seconds{mesh="osm", certificate="root"}`: "1728000x90"}, "80m", true},
	{"OSMRootCertificateExpiring", "a webhook with 2 days left that no operator reports", series{`osm_webhook_cert_expiration_timestamp_seconds{mesh="osm"}`: "172800x90"}, "80m", true},
	{"OSMRootCertificateExpiring", "a webhook with 20 days left", series{`osm_webhook_cert_expiration_timestamp_seconds{mesh="osm"}`: "1728000x90"}, "80m", false},
	{"OSMPushLatencyHigh", "changes take 30 seconds", series{
		`osm_change_seconds_bucket{mesh="osm", le="10"}`: "0x40", `osm_change_seconds_bucket{mesh="osm", le="40"}`: "0+6x40", `osm_change_seconds_bucket{mesh="osm", le="+Inf"}`: "0+6x40",
	}, "30m", true},
	{"OSMPushLatencyHigh", "changes take a second", series{
		`osm_change_seconds_bucket{mesh="osm", le="1"}`: "0+6x40", `osm_change_seconds_bucket{mesh="osm", le="+Inf"}`: "0+6x40",
	}, "30m", false},
	{"OSMPushLatencyHigh", "no changes", series{`osm_change_seconds_bucket{mesh="osm", le="+Inf"}`: "6x40"}, "30m", false},
	{"OSMInjectionFailing", "pods are rejected", series{`osm_admission_webhook_response_total{mesh="osm", kind="Pod", success="false"}`: "0+1x20"}, "15m", true},
	{"OSMInjectionFailing", "a policy is rejected", series{`osm_admission_webhook_response_total{mesh="osm", kind="Retry", success="false"}`: "0+1x20"}, "15m", false},
	{"OSMServiceErrorRateHigh", "a tenth of the requests fails", series{
		`osm_request_total{mesh="osm", destination_namespace="shop", destination_service="cart", response_code="200"}`: "0+540x30",
		`osm_request_total{mesh="osm", destination_namespace="shop", destination_service="cart", response_code="503"}`: "0+60x30",
	}, "20m", true},
	{"OSMServiceErrorRateHigh", "a tenth of the calls of gRPC fails", series{
		`osm_request_total{mesh="osm", destination_namespace="shop", destination_service="cart", response_code="200", grpc_status="0"}`:  "0+540x30",
		`osm_request_total{mesh="osm", destination_namespace="shop", destination_service="cart", response_code="200", grpc_status="14"}`: "0+60x30",
	}, "20m", true},
	{"OSMServiceErrorRateHigh", "calls of gRPC are denied", series{
		`osm_request_total{mesh="osm", destination_namespace="shop", destination_service="cart", response_code="200", grpc_status="7"}`: "0+60x30",
	}, "20m", false},
	{"OSMServiceErrorRateHigh", "requests are denied", series{
		`osm_request_total{mesh="osm", destination_namespace="shop", destination_service="cart", response_code="403"}`: "0+60x30",
	}, "20m", false},
	{"OSMServiceErrorRateHigh", "few requests", series{
		`osm_request_total{mesh="osm", destination_namespace="shop", destination_service="cart", response_code="503"}`: "0+1x30",
	}, "20m", false},
	{"OSMSeriesDropped", "a sidecar loses counts", series{
		`envoy_server_stats_overflow_counter{mesh="osm", namespace="shop", pod="cart"}`:   "0x5 0+3x30",
		`envoy_server_stats_overflow_histogram{mesh="osm", namespace="shop", pod="cart"}`: "0x35",
	}, "25m", true},
	{"OSMSeriesDropped", "it loses durations only", series{
		`envoy_server_stats_overflow_counter{mesh="osm", namespace="shop", pod="cart"}`:   "0x35",
		`envoy_server_stats_overflow_histogram{mesh="osm", namespace="shop", pod="cart"}`: "0x5 0+3x30",
	}, "25m", true},
	{"OSMSeriesDropped", "it lost some an hour ago", series{`envoy_server_stats_overflow_counter{mesh="osm", namespace="shop", pod="cart"}`: "7x90"}, "60m", false},
	{"OSMSeriesDropped", "one of another mesh loses counts", series{`envoy_server_stats_overflow_counter{mesh="other", namespace="shop", pod="cart"}`: "0+3x40"}, "25m", false},
	{"OSMControlPlaneSaturated", "changes wait", series{`osm_events_queued{mesh="osm"}`: "5000x30"}, "20m", true},
	{"OSMControlPlaneSaturated", "sidecars are rejected", series{`osm_proxy_rejected_count{mesh="osm", reason="full"}`: "0+5x30"}, "25m", true},
	{"OSMControlPlaneSaturated", "tokens are rejected", series{`osm_proxy_rejected_count{mesh="osm", reason="token"}`: "0+5x30"}, "25m", false},
	{"OSMWatchStale", "nothing for ten minutes", series{`osm_watch_age_seconds{mesh="osm", resource="pods"}`: "600x20"}, "10m", true},
	{"OSMWatchStale", "a bookmark a minute ago", series{`osm_watch_age_seconds{mesh="osm", resource="pods"}`: "60x20"}, "10m", false},
	{"OSMRolloutHalted", "a gate has failed", series{`osm_operator_gate_state{mesh="osm", gate="ErrorRate", state="failed"}`: "1x20"}, "10m", true},
	{"OSMRolloutHalted", "a phase for two hours", series{`osm_operator_mesh_phase_start_timestamp_seconds{mesh="osm", phase="Canary"}`: "0x150"}, "120m", true},
	{"OSMRolloutHalted", "workloads without progress", series{
		`osm_operator_mesh_phase_start_timestamp_seconds{mesh="osm", phase="Workloads"}`: "0x150", `osm_operator_proxies_outdated{mesh="osm"}`: "900x150",
	}, "120m", true},
	{"OSMRolloutHalted", "workloads one after the other", series{
		`osm_operator_mesh_phase_start_timestamp_seconds{mesh="osm", phase="Workloads"}`: "0x150", `osm_operator_proxies_outdated{mesh="osm"}`: "900-1x150",
	}, "120m", false},
	{"OSMSidecarsOutdated", "for eight days", series{
		`osm_operator_proxies_outdated{mesh="osm"}`: "3x90", `osm_operator_mesh_phase_start_timestamp_seconds{mesh="osm", phase="Idle"}`: "-691200x90",
	}, "80m", true},
	{"OSMSidecarsOutdated", "for two days", series{
		`osm_operator_proxies_outdated{mesh="osm"}`: "3x90", `osm_operator_mesh_phase_start_timestamp_seconds{mesh="osm", phase="Idle"}`: "-172800x90",
	}, "80m", false},
	{"OSMSidecarsOutdated", "none", series{
		`osm_operator_proxies_outdated{mesh="osm"}`: "0x90", `osm_operator_mesh_phase_start_timestamp_seconds{mesh="osm", phase="Idle"}`: "-691200x90",
	}, "80m", false},
	{"OSMSlotsFailing", "one for a quarter of an hour", series{`osm_operator_slots_failing{mesh="osm"}`: "1x20"}, "15m", true},
	{"OSMSlotsFailing", "one that is taken back", series{`osm_operator_slots_failing{mesh="osm"}`: "1x2 0x20"}, "15m", false},
	{"OSMPeerDisconnected", "one of two replicas", series{
		`osm_peer_connected{mesh="osm", peer="east", pod="a"}`: "0x20", `osm_peer_connected{mesh="osm", peer="east", pod="b"}`: "1x20",
	}, "15m", true},
	{"OSMPeerDisconnected", "it reconnects", series{`osm_peer_connected{mesh="osm", peer="east"}`: "0x5 1x20"}, "15m", false},
	{"OSMPeerTrustExpiring", "two days left", series{`osm_peer_undeclared_roots_expiration_timestamp_seconds{mesh="osm", peer="east"}`: "172800x90"}, "80m", true},
	{"OSMPeerTrustExpiring", "twenty days left", series{`osm_peer_undeclared_roots_expiration_timestamp_seconds{mesh="osm", peer="east"}`: "1728000x90"}, "80m", false},
	{"OSMPeerRecordsRejected", "for a quarter of an hour", series{`osm_peer_rejected_records{mesh="osm", peer="east"}`: "2x20"}, "15m", true},
	{"OSMPeerRecordsRejected", "for two minutes", series{`osm_peer_rejected_records{mesh="osm", peer="east"}`: "2x2 0x20"}, "15m", false},
	{"OSMOperatorStuck", "for an hour", series{`osm_operator_last_reconciliation_timestamp_seconds{mesh="osm"}`: "0x70"}, "60m", true},
	{"OSMOperatorStuck", "each minute", series{`osm_operator_last_reconciliation_timestamp_seconds{mesh="osm"}`: "0+60x70"}, "60m", false},
	{"OSMRolloutHalted", "paused for two hours", series{`osm_operator_mesh_phase_start_timestamp_seconds{mesh="osm", phase="Paused"}`: "0x150"}, "120m", false},
}

// expression is a query with its expected result.
type expression struct {
	Expr       string   `json:"expr"`
	EvalTime   string   `json:"eval_time"`
	ExpSamples []sample `json:"exp_samples"`
}

type sample struct {
	Labels string  `json:"labels"`
	Value  float64 `json:"value"`
}

type input struct {
	Series string `json:"series"`
	Values string `json:"values"`
}

type group struct {
	Name        string       `json:"name"`
	Interval    string       `json:"interval"`
	InputSeries []input      `json:"input_series"`
	Expressions []expression `json:"promql_expr_test"`
}

// TestRules evaluates every alert in states in which it fires and in which it does not, and the recording rules.
func TestRules(t *testing.T) {
	var groups []group
	tested := map[string]map[bool]bool{}
	for _, c := range alertCases {
		if tested[c.alert] == nil {
			tested[c.alert] = map[bool]bool{}
		}
		tested[c.alert][c.fires] = true
		firing := expression{Expr: `count(ALERTS{alertname="` + c.alert + `", alertstate="firing", mesh="osm"})`, EvalTime: c.at}
		if c.fires {
			firing.ExpSamples = []sample{{"{}", 1}}
		}
		groups = append(groups, newGroup(c.alert+": "+c.name, c.series, firing))
	}
	file := rulesOf(t)
	for _, g := range file.Groups {
		for _, rule := range g.Rules {
			if rule.Alert != "" && (!tested[rule.Alert][true] || !tested[rule.Alert][false]) {
				t.Errorf("%s is not tested both ways", rule.Alert)
			}
		}
	}
	cart := `{mesh="osm", destination_namespace="shop", destination_service="cart"}`
	groups = append(groups, newGroup("recording rules", series{
		`osm_request_total{mesh="osm", destination_namespace="shop", destination_service="cart", source_name="a", response_code="200"}`: "0+45x30",
		`osm_request_total{mesh="osm", destination_namespace="shop", destination_service="cart", source_name="b", response_code="500"}`: "0+15x30",
	}, expression{`osm:service_requests:rate5m`, "20m", []sample{{"osm:service_requests:rate5m" + cart, 1}}},
		expression{`osm:service_errors:ratio_rate5m`, "20m", []sample{{"osm:service_errors:ratio_rate5m" + cart, 0.25}}}),
		newGroup("a service without failures", series{
			`osm_request_total{mesh="osm", destination_namespace="shop", destination_service="cart", response_code="200"}`: "0+60x30",
		}, expression{`osm:service_errors:ratio_rate5m`, "20m", []sample{{"osm:service_errors:ratio_rate5m" + cart, 0}}}))
	runPromtool(t, file, groups)
}

func newGroup(name string, inputs series, expressions ...expression) group {
	g := group{Name: name, Interval: "1m", Expressions: expressions}
	for key, values := range inputs {
		g.InputSeries = append(g.InputSeries, input{key, values})
	}
	return g
}

func runPromtool(t *testing.T, file rules.File, groups []group) {
	t.Helper()
	server := os.Getenv(promtest.BinaryVariable)
	if server == "" {
		t.Fatalf("%s is not set: this test runs promtool, which is in the folder of the Prometheus binary", promtest.BinaryVariable)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), file)
	tests := filepath.Join(dir, "tests.yaml")
	write(t, tests, map[string]any{"rule_files": []string{"rules.yaml"}, "evaluation_interval": "1m", "tests": groups})
	promtool := filepath.Join(filepath.Dir(server), "promtool")
	if out, err := exec.Command(promtool, "test", "rules", tests).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func write(t *testing.T, path string, content any) {
	t.Helper()
	text, err := yaml.Marshal(content)
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func rulesOf(t *testing.T) rules.File {
	t.Helper()
	file, err := rules.ForMesh("osm")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestEveryAlertHasARunbook reads the page of each alert.
func TestEveryAlertHasARunbook(t *testing.T) {
	pages, err := filepath.Glob("../../../../../docs/runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	unused := map[string]bool{}
	for _, page := range pages {
		unused[filepath.Base(page)] = filepath.Base(page) != "README.md"
	}
	for _, g := range rulesOf(t).Groups {
		for _, rule := range g.Rules {
			if rule.Alert == "" {
				continue
			}
			page := rules.Runbook(rule.Alert)
			text, err := os.ReadFile(filepath.Join("../../../../../docs/runbooks", page))
			if err != nil {
				t.Errorf("%s has no runbook: %v", rule.Alert, err)
			}
			for _, heading := range []string{"# " + rule.Alert, "## Meaning", "## Diagnosis", "## Solution"} {
				if !strings.Contains(string(text), heading+"\n") {
					t.Errorf("%s lacks %q", page, heading)
				}
			}
			if !strings.HasSuffix(rule.Annotations["runbook_url"], "/docs/runbooks/"+page) {
				t.Errorf("%s has the runbook %s", rule.Alert, rule.Annotations["runbook_url"])
			}
			unused[page] = false
		}
	}
	for page, isUnused := range unused {
		if isUnused {
			t.Errorf("docs/runbooks/%s belongs to no alert", page)
		}
	}
}
