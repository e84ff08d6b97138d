package connectivity

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/envoy"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// item is something that a sidecar should hold.
type item struct {
	part part
	name string
}

// side is the way through one sidecar.
type side int

const (
	// outbound is the way of a request that leaves the pod, inbound of one that reaches it.
	outbound side = iota
	inbound
)

// words are how things about a side are called in names.
func (s side) words() string {
	if s == outbound {
		return "outbound"
	}
	return "inbound"
}

// expected is what the sidecar of a pod should hold for calls of services on one side, by the mesh as it is.
func (m Mesh) expected(v *catalog.View, pod *catalog.Pod, way side, services []catalog.Name) []item {
	s := scope.Build(v, m.TrustDomain, scope.KeyFor(v, pod))
	about := aboutServices(services)
	all := []item{{secrets, envoy.ServiceCertName(pod.Identity())}}
	for _, r := range slices.Concat(envoy.Build(s), envoy.TrustSecrets(s, nil)) {
		switch r.TypeURL {
		case resource.ListenerType:
			all = append(all, ofListener(r, way, about)...)
		case resource.ClusterType:
			if about(r.Name) && strings.HasSuffix(r.Name, "|local") == (way == inbound) {
				all = append(all, item{clusters, r.Name})
			}
		case resource.RouteType:
			if about(r.Name) && strings.HasPrefix(r.Name, "rds-"+way.words()) {
				all = append(all, item{routes, r.Name})
			}
		case resource.SecretType:
			ours := way == inbound || about(r.Name)
			if ours && strings.HasPrefix(r.Name, "root-cert-for-mtls-"+way.words()) {
				all = append(all, item{secrets, r.Name})
			}
		}
	}
	return all
}

// ofListener is a listener with those of its chains that are about a service, or nothing.
func ofListener(r envoy.Resource, way side, about func(string) bool) []item {
	l, ok := r.Message.(*listenerv3.Listener)
	if !ok {
		return nil
	}
	var all []item
	for _, chain := range l.GetFilterChains() {
		if strings.HasPrefix(chain.GetName(), way.words()) && about(chain.GetName()) {
			all = append(all, item{chains, chain.GetName()})
		}
	}
	if len(all) > 0 || r.Name == way.words()+"-listener" {
		all = append(all, item{listeners, r.Name})
	}
	return all
}

// aboutServices says whether a name is about one of several Services.
func aboutServices(services []catalog.Name) func(string) bool {
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

// holds says whether a sidecar holds everything that it should.
func (s *Sidecar) holds(way side, wanted []item) Check {
	context := fmt.Sprintf("The sidecar holds its %s configuration: %s", way.words(), counts(wanted))
	var missing, refused []string
	for _, i := range wanted {
		if !s.held[i.part][i.name] {
			missing = append(missing, string(i.part)+" "+i.name)
		}
		if text, is := s.refused[i.name]; is {
			refused = append(refused, string(i.part)+" "+i.name+": "+text)
		}
	}
	switch {
	case len(refused) > 0:
		return failure(context, "it refuses the newest version of "+strings.Join(refused, "; "), "see which policy that is, with `osm proxy status` and `osm check`")
	case len(missing) > 0:
		return failure(context, "it lacks "+strings.Join(missing, ", "), "see whether the sidecar is connected and up to date, with `osm proxy status`")
	}
	return success("%s", context)
}

// counts says how many of each part there are.
func counts(wanted []item) string {
	number := map[part]int{}
	for _, i := range wanted {
		number[i.part]++
	}
	var all []string
	for _, p := range []part{listeners, chains, clusters, routes, secrets} {
		switch n := number[p]; n {
		case 0:
		case 1:
			all = append(all, "1 "+string(p))
		default:
			all = append(all, fmt.Sprintf("%d %ss", n, p))
		}
	}
	return strings.Join(all, ", ")
}
