package pods_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3" // read from text
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// controllerPort is the port of the ingress controller.
const controllerPort = 8000

// ingressController is the configuration of an Envoy that forwards every request over TLS to one pod, as ingress controllers write it. The
// arguments are its own address, the address of the pod, the expected name of the pod, the root, the client certificate and its key, and more
// fields of the TLS context and of the cluster.
const ingressController = `
admin: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}
static_resources:
  listeners:
  - name: web
    address: {socket_address: {address: %q, port_value: %d}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: shop}}]}]}
          http_filters:
          - {name: envoy.filters.http.router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: shop
    connect_timeout: 2s
    load_assignment: {cluster_name: shop, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: %q, port_value: 8080}}}}]}]}
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        %s
        common_tls_context:
          alpn_protocols: [%s]
          tls_certificates: [{certificate_chain: {inline_string: %q}, private_key: {inline_string: %q}}]
          validation_context: {trusted_ca: {inline_string: %q}, match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: %q}}]}
    %s
`

// controller is how an ingress controller connects to pods.
type controller struct {
	// sni is a field of the TLS context, and protocol one of the cluster.
	sni, alpn, protocol string
}

// Contour sends no server name to Services, and HTTP/1.1 unless the protocol of the Service is h2. Envoy Gateway sends the host name of the
// BackendTLSPolicy, and offers both versions of HTTP.
var controllers = map[string]controller{
	"Contour": {},
	"Contour with h2": {
		alpn:     "h2",
		protocol: `typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}}`,
	},
	"Envoy Gateway": {
		sni: "sni: books.shop.cluster.local", alpn: "h2, http/1.1",
		protocol: `typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, auto_config: {}}}`,
	},
}

// run starts the ingress controller in a pod without a sidecar.
func (c controller) run(t *testing.T, s *shop, pod *pods.Pod, client identity.ServiceAccount, server string) {
	t.Helper()
	chain, key := s.network.CA.Issue(t, client, trustDomain)
	text, err := yaml.YAMLToJSON(fmt.Appendf(nil, ingressController, names.AdminPort, pod.IP, controllerPort, s.server.IP, c.sni, c.alpn, chain, key, s.network.CA.RootPEM, server, c.protocol))
	if err != nil {
		t.Fatal(err)
	}
	config := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(text, config); err != nil {
		t.Fatal(err)
	}
	s.network.StartEnvoy(t, pod, strings.ReplaceAll(t.Name(), "/", "-"), config)
}

// TestIngressControllersOnEnvoy forwards requests to an IngressBackend with https as Contour and Envoy Gateway do.
func TestIngressControllersOnEnvoy(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.openTo(t, func(in *scope.Ingress) {
		in.TLS, in.Principals, in.Prefixes, in.AnyAddress = true, []string{gatewayPrincipal}, nil, true
	})
	for name, c := range controllers {
		for _, test := range []struct {
			what   string
			client identity.ServiceAccount
			server string
			want   int
		}{
			{"its principal", gateway, books.Principal(trustDomain), http.StatusOK},
			{"another principal", thief, books.Principal(trustDomain), http.StatusServiceUnavailable},
			{"another workload", gateway, thief.Principal(trustDomain), http.StatusServiceUnavailable},
		} {
			t.Run(name+" "+test.what, func(t *testing.T) {
				pod := s.network.Bare(t)
				c.run(t, s, pod, test.client, test.server)
				s.waitStatus(t, pod, fmt.Sprintf("http://%s:%d/front", pod.IP, controllerPort), test.want)
			})
		}
	}
}
