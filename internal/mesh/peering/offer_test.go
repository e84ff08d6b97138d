package peering_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// exported are the entries of a mesh that exports shop/cart to east, which may call it as east/web/client.
func exported(clients ...identity.PeerAccount) []catalog.Entry {
	pod := Pod("shop", "cart-1", "cart", "cart", "10.0.0.1")
	target := Target("shop/cart", SA("shop", "cart"), []catalog.TargetRule{TCP("any")})
	target.Name = Name("shop", "cart")
	target.PeerSources = clients
	return []catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, pod, Service("shop", "cart", "cart", "10.96.0.1", 80, inventory.ProtocolTCP),
		Slice(Name("shop", "cart"), pod), target, &catalog.TCPRoute{Name: Name("shop", "any")},
		&catalog.ServiceExport{Name: Name("shop", "cart"), Peer: "east"},
	}
}

func client(peer string, i int) identity.PeerAccount {
	return identity.PeerAccount{Peer: peer, Namespace: "web", Name: fmt.Sprintf("client-%02d", i)}
}

func TestOffers(t *testing.T) {
	c := Apply(exported(client("east", 2), client("east", 1), client("west", 1))...)
	want := []peering.Offer{{Name: Name("shop", "cart"), Service: peering.Service{Ports: []peering.Port{{
		Number: 80, Ready: true, Servers: []peering.Account{{"shop", "cart"}}, Clients: []peering.Account{{"web", "client-01"}, {"web", "client-02"}},
	}}}}}
	got, omitted := peering.Offers(c.View(), "east")
	if !reflect.DeepEqual(got, want) || omitted != (peering.Omitted{}) {
		t.Errorf("got %+v and %+v, want %+v", got, omitted, want)
	}
}

