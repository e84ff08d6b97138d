package ingest

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// FuzzPolicies reads any JSON document as every OSM policy kind: nothing panics, results are deterministic, and
// accepted settings are valid for sidecars.
func FuzzPolicies(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"spec":null}`, `{"spec":{"source":5,"destinations":{},"retryPolicy":[]}}`,
		`{"metadata":{"namespace":"a","name":"b"},"spec":{"source":{"kind":"ServiceAccount","name":"x","namespace":"a"},"destinations":[{"kind":"Service","name":"y","namespace":"b"}],"retryPolicy":{"retryOn":"5xx, reset","perTryTimeout":"1s","numRetries":3,"retryBackoffBaseInterval":"25ms"}}}`,
		`{"metadata":{"namespace":"a","labels":{"app":"x"}},"spec":{"host":"x.a.svc.cluster.local","connectionSettings":{"tcp":{"maxConnections":4294967296,"connectTimeout":"-1s"},"http":{"maxRequests":1e300}},"maxConnections":-1}}`,
		`{"metadata":{"namespace":"a"},"spec":{"host":"x.a","rateLimit":{"global":{},"local":{"tcp":{"connections":4294967295,"unit":"hour","burst":1},"http":{"requests":1,"unit":"second","responseStatusCode":418,"responseHeadersToAdd":[{"name":":path","value":"%"},{"name":"A","value":"b"}]}}}}}`,
		`{"metadata":{"namespace":"a"},"spec":{"host":"x.a","httpRoutes":[{"path":"/","rateLimit":{"local":{"requests":1,"unit":"day"}}},{"path":"/"}],"outlierDetection":{"interval":"9999999h"},"healthCheck":{}}}`,
		`{"metadata":{"namespace":"a"},"spec":{"backends":[{"name":"x","port":{"number":80,"protocol":"https"},"tls":{"sniHosts":["a"]}}],"sources":[{"kind":"IPRange","name":"::/0"},{"kind":"AuthenticatedPrincipal","name":"b"}],"matches":[{"kind":"HTTPRouteGroup","name":"c"}]}}`,
		`{"metadata":{"namespace":"a"},"spec":{"selector":{"app":"x","-":"y"},"accessLog":{"format":"%REQ(:PATH):10% %% %CEL(response.code)%","filter":"response.code >= 400","openTelemetry":{"extensionService":{"namespace":"a","name":"b"},"attributes":{"c":"%PROTOCOL%"}}}}}`,
		`{"metadata":{"namespace":"a"},"spec":{"accessLog":{"format":"{\"a\":\"%FILE_CONTENT(/x)%\"}"},"host":"127.0.0.1","port":4317,"protocol":"h2c","connectTimeout":"1s"}}`,
		`{"spec":{"host":"127.0","port":1}}`,
		`{"metadata":{"namespace":"a"},"spec":{"sources":[{"kind":"ServiceAccount","name":"x","namespace":"a"}],"hosts":["a.b","*.c","::1"],"ipAddresses":["10.0.0.0/8"],"ports":[{"number":80,"protocol":"http"},{"number":443,"protocol":"https"},{"number":1,"protocol":"tcp-server-first"}],"matches":[{"kind":"UpstreamTrafficSetting","name":"c"}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var fields map[string]any
		if json.Unmarshal(document, &fields) != nil {
			return // not an object that an API server returns
		}
		u := &unstructured.Unstructured{Object: fields}
		retry, p1 := Retry(u)
		setting, p2 := UpstreamTrafficSetting(u)
		pressure, p3 := Backpressure(u)
		ingress, p4 := IngressBackend(u)
		egress, p5 := Egress(u)
		log, p6 := Telemetry(u)
		service, p7 := ExtensionService(u)
		authorization, p8 := ExternalAuthorization(u)
		retry2, q1 := Retry(u)
		setting2, q2 := UpstreamTrafficSetting(u)
		pressure2, q3 := Backpressure(u)
		ingress2, q4 := IngressBackend(u)
		egress2, q5 := Egress(u)
		log2, q6 := Telemetry(u)
		service2, q7 := ExtensionService(u)
		authorization2, q8 := ExternalAuthorization(u)
		sameTwice(t, []any{retry, setting, pressure, ingress, egress, log, service, authorization, p1, p2, p3, p4, p5, p6, p7, p8}, []any{retry2, setting2, pressure2, ingress2, egress2, log2, service2, authorization2, q1, q2, q3, q4, q5, q6, q7, q8})
		sentences(t, p1, p2, p3, p4, p5, p6, p7, p8, UDPRoute(u))
		if retry != nil && (len(retry.Destinations) == 0 || retry.Source.Name == "" || retry.Policy.On == "" || retry.Policy.PerTryTimeout < 0 || retry.Policy.BackoffBase < 0) {
			t.Errorf("invalid retry: %+v", retry)
		}
		if pressure != nil && pressure.Service.Name == "" {
			t.Errorf("limits without a Service: %+v", pressure)
		}
		if ingress != nil {
			checkIngress(t, ingress)
		}
		if egress != nil {
			checkEgress(t, egress)
		}
		if log != nil && strings.Contains(log.Text+fmt.Sprint(log.Fields, log.Attributes), "%FILE_CONTENT") {
			t.Errorf("a log with files of the sidecar: %+v", log)
		}
		if authorization == nil || authorization.Timeout < MinTimeout || authorization.Timeout > maxAuthorizationTimeout || authorization.MaxRequestBytes > maxAuthorizationBody {
			t.Errorf("invalid authorization: %+v", authorization)
		}
		if service != nil && (service.Port == 0 || service.Address == "" || service.Address == "localhost" || strings.HasPrefix(service.Address, "127.")) {
			t.Errorf("invalid server: %+v", service)
		}
		if setting != nil {
			checkSetting(t, setting)
		}
	})
}

