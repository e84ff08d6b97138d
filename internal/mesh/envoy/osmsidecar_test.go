package envoy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
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
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
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
		resources := slices.Concat(envoy.Build(s), envoy.TrustSecrets(s, []byte("root")), envoy.OutsideSecrets(s))
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

// TestSidecarsOfOSMHaveOneOutboundListener checks that all listeners bind a port, and that no two filter chains of one match the same connections or have the same
// name: Envoy would reject the listener, and with it all destinations.
func TestSidecarsOfOSMHaveOneOutboundListener(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyScope.Draw(t, "scope")
		if s.Key.Proxy != scope.ProxySidecar {
			t.Skip()
		}
		s.Key.Class.OSM = true
		s.Outbound = rapid.SliceOfNDistinct(anyOutbound, 0, 6, func(o scope.Outbound) string {
			return fmt.Sprint(o.Service, o.Port) // a Service has a port once
		}).Draw(t, "ports")
		seen := map[string]bool{}
		once := func(what string) {
			if seen[what] {
				t.Fatalf("%s exists twice", what)
			}
			seen[what] = true
		}
		for _, r := range envoy.Build(s) {
			once(r.TypeURL + " " + r.Name)
			listener, ok := r.Message.(*listenerv3.Listener)
			if !ok {
				continue
			}
			if socket := listener.GetAddress().GetSocketAddress(); socket.GetAddress() != "0.0.0.0" || listener.GetBindToPort() != nil || listener.GetUseOriginalDst().GetValue() {
				t.Fatalf("the listener %s at %s binds no port, or hands connections over", r.Name, socket)
			}
			once("address " + listener.GetAddress().String())
			for _, chain := range listener.GetFilterChains() {
				once(r.Name + " chain " + chain.GetName())
				for _, match := range singleMatches(chain.GetFilterChainMatch()) {
					once(r.Name + " match " + match)
				}
			}
		}
	})
}

// TestEnvoyAcceptsRandomSidecarsOfOSM validates random scopes with the real Envoy.
func TestEnvoyAcceptsRandomSidecarsOfOSM(t *testing.T) {
	ca := pki.New(t)
	sets := map[string][]envoy.Resource{}
	for seed := range 50 {
		s := anyScope.Example(seed)
		s.Key.Class.OSM = true
		sets[fmt.Sprintf("scope of seed %d", seed)] = complete(t, ca, s)
	}
	envoytest.Validate(t, sets)
}

// singleMatches divides a match into those of one value for each criterion, as Envoy does before it compares them.
func singleMatches(m *listenerv3.FilterChainMatch) []string {
	var ranges []string
	for _, r := range m.GetPrefixRanges() {
		ranges = append(ranges, netip.PrefixFrom(netip.MustParseAddr(r.GetAddressPrefix()), int(r.GetPrefixLen().GetValue())).Masked().String())
	}
	list := []string{fmt.Sprint(m.GetDestinationPort().GetValue(), m.GetTransportProtocol())}
	for _, values := range [][]string{ranges, m.GetServerNames(), m.GetApplicationProtocols()} {
		if len(values) == 0 {
			values = []string{""}
		}
		var longer []string
		for _, prefix := range list {
			for _, value := range values {
				longer = append(longer, prefix+" "+value)
			}
		}
		list = longer
	}
	return list
}

// TestSidecarsOfOSMFailClosed checks what is left out where Envoy 1.22 lacks what a policy needs.
func TestSidecarsOfOSMFailClosed(t *testing.T) {
	s := scopes(t)["inbound-ext-authz-policies"]
	s.Key.Class.OSM = true
	for i := range s.Authorizations {
		policy := *s.Authorizations[i].Policy
		policy.RequestHeaders, policy.FailureModeAllow = []string{"authorization"}, true
		s.Authorizations[i].Policy = &policy
		name := extauthz.Cluster(s.Authorizations[i].MeshWide)
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
