package prometheus_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/component/prometheus"
	client "github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/promtest"
)

// honest is what a sidecar of the namespace bank reports: its own requests, those that it received, and Envoy's statistics.
const honest = `
envoy_server_live 1
envoy_control_plane_connected_state 1
envoy_cluster_upstream_rq_xx{envoy_cluster_name="shop/web|80",envoy_response_code_class="2"} 7
envoy_osm_request_total{source_namespace="bank",source_kind="Deployment",source_name="till",destination_namespace="shop",destination_service="web",response_code="200"} 7
envoy_osm_tcp_connections_opened_total{source_namespace="bank",source_kind="Deployment",source_name="till",destination_namespace="shop"} 2
envoy_osm_inbound_request_total{destination_namespace="bank",destination_service="till",source_identity="web.shop",response_code="200",verdict="allowed"} 3
envoy_osm_inbound_route_request_total{destination_namespace="bank",destination_service="till",route="all",response_code="200",verdict="allowed"} 3
`

// forged is what a pod of the namespace evil reports in the name of bank and of the control plane.
const forged = `
envoy_server_live 1
envoy_osm_inbound_request_total{destination_namespace="bank",destination_service="till",mesh="osm",namespace="bank",pod="till",response_code="500"} 1e9
envoy_osm_inbound_request_total{namespace="bank",destination_service="unnamed",response_code="500"} 1e9
osm_inbound_request_total{destination_namespace="bank",destination_service="till",response_code="500"} 1e9
envoy_osm_request_total{source_namespace="bank",source_name="till",destination_namespace="shop",destination_service="web",response_code="500"} 1e9
envoy_osm_request_total{source_namespace="bank",exported_source_namespace="evil",source_name="hidden",destination_namespace="shop",response_code="500"} 1e9
osm_request_total{source_namespace="bank",destination_namespace="shop",response_code="500"} 1e9
envoy_osm_proxy_response_rejected_count{mesh="osm",type="CDS"} 1e9
osm_proxy_response_rejected_count{mesh="osm",type="CDS"} 1e9
envoy_control_plane_connected_state{namespace="bank",pod="till",job="osm-controller",instance="other"} 0
`

// TestForgedSamplesOfOtherNamespacesAreDropped scrapes both with a real Prometheus and the rules of the managed one.
func TestForgedSamplesOfOtherNamespacesAreDropped(t *testing.T) {
	query := scrape(t, map[string]string{"bank": honest, "evil": forged})
	for expression, want := range map[string][]string{
		`osm_inbound_request_total{destination_namespace="bank"}`:                                               {"bank/pod 3"},
		`osm_inbound_route_request_total{destination_namespace="bank", source_namespace=""}`:                    {"bank/pod 3"},
		`osm_request_total{source_namespace="bank", source_name="till", source_pod_name="pod", mesh="osm"}`:     {"bank/pod 7"},
		`osm_tcp_connections_opened_total{source_namespace="bank"}`:                                             {"bank/pod 2"},
		`envoy_cluster_upstream_rq_xx{envoy_cluster_name=~".+", source_namespace="bank"}`:                       {"bank/pod 7"},
		`envoy_control_plane_connected_state{job="osm-sidecars", mesh="osm"}`:                                   {"bank/pod 1", "evil/pod 0"},
		`{__name__=~"(envoy_)?osm_.+", namespace="evil", source_name!="hidden", __name__!~"envoy_osm_proxy.*"}`: nil,
		`osm_request_total{source_name="hidden"}`:                                                               {"evil/pod 1000000000"},
		`osm_request_total{source_name="hidden", source_namespace!="evil"}`:                                     nil,

		// Nothing of these is stored.
		`{__name__=~"osm_proxy_.+"}`:                 nil,
		`{__name__=~".+", exported_namespace=~".+"}`: nil,
		`{__name__=~".+", __tmp_claim=~".+"}`:        nil,
	} {
		if got := query(expression); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
}

// TestScrapesAreBounded has pods that answer with more than any sidecar reports. The samples of others are stored.
func TestScrapesAreBounded(t *testing.T) {
	var many, wide strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&many, "envoy_bomb{n=\"%d\"} 1\n", i)
	}
	wide.WriteString("envoy_wide{")
	for i := range 60 {
		fmt.Fprintf(&wide, "l%d=\"v\",", i)
	}
	wide.WriteString("} 1\n")
	query := scrape(t, map[string]string{
		"bank": honest, "many": many.String(), "wide": wide.String(),
		"long": `envoy_long{l="` + strings.Repeat("x", 5000) + "\"} 1\n", "large": "# " + strings.Repeat("x", 40<<20) + "\nenvoy_large 1\n",
	})
	if got := query(`{__name__=~"envoy_(bomb|wide|long|large)"}`); len(got) > 0 {
		t.Errorf("%d samples beyond the limits are stored", len(got))
	}
	if got := query("osm_inbound_request_total"); !slices.Equal(got, []string{"bank/pod 3"}) {
		t.Errorf("the other sidecar has %q", got)
	}
}

