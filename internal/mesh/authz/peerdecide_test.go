package authz_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

var eastClient = identity.PeerAccount{Peer: "east", Namespace: "shop", Name: "client"}

// exporting returns a mesh whose Service web is exported to the peer east, and admits one of its accounts to /x, and another to /y.
func exporting() []catalog.Entry {
	server := meshtest.Pod("shop", "web-0", "web", "web", "10.0.0.1")
	service := meshtest.Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	db := meshtest.Service("shop", "db", "web", "10.96.0.2", 3306, inventory.ProtocolTCP)
	x := meshtest.Target("x", server.Identity(), []catalog.TargetRule{meshtest.HTTP("x"), meshtest.TCP("db")}, meshtest.SA("shop", "local"))
	x.PeerSources = []identity.PeerAccount{eastClient}
	y := meshtest.Target("y", server.Identity(), []catalog.TargetRule{meshtest.HTTP("y"), meshtest.TCP("http")})
	y.PeerSources = []identity.PeerAccount{{Peer: "east", Namespace: "shop", Name: "other"}, {Peer: "west", Namespace: "shop", Name: "client"}}
	return []catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, &catalog.Settings{}, server, service, db, meshtest.Slice(service.Name, server), meshtest.Slice(db.Name, server), x, y,
		meshtest.Group("shop", "x", "/x"), meshtest.Group("shop", "y", "/y"), &catalog.TCPRoute{Name: meshtest.Name("shop", "db"), Ports: []uint16{80, 3306}},
		&catalog.TCPRoute{Name: meshtest.Name("shop", "http"), Ports: []uint16{80}},
		meshtest.Peer("east", "east.example"), &catalog.ServiceExport{Name: service.Name, Peer: "east"}, &catalog.ServiceExport{Name: db.Name, Any: true},
	}
}

func TestDecidePeer(t *testing.T) {
	for name, test := range map[string]struct {
		source  identity.PeerAccount
		service string
		port    uint16
		path    string
		change  catalog.Change
		want    authz.Outcome
		missing string
	}{
		"granted":               {eastClient, "web", 80, "/x", catalog.Change{}, authz.Allowed, ""},
		"granted to another":    {eastClient, "web", 80, "/y", catalog.Change{}, authz.Forbidden, "east/shop/client among the sources"},
		"granted to nobody":     {eastClient, "web", 80, "/z", catalog.Change{}, authz.NotFound, "an HTTPRouteGroup match"},
		"ambiguous":             {eastClient, "web", 80, "/x%2f", catalog.Change{}, authz.BadRequest, "a path without %2f"},
		"connections":           {eastClient, "db", 3306, "", catalog.Change{}, authz.Allowed, ""},
		"another account":       {identity.PeerAccount{Peer: "east", Namespace: "shop", Name: "x"}, "web", 80, "/x", catalog.Change{}, authz.Unavailable, "from east/shop/x to shop/web"},
		"connections of others": {identity.PeerAccount{Peer: "east", Namespace: "shop", Name: "other"}, "db", 3306, "", catalog.Change{}, authz.Unavailable, "from east/shop/other to shop/web"},
		"another peer":          {identity.PeerAccount{Peer: "west", Namespace: "shop", Name: "client"}, "web", 80, "/y", catalog.Change{}, authz.Unavailable, "a MeshPeer west"},
		"no port":               {eastClient, "web", 81, "/x", catalog.Change{}, authz.Unavailable, "a port 81"},
		"not exported":          {eastClient, "web", 80, "/x", catalog.Change{Ref: entity.KindServiceExport.Ref(meshtest.Name("shop", "web"))}, authz.Unavailable, "a ServiceExport shop/web"},
		"exported to another":   {eastClient, "web", 80, "/x", catalog.Set(&catalog.ServiceExport{Name: meshtest.Name("shop", "web"), Peer: "west"}), authz.Unavailable, "a ServiceExport shop/web"},
		"no pod":                {eastClient, "web", 80, "/x", catalog.Change{Ref: entity.KindPod.Ref(meshtest.Name("shop", "web-0"))}, authz.Unavailable, "a ready pod"},
		"permissive":            {identity.PeerAccount{Peer: "east", Namespace: "shop", Name: "x"}, "web", 80, "/x", catalog.Set(&catalog.Settings{Permissive: true}), authz.Unavailable, "from east/shop/x"},
	} {
		t.Run(name, func(t *testing.T) {
			c := meshtest.Apply(exporting()...)
			c.Apply([]catalog.Change{test.change})
			verdict := authz.DecidePeer(c.View(), test.source, authz.Request{Service: meshtest.Name("shop", test.service), Port: test.port, Method: "GET", Path: test.path})
			if len(verdict.Answers) != 1 || verdict.Answers[0].Outcome != test.want || !strings.Contains(verdict.Answers[0].Missing, test.missing) {
				t.Errorf("the answers are %+v, want %s, missing %q", verdict.Answers, test.want, test.missing)
			}
			if test.want == authz.Allowed && (len(verdict.Answers[0].Policies) != 1 || verdict.Answers[0].Policies[0] != "shop/x") {
				t.Errorf("it is granted by %v", verdict.Answers[0].Policies)
			}
		})
	}
}