// checkIngress verifies that each port selects its clients by what they can prove.
func checkIngress(t *testing.T, policy *catalog.IngressBackend) {
	t.Helper()
	for _, port := range policy.Backends {
		verified := port.TLS && !port.SkipClientCertificate
		if verified && len(policy.Principals) == 0 || !verified && policy.AnyAddress() || port.TargetPort == 0 || port.Service.Namespace != policy.Name.Namespace {
			t.Errorf("a port for anybody: %+v", policy)
		}
	}
}

// checkEgress verifies that each port has a destination, and that all clients are of the namespace.
func checkEgress(t *testing.T, policy *catalog.Egress) {
	t.Helper()
	for _, source := range policy.Sources {
		if source.Namespace != policy.Name.Namespace || source.Name == "" {
			t.Errorf("a client of another namespace: %+v", policy)
		}
	}
	for _, port := range policy.Ports {
		anywhere := port.Protocol == catalog.ProtocolHTTP && len(policy.Hosts) == 0 || port.Protocol == catalog.ProtocolHTTPS && len(policy.Hosts)+len(policy.Prefixes) == 0
		if anywhere || port.Number == 0 {
			t.Errorf("a port to anywhere: %+v", policy)
		}
	}
}

func checkSetting(t *testing.T, setting *catalog.UpstreamTrafficSetting) {
	t.Helper()
	if setting.Service != (catalog.Name{}) && (setting.Service.Namespace != setting.Name.Namespace || setting.Service.Name == "") {
		t.Errorf("a setting for a Service of another namespace: %+v", setting)
	}
	limits := []catalog.RateLimit{}
	if setting.ConnectionRate != nil {
		limits = append(limits, *setting.ConnectionRate)
	}
	requests := []catalog.RequestRateLimit{}
	if setting.RequestRate != nil {
		requests = append(requests, *setting.RequestRate)
	}
	for _, route := range setting.Routes {
		requests = append(requests, route.Limit)
	}
	for _, limit := range requests {
		limits = append(limits, limit.RateLimit)
		if !isResponseStatus(int64(limit.Status)) || len(limit.Headers) > maxLimitHeaders {
			t.Errorf("invalid response: %+v", limit)
		}
		for _, header := range limit.Headers {
			if !httpguts.ValidHeaderFieldName(header.Name) || !httpguts.ValidHeaderFieldValue(header.Value) {
				t.Errorf("invalid header: %+v", header)
			}
		}
	}
	for _, limit := range limits {
		if limit.Tokens == 0 || limit.Interval <= 0 || uint64(limit.Tokens)+uint64(limit.Burst) > math.MaxUint32 {
			t.Errorf("invalid limit: %+v", limit)
		}
	}
}