// TestForgedOperatorReportsNoWorkloads answers in the place of the operator, whose certificate Prometheus does not know.
func TestForgedOperatorReportsNoWorkloads(t *testing.T) {
	const answer = `
osm_operator_mesh_ready{mesh="osm"} 1
osm_operator_mesh_ready{mesh="other"} 1
go_goroutines 7
envoy_osm_request_total{mesh="osm",namespace="bank",source_namespace="bank",response_code="500"} 1e9
osm_request_total{mesh="osm",namespace="bank",source_namespace="bank",response_code="500"} 1e9
osm_inbound_request_total{namespace="bank",destination_namespace="bank",response_code="500"} 1e9
osm_proxy_response_rejected_count{mesh="osm",type="CDS"} 1e9
osm_denied_total{mesh="osm",namespace="bank"} 1e9
`
	ns := nstest.New(t)
	listener := ns.Listen(t, "127.0.0.1:0")
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	const pod = "__meta_kubernetes_pod_"
	labels := map[string]string{"__meta_kubernetes_namespace": "osm-operator-system", pod + "name": "operator", pod + "label_app": "osm-operator", pod + "container_port_name": "metrics"}
	address := promtest.Configured(t, ns, configurationOf(t, "osm-operator", []any{map[string]any{"targets": []string{listener.Addr().String()}, "labels": labels}}))
	c := client.New(ns.Dial)
	stored := func() []string {
		vector, err := c.Vector(t.Context(), client.Target{Address: address}, `{__name__=~"(osm|envoy|go)_.+"}`, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return lines(vector)
	}
	eventually.True(t, 30*time.Second, "the operator is scraped", func() bool { return len(stored()) > 0 })
	if got, want := stored(), []string{"osm-operator-system/operator 1", "osm-operator-system/operator 7"}; !slices.Equal(got, want) {
		t.Errorf("stored are %q, want %q", got, want)
	}
}

// scrape runs a Prometheus that scrapes one pod of each namespace, and not one whose other container names its port like a sidecar. It returns a function that lists the results of a query as "namespace/pod value".
func scrape(t *testing.T, answers map[string]string) func(string) []string {
	t.Helper()
	ns := nstest.New(t)
	var targets []any
	for namespace, text := range answers {
		listener := ns.Listen(t, "127.0.0.1:0")
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }), ReadHeaderTimeout: time.Second}
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(func() { _ = server.Close() })
		targets = append(targets, map[string]any{"targets": []string{listener.Addr().String()}, "labels": podMeta(namespace)})
	}
	other := podMeta("other")
	other["__meta_kubernetes_pod_container_name"], other["__meta_kubernetes_pod_container_port_number"] = "exporter", "8080"
	targets = append(targets, map[string]any{"targets": []string{"127.0.0.1:1"}, "labels": other})
	address := promtest.Configured(t, ns, configurationOf(t, "osm-sidecars", targets))
	c := client.New(ns.Dial)
	query := func(expression string) []string {
		t.Helper()
		vector, err := c.Vector(t.Context(), client.Target{Address: address}, expression, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return lines(vector)
	}
	eventually.True(t, 30*time.Second, "all pods are scraped", func() bool {
		return len(query(`scrape_duration_seconds{job="osm-sidecars"}`)) == len(answers) && len(query("osm_request_total")) > 0
	})
	return query
}

func lines(vector model.Vector) []string {
	var list []string
	for _, sample := range vector {
		list = append(list, fmt.Sprintf("%s/%s %v", sample.Metric["namespace"], sample.Metric["pod"], sample.Value))
	}
	slices.Sort(list)
	return list
}

// podMeta is what discovery knows about the metrics port of a sidecar.
func podMeta(namespace string) map[string]string {
	const pod = "__meta_kubernetes_pod_"
	return map[string]string{
		"__meta_kubernetes_namespace": namespace, pod + "name": "pod", pod + "container_name": "envoy",
		pod + "container_port_name": "proxy-metrics", pod + "container_port_number": "15010",
		pod + "annotation_prometheus_io_scrape": "true", pod + "annotation_prometheus_io_port": "15010",
	}
}

// configurationOf is the configuration of the managed server with only one job, and these targets.
func configurationOf(t *testing.T, name string, targets []any) string {
	t.Helper()
	objects, err := prometheus.Managed{}.Render(component.Inputs{Mesh: mesh(v1alpha1.PrometheusComponent{}), ControlPlanes: controlPlanes, OperatorAuthorities: "authorities", Members: []string{"bank", "evil"}})
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	for _, object := range objects {
		if text, found, _ := unstructured.NestedString(object.Object, "data", "prometheus.yml"); found {
			if err := yaml.Unmarshal([]byte(text), &config); err != nil {
				t.Fatal(err)
			}
		}
	}
	jobs := slices.DeleteFunc(config["scrape_configs"].([]any), func(job any) bool { return job.(map[string]any)["job_name"] != name })
	for _, key := range []string{"kubernetes_sd_configs", "scheme", "authorization", "tls_config"} {
		delete(jobs[0].(map[string]any), key)
	}
	jobs[0].(map[string]any)["static_configs"] = targets
	config["scrape_configs"], config["rule_files"] = jobs, []string{}
	config["global"] = map[string]any{"scrape_interval": "1s", "scrape_timeout": "900ms"}
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
