package compare

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestPlanOfPeers edits what concerns peers. The plan names the accounts of peers, and the clients of their Services, that gain or lose access.
func TestPlanOfPeers(t *testing.T) {
	server := meshtest.Pod("shop", "web-0", "web", "web", "10.0.0.1")
	service := meshtest.Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	cart := meshtest.Service("shop", "cart", "", "10.96.0.2", 80, inventory.ProtocolHTTP)
	cart.Selector = nil
	target := func(accounts ...string) *catalog.TrafficTarget {
		out := meshtest.Target("t", server.Identity(), []catalog.TargetRule{meshtest.HTTP("x")}, meshtest.SA("shop", "web"))
		for _, name := range accounts {
			out.PeerSources = append(out.PeerSources, identity.PeerAccount{Peer: "east", Namespace: "shop", Name: name})
		}
		return out
	}
	entries := append([]catalog.Entry{
		&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "shop", Monitored: true}, server, service, meshtest.Slice(service.Name, server), cart,
		meshtest.Group("shop", "x", "/x"), target("client"), meshtest.Peer("east", "east.example"), &catalog.ServiceExport{Name: service.Name, Peer: "east"},
	}, meshtest.ImportOf("east", cart.Name, 80, meshtest.SA("shop", "cart"), server.Identity())...)
	lost := "- east/shop/client shop/web:80 any method /x"
	lostImport := "- shop/web shop/cart:80 any method any path"
	for name, test := range map[string]struct {
		edit catalog.Change
		want []string
	}{
		"another account":     {catalog.Set(target("client", "other")), []string{"+ east/shop/other shop/web:80 any method /x"}},
		"no account":          {catalog.Set(target()), []string{lost}},
		"not exported":        {catalog.Change{Ref: entity.KindServiceExport.Ref(service.Name)}, []string{lost}},
		"exported to any":     {catalog.Set(&catalog.ServiceExport{Name: service.Name, Any: true}), nil},
		"other paths":         {catalog.Set(meshtest.Group("shop", "x", "/y")), []string{lost, "+ east/shop/client shop/web:80 any method /y"}},
		"no import":           {catalog.Change{Ref: entity.KindServiceImport.Ref(cart.Name)}, []string{lostImport}},
		"import from another": {catalog.Set(&catalog.ServiceImport{Name: cart.Name, Peer: "west"}), []string{lostImport}},
		"no peer":             {catalog.Change{Ref: entity.KindMeshPeer.Ref(meshtest.Name("", "east"))}, []string{lostImport, lost}},
	} {
		t.Run(name, func(t *testing.T) {
			before := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
			for _, entry := range entries {
				apply(before, []catalog.Change{catalog.Set(entry)})
			}
			after := before.clone()
			touched := apply(after, []catalog.Change{test.edit})
			found, err := Meshes(Subject{TrustDomain: "cluster.local", Workloads: map[entity.Name]string{server.Name: "Deployment shop/web"}}, before, after, touched)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, flow := range found.Flows {
				if flow.From == "shop/web" && flow.To == "shop/web:80" {
					continue // the local client has the same paths
				}
				sign := map[bool]string{true: "- ", false: "+ "}[flow.Denies()]
				got = append(got, sign+flow.From+" "+flow.To+" "+flow.Request)
				if len(flow.By) == 0 {
					t.Errorf("no policy is named: %+v", flow)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("flows (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPlanOfAShare joins a Service with one of a peer. The peer answers its share of requests that this mesh denies.
func TestPlanOfAShare(t *testing.T) {
	server := meshtest.Pod("shop", "web-0", "web", "web", "10.0.0.1")
	service := meshtest.Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	joined := func(share uint32) *catalog.ServiceImport {
		return &catalog.ServiceImport{Name: service.Name, Peer: "east", Joined: true, Share: share}
	}
	entries := []catalog.Entry{
		&catalog.Settings{Namespace: "osm-system"}, &catalog.Namespace{Name: "shop", Monitored: true}, server, service, meshtest.Slice(service.Name, server),
		meshtest.Group("shop", "x", "/x"), meshtest.Target("t", server.Identity(), []catalog.TargetRule{meshtest.HTTP("x")}, server.Identity()),
		meshtest.Peer("east", "east.example"), joined(0), meshtest.ImportOf("east", service.Name, 80, meshtest.SA("shop", "web"), server.Identity())[1],
	}
	for name, test := range map[string]struct {
		edit catalog.Entry
		want []string
	}{
		"a share":    {joined(20), []string{"shop/web:80 any method any path: denied, partly allowed"}},
		"a failover": {joined(0), nil},
	} {
		before := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
		for _, entry := range entries {
			apply(before, []catalog.Change{catalog.Set(entry)})
		}
		after := before.clone()
		touched := apply(after, []catalog.Change{catalog.Set(test.edit)})
		found, err := Meshes(Subject{TrustDomain: "cluster.local", Workloads: map[entity.Name]string{server.Name: "Deployment shop/web"}}, before, after, touched)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, flow := range found.Flows {
			got = append(got, fmt.Sprintf("%s %s: %s, %s", flow.To, flow.Request, flow.Before, flow.After))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: flows (-want +got):\n%s", name, diff)
		}
	}
}
