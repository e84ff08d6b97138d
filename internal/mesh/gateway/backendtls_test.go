package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestBackendTLSStatus checks the reasons in the status of a policy, and that the message names the remedy.
func TestBackendTLSStatus(t *testing.T) {
	policy := func(change func(*catalog.BackendTLSPolicy)) *catalog.BackendTLSPolicy {
		p := &catalog.BackendTLSPolicy{
			Name: meshtest.Name("ns", "p"), Created: time.Unix(1, 0), Hostname: "api.example.com", Authorities: []string{"good"},
			Targets: []catalog.PolicyTarget{{Group: catalog.PolicyGroup, Kind: "Egress", Name: "plain"}},
		}
		if change != nil {
			change(p)
		}
		return p
	}
	target := func(group, kind, name string) func(*catalog.BackendTLSPolicy) {
		return func(p *catalog.BackendTLSPolicy) {
			p.Targets = []catalog.PolicyTarget{{Group: group, Kind: kind, Name: name}}
		}
	}
	section := func(name string) func(*catalog.BackendTLSPolicy) {
		return func(p *catalog.BackendTLSPolicy) {
			p.Targets = []catalog.PolicyTarget{{Kind: "Service", Name: "limits", Section: name}}
		}
	}
	authorities := func(names ...string) func(*catalog.BackendTLSPolicy) {
		return func(p *catalog.BackendTLSPolicy) { p.Authorities = names }
	}
	older := policy(func(p *catalog.BackendTLSPolicy) { p.Name.Name, p.Created = "older", time.Unix(0, 0) })
	for name, test := range map[string]struct {
		change         func(*catalog.BackendTLSPolicy)
		others         []catalog.Entry
		want, contains string
	}{
		"in force":       {nil, nil, "true Accepted, true ResolvedRefs", "plain"},
		"another kind":   {target(catalog.PolicyGroup, "Retry", "plain"), nil, "false Invalid, true ResolvedRefs", "refer to an Egress, an ExtensionService, or a Service"},
		"no such Egress": {target(catalog.PolicyGroup, "Egress", "none"), nil, "false TargetNotFound, true ResolvedRefs", "none"},
		"a server":       {target(catalog.ConfigGroup, "ExtensionService", "server"), nil, "true Accepted, true ResolvedRefs", "connections to the ExtensionService server"},
		"no such server": {target(catalog.ConfigGroup, "ExtensionService", "none"), nil, "false TargetNotFound, true ResolvedRefs", "none"},
		"a server and a problem": {func(p *catalog.BackendTLSPolicy) {
			target(catalog.ConfigGroup, "ExtensionService", "server")(p)
			p.Problem = "It cannot be used."
		}, nil, "false Invalid, true ResolvedRefs", "do not connect"},
		"a server and a bad ConfigMap": {func(p *catalog.BackendTLSPolicy) {
			target(catalog.ConfigGroup, "ExtensionService", "server")(p)
			p.Authorities = []string{"bad"}
		}, nil, "false NoValidCACertificate, false InvalidCACertificateRef", "do not connect"},
		"an older policy for the server": {target(catalog.ConfigGroup, "ExtensionService", "server"), []catalog.Entry{policy(func(p *catalog.BackendTLSPolicy) {
			target(catalog.ConfigGroup, "ExtensionService", "server")(p)
			p.Name.Name, p.Created = "older", time.Unix(0, 0)
		})}, "false Conflicted, true ResolvedRefs", "older"},
		"a Service that is a server": {target("", "Service", "limits"), nil, "true Accepted, true ResolvedRefs", "their own connections to the Service limits"},
		"a port of it":               {section("grpc"), nil, "true Accepted, true ResolvedRefs", "limits"},
		"another port of it":         {section("http"), nil, "false TargetNotFound, true ResolvedRefs", "no port http"},
		"a Service and a problem": {func(p *catalog.BackendTLSPolicy) {
			section("grpc")(p)
			p.Problem = "It cannot be used."
		}, nil, "false Invalid, true ResolvedRefs", "do not connect to the Service"},
		"a newer policy for the port": {target("", "Service", "limits"), []catalog.Entry{policy(func(p *catalog.BackendTLSPolicy) {
			section("grpc")(p)
			p.Name.Name, p.Created = "newer", time.Unix(9, 0)
		})}, "false Conflicted, true ResolvedRefs", "newer"},
		"an Egress of a gateway":   {target(catalog.PolicyGroup, "Egress", "forwarded"), nil, "false Invalid, true ResolvedRefs", "spec.gateway.tls"},
		"an older policy":          {nil, []catalog.Entry{older}, "false Conflicted, true ResolvedRefs", "older"},
		"a problem":                {func(p *catalog.BackendTLSPolicy) { p.Problem = "It cannot be used." }, nil, "false Invalid, true ResolvedRefs", "503"},
		"a required gateway":       {nil, []catalog.Entry{&catalog.Namespace{Name: "ns", Monitored: true, EgressGateway: true}}, "false Invalid, true ResolvedRefs", "503"},
		"a bad ConfigMap":          {authorities("bad"), nil, "false NoValidCACertificate, false InvalidCACertificateRef", "empty"},
		"an unread ConfigMap":      {authorities("unread"), nil, "false NoValidCACertificate, false InvalidCACertificateRef", "503"},
		"one of two is bad":        {authorities("bad", "good"), nil, "false Invalid, false InvalidCACertificateRef", "503"},
		"another kind of contents": {func(p *catalog.BackendTLSPolicy) { p.Authorities, p.OtherAuthorities = nil, "Secret s" }, nil, "false NoValidCACertificate, false InvalidKind", "Secret s"},
	} {
		p := policy(test.change)
		v := meshtest.Apply(append([]catalog.Entry{
			&catalog.Namespace{Name: "ns", Monitored: true}, p,
			&catalog.ExtensionService{Name: meshtest.Name("ns", "server")},
			&upstream.Policy{Kind: upstream.Kind, Name: meshtest.Name("ns", "setting"), GlobalConnections: &upstream.GlobalConnectionLimit{
				GlobalLimit: upstream.GlobalLimit{Address: "limits.ns.svc.cluster.local", Port: 8081},
			}},
			&inventory.Service{Name: meshtest.Name("ns", "limits"), Ports: []inventory.Port{{Name: "http", Number: 80}, {Name: "grpc", Number: 8081}}},
			&catalog.Egress{Name: meshtest.Name("ns", "plain")}, &catalog.Egress{Name: meshtest.Name("ns", "forwarded"), Gateway: &catalog.EgressGateway{}},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "good"), PEM: []byte("certificates")},
			&catalog.BackendAuthorities{Name: meshtest.Name("ns", "bad"), Problem: "The ConfigMap is empty."},
		}, test.others...)...).View()
		status := gateway.BackendTLSStatus(v, p)
		if len(status) != 1 {
			t.Fatalf("%s: %d targets have a status", name, len(status))
		}
		got := fmt.Sprintf("%t %s, %t %s", status[0].Accepted.OK, status[0].Accepted.Reason, status[0].ResolvedRefs.OK, status[0].ResolvedRefs.Reason)
		if got != test.want || !strings.Contains(status[0].Accepted.Message, test.contains) {
			t.Errorf("%s: %s with %q, want %s with %q", name, got, status[0].Accepted.Message, test.want, test.contains)
		}
	}
	service := policy(target("", "Service", "web"))
	if status := gateway.BackendTLSStatus(meshtest.Apply(service).View(), service); len(status) > 0 {
		t.Errorf("a Service, which is the target for another controller, has the status %v", status)
	}
}

