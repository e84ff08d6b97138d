package verdict

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// explainDisagreement describes how the answer of `osm explain` differs from an expectation: in the outcome at a destination, or in whether the
// request is allowed, which is the exit code. It is empty if they agree. Requests with several hosts, those of peers, and those to a pod of a headless
// Service that the client chose, cannot be asked for.
func (o *oracle) explainDisagreement(r Request, e expectation) string {
	if r.countHosts() > 1 || r.direction() == peering {
		return ""
	}
	q, asked := o.explainQuestion(r)
	if !asked {
		return ""
	}
	if problem := o.compareExplained(q, o.explainMesh(o.catalog), e); problem != "" || e.direction != ingress {
		return problem
	}
	q.From = explain.Reference{Kind: explain.KindPod, Namespace: guestNamespace, Name: r.From.String()}
	return o.compareExplained(q, o.explainMesh(o.withGuests()), e)
}

// guestNamespace has pods without a sidecar, and is not part of the mesh.
const guestNamespace = "guests"

// withGuests returns the catalog of the state with a pod for each address of a client outside the mesh. The pods have the names of their addresses.
func (o *oracle) withGuests() *catalog.Catalog {
	if o.guests == nil {
		o.guests = catalog.New()
		o.guests.Apply(changes(nil, o.state.entriesOf(o.reference)))
		var added []catalog.Change
		for _, address := range outsideAddresses {
			guest := meshtest.Pod(guestNamespace, address.String(), "guest", "guest", address.String())
			guest.Injected = false
			added = append(added, catalog.Set(guest))
		}
		o.guests.Apply(added)
	}
	return o.guests
}

// compareExplained asks one question in a mesh, and describes how the answer differs from the expectation.
func (o *oracle) compareExplained(q explain.Question, m explain.Mesh, e expectation) string {
	answer, err := explain.Evaluate(context.Background(), m, q)
	if err != nil {
		return fmt.Sprintf("osm explain has no answer to %s -> %s: %v", q.From, q.To, err)
	}
	if problem := e.unlikeExplained(answer); problem != "" {
		return fmt.Sprintf("osm explain %s -> %s: %s", q.From, q.To, problem)
	}
	explained, expected := map[string]bool{}, map[string]bool{}
	for _, way := range answer.Candidates {
		explained[fmt.Sprint(way.Outcome, " ", way.Destination)] = true
	}
	allowed := len(answer.Missing) == 0
	for _, a := range e.verdict.Answers {
		outcome := a.Outcome
		if e.direction == egress && outcome == authz.PassedThrough {
			outcome = authz.Allowed
		}
		destination := ""
		if a.Destination != (identity.ServiceAccount{}) {
			destination = a.Destination.Namespace + "/" + a.Destination.Name
		}
		expected[fmt.Sprint(outcome, " ", destination)] = true
		allowed = allowed && outcome == authz.Allowed
	}
	if maps.Equal(explained, expected) && answer.Allowed == allowed {
		return ""
	}
	return fmt.Sprintf("osm explain %s -> %s answers %v, allowed %t; the sidecars %v, allowed %t",
		q.From, q.To, slices.Sorted(maps.Keys(explained)), answer.Allowed, slices.Sorted(maps.Keys(expected)), allowed)
}

// explainedStatus finds the status code in the description of a response.
var explainedStatus = regexp.MustCompile(`^status (\d{3})`)

// observationOf returns the observation that a way describes: a status code, closed or refused. It is empty for one that reaches the application.
func observationOf(way explain.Candidate) string {
	match := explainedStatus.FindStringSubmatch(way.Response)
	switch {
	case way.Outcome == string(authz.Allowed):
		return ""
	case match != nil:
		return match[1]
	case strings.HasPrefix(way.Response, "the connection is refused"):
		return refused
	}
	return closed
}

// unlikeExplained returns the description of a response that the client does not get, by the expectation; empty if there is none. Authorization
// servers decide before applications, and osm explain names them instead of their answers.
func (e expectation) unlikeExplained(answer *explain.Answer) string {
	for _, way := range answer.Candidates {
		if seen := observationOf(way); seen != "" && !e.seen[seen] {
			return fmt.Sprintf("the client gets %q, but %v is expected", way.Response, slices.Sorted(maps.Keys(e.seen)))
		}
	}
	return ""
}

// explainQuestion returns a request as a question of `osm explain`. It returns false if it cannot be asked for.
func (o *oracle) explainQuestion(r Request) (explain.Question, bool) {
	from := pods[r.Pod].name
	q := explain.Question{WithoutRemedy: true, From: explain.Reference{Kind: explain.KindPod, Namespace: from.Namespace, Name: from.Name}}
	q.Method, q.Path, q.Headers, q.ServerName = r.Method, r.Path, r.Headers, r.ServerName
	service, port := entity.Name{}, inventory.Port{}
	switch r.direction() {
	case egress:
		call := egressCall(r)
		q.Outside, q.To, q.Headers = &call, explain.Reference{Name: r.To.Addr().String()}, call.Headers
		return q, true
	case ingress:
		q.From = explain.Reference{Name: r.From.String()}
		pod := o.podAt(r)
		service = o.openedService(pod, r.To.Port())
		policy, opened := ingressbackend.InForce(o.catalog.View(), service, r.To.Port())
		if policy != nil && opened.TLS {
			return q, false // whether the client uses TLS is not part of the question
		}
		port = o.portWithTarget(service, r.To.Port())
	default:
		service, port = o.destination(r)
	}
	found := o.catalog.View().Service(service)
	if found == nil || port.Number == 0 || found.Headless() || port.TLS && r.ServerName == "" {
		return q, false
	}
	q.To = explain.Reference{Kind: explain.KindService, Namespace: service.Namespace, Name: service.Name, Port: port.Number}
	return q, true
}

// portWithTarget returns the port of a Service that leads to a port of its pods; without a number if there is none.
func (o *oracle) portWithTarget(service entity.Name, target uint16) inventory.Port {
	view := o.catalog.View()
	found := view.Service(service)
	if found == nil {
		return inventory.Port{}
	}
	i := slices.IndexFunc(found.Ports, func(p inventory.Port) bool { return view.TargetPort(found, p) == target })
	if i < 0 {
		return inventory.Port{}
	}
	return found.Ports[i]
}

// explainMesh returns a catalog of the state as `osm explain` reads it.
func (o *oracle) explainMesh(c *catalog.Catalog) explain.Mesh {
	return explain.Mesh{
		Name: meshName, Catalog: c,
		Exists: func(ref entity.Ref) bool { _, exists := o.state[ref]; return exists },
		PodAt: func(address netip.Addr) entity.Name {
			for _, entry := range c.Entries(entity.KindPod) {
				if pod := entry.(*inventory.Instance); slices.Contains(pod.IPs, address) {
					return pod.Name
				}
			}
			return entity.Name{}
		},
		Account: func(context.Context, string, string, string) (string, bool, error) { return "", false, nil },
	}
}
