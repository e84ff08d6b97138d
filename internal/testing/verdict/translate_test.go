package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/cli/translate"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	meshload "github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// TestTranslatedRoutesDoTheSame translates the TrafficSplits and Retries of a mesh to routes, applies the routes and deletes what was translated. All
// requests must reach the same backends in the same shares, with the same retries. The same holds for the way back.
func TestTranslatedRoutesDoTheSame(t *testing.T) {
	count := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		before := withFewRoutes(t, AnyState().Draw(t, "mesh"))
		routed, result := translated(t, before, translate.ToRoutes)
		tally(count, result)
		requireSame(t, before, routed, result)
		back, result := translated(t, routed, translate.ToSMI)
		tally(count, result)
		requireSame(t, routed, back, result)
	})
	t.Log(count)
}

// TestTranslatedSplitsDoTheSame translates the HTTPRoutes of a mesh, which SMI can say less often.
func TestTranslatedSplitsDoTheSame(t *testing.T) {
	count := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		before := withPlainRoutes(t, AnyState().Draw(t, "mesh"))
		split, result := translated(t, before, translate.ToSMI)
		tally(count, result)
		requireSame(t, before, split, result)
		back, result := translated(t, split, translate.ToRoutes)
		requireSame(t, split, back, result)
	})
	t.Log(count)
}

func tally(count map[string]int, r *translate.Result) {
	for _, note := range r.Notes {
		count[fmt.Sprintf("%s %s", note.Object.Kind.APIName(), note.Outcome)]++
	}
}

// translated returns the state after the result of a translation is applied, and what was translated is deleted.
func translated(t *rapid.T, w State, to func(*meshload.Loaded, translate.Options) *translate.Result) (State, *translate.Result) {
	o := newOracle(w)
	loaded := &meshload.Loaded{Catalog: o.catalog, Entries: w.entriesOf(o.reference), Names: map[entity.Ref]struct{}{}}
	for ref := range w {
		loaded.Names[ref] = struct{}{}
	}
	result := to(loaded, translate.Options{})
	after := maps.Clone(w)
	for _, object := range result.Objects {
		entry := resultEntry(t, object.Unstructured)
		if w[entry.Ref()] != nil {
			t.Fatalf("the result replaces the existing %v", entry.Ref())
		}
		after[entry.Ref()] = entry
	}
	for _, note := range result.Notes {
		if note.Outcome == translate.Translated {
			delete(after, note.Object)
		}
	}
	return after, result
}

// resultEntry reads an object of a result, which must be valid.
func resultEntry(t *rapid.T, u *unstructured.Unstructured) catalog.Entry {
	var entry catalog.Entry
	var problems []ingest.Problem
	switch u.GetKind() {
	case "HTTPRoute":
		entry, problems = ingest.HTTPRoute(u)
	case "TCPRoute":
		entry, problems = ingest.GatewayTCPRoute(u)
	case "TrafficSplit":
		entry, problems = ingest.TrafficSplit(u)
	case "HTTPRouteGroup":
		entry, problems = ingest.HTTPRouteGroup(u)
	case "Retry":
		entry, problems = retry.Read(u)
	}
	for _, problem := range problems {
		if !problem.Warning {
			t.Fatalf("the result is not valid: %s\n%v", problem.Message, u.Object)
		}
	}
	return entry
}

// requireSame requires equal results of requests in two states.
func requireSame(t *rapid.T, before, after State, result *translate.Result) {
	first, next := newOracle(before), newOracle(after)
	addresses := first.serviceAddresses()
	if len(addresses) == 0 {
		return
	}
	for range 30 {
		r := drawRequest(t, addresses)
		for _, service := range first.services {
			for _, port := range service.Ports {
				if !first.isTarget(service, port, r) {
					continue
				}
				q := question(r)
				q.Service, q.Port = service.Name, port.Number
				if problem := difference(first, next, q); problem != "" {
					t.Fatalf("%+v: %s\nnotes: %v\nbefore: %s\nafter: %s", q, problem, result.Notes, before, after)
				}
				if problem := next.expect(r).disagreement; problem != "" {
					t.Fatalf("%+v: %s\n%s", r, problem, after)
				}
			}
		}
	}
}