// TestServerAuthoritiesAreBounded checks that the ConfigMaps of older policies are read first, that each counts once, and that those of other targets and
// namespaces do not count.
func TestServerAuthoritiesAreBounded(t *testing.T) {
	var entries []catalog.Entry
	add := func(namespace, name string, age int, kind string, authorities ...string) {
		entries = append(entries, &catalog.BackendTLSPolicy{
			Name: meshtest.Name(namespace, name), Created: time.Unix(int64(100-age), 0), Authorities: authorities,
			Targets: []catalog.PolicyTarget{{Group: catalog.PolicyGroup, Kind: kind, Name: name}},
		})
	}
	for _, namespace := range []string{"ns", "other", "outside"} {
		entries = append(entries, &catalog.Namespace{Name: namespace, Monitored: namespace != "outside"})
	}
	for i := range gateway.MaxAuthorities - 1 {
		add("ns", fmt.Sprintf("p%02d", i), 50, "Egress", "shared", fmt.Sprintf("ca%02d", i))
	}
	add("ns", "a-new", 1, "Egress", "late", "shared")
	add("ns", "old", 99, "Egress", "ca00")
	add("ns", "service", 99, "Retry", "none")
	add("other", "p", 1, "Egress", "ca")
	add("outside", "p", 1, "Egress", "ca")
	names, excess := gateway.ServerAuthorities(meshtest.Apply(entries...).View())
	if len(names) != gateway.MaxAuthorities+2 || names[0] != meshtest.Name("ns", "ca00") {
		t.Errorf("%d ConfigMaps, first %s", len(names), names[0])
	}
	late := excess[meshtest.Name("ns", "late")]
	if len(excess) != 1 || late == nil || !strings.Contains(late.Problem, "more than 64 ConfigMaps, so this one is not read: late.") {
		t.Errorf("beyond the limit are %v", excess)
	}
}
