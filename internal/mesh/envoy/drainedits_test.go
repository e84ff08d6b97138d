package envoy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestEditsThatDrain is the table in docs/traffic/timeouts.md: which connections of a client and of a server Envoy drains after an edit. Both have an HTTP port
// and a TCP port.
func TestEditsThatDrain(t *testing.T) {
	client, server := Pod("shop", "client", "client", "client", "10.0.0.1"), Pod("shop", "server", "server", "server", "10.0.0.2")
	web, db := Service("shop", "web", "server", "10.96.0.1", 80, inventory.ProtocolHTTP), Service("shop", "db", "server", "10.96.0.2", 3306, inventory.ProtocolTCP)
	settings := func(edit func(*catalog.Settings)) *catalog.Settings {
		s := &catalog.Settings{Namespace: "osm", RetryPolicies: true, IngressBackends: true, EgressPolicies: true}
		edit(s)
		return s
	}
	setting := func(edit func(*upstream.Policy), service entity.Name) *upstream.Policy {
		s := &upstream.Policy{Kind: upstream.Kind, Name: service, Service: service}
		edit(s)
		return s
	}
	allowed := Target("all", server.Identity(), []catalog.TargetRule{HTTP("routes"), TCP("tcp")}, client.Identity())
	base := []catalog.Entry{
		&catalog.Namespace{Name: "shop", Monitored: true}, settings(func(*catalog.Settings) {}),
		client, server, web, db, Slice(web.Name, server), Slice(db.Name, server),
		Group("shop", "routes", "/books"), &catalog.TCPRoute{Name: Name("shop", "tcp")}, allowed,
		&catalog.ExtensionService{Name: Name("shop", "opa"), Address: "192.0.2.9", Port: 9191},
	}
	const all, http = "client HTTP, client TCP, server HTTP, server TCP", "client HTTP, server HTTP"
	limit := upstream.GlobalLimit{Address: "192.0.2.8", Port: 8081, Domain: "shop", Timeout: time.Second}
	for name, test := range map[string]struct {
		edits []catalog.Entry
		want  string
	}{
		"other routes":          {[]catalog.Entry{Group("shop", "routes", "/other")}, ""},
		"another client":        {[]catalog.Entry{Target("all", server.Identity(), allowed.Rules, client.Identity(), SA("shop", "other"))}, ""},
		"another Service":       {[]catalog.Entry{Service("shop", "new", "server", "10.96.0.3", 81, inventory.ProtocolHTTP)}, ""},
		"permissive mode":       {[]catalog.Entry{settings(func(s *catalog.Settings) { s.Permissive = true })}, "client TCP, server TCP"},
		"a Retry":               {[]catalog.Entry{&retry.Policy{Name: Name("shop", "r"), Source: client.Identity(), Destinations: []entity.Name{web.Name}, Settings: retry.Settings{On: "5xx", Count: 3}}}, ""},
		"a timeout of requests": {[]catalog.Entry{setting(func(s *upstream.Policy) { s.Connections.RequestTimeout = time.Minute }, web.Name)}, ""},
		"a limit of each pod": {[]catalog.Entry{setting(func(s *upstream.Policy) {
			s.RequestRate = &upstream.RequestRateLimit{RateLimit: upstream.RateLimit{Tokens: 1, Interval: time.Second}, Status: 429}
		}, web.Name)}, ""},
		"a split of requests":    {[]catalog.Entry{&catalog.TrafficSplit{Name: Name("shop", "s"), Root: web.Name, Backends: []catalog.SplitBackend{{Service: web.Name, Weight: 1}}}}, ""},
		"a split of connections": {[]catalog.Entry{&catalog.TrafficSplit{Name: Name("shop", "s"), Root: db.Name, Backends: []catalog.SplitBackend{{Service: db.Name, Weight: 1}, {Service: web.Name, Weight: 1}}}}, "client TCP"},
		"the idle timeout":       {[]catalog.Entry{setting(func(s *upstream.Policy) { s.Connections.TCPIdleTimeout = 2 * time.Hour }, db.Name)}, "client TCP, server TCP"},
		"a global limit": {[]catalog.Entry{setting(func(s *upstream.Policy) {
			s.GlobalRequests = &upstream.GlobalRequestLimit{GlobalLimit: limit, Status: 429}
		}, web.Name)}, "server HTTP"},
		"an IngressBackend":      {[]catalog.Entry{&ingressbackend.Policy{Name: Name("shop", "i"), Backends: []ingressbackend.Port{{Service: web.Name, TargetPort: 80}}}}, ""},
		"an Egress":              {[]catalog.Entry{&catalog.Egress{Name: Name("shop", "e"), Sources: []identity.ServiceAccount{client.Identity()}, Hosts: []string{"api.example.com"}, Ports: []catalog.EgressPort{{Number: 443, Protocol: catalog.ProtocolHTTPS}}}}, ""},
		"egress":                 {[]catalog.Entry{settings(func(s *catalog.Settings) { s.Egress = true })}, ""},
		"external authorization": {[]catalog.Entry{&extauthz.Policy{Name: Name("shop", "a"), Service: Name("shop", "opa"), Timeout: time.Second}}, "server HTTP"},
		"a Telemetry":            {[]catalog.Entry{&telemetry.Policy{Name: Name("shop", "t"), Text: "%REQ(:PATH)%"}}, all},
		"the share of the log":   {[]catalog.Entry{settings(func(s *catalog.Settings) { s.UnloggedRequests = 900_000 })}, http},
		"tracing": {[]catalog.Entry{settings(func(s *catalog.Settings) {
			s.Tracing = &catalog.Tracing{Address: "192.0.2.7", Port: 9411, Path: "/", Sampling: 1}
		})}, http},
		"versions of TLS":             {[]catalog.Entry{settings(func(s *catalog.Settings) { s.TLS.MinVersion = "TLSv1_2" })}, "server HTTP, server TCP"},
		"the protocol of the port":    {[]catalog.Entry{Service("shop", "web", "server", "10.96.0.1", 80, inventory.ProtocolTCP)}, http},
		"the address of the Service":  {[]catalog.Entry{Service("shop", "web", "server", "10.96.0.9", 80, inventory.ProtocolHTTP)}, "client HTTP"},
		"the first step of a removal": {[]catalog.Entry{settings(func(s *catalog.Settings) { s.Teardown = catalog.TeardownOpen })}, "server HTTP, server TCP"},
	} {
		before, after := Apply(base...), Apply(slices.Concat(base, test.edits)...)
		var drained []string
		for _, pod := range []*inventory.Instance{client, server} {
			for _, chain := range drainedChains(listenersOf(before, pod), listenersOf(after, pod)) {
				drained = append(drained, pod.Name.Name+" "+chain)
			}
		}
		slices.Sort(drained)
		if got := strings.Join(slices.Compact(drained), ", "); got != test.want {
			t.Errorf("%s drains %q, want %q", name, got, test.want)
		}
	}
}

