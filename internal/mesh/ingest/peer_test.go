package ingest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// TestAccountsOfPeers checks that the account of a peer never becomes a local account, and that only the kind for it names one.
func TestAccountsOfPeers(t *testing.T) {
	local := []identity.ServiceAccount{{Namespace: "shop", Name: "client"}}
	peer := []identity.PeerAccount{{Peer: "east", Namespace: "shop", Name: "client"}}
	for name, c := range map[string]struct {
		sources  string
		local    []identity.ServiceAccount
		peers    []identity.PeerAccount
		problems []string
	}{
		"an account of a peer":       {"{kind: PeerServiceAccount, name: east/client, namespace: shop}", nil, peer, nil},
		"both":                       {"{kind: PeerServiceAccount, name: east/client, namespace: shop}, {kind: ServiceAccount, name: client, namespace: shop}", local, peer, nil},
		"twice":                      {"{kind: PeerServiceAccount, name: east/client, namespace: shop}, {kind: PeerServiceAccount, name: east/client, namespace: shop}", nil, peer, nil},
		"a slash in a local name":    {"{kind: ServiceAccount, name: east/client, namespace: shop}", nil, nil, []string{`InvalidName: spec.sources[0].name "east/client" names an account of a peer`}},
		"no peer in the name":        {"{kind: PeerServiceAccount, name: client, namespace: shop}", nil, nil, []string{"InvalidName: spec.sources[0].name"}},
		"two slashes":                {"{kind: PeerServiceAccount, name: east/shop/client, namespace: shop}", nil, nil, []string{"InvalidName: spec.sources[0].name"}},
		"a peer that cannot exist":   {"{kind: PeerServiceAccount, name: East/client, namespace: shop}", nil, nil, []string{"InvalidName: spec.sources[0].name"}},
		"no namespace":               {"{kind: PeerServiceAccount, name: east/client}", nil, nil, []string{"InvalidName: spec.sources[0].namespace"}},
		"a namespace with a dot":     {"{kind: PeerServiceAccount, name: east/client, namespace: a.b}", nil, nil, []string{"InvalidName: spec.sources[0].namespace"}},
		"an account with a bad name": {"{kind: PeerServiceAccount, name: east/Client, namespace: shop}", nil, nil, []string{"InvalidName: spec.sources[0].name"}},
	} {
		t.Run(name, func(t *testing.T) {
			target, problems := TrafficTarget(smi(t, "destination: {kind: ServiceAccount, name: server}\nsources: ["+c.sources+"]\nrules: [{kind: TCPRoute, name: tcp}]"))
			expect(t, 0, 0, c.problems, problems)
			if target == nil {
				target = &catalog.TrafficTarget{}
			}
			if diff := cmp.Diff(c.local, target.Sources); diff != "" {
				t.Errorf("local sources (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.peers, target.PeerSources); diff != "" {
				t.Errorf("sources of peers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAccountOfPeerIsNoDestination checks that a namespace grants access to its own workloads only.
func TestAccountOfPeerIsNoDestination(t *testing.T) {
	target, problems := TrafficTarget(smi(t, "destination: {kind: PeerServiceAccount, name: east/server}\nsources: [{kind: ServiceAccount, name: client, namespace: shop}]\nrules: [{kind: TCPRoute, name: tcp}]"))
	expect(t, 0, 0, []string{`Unsupported: spec.destination has the kind "PeerServiceAccount"`}, problems)
	if target != nil {
		t.Errorf("the target is %+v", target)
	}
}

func TestExportsAndImports(t *testing.T) {
	name := entity.Name{Namespace: "shop", Name: "cart"}
	for label, c := range map[string]struct {
		labels      map[string]string
		annotations map[string]string
		export      *catalog.ServiceExport
		imported    *catalog.ServiceImport
		problems    int
	}{
		"one peer":          {map[string]string{"openservicemesh.io/peer": "east"}, nil, &catalog.ServiceExport{Name: name, Peer: "east"}, &catalog.ServiceImport{Name: name, Peer: "east"}, 0},
		"any peer":          {map[string]string{"openservicemesh.io/peer": "Any"}, nil, &catalog.ServiceExport{Name: name, Any: true}, nil, 1},
		"of another system": {map[string]string{"app": "x"}, nil, nil, nil, 0},
		"no labels":         {nil, nil, nil, nil, 0},
		"an empty label":    {map[string]string{"openservicemesh.io/peer": ""}, nil, nil, nil, 2},
		"no name":           {map[string]string{"openservicemesh.io/peer": "a.b"}, nil, nil, nil, 2},
		"failover": {
			map[string]string{"openservicemesh.io/peer": "east"},
			map[string]string{"openservicemesh.io/peer-join": "Failover"},
			&catalog.ServiceExport{Name: name, Peer: "east"}, &catalog.ServiceImport{Name: name, Peer: "east", Joined: true}, 0,
		},
		"joined otherwise": {
			map[string]string{"openservicemesh.io/peer": "east"}, map[string]string{"openservicemesh.io/peer-join": "Replace"}, &catalog.ServiceExport{Name: name, Peer: "east"}, nil, 1,
		},
	} {
		t.Run(label, func(t *testing.T) {
			u := &unstructured.Unstructured{}
			u.SetNamespace(name.Namespace)
			u.SetName(name.Name)
			u.SetLabels(c.labels)
			u.SetAnnotations(c.annotations)
			export, first := ServiceExport(u)
			imported, second := ServiceImport(u)
			if diff := cmp.Diff(c.export, export); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.imported, imported); diff != "" {
				t.Error(diff)
			}
			if len(first)+len(second) != c.problems {
				t.Errorf("problems: %v %v", first, second)
			}
		})
	}
}

// TestSharesOfPeers checks which shares of requests a ServiceImport can declare.
func TestSharesOfPeers(t *testing.T) {
	for name, c := range map[string]struct {
		join, share string
		joined      bool
		want        uint32
		problem     string
	}{
		"a fifth":             {"Spread", "20", true, 20, ""},
		"the least":           {"Spread", "1", true, 1, ""},
		"the most":            {"Spread", "99", true, 99, ""},
		"nothing":             {"Spread", "0", false, 0, `InvalidAnnotation: The annotation openservicemesh.io/peer-share is "0"`},
		"everything":          {"Spread", "100", false, 0, `InvalidAnnotation: The annotation openservicemesh.io/peer-share is "100"`},
		"less than nothing":   {"Spread", "-1", false, 0, `InvalidAnnotation: The annotation openservicemesh.io/peer-share is "-1"`},
		"a fraction":          {"Spread", "0.5", false, 0, `InvalidAnnotation: The annotation openservicemesh.io/peer-share is "0.5"`},
		"with a unit":         {"Spread", "20%", false, 0, `InvalidAnnotation: The annotation openservicemesh.io/peer-share is "20%"`},
		"none":                {"Spread", "", false, 0, `InvalidAnnotation: The annotation openservicemesh.io/peer-share is ""`},
		"of a failover":       {"Failover", "20", true, 0, "?InvalidAnnotation: The annotation openservicemesh.io/peer-share has no effect"},
		"of a Service alone":  {"", "20", false, 0, "?InvalidAnnotation: The annotation openservicemesh.io/peer-share has no effect"},
		"failover":            {"Failover", "", true, 0, ""},
		"neither":             {"", "", false, 0, ""},
		"larger than 32 bits": {"Spread", "4294967297", false, 0, `InvalidAnnotation: The annotation openservicemesh.io/peer-share is "4294967297"`},
	} {
		t.Run(name, func(t *testing.T) {
			u := &unstructured.Unstructured{}
			u.SetName("cart")
			u.SetLabels(map[string]string{"openservicemesh.io/peer": "east"})
			annotations := map[string]string{}
			for key, value := range map[string]string{"openservicemesh.io/peer-join": c.join, "openservicemesh.io/peer-share": c.share} {
				if value != "" {
					annotations[key] = value
				}
			}
			u.SetAnnotations(annotations)
			imported, problems := ServiceImport(u)
			var want []string
			if c.problem != "" {
				want = []string{c.problem}
			}
			expect(t, 0, 0, want, problems)
			if imported == nil {
				imported = &catalog.ServiceImport{}
			}
			if imported.Joined != c.joined || imported.Share != c.want {
				t.Errorf("the import is %+v", imported)
			}
		})
	}
}
