package envoy_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// TestOwnAndSharedResourcesEqualBuild checks that BuildShared overwritten by BuildOwn equals Build, and that
// BuildShared does not depend on the client.
func TestOwnAndSharedResourcesEqualBuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyScope.Draw(t, "scope")
		whole := marshalByName(t, envoy.Build(s))
		shared := marshalByName(t, envoy.BuildShared(s))
		combined := marshalByName(t, envoy.BuildOwn(s))
		for name, data := range shared {
			if combined[name] == nil {
				combined[name] = data
			}
		}
		for name := range combined {
			if whole[name] == nil {
				t.Fatalf("%s is in BuildShared or BuildOwn but not in Build", name)
			}
		}
		for name, data := range whole {
			if !bytes.Equal(data, combined[name]) {
				t.Fatalf("%s differs from Build, or is missing", name)
			}
		}
		other := *s
		other.Key.Identity = identity.ServiceAccount{Namespace: "other", Name: "client"}
		other.Key.Services = "other/service"
		other.Inbound, other.Egress, other.Retries = nil, !s.Egress, nil
		other.Key.Class.Metrics = !s.Key.Class.Metrics
		for name, data := range marshalByName(t, envoy.BuildShared(&other)) {
			if !bytes.Equal(data, shared[name]) {
				t.Fatalf("%s differs for another client", name)
			}
		}
	})
}

// marshalByName returns the marshalled resources by type and name.
func marshalByName(t *rapid.T, resources []envoy.Resource) map[string][]byte {
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
