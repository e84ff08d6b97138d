package envoy

import (
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// decode decodes the configuration of a filter.
func decode[M proto.Message](t *testing.T, filter *listenerv3.Filter, into M) M {
	t.Helper()
	if err := filter.GetTypedConfig().UnmarshalTo(into); err != nil {
		t.Fatal(err)
	}
	return into
}

// TestQuietStreamsLive checks both directions: without a value Envoy ends a request after five quiet minutes.
func TestQuietStreamsLive(t *testing.T) {
	for name, filter := range map[string]*listenerv3.Filter{"inbound": inboundHTTP(translationOf(&scope.Scope{}), "r", inboundPort{}), "outbound": egressHTTP(translationOf(&scope.Scope{}), 80)} {
		idle := decode(t, filter, &hcmv3.HttpConnectionManager{}).GetStreamIdleTimeout()
		if idle == nil || idle.AsDuration() != 0 {
			t.Errorf("%s: the stream idle timeout is %v, want 0s", name, idle)
		}
	}
}

// TestIngressLimitsItsClients checks that strangers cannot occupy a sidecar with slow requests, and that quiet streams live for an hour.
func TestIngressLimitsItsClients(t *testing.T) {
	hcm := decode(t, ingressHTTP(translationOf(&scope.Scope{}), scope.Ingress{}), &hcmv3.HttpConnectionManager{})
	http2 := hcm.GetHttp2ProtocolOptions()
	if hcm.GetRequestHeadersTimeout().AsDuration() != 10*time.Second || http2.GetMaxConcurrentStreams().GetValue() != 100 || http2.GetInitialConnectionWindowSize().GetValue() != 1<<20 {
		t.Errorf("the limits are %v and %v", hcm.GetRequestHeadersTimeout(), http2)
	}
	if idle := hcm.GetStreamIdleTimeout().AsDuration(); idle != time.Hour || hcm.GetCommonHttpProtocolOptions().GetIdleTimeout().AsDuration() != time.Hour {
		t.Errorf("a quiet stream ends after %s", idle)
	}
}

// TestIdleTimeoutOfTheServer checks that the server's proxy has the configured idle timeout.
func TestIdleTimeoutOfTheServer(t *testing.T) {
	for idle, want := range map[time.Duration]string{0: "<nil>", 24 * time.Hour: "24h0m0s"} {
		got := "<nil>"
		if d := decode(t, tcpToApplication(standardLoggers.inboundConnections, "p", "c", idle, connectMode(inboundPort{})), &tcpv3.TcpProxy{}).GetIdleTimeout(); d != nil {
			got = d.AsDuration().String()
		}
		if got != want {
			t.Errorf("the idle timeout for %s is %s, want %s", idle, got, want)
		}
	}
}

// TestExpectationWaitsForNoServerThatReadsBodies: an authorization server gets the body before the application is asked, so the sidecar itself must tell the client
// to send it.
func TestExpectationWaitsForNoServerThatReadsBodies(t *testing.T) {
	for bytes, want := range map[uint32]bool{0: true, 100: false} {
		s := &scope.Scope{Sidecar: scope.Sidecar{Authorizations: []extauthz.Server{{Policy: &extauthz.Policy{MaxRequestBytes: bytes}}}}}
		for name, filter := range map[string]*listenerv3.Filter{"inbound": inboundHTTP(translationOf(s), "r", inboundPort{}), "ingress": ingressHTTP(translationOf(s), scope.Ingress{})} {
			if got := decode(t, filter, &hcmv3.HttpConnectionManager{}).GetProxy_100Continue(); got != want {
				t.Errorf("%s: with %d bytes of bodies for the server, the expectation reaches the application: %t, want %t", name, bytes, got, want)
			}
		}
	}
}
