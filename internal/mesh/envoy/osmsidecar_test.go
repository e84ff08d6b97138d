package envoy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// sentResource is a resource as hack/envoy122 reads it.
type sentResource struct {
	Name    string `json:"name"`
	TypeURL string `json:"typeURL"`
	Value   []byte `json:"value"`
}

// randomScopes is how many random scopes are compared with Envoy 1.22 too.
const randomScopes = 150

// TestSidecarsOfOSMKnowTheirConfiguration compares what sidecars of Open Service Mesh get, of all golden and of random scopes, with the protocol buffers of Envoy 1.22.
func TestSidecarsOfOSMKnowTheirConfiguration(t *testing.T) {
	all := scopes(t)
	for i := range randomScopes {
		all["random "+strconv.Itoa(i)] = anyScope.Example(i)
	}
	var sent []sentResource
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		if s.Key.Proxy != scope.ProxySidecar {
			continue
		}
		s.Key.Class.OSM = true
		resources := slices.Concat(envoy.Build(s), envoy.BuildShared(s), envoy.BuildOwn(s), envoy.TrustSecrets(s, []byte("root")), envoy.OutsideSecrets(s))
		resources = append(resources, envoy.ServiceCertSecret(envoy.ServiceCertName, []byte("chain"), []byte("key")))
		for _, c := range s.Clusters {
			resources = append(resources, envoy.Endpoints(c.Name(), scope.Endpoints{Key: c.Endpoints, Addresses: nil}))
		}
		for _, r := range resources {
			value, err := proto.Marshal(r.Message)
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, sentResource{name + " " + r.Name, r.TypeURL, value})
		}
	}
	input, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	check := exec.Command("go", "run", "-C", "../../../hack/envoy122", ".")
	check.Stdin = bytes.NewReader(input)
	output, err := check.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	if problems := strings.Split(strings.TrimSpace(string(output)), "\n"); err != nil {
		t.Errorf("%d things are unknown to Envoy 1.22 or invalid there, such as:\n%s", len(problems), strings.Join(problems[:min(len(problems), 10)], "\n"))
	}
	t.Logf("%d resources", len(sent))
}

// TestSidecarsOfOSMHaveDistinctListeners checks that no two listeners have the same name or address, and that the parts of a scope are the whole.
func TestSidecarsOfOSMHaveDistinctListeners(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyScope.Draw(t, "scope")
		if s.Key.Proxy != scope.ProxySidecar {
			t.Skip()
		}
		s.Key.Class.OSM = true
		whole := envoy.Build(s)
		names, addresses := map[string]bool{}, map[string]bool{}
		for _, r := range whole {
			if names[r.TypeURL+r.Name] {
				t.Fatalf("%s %s exists twice", r.TypeURL, r.Name)
			}
			names[r.TypeURL+r.Name] = true
			listener, ok := r.Message.(*listenerv3.Listener)
			if !ok {
				continue
			}
			socket := listener.GetAddress().GetSocketAddress()
			address := socket.String()
			if addresses[address] || len(listener.GetAdditionalAddresses()) > 0 || strings.Contains(socket.GetAddress(), ":") {
				t.Fatalf("the listener %s has the address %s, and others: %v", r.Name, address, listener.GetAdditionalAddresses())
			}
			addresses[address] = true
		}
		parts := map[string]bool{}
		for _, r := range append(envoy.BuildShared(s), envoy.BuildOwn(s)...) {
			parts[r.TypeURL+r.Name] = true
		}
		if !maps.Equal(names, parts) {
			t.Fatalf("the whole has %d resources, and its parts have %d", len(names), len(parts))
		}
	})
}

// TestSidecarsOfOSMFailClosed checks what is left out where Envoy 1.22 lacks what a policy needs.
func TestSidecarsOfOSMFailClosed(t *testing.T) {
	s := scopes(t)["inbound-ext-authz-policies"]
	s.Key.Class.OSM = true
	for i := range s.Authorizations {
		policy := *s.Authorizations[i].Policy
		policy.RequestHeaders, policy.FailureModeAllow = []string{"authorization"}, true
		s.Authorizations[i].Policy = &policy
		name := envoy.PolicyAuthorizationCluster(s.Authorizations[i].MeshWide)
		for _, r := range envoy.BuildType(s, envoy.ClusterType) {
			if c, ok := r.Message.(*clusterv3.Cluster); ok && r.Name == name && len(c.GetLoadAssignment().GetEndpoints()) > 0 {
				t.Errorf("%s gets all headers of requests, and its policy lists some", name)
			}
		}
	}
	if len(s.Authorizations) == 0 {
		t.Error("there is no authorization server")
	}
}
