package legacyosm

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Authority is a certificate authority like that of OSM's built-in provider: RSA, with OSM's subject, valid for ten years.
type Authority struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

// NewAuthority generates an authority that is valid from one hour before now.
func NewAuthority(now time.Time) (*Authority, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("the key of the authority: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		Subject: pkix.Name{
			CommonName: "osm-ca.openservicemesh.io", Organization: []string{"Open Service Mesh"},
			Country: []string{"US"}, Locality: []string{"CA"},
		},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(87600 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("the certificate of the authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return &Authority{certificate, key}, err
}

// CertPEM returns the value of ca.crt in OSM's Secret.
func (a *Authority) CertPEM() []byte { return certificatePEM(a.certificate.Raw) }

// KeyPEM returns the value of private.key in OSM's Secret.
func (a *Authority) KeyPEM() ([]byte, error) { return keyPEM(a.key) }

// Issue issues a service certificate as OSM does: with the name as its only DNS name, and without a URI.
func (a *Authority) Issue(name string, now time.Time) (certificate, key []byte, err error) {
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, fmt.Errorf("the key of %s: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name, Organization: []string{"Open Service Mesh"}}, DNSNames: []string{name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, own.Public(), a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("the certificate of %s: %w", name, err)
	}
	key, err = keyPEM(own)
	return certificatePEM(der), key, err
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *rsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

//go:embed manifests/definitions.yaml
var definitions string

//go:embed manifests/made.yaml
var made string

//go:embed manifests/users.yaml
var users string

//go:embed manifests/webhooks.yaml
var webhooks string

// Definitions returns the kinds of OSM and the Service Mesh Interface as the last OSM releases define them.
func Definitions() string { return definitions }

// Made returns the objects that OSM creates and that only uninstallation hooks remove. It does not include the webhooks and the
// certificate authority.
func Made(mesh, namespace string) string { return fill(made, mesh, namespace) }

// Webhooks returns OSM's webhook configurations, under OSM's names and under those of an add-on.
func Webhooks(mesh, namespace string) string { return fill(webhooks, mesh, namespace) }

// Users returns the namespaces of the mesh with OSM's labels and annotations, and policies of their owners.
func Users(mesh, namespace string) string { return fill(users, mesh, namespace) }

// fill replaces the placeholders of a manifest.
func fill(manifest, mesh, namespace string) string {
	return strings.NewReplacer("(mesh)", mesh, "(namespace)", namespace).Replace(manifest)
}

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