// TestDecideAnyPeer checks whether an account may send any request, with and without ready pods.
func TestDecideAnyPeer(t *testing.T) {
	web := meshtest.Name("shop", "web")
	for name, test := range map[string]struct {
		source  identity.PeerAccount
		change  catalog.Change
		want    authz.Outcome
		missing string
	}{
		"granted":         {eastClient, catalog.Change{}, authz.Allowed, ""},
		"without pods":    {eastClient, catalog.Set(meshtest.Slice(web)), authz.Allowed, ""},
		"another account": {identity.PeerAccount{Peer: "east", Namespace: "shop", Name: "x"}, catalog.Change{}, authz.Unavailable, "from east/shop/x to shop/web"},
		"not exported":    {eastClient, catalog.Change{Ref: entity.KindServiceExport.Ref(web)}, authz.Unavailable, "a ServiceExport shop/web"},
		"no account":      {eastClient, catalog.Change{Ref: entity.KindPod.Ref(meshtest.Name("shop", "web-0"))}, authz.Unavailable, "a pod behind shop/web"},
	} {
		t.Run(name, func(t *testing.T) {
			c := meshtest.Apply(exporting()...)
			c.Apply([]catalog.Change{test.change})
			answers := authz.DecideAnyPeer(c.View(), test.source, authz.Request{Service: web, Port: 80}).Answers
			if len(answers) != 1 || answers[0].Outcome != test.want || !strings.Contains(answers[0].Missing, test.missing) {
				t.Fatalf("the answers are %+v, want %s, missing %q", answers, test.want, test.missing)
			}
			if got := answers[0].Policies; test.want == authz.Allowed && (len(got) != 1 || got[0] != "shop/x") {
				t.Errorf("it is granted by %v", got)
			}
		})
	}
}

// TestDecideImported checks what a mesh knows about requests to a Service of a peer.
func TestDecideImported(t *testing.T) {
	cart := meshtest.Service("shop", "cart", "", "10.96.0.3", 80, inventory.ProtocolHTTP)
	cart.Selector = nil
	imports := meshtest.ImportOf("east", cart.Name, 80, meshtest.SA("shop", "cart"), meshtest.SA("shop", "web"))
	c := meshtest.Apply(append(append(exporting(), cart), imports...)...)
	ask := func(client string) authz.Answer {
		verdict := authz.Decide(c.View(), authz.Request{Source: meshtest.SA("shop", client), Service: cart.Name, Port: 80, Method: "GET", Path: "/"})
		return verdict.Answers[0]
	}
	if a := ask("web"); a.Outcome != authz.Allowed || a.Peer != "east" {
		t.Errorf("an admitted client: %+v", a)
	}
	if a := ask("other"); a.Outcome == authz.Allowed || !strings.Contains(a.Missing, "a TrafficTarget of the peer east that admits shop/other") {
		t.Errorf("another client: %+v", a)
	}
	for client, want := range map[string]authz.Outcome{"web": authz.Allowed, "other": authz.Unavailable} {
		answers := authz.DecideAny(c.View(), authz.Request{Source: meshtest.SA("shop", client), Service: cart.Name, Port: 80}).Answers
		if len(answers) != 1 || answers[0].Outcome != want || answers[0].Peer != "east" {
			t.Errorf("any request of %s: %+v, want %s", client, answers, want)
		}
	}
	imports[1].(*catalog.PeerService).Ports[0].Ready = false
	c = meshtest.Apply(append(append(exporting(), cart), imports...)...)
	if a := ask("web"); a.Outcome != authz.Unavailable || !strings.Contains(a.Missing, "a ready pod behind the Service of the peer east") {
		t.Errorf("without a ready pod: %+v", a)
	}
}