// difference describes how the results of a request differ in two states; empty if they do not.
func difference(before, after *oracle, q authz.Request) string {
	r := referenceRequest(q)
	old, next := before.reference.Decide(r), after.reference.Decide(r)
	if fails(old) && fails(next) {
		return ""
	}
	if !sameResults(old, next) {
		return fmt.Sprintf("%v before, and %v after", old, next)
	}
	if a, b := before.reference.Shares(r), after.reference.Shares(r); !sameShares(a, b) {
		return fmt.Sprintf("shares %v before, and %v after", a, b)
	}
	if a, b := repeats(before.catalog.View(), q), repeats(after.catalog.View(), q); a != b {
		return fmt.Sprintf("retries %q before, and %q after", a, b)
	}
	return ""
}

// fails reports whether no result is the answer of a server. A route differs in the status: it answers 500 if it has no backend, and its clients have
// the Service if they may call it, but none of the backends.
func fails(results []reference.Result) bool {
	return !slices.ContainsFunc(results, func(r reference.Result) bool {
		return !slices.Contains([]reference.Outcome{reference.Unavailable, reference.Broken, reference.Reset, reference.Refused, reference.Passed, reference.BadRequest}, r.Outcome)
	})
}

func sameResults(a, b []reference.Result) bool {
	contains := func(list, of []reference.Result) bool {
		return !slices.ContainsFunc(of, func(r reference.Result) bool { return !slices.Contains(list, r) })
	}
	return contains(a, b) && contains(b, a)
}

// sameShares compares the ratios of weights.
func sameShares(a, b map[types.NamespacedName]int) bool {
	sum := func(weights map[types.NamespacedName]int) (total int) {
		for _, weight := range weights {
			total += weight
		}
		return total
	}
	for name := range b {
		if a[name] == 0 {
			return false
		}
	}
	for name, weight := range a {
		if weight*sum(b) != b[name]*sum(a) {
			return false
		}
	}
	return true
}

// repeats describes which requests the client's sidecar repeats, by the documented meaning of Retries and of the retries of routes.
func repeats(v *catalog.View, q authz.Request) string {
	service := v.Service(q.Service)
	i := slices.IndexFunc(service.Ports, func(p inventory.Port) bool { return p.Number == q.Port })
	if !service.Ports[i].Protocol.IsHTTP() {
		return ""
	}
	own := retry.InForce(v, q.Source, q.Service)
	if !v.Settings().RetryPolicies || own != nil && own.Settings.Count == 0 {
		own = nil
	}
	conditions, count, backoff, try := "", uint32(2), "", ""
	if own != nil {
		conditions, count, backoff, try = own.Settings.On, own.Settings.Count, own.Settings.BackoffBase.String(), own.Settings.PerTryTimeout.String()
	}
	rule := authz.MatchRule(authz.RouteRules(v, q.Source.Namespace, service, service.Ports[i]), q)
	if rule.Routed != nil && rule.Routed.Rule != nil {
		if repeat := rule.Routed.Rule.Repeat; repeat != nil {
			conditions, count, backoff, try = "reset", repeat.Attempts, repeat.Backoff.String(), "0s"
			for _, code := range repeat.Codes {
				conditions += fmt.Sprintf(",%d", code)
			}
		}
		if rule.Routed.Rule.TryTimeout > 0 {
			try = rule.Routed.Rule.TryTimeout.String()
		}
	}
	return fmt.Sprintf("%v %d %s %s", eachCondition(conditions), count, backoff, strings.TrimPrefix(try, "0s"))
}

// eachCondition resolves conditions to status codes and "reset", which has the default conditions.
func eachCondition(conditions string) []string {
	set := map[string]struct{}{}
	for condition := range strings.SplitSeq(conditions, ",") {
		codes := map[string][2]int{"5xx": {500, 599}, "gateway-error": {502, 504}, "retriable-4xx": {409, 409}}
		switch bounds, isClass := codes[condition]; {
		case isClass:
			for code := bounds[0]; code <= bounds[1]; code++ {
				set[fmt.Sprint(code)] = struct{}{}
			}
			if condition != "retriable-4xx" {
				set["reset"] = struct{}{}
			}
		case slices.Contains([]string{"", "connect-failure", "refused-stream", "reset-before-request"}, condition):
		default:
			set[condition] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(set))
}
