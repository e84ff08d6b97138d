package connectivity

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// verifyConfiguration verifies that the sidecar of a pod has the configuration for services and a valid certificate.
func (m Mesh) verifyConfiguration(ctx context.Context, v *catalog.View, role string, name catalog.Name, dir direction, services []catalog.Name) diagnosis.Finding {
	title := fmt.Sprintf("Verify the configuration of %s pod %q", role, name)
	pod := v.Pod(name)
	if pod == nil {
		return unknown(title, errors.New("the pod is not part of the mesh"), "")
	}
	sidecar, err := m.Sidecar(ctx, name)
	if err != nil {
		return unknown(title, err, "")
	}
	// A sidecar without allowed peers requests no certificate. The check only runs if policies allow the connection.
	return diagnosis.Group(title, sidecar.verifyCertificate(pod.Identity().Principal(m.TrustDomain), m.Now), sidecar.verifyResources(dir, m.expected(v, pod, dir, services)))
}

// backendServices returns the Services and the backends of their TrafficSplits and routes for the clients of a namespace.
func backendServices(v *catalog.View, clients string, services []*catalog.Service) []catalog.Name {
	var all []catalog.Name
	for _, service := range services {
		all = append(all, service.Name)
		for _, port := range service.Ports {
			for _, rule := range authz.RouteRules(v, clients, service, port) {
				for _, backend := range rule.Backends {
					all = append(all, backend.Service.Name)
				}
			}
		}
	}
	slices.SortFunc(all, catalog.Name.Compare)
	return slices.Compact(all)
}

// servicesSelecting returns those Services that select a pod.
func (m Mesh) servicesSelecting(v *catalog.View, name catalog.Name, services []catalog.Name) []catalog.Name {
	pod := v.Pod(name)
	if pod == nil {
		return nil
	}
	of := v.ServicesOfPod(pod)
	return slices.DeleteFunc(slices.Clone(services), func(s catalog.Name) bool { return !slices.Contains(of, s) })
}

// item is an expected resource of a sidecar.
type item struct {
	part part
	name string
}

// direction is the direction of traffic through a sidecar.
type direction int

const (
	// outbound is traffic that leaves the pod, inbound traffic that arrives.
	outbound direction = iota
	inbound
)

// String returns the direction as it appears in resource names.
func (d direction) String() string {
	if d == outbound {
		return "outbound"
	}
	return "inbound"
}

// expected returns the resources that the sidecar of a pod needs for calls of services in one direction.
func (m Mesh) expected(v *catalog.View, pod *catalog.Pod, dir direction, services []catalog.Name) []item {
	s := scope.Build(v, m.TrustDomain, scope.KeyFor(v, pod))
	mentions := namesContaining(services)
	all := []item{{secrets, envoy.ServiceCertName}}
	if dir == outbound {
		all = append(all, sharedItems(s, services)...)
	}
	for _, r := range slices.Concat(envoy.Build(s), envoy.TrustSecrets(s, nil)) {
		switch r.TypeURL {
		case resource.ListenerType:
			all = append(all, listenerItems(r, dir, mentions)...)
		case resource.ClusterType:
			if mentions(r.Name) && strings.HasSuffix(r.Name, "|local") == (dir == inbound) {
				all = append(all, item{clusters, r.Name})
			}
		case resource.RouteType:
			if mentions(r.Name) && strings.HasPrefix(r.Name, "rds-"+dir.String()) {
				all = append(all, item{routes, r.Name})
			}
		case resource.SecretType:
			if strings.HasPrefix(r.Name, "root-cert-for-mtls-"+dir.String()) {
				all = append(all, item{secrets, r.Name})
			}
		}
	}
	return all
}

// sharedItems returns the resources that services share with others, because the sidecar loads destinations on demand. Whether it has loaded their clusters
// does not matter.
func sharedItems(s *scope.Scope, services []catalog.Name) []item {
	var all []item
	for i := range s.Outbound {
		if o := &s.Outbound[i]; s.SharesListener(o) && slices.Contains(services, o.Service) {
			shared := envoy.NamesOfPort(o.Port)
			all = append(all, item{listeners, shared.Listener}, item{chains, shared.Chain}, item{routes, shared.Routes})
		}
	}
	return all
}

// listenerItems returns a listener and its filter chains for a service, or nil.
func listenerItems(r envoy.Resource, dir direction, mentions func(string) bool) []item {
	l, ok := r.Message.(*listenerv3.Listener)
	if !ok {
		return nil
	}
	var all []item
	for _, chain := range l.GetFilterChains() {
		if strings.HasPrefix(chain.GetName(), dir.String()) && mentions(chain.GetName()) {
			all = append(all, item{chains, chain.GetName()})
		}
	}
	if len(all) > 0 || r.Name == dir.String()+"-listener" {
		all = append(all, item{listeners, r.Name})
	}
	return all
}

// namesContaining returns a predicate for names that contain one of the Services.
func namesContaining(services []catalog.Name) func(string) bool {
	var quoted []string
	for _, s := range services {
		quoted = append(quoted, regexp.QuoteMeta(s.String()))
	}
	if len(quoted) == 0 {
		return func(string) bool { return false }
	}
	expression := regexp.MustCompile(`(^|[^a-z0-9.-])(` + strings.Join(quoted, "|") + `)($|[^a-z0-9.-])`)
	return expression.MatchString
}

// verifyResources verifies that a sidecar has all expected resources.
func (s *Sidecar) verifyResources(dir direction, desired []item) diagnosis.Finding {
	context := fmt.Sprintf("The sidecar has its %s configuration: %s", dir.String(), counts(desired))
	var missing, rejected []string
	for _, i := range desired {
		if !s.active[i.part][i.name] {
			missing = append(missing, string(i.part)+" "+i.name)
		}
		if text, is := s.rejected[i.name]; is {
			rejected = append(rejected, string(i.part)+" "+i.name+": "+text)
		}
	}
	switch {
	case len(rejected) > 0:
		return failure(context, "it rejects the newest version of "+strings.Join(rejected, "; "), "find the policy with `osm proxy status` and `osm check`")
	case len(missing) > 0:
		return failure(context, "missing: "+strings.Join(missing, ", "), "check that the sidecar is connected and up to date with `osm proxy status`")
	}
	return success(context, "")
}

// counts formats the number of resources by type.
func counts(desired []item) string {
	number := map[part]int{}
	for _, i := range desired {
		number[i.part]++
	}
	var all []string
	for _, p := range []part{listeners, chains, clusters, routes, secrets} {
		if n := number[p]; n > 0 {
			all = append(all, output.Count(n, string(p)))
		}
	}
	return strings.Join(all, ", ")
}
