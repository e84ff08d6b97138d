package leavings

import (
	"fmt"
	"strings"
)

// Sidecar is what OSM's last configuration of a server's sidecar does, as a configuration that a later Envoy takes: it lets in
// connections of the mesh (the protocol, server name and certificates that OSM uses), requests of one client alone, and hands them to
// the application. There is no redirection in front of it: it listens where the Service leads.
type Sidecar struct {
	// Host is the name by which clients ask for the Service.
	Host string
	// Client is the principal that may call, such as bookbuyer.bookbuyer.cluster.local.
	Client string
	// Port is where the Service leads, and Application where the application listens.
	Port, Application int
	// Certificate and Key are the sidecar's own, Authority the root that it trusts; all PEM.
	Certificate, Key, Authority []byte
}

// Config is the configuration, as YAML for Envoy's --config-yaml.
func (s Sidecar) Config() string {
	return strings.NewReplacer(
		"(host)", s.Host, "(client)", s.Client, "(port)", fmt.Sprint(s.Port), "(application)", fmt.Sprint(s.Application),
		"(certificate)", oneLine(s.Certificate), "(key)", oneLine(s.Key), "(authority)", oneLine(s.Authority),
	).Replace(sidecar)
}

// oneLine writes PEM as the content of a YAML string in double quotes.
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
