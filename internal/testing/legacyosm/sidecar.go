package legacyosm

import (
	"fmt"
	"strings"
)

// Sidecar describes a server's sidecar with OSM's last configuration, translated for a current Envoy. It accepts connections
// of the mesh with OSM's protocol, server name and certificates, allows the requests of one client, and forwards them to the
// application. It listens on the Service's target port, without redirection.
type Sidecar struct {
	// Host is the host name that clients use for the Service.
	Host string
	// Client is the principal of the allowed client, such as bookbuyer.bookbuyer.cluster.local.
	Client string
	// Port is the Service's target port, and Application the port of the application.
	Port, Application int
	// Certificate and Key are the sidecar's own, Authority is its trusted root; all in PEM.
	Certificate, Key, Authority []byte
}

// Config returns the configuration, as YAML for Envoy's --config-yaml.
func (s Sidecar) Config() string {
	return strings.NewReplacer(
		"(host)", s.Host, "(client)", s.Client, "(port)", fmt.Sprint(s.Port), "(application)", fmt.Sprint(s.Application),
		"(certificate)", oneLine(s.Certificate), "(key)", oneLine(s.Key), "(authority)", oneLine(s.Authority),
	).Replace(sidecar)
}

// oneLine encodes PEM for a YAML string in double quotes.
func oneLine(pem []byte) string { return strings.ReplaceAll(string(pem), "\n", `\n`) }

const sidecar = `
static_resources:
  listeners:
  - name: inbound-listener
    address: {socket_address: {address: 0.0.0.0, port_value: (port)}}
    listener_filters:
    - name: tls_inspector
      typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}
    filter_chains:
    - name: inbound
      filter_chain_match: {server_names: ["(host)"], transport_protocol: tls, application_protocols: [osm]}
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context:
            tls_params: {tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_3}
            tls_certificates:
            - certificate_chain: {inline_string: "(certificate)"}
              private_key: {inline_string: "(key)"}
            validation_context: {trusted_ca: {inline_string: "(authority)"}}
      filters:
      - name: http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: inbound
          route_config:
            virtual_hosts:
            - name: inbound
              domains: ["*"]
              routes:
              - match: {prefix: /}
                route: {cluster: local, timeout: 0s}
          http_filters:
          - name: envoy.filters.http.rbac
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC
              rules:
                policies:
                  rbac-for-route:
                    permissions: [{any: true}]
                    principals: [{authenticated: {principal_name: {exact: "(client)"}}}]
          - name: http_router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: local
    type: STATIC
    load_assignment:
      cluster_name: local
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: (application)}}}
`
