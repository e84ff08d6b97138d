package ingest

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// FuzzPolicies reads any JSON document as an Egress and as an ExtensionService: nothing panics, results are deterministic, and accepted
// settings are valid for sidecars. Folders of other kinds have a test of their own.
func FuzzPolicies(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"spec":null}`, `{"spec":{"sources":5,"hosts":{},"ports":[5]}}`,
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
		egress, p1 := Egress(u)
		service, p2 := ExtensionService(u)
		egress2, q1 := Egress(u)
		service2, q2 := ExtensionService(u)
		sameTwice(t, []any{egress, service, p1, p2}, []any{egress2, service2, q1, q2})
		sentences(t, p1, p2, UDPRoute(u))
		if egress != nil {
			checkEgress(t, egress)
		}
		if service != nil && (service.Port == 0 || service.Address == "" || service.Address == "localhost" || strings.HasPrefix(service.Address, "127.")) {
			t.Errorf("invalid server: %+v", service)
		}
	})
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
		anywhere := port.Protocol == inventory.ProtocolHTTP && len(policy.Hosts) == 0 || port.Protocol == catalog.ProtocolHTTPS && len(policy.Hosts)+len(policy.Prefixes) == 0
		if anywhere || port.Number == 0 {
			t.Errorf("a port to anywhere: %+v", policy)
		}
	}
}
