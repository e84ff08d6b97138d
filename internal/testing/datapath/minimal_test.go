package datapath

import (
	"bytes"
	_ "embed"
	"testing"
	"text/template"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	// The templates name these types.
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"
)

//go:embed minimal.yaml
var minimalText string

var minimalTemplate = template.Must(template.New("minimal.yaml").Parse(minimalText))

// minimal describes a sidecar with the least configuration that authenticates both sides and encrypts.
type minimal struct {
	// Server is whether it accepts connections of other sidecars; otherwise it takes those of its application.
	Server bool
	// Listen is the port that connections are redirected to. Host and Port are where they go.
	Listen, Port uint16
	Host         string
	// HTTP selects requests instead of connections.
	HTTP bool
	// Client is the only identity that the server authorizes. If it is empty, all clients with a certificate are.
	Client string
	// Chain, Key and Root are PEM in one line, as JSON strings.
	Chain, Key, Root string
}

// bootstrap returns the whole configuration.
func (m minimal) bootstrap(t testing.TB) *bootstrapv3.Bootstrap {
	t.Helper()
	var out bytes.Buffer
	if err := minimalTemplate.Execute(&out, m); err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	config := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(text, config); err != nil {
		t.Fatalf("the minimal configuration: %v", err)
	}
	return config
}
