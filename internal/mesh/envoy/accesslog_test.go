package envoy_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestAccessLogKeys fixes the keys that log pipelines of users parse.
func TestAccessLogKeys(t *testing.T) {
	var listener *listenerv3.Listener
	for _, r := range envoy.Build(&scope.Scope{Sidecar: scope.Sidecar{Egress: true}}) {
		if l, ok := r.Message.(*listenerv3.Listener); ok {
			listener = l
		}
	}
	got := map[string]bool{}
	for key := range jsonFormat(t, listener.GetAccessLog()[0]) {
		got[key] = true
	}
	want := map[string]bool{}
	for _, key := range []string{
		"start_time", "method", "path", "protocol", "response_code", "response_code_details", "time_to_first_byte",
		"upstream_cluster", "response_flags", "bytes_received", "bytes_sent", "duration", "upstream_service_time",
		"x_forwarded_for", "user_agent", "request_id", "requested_server_name", "authority", "upstream_host",
		"destination_address", "denied_by",
	} {
		want[key] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys of the access log (-want +got):\n%s", diff)
	}
}

func jsonFormat(t *testing.T, log *accesslogv3.AccessLog) map[string]any {
	t.Helper()
	config := new(streamv3.StdoutAccessLog)
	if err := log.GetTypedConfig().UnmarshalTo(config); err != nil {
		t.Fatal(err)
	}
	return config.GetLogFormat().GetJsonFormat().AsMap()
}

// TestDenialLogsAreEqual compares the configuration of the loggers of denials: with equal ones, a thread of a sidecar has one stream.
func TestDenialLogsAreEqual(t *testing.T) {
	configs := map[string]int{}
	for _, r := range envoy.Build(scopes(t)["inbound-http"]) {
		text := fmt.Sprint(r.Message)
		for _, found := range regexp.MustCompile(`TcpGrpcAccessLogConfig\]:\{(.*?value:"%DOWNSTREAM_PEER_DNS_SAN%")`).FindAllStringSubmatch(text, -1) {
			configs[found[1]]++
		}
	}
	if len(configs) != 1 || slices.Max(slices.Collect(maps.Values(configs))) < 3 {
		t.Errorf("the loggers have %d configurations, want one of at least three loggers: %v", len(configs), configs)
	}
}