// TestWhatIsNotGrantedIsInvisible removes one condition of an offer at a time.
func TestWhatIsNotGrantedIsInvisible(t *testing.T) {
	for name, change := range map[string]catalog.Change{
		"exported to another peer": catalog.Set(&catalog.ServiceExport{Name: Name("shop", "cart"), Peer: "west"}),
		"not exported":             {Ref: entity.KindServiceExport.Ref(Name("shop", "cart"))},
		"not in the mesh":          catalog.Set(&catalog.Namespace{Name: "shop"}),
		"no Service":               {Ref: entity.KindService.Ref(Name("shop", "cart"))},
		"no policy":                {Ref: entity.KindTrafficTarget.Ref(Name("shop", "cart"))},
	} {
		c := Apply(exported(client("east", 1))...)
		c.Apply([]catalog.Change{change})
		if got, _ := peering.Offers(c.View(), "east"); len(got) > 0 {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestServiceWithoutPodsIsOffered checks that a Service remains visible while it has no pod. Its next pods can have any identity of the namespace.
func TestServiceWithoutPodsIsOffered(t *testing.T) {
	service, pod := Service("shop", "cart", "cart", "10.96.0.1", 80, inventory.ProtocolTCP), Pod("shop", "cart-1", "cart", "cart", "10.0.0.1")
	named, handwritten := *service, *service
	named.Ports = []inventory.Port{{Number: 80, TargetName: "web", Protocol: inventory.ProtocolTCP}}
	handwritten.Selector = nil
	other := Target("shop/stock", SA("shop", "stock"), []catalog.TargetRule{TCP("any")})
	other.Name, other.PeerSources = Name("shop", "stock"), []identity.PeerAccount{client("east", 2)}
	elsewhere := *other
	elsewhere.Name, elsewhere.Destination = Name("stock", "stock"), SA("stock", "stock")
	portOnly := &catalog.TCPRoute{Name: Name("shop", "any"), Ports: []uint16{81}}
	for name, test := range map[string]struct {
		entries []catalog.Entry
		clients []peering.Account
	}{
		"a policy for the pods that it had":   {nil, []peering.Account{{"web", "client-01"}}},
		"a policy for others":                 {[]catalog.Entry{other}, []peering.Account{{"web", "client-01"}, {"web", "client-02"}}},
		"a policy in another namespace":       {[]catalog.Entry{&catalog.Namespace{Name: "stock", Monitored: true}, &elsewhere}, []peering.Account{{"web", "client-01"}}},
		"a policy for another port":           {[]catalog.Entry{portOnly}, nil},
		"a named port":                        {[]catalog.Entry{&named}, []peering.Account{{"web", "client-01"}}},
		"a named port, with a port of a rule": {[]catalog.Entry{&named, portOnly}, []peering.Account{{"web", "client-01"}}},
		"no selector":                         {[]catalog.Entry{&handwritten}, nil},
		"an account of another peer":          {exported(client("west", 1)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := Apply(append(exported(client("east", 1)), test.entries...)...)
			c.Apply([]catalog.Change{{Ref: entity.KindPod.Ref(pod.Name)}, catalog.Set(Slice(service.Name))})
			var want []peering.Offer
			if len(test.clients) > 0 {
				want = []peering.Offer{{Name: service.Name, Service: peering.Service{Ports: []peering.Port{{Number: 80, Clients: test.clients}}}}}
			}
			if got, _ := peering.Offers(c.View(), "east"); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestOffersAreLimited(t *testing.T) {
	var clients []identity.PeerAccount
	for i := range peering.MaxAccounts + 3 {
		clients = append(clients, client("east", i))
	}
	entries := exported(clients...)
	service := Service("shop", "cart", "cart", "10.96.0.1", 80, inventory.ProtocolTCP)
	for i := range peering.MaxPorts + 1 {
		port := service.Ports[0]
		port.Name, port.Number = fmt.Sprint("p", i), uint16(1000+i)
		service.Ports = append(service.Ports, port)
	}
	service.Ports = service.Ports[1:]
	got, omitted := peering.Offers(Apply(append(entries, service)...).View(), "east")
	if len(got) != 1 || len(got[0].Service.Ports) != peering.MaxPorts || len(got[0].Service.Ports[0].Clients) != peering.MaxAccounts {
		t.Fatalf("got %+v", got)
	}
	if want := (peering.Omitted{Ports: 1, Accounts: 3 * peering.MaxPorts}); omitted != want {
		t.Errorf("omitted %+v, want %+v", omitted, want)
	}
	if got[0].Service.Ports[0].Clients[0].Name != "client-00" {
		t.Errorf("the first accounts are not those by name: %v", got[0].Service.Ports[0].Clients)
	}
	var many []peering.Offer
	for i := range peering.MaxServices + 2 {
		many = append(many, peering.Offer{Name: Name("shop", fmt.Sprintf("s%03d", peering.MaxServices+1-i))})
	}
	kept, omitted := peering.LimitOffers(many)
	if len(kept) != peering.MaxServices || omitted.Services != 2 || kept[0].Name.Name != "s000" {
		t.Errorf("kept %d from %v, omitted %+v", len(kept), kept[0].Name, omitted)
	}
}

// TestOffersDependOnWhatTheyRead changes a random mesh: an offer differs only if the change affects a dependency of its view.
func TestOffersDependOnWhatTheyRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		service, pod := Name("a", "one"), Pod("a", "one", "one", "one", "10.0.0.1")
		c := Apply(
			&catalog.Namespace{Name: "a", Monitored: true}, pod, Service("a", "one", "one", "10.96.0.1", 80, inventory.ProtocolTCP), Slice(service, pod),
			&catalog.TCPRoute{Name: service}, &catalog.ServiceExport{Name: service, Any: true},
			&catalog.TrafficTarget{Name: service, Destination: SA("a", "one"), Rules: []catalog.TargetRule{TCP("one")}, PeerSources: []identity.PeerAccount{client("east", 1)}},
		)
		if _, ok := peering.OfferOf(c.View(), service, "east"); !ok {
			t.Fatal("there is no offer at first")
		}
		for range rapid.IntRange(1, 25).Draw(t, "changes") {
			change := Change().Draw(t, "change")
			if target, ok := change.Entry.(*catalog.TrafficTarget); ok {
				target.PeerSources = []identity.PeerAccount{client("east", 1)}
			}
			view := c.View()
			before, was := peering.OfferOf(view, service, "east")
			affected := c.Apply([]catalog.Change{change})
			after, is := peering.OfferOf(c.View(), service, "east")
			if was == is && reflect.DeepEqual(before, after) {
				continue
			}
			if !slices.ContainsFunc(view.Deps(), func(dep entity.Dep) bool { return slices.Contains(affected, dep) }) {
				t.Fatalf("%+v changes the offer from %+v to %+v without a dependency", change, before, after)
			}
		}
	})
}