// TestDecideShareOfAPeer checks who can answer requests to a Service with pods that is joined with one of a peer.
func TestDecideShareOfAPeer(t *testing.T) {
	web := meshtest.Name("shop", "web")
	local := meshtest.Target("local", meshtest.SA("shop", "web"), []catalog.TargetRule{meshtest.HTTP("x")}, meshtest.SA("shop", "buyer"))
	offer := func(ready bool) *catalog.PeerService {
		described := meshtest.ImportOf("east", web, 80, meshtest.SA("shop", "web"), meshtest.SA("shop", "buyer"))[1].(*catalog.PeerService)
		described.Ports[0].Ready = ready
		return described
	}
	for name, test := range map[string]struct {
		share   uint32
		entries []catalog.Entry
		// want are the peers that can answer; an empty name is this mesh.
		want []string
	}{
		"a share":              {20, []catalog.Entry{local, offer(true)}, []string{"east", ""}},
		"a failover":           {0, []catalog.Entry{local, offer(true)}, []string{""}},
		"the peer is away":     {20, []catalog.Entry{local, offer(false)}, []string{""}},
		"no pod of this mesh":  {20, []catalog.Entry{local, offer(true), meshtest.Slice(web)}, []string{"east"}},
		"only the peer admits": {20, []catalog.Entry{offer(true)}, []string{"east"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := meshtest.Apply(append(append(exporting(), &catalog.ServiceImport{Name: web, Peer: "east", Joined: true, Share: test.share}), test.entries...)...)
			var got []string
			for _, a := range authz.Decide(c.View(), authz.Request{Source: meshtest.SA("shop", "buyer"), Service: web, Port: 80, Method: "GET", Path: "/x"}).Answers {
				if got = append(got, a.Peer); a.Outcome != authz.Allowed {
					t.Errorf("the answer is %+v", a)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("answers of %q, want %q", got, test.want)
			}
		})
	}
}

// TestLocalAccountIsNoPeer checks that sources of peers grant nothing to local accounts, and the reverse.
func TestLocalAccountIsNoPeer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := catalog.New()
		c.Apply(rapid.SliceOfN(meshtest.PeerChange(), 10, 50).Draw(t, "mesh"))
		without := catalog.New()
		for _, entry := range c.Entries(entity.KindNamespace, entity.KindPod, entity.KindService, entity.KindEndpointSlice, entity.KindTrafficTarget, entity.KindHTTPRouteGroup, entity.KindTCPRoute, entity.KindSettings) {
			if target, ok := entry.(*catalog.TrafficTarget); ok {
				local := *target
				local.PeerSources = nil
				entry = &local
			}
			without.Apply([]catalog.Change{catalog.Set(entry)})
		}
		for _, namespace := range []string{"a", "b"} {
			for _, name := range []string{"one", "two", "three"} {
				account := meshtest.SA(namespace, name)
				for _, protocol := range []inventory.Protocol{inventory.ProtocolHTTP, inventory.ProtocolTCP} {
					for _, source := range []identity.ServiceAccount{meshtest.SA("a", "one"), meshtest.SA("b", "two")} {
						if authz.MayConnect(c.View(), source, account, 80, protocol) != authz.MayConnect(without.View(), source, account, 80, protocol) {
							t.Fatalf("sources of peers change whether %s may connect to %s", source, account)
						}
					}
				}
			}
		}
	})
}
