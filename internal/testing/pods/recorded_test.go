package pods_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// recordedVersion is the last recorded version. Its control plane sent what testdata has for the scopes of tcpShop: clients that name no account, and servers with
// one filter chain for all clients of a port.
const recordedVersion = "v0.4.0"

// TestConnectionsBetweenVersions opens TCP connections between sidecars that each have the configuration of the recorded control plane or of this one,
// as during an upgrade. The buyer reaches all servers, and the thief none.
func TestConnectionsBetweenVersions(t *testing.T) {
	t.Parallel()
	n := pods.NewNetwork(t)
	n.Accounts = map[string]identity.ServiceAccount{}
	client, server := tcpShop(t)
	currentClient, currentServer := envoy.Build(client), envoy.Build(server)
	sidecars := []struct {
		name           string
		client, server []envoy.Resource
	}{
		{"this version", currentClient, currentServer},
		{"the recorded version", recorded(t, "client"), recorded(t, "server")},
		{"the recorded version, served by this control plane", currentClient, currentServer},
	}
	var servers, buyers, thieves []*pods.Pod
	for i, sidecar := range sidecars {
		if i == 1 {
			n.Run(t, envoytest.Binaries(t)[envoytest.EarlierVariable])
		}
		add := func(role string, account identity.ServiceAccount) *pods.Pod {
			name := fmt.Sprintf("%s-%d", role, i)
			n.Accounts[name] = account
			return n.Pod(t, name)
		}
		servers, buyers, thieves = append(servers, add("server", books)), append(buyers, add("buyer", buyer)), append(thieves, add("thief", thief))
		servers[i].ServeTCP(t, 3306, welcome)
		servers[i].SendAll(t, server, sidecar.server)
		// The first scope of a pod determines its certificate.
		thieves[i].Configure(t, &scope.Scope{Common: scope.Common{Key: scope.Key{Identity: thief}, TrustDomain: trustDomain}})
	}
	for to := range sidecars {
		for from := range sidecars {
			t.Run("a client of "+sidecars[from].name+" and a server of "+sidecars[to].name, func(t *testing.T) {
				for _, pod := range []*pods.Pod{buyers[from], thieves[from]} {
					pod.SendAll(t, client, sidecars[from].client, endpointsAt(client, servers[to].IP)...)
				}
				for _, address := range []netip.Addr{databaseIP, archiveIP} {
					port := netip.AddrPortFrom(address, 3306).String()
					if got, err := buyers[from].Exchange(t, port, "hello\n"); got != "welcome\necho hello\n" {
						t.Errorf("the buyer gets %q, %v from %s", got, err, port)
					}
					if got, err := thieves[from].Exchange(t, port, "hello\n"); got != "" || isTimeout(err) {
						t.Errorf("the thief gets %q, %v from %s, want a closed connection", got, err, port)
					}
				}
			})
		}
	}
}

// tcpShop returns the scopes of the client and the server with the TCP ports of the database alone. They are those of the recorded resources, in a namespace that
// is not permissive: clients of this version name their account, and servers have a chain for each.
func tcpShop(t *testing.T) (client, server *scope.Scope) {
	t.Helper()
	s := &shop{server: &pods.Pod{}} // its address is that of another port
	client, server = s.clientScope(), s.serverScope()
	isTCP := func(name entity.Name) bool { return name == database || name == archive }
	client.Outbound = slices.DeleteFunc(client.Outbound, func(o scope.Outbound) bool { return !isTCP(o.Service) })
	client.Clusters = slices.DeleteFunc(client.Clusters, func(c scope.Cluster) bool { return !isTCP(c.Service) })
	server.Inbound = slices.DeleteFunc(server.Inbound, func(in scope.Inbound) bool { return !isTCP(in.Service) })
	for i := range client.Outbound {
		client.Outbound[i].NamesClient = true
	}
	for i := range server.Inbound {
		if chains := server.Inbound[i].ClientChains(); !slices.Contains(chains, buyer) {
			t.Fatalf("the server has chains for %v, want one for %s", chains, buyer)
		}
	}
	return client, server
}

// recorded reads the resources of a sidecar as the recorded version sent them.
func recorded(t *testing.T, name string) []envoy.Resource {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", recordedVersion, name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Name     string
		Resource json.RawMessage
	}
	if err := yaml.UnmarshalStrict(text, &list); err != nil {
		t.Fatal(err)
	}
	var resources []envoy.Resource
	for _, r := range list {
		var packed anypb.Any
		if err := protojson.Unmarshal(r.Resource, &packed); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", r.Name, err))
		}
		message, err := packed.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		resources = append(resources, envoy.Resource{TypeURL: packed.GetTypeUrl(), Name: r.Name, Message: message})
	}
	return resources
}