func listenersOf(c *catalog.Catalog, pod *inventory.Instance) map[string]*listenerv3.Listener {
	all := map[string]*listenerv3.Listener{}
	for _, r := range envoy.Build(scope.Build(c.View(), "cluster.local", scope.KeyFor(c.View(), pod))) {
		if l, isListener := r.Message.(*listenerv3.Listener); isListener {
			all[l.GetName()] = l
		}
	}
	return all
}

// drainedChains returns the protocols of the filter chains that Envoy drains. A listener that differs in something else than its chains drains all of them.
func drainedChains(before, after map[string]*listenerv3.Listener) []string {
	var drained []string
	for name, earlier := range before {
		later := after[name]
		onlyChains := later != nil && proto.Equal(withoutChains(earlier), withoutChains(later))
		for _, chain := range earlier.GetFilterChains() {
			kept := onlyChains && slices.ContainsFunc(later.GetFilterChains(), func(c *listenerv3.FilterChain) bool { return proto.Equal(c, chain) })
			if protocol := protocolOf(chain.GetName()); !kept && protocol != "" {
				drained = append(drained, protocol)
			}
		}
	}
	return drained
}

// withoutChains returns what two listeners must have in common so that Envoy replaces chains only.
func withoutChains(l *listenerv3.Listener) *listenerv3.Listener {
	out := proto.CloneOf(l)
	out.FilterChains, out.DefaultFilterChain = nil, nil
	return out
}

// protocolOf returns an empty string for chains without connections of applications.
func protocolOf(chain string) string {
	switch {
	case strings.HasSuffix(chain, "_http"):
		return "HTTP"
	case strings.HasSuffix(chain, "_tcp"):
		return "TCP"
	}
	return ""
}
