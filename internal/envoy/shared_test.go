package envoy_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/envoy"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// TestOwnAndSharedAreEverything checks that the own half over the shared one is the whole, and that the shared half says nothing
// about who the client is.
func TestOwnAndSharedAreEverything(t *testing.T) {
	root := []byte("root")
	rapid.Check(t, func(t *rapid.T) {
		s := anyScope.Draw(t, "scope")
		whole := marshalled(t, append(envoy.Build(s), envoy.TrustSecrets(s, root)...))
		shared := marshalled(t, envoy.Shared(s, root))
		halves := marshalled(t, envoy.Own(s, root))
		for name, data := range shared {
			if halves[name] == nil {
				halves[name] = data
			}
		}
		for name := range halves {
			if whole[name] == nil {
				t.Fatalf("%s is in a half and not in the whole", name)
			}
		}
		for name, data := range whole {
			if !bytes.Equal(data, halves[name]) {
				t.Fatalf("%s is another one in the halves than in the whole, or missing", name)
			}
		}
		other := *s
		other.Key.Identity = identity.ServiceAccount{Namespace: "other", Name: "client"}
		other.Key.Services = "other/service"
		other.Inbound, other.Egress, other.Retries = nil, !s.Egress, nil
		other.Key.Class.Metrics, other.Key.Class.Revision = !s.Key.Class.Metrics, "other"
		for name, data := range marshalled(t, envoy.Shared(&other, root)) {
			if !bytes.Equal(data, shared[name]) {
				t.Fatalf("%s is another one for another client", name)
			}
		}
	})
}

// marshalled are resources in bytes by type and name.
func marshalled(t *rapid.T, resources []envoy.Resource) map[string][]byte {
	all := map[string][]byte{}
	for _, r := range resources {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Message)
		if err != nil {
			t.Fatal(err)
		}
		all[r.TypeURL+" "+r.Name] = append([]byte("resource "), data...)
	}
	return all
}
