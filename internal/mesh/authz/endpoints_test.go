package authz_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// destinations are the identities that may answer a request, with the outcomes.
func destinations(v authz.Verdict) []string {
	var list []string
	for _, a := range v.Answers {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s", a.Outcome, a.Destination.Name)))
	}
	return list
}

// TestTerminatingEndpoints checks which pods receive requests while others start or terminate.
func TestTerminatingEndpoints(t *testing.T) {
	slice := func(ready ...bool) *inventory.EndpointSlice {
		s := Slice(Name("shop", "web"), Pod("shop", "web-1", "web", "one", "10.0.0.1"), Pod("shop", "web-2", "web", "two", "10.0.0.2"))
		for i := range s.Endpoints {
			s.Endpoints[i].Ready, s.Endpoints[i].Terminating = ready[i], !ready[i]
		}
		return s
	}
	starting := slice(false, false)
	starting.Endpoints[0].Terminating = false
	for name, test := range map[string]struct {
		source string
		slice  *inventory.EndpointSlice
		want   []string
	}{
		"both are ready":                       {"buyer", slice(true, true), []string{"allowed one", "allowed two"}},
		"one terminates":                       {"buyer", slice(true, false), []string{"allowed one"}},
		"the other terminates":                 {"buyer", slice(false, true), []string{"allowed two"}},
		"both terminate":                       {"buyer", slice(false, false), []string{"allowed one", "allowed two"}},
		"one starts, and one terminates":       {"buyer", starting, []string{"allowed two"}},
		"the only one that it may call":        {"thief", slice(false, true), []string{"allowed one"}},
		"one that it may not call, terminates": {"thief", slice(true, false), []string{"allowed one"}},
	} {
		r := authz.Request{Source: SA("buy", test.source), Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/books/1"}
		if diff := cmp.Diff(test.want, destinations(authz.Decide(Apply(shop(test.slice)...).View(), r))); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

// TestHeadlessBackend checks that requests which the client's sidecar balances go to no pod of a headless Service that starts.
func TestHeadlessBackend(t *testing.T) {
	slice := Slice(Name("shop", "bare"), Pod("shop", "web-1", "web", "one", "10.0.0.1"), Pod("shop", "web-2", "web", "two", "10.0.0.2"))
	slice.Endpoints[0].Ready = false
	slice.Endpoints[1].Ready, slice.Endpoints[1].Terminating = false, true
	r := authz.Request{Source: SA("buy", "buyer"), Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/books/1"}
	got := destinations(authz.Decide(Apply(shop(slice, split("web", backend("bare", 1)))...).View(), r))
	if diff := cmp.Diff([]string{"allowed two"}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// TestPodsOfOneIdentityAnswerOnce checks that a verdict has one answer for pods that decide alike.
func TestPodsOfOneIdentityAnswerOnce(t *testing.T) {
	one, same := Pod("shop", "web-1", "web", "one", "10.0.0.1"), Pod("shop", "web-9", "web", "one", "10.0.0.9")
	r := authz.Request{Source: SA("buy", "buyer"), Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/books/1"}
	got := destinations(authz.Decide(Apply(shop(same, Slice(Name("shop", "web"), one, same))...).View(), r))
	if diff := cmp.Diff([]string{"allowed one"}, got); diff != "" {
		t.Errorf("answers of two pods of one identity (-want +got):\n%s", diff)
	}
}

// TestHeadlessService checks the requests of a client that chooses its pod.
func TestHeadlessService(t *testing.T) {
	request := func(source, pod string) authz.Request {
		return authz.Request{Source: SA("buy", source), Service: Name("shop", "bare"), Port: 80, Pod: netip.MustParseAddr(pod), Method: "GET", Path: "/books/1"}
	}
	terminating := Slice(Name("shop", "bare"), Pod("shop", "web-1", "web", "one", "10.0.0.1"), Pod("shop", "web-2", "web", "two", "10.0.0.2"))
	terminating.Endpoints[1].Ready, terminating.Endpoints[1].Terminating = false, true
	unready := Slice(Name("shop", "bare"), Pod("shop", "web-1", "web", "one", "10.0.0.1"), Pod("shop", "web-2", "web", "two", "10.0.0.2"))
	unready.Endpoints[0].Ready = false
	if got := destinations(authz.Decide(Apply(shop(unready)...).View(), request("buyer", "10.0.0.1"))); !slices.Equal(got, []string{"allowed one"}) {
		t.Errorf("a pod that is not ready: %v", got)
	}
	for name, test := range map[string]struct {
		request authz.Request
		want    string
	}{
		"its pod":                             {request("buyer", "10.0.0.1"), "allowed one"},
		"a pod that terminates":               {request("buyer", "10.0.0.2"), "allowed two"},
		"another address":                     {request("buyer", "10.0.0.77"), "reset"},
		"a client of no pod in its namespace": {authz.Request{Source: SA("shop", "stranger"), Service: Name("shop", "bare"), Port: 80, Pod: netip.MustParseAddr("10.0.0.1"), Method: "GET", Path: "/books/1"}, "refused"},
		"a client of no pod":                  {request("stranger", "10.0.0.1"), "refused"},
	} {
		got := authz.Decide(Apply(shop(terminating)...).View(), test.request)
		if diff := cmp.Diff([]string{test.want}, destinations(got)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		if test.want == "reset" && !strings.Contains(got.Answers[0].Missing, "a pod with a sidecar behind shop/bare at the address 10.0.0.77") {
			t.Errorf("%s: missing %q, want a pod at the address", name, got.Answers[0].Missing)
		}
	}
}

// TestMissingPolicies checks what a verdict describes as missing.
func TestMissingPolicies(t *testing.T) {
	none := Target("nobody", SA("shop", "one"), []catalog.TargetRule{HTTP("books")})
	for name, test := range map[string]struct {
		more    []catalog.Entry
		request authz.Request
		want    string
	}{
		"of each identity, sorted": {
			nil,
			authz.Request{Source: SA("buy", "stranger"), Service: Name("shop", "web"), Port: 80},
			"a TrafficTarget in namespace shop from buy/stranger to shop/one with a rule for an HTTPRouteGroup, or " +
				"a TrafficTarget in namespace shop from buy/stranger to shop/two with a rule for an HTTPRouteGroup",
		},
		"for a TCP port": {
			[]catalog.Entry{Slice(Name("shop", "db"), Pod("shop", "web-1", "web", "one", "10.0.0.1"))},
			authz.Request{Source: SA("buy", "thief"), Service: Name("shop", "db"), Port: 3306},
			"a TrafficTarget in namespace shop from buy/thief to shop/one with a rule for a TCPRoute for port 3306, or " +
				"a TrafficTarget in namespace shop from buy/thief to shop/two with a rule for a TCPRoute for port 3306",
		},
		"of all backends, sorted": {
			[]catalog.Entry{split("empty", backend("web", 1), backend("legacy", 1))},
			authz.Request{Source: SA("buy", "stranger"), Service: Name("shop", "empty"), Port: 80},
			"a TrafficTarget in namespace shop from buy/stranger to shop/old with a rule for an HTTPRouteGroup, or " +
				"a TrafficTarget in namespace shop from buy/stranger to shop/one with a rule for an HTTPRouteGroup, or " +
				"a TrafficTarget in namespace shop from buy/stranger to shop/two with a rule for an HTTPRouteGroup",
		},
		"of a split with matches, where the other one has no backend": {
			[]catalog.Entry{split("empty", backend("none", 1)), splitOf("b", "empty", 0, []string{"books"}, backend("legacy", 1))},
			authz.Request{Source: SA("buy", "stranger"), Service: Name("shop", "empty"), Port: 80},
			"a TrafficTarget in namespace shop from buy/stranger to shop/old with a rule for an HTTPRouteGroup",
		},
		"without backends of a split": {
			[]catalog.Entry{split("empty", backend("none", 1))},
			authz.Request{Source: SA("buy", "thief"), Service: Name("shop", "empty"), Port: 80},
			"a backend in the TrafficSplit shop/split of shop/empty that has this port and a weight",
		},
		"of the pod behind a Service without a selector": {
			[]catalog.Entry{
				&inventory.Service{
					Name: Name("shop", "loose"), ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.7")},
					Ports: []inventory.Port{{Number: 80, TargetPort: 80, Protocol: inventory.ProtocolHTTP}},
				},
				&inventory.EndpointSlice{
					Name: Name("shop", "loose"), Service: Name("shop", "loose"), Ports: map[string]uint16{"": 80},
					Endpoints: []inventory.Endpoint{{Address: netip.MustParseAddr("10.0.0.3"), Ready: true}},
				},
			},
			authz.Request{Source: SA("buy", "thief"), Service: Name("shop", "loose"), Port: 80},
			"a TrafficTarget in namespace shop from buy/thief to shop/old with a rule for an HTTPRouteGroup",
		},
		"without pods that have the named port": {
			[]catalog.Entry{&inventory.Service{
				Name: Name("shop", "named"), Selector: map[string]string{"app": "none"}, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.7")},
				Ports: []inventory.Port{{Number: 80, TargetName: "web", Protocol: inventory.ProtocolHTTP}},
			}}, authz.Request{Source: SA("buy", "thief"), Service: Name("shop", "named"), Port: 80}, "a pod behind shop/named",
		},
		"without pods": {nil, authz.Request{Source: SA("buy", "thief"), Service: Name("shop", "empty"), Port: 80}, "a pod behind shop/empty"},
		"without pods behind the backends of a split": {
			[]catalog.Entry{split("empty", backend("empty", 1))}, authz.Request{Source: SA("buy", "thief"), Service: Name("shop", "empty"), Port: 80}, "a pod behind shop/empty",
		},
		"a target without sources grants the request to nobody": {
			[]catalog.Entry{none, &catalog.TrafficTarget{Name: Name("shop", "read"), Destination: SA("shop", "one")}, &catalog.TrafficTarget{Name: Name("shop", "read-too"), Destination: SA("shop", "one")}},
			authz.Request{Source: SA("buy", "thief"), Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/books/1"},
			"an HTTPRouteGroup match for GET /books/1, with the request's headers, in a TrafficTarget from buy/thief to shop/one",
		},
	} {
		if got := authz.Decide(Apply(shop(test.more...)...).View(), test.request).Answers[0].Missing; got != test.want {
			t.Errorf("%s: missing %q, want %q", name, got, test.want)
		}
	}
}

// TestGrantOfAnotherPort checks that a target limited to other ports is not mentioned for a request.
func TestGrantOfAnotherPort(t *testing.T) {
	limited := Target("limited", SA("shop", "one"), []catalog.TargetRule{HTTP("admin"), TCP("mysql")}, SA("buy", "buyer"))
	v := Apply(shop(limited)...).View()
	r := authz.Request{Source: SA("buy", "buyer"), Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/admin"}
	for _, a := range authz.Decide(v, r).Answers {
		if a.Destination.Name == "one" && (a.Outcome != authz.Forbidden || strings.Contains(a.Missing, "limited")) {
			t.Errorf("a request that a target of another port would grant: %s, missing %q; want forbidden, without that target", a.Outcome, a.Missing)
		}
	}
}

// TestPermissiveAnswerNamesNoPolicy checks that an answer of permissive mode has no policies.
func TestPermissiveAnswerNamesNoPolicy(t *testing.T) {
	v := Apply(shop(&catalog.Settings{Permissive: true})...).View()
	for _, r := range []authz.Request{
		{Source: SA("buy", "buyer"), Service: Name("shop", "db"), Port: 3306},
		{Source: SA("buy", "buyer"), Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/books/1"},
	} {
		for _, a := range authz.Decide(v, r).Answers {
			if !a.Permissive || len(a.Policies) > 0 {
				t.Errorf("%s:%d: permissive %t, policies %v, want permissive without policies", r.Service, r.Port, a.Permissive, a.Policies)
			}
		}
	}
}

// TestDeniedBackend checks that a backend which denies the client answers with its ready pods only.
func TestDeniedBackend(t *testing.T) {
	other := Pod("shop", "other", "old", "other", "10.0.0.9")
	slice := Slice(Name("shop", "legacy"), Pod("shop", "old", "old", "old", "10.0.0.3"), other)
	slice.Endpoints[1].Ready, slice.Endpoints[1].Terminating = false, true
	v := Apply(shop(other, slice, split("web", backend("web", 1), backend("legacy", 1)))...).View()
	r := authz.Request{Source: SA("buy", "thief"), Service: Name("shop", "web"), Port: 80, Method: "GET", Path: "/books/1"}
	if diff := cmp.Diff([]string{"allowed one", "unavailable old"}, destinations(authz.Decide(v, r))); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// TestDestinationWithoutAddress checks that a headless Service without endpoints is no destination: connections elsewhere are refused.
func TestDestinationWithoutAddress(t *testing.T) {
	v := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, Pod("shop", "web-1", "web", "one", "10.0.0.1"), Service("shop", "bare", "web", "", 80, inventory.ProtocolHTTP),
		Group("shop", "books", "/"), Target("read", SA("shop", "one"), []catalog.TargetRule{HTTP("books")}, SA("shop", "client"))).View()
	r := authz.Request{Source: SA("shop", "client"), Service: Name("shop", "none"), Port: 80}
	if diff := cmp.Diff([]string{"refused"}, destinations(authz.Decide(v, r))); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// TestHandwrittenEndpointsThatDoNotCount checks that the answer says what is missing behind a Service without a selector.
func TestHandwrittenEndpointsThatDoNotCount(t *testing.T) {
	service := Service("shop", "db", "", "10.96.0.8", 80, inventory.ProtocolHTTP)
	service.Selector = nil
	slice := &inventory.EndpointSlice{Name: Name("shop", "db"), Service: service.Name, Ports: map[string]uint16{"": 80}}
	slice.Endpoints = []inventory.Endpoint{{Address: netip.MustParseAddr("192.0.2.1"), Ready: true}}
	r := authz.Request{Source: SA("buy", "buyer"), Service: service.Name, Port: 80, Method: "GET", Path: "/books/1"}
	a := authz.Decide(Apply(shop(service, slice)...).View(), r).Answers[0]
	want := "a running pod of namespace shop with a sidecar and an address in the EndpointSlices of shop/db, which has no selector"
	if a.Outcome != authz.Reset || a.Missing != want {
		t.Errorf("the answer is %s, missing: %s", a.Outcome, a.Missing)
	}
}
