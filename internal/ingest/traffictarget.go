package ingest

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// TrafficTarget reads an SMI TrafficTarget (access.smi-spec.io/v1alpha3). A target that grants nothing, or that cannot be
// understood as a whole, has no entry.
func TrafficTarget(u *unstructured.Unstructured) (*catalog.TrafficTarget, []Problem) {
	var found problems
	spec := specOf(u, &found)
	destination, usable := targetDestination(spec, u.GetNamespace())
	sources := targetSources(spec)
	rules, rulesUsable := targetRules(spec)
	if malformed := found.malformed(); len(malformed) > 0 {
		return nil, malformed
	}
	if len(spec.list("sources")) == 0 {
		found.warn(ReasonGrantsNothing, "spec.sources is empty, so this TrafficTarget grants nothing: list the service accounts that may call.")
	}
	if len(spec.list("rules")) == 0 {
		found.warn(ReasonGrantsNothing, "spec.rules is empty, so this TrafficTarget grants nothing: list an HTTPRouteGroup or TCPRoute that says what may be called.")
	}
	if !usable || !rulesUsable || len(rules) == 0 || len(sources) == 0 {
		return nil, found
	}
	return &catalog.TrafficTarget{Name: nameOf(u), Destination: destination, Sources: sources, Rules: rules}, found
}

// targetDestination reads the destination, which must be in the namespace of the TrafficTarget: a namespace grants access to
// its own workloads only.
func targetDestination(spec object, namespace string) (identity.ServiceAccount, bool) {
	destination, ok := spec.object("destination").serviceAccount(namespace)
	if ok && destination.Namespace != namespace {
		spec.problems.refuse(ReasonForeignNamespace, "spec.destination.namespace is %s, but this TrafficTarget is in %s: create it in the namespace of its destination.", destination.Namespace, namespace)
		return destination, false
	}
	return destination, ok
}

// targetSources reads the sources, sorted; those that are nobody are left out.
func targetSources(spec object) []identity.ServiceAccount {
	var sources []identity.ServiceAccount
	for _, item := range spec.objects("sources") {
		if sa, ok := item.serviceAccount(""); ok {
			sources = append(sources, sa)
		}
	}
	slices.SortFunc(sources, identity.ServiceAccount.Compare)
	return slices.Compact(sources)
}

// targetRules reads the rules. UDPRoutes are left out, and the others count. One rule of an unknown kind makes the whole target
// unusable, as in OSM: what it was meant to restrict is not known.
func targetRules(spec object) ([]catalog.TargetRule, bool) {
	usable := true
	var rules []catalog.TargetRule
	for _, item := range spec.objects("rules") {
		if item.text("kind") == "UDPRoute" {
			item.problems.warn(ReasonNotCaptured, "%s refers to UDPRoute %.80q and is not enforced, because sidecars do not intercept UDP; the other rules of this TrafficTarget count.", item.path, item.text("name"))
			continue
		}
		rule := catalog.TargetRule{Kind: catalog.Kind(item.text("kind")), Name: item.text("name"), Matches: item.texts("matches")}
		slices.Sort(rule.Matches)
		rule.Matches = slices.Compact(rule.Matches)
		if rule.Kind != catalog.KindHTTPRouteGroup && rule.Kind != catalog.KindTCPRoute {
			item.problems.refuse(ReasonUnsupported, "%s has the kind %.40q, which is not acted on, so this TrafficTarget grants nothing: use HTTPRouteGroup or TCPRoute.", item.path, rule.Kind)
			usable = false
		}
		if rule.Name == "" {
			item.problems.refuse(ReasonInvalidName, "%s has no name, so this TrafficTarget grants nothing: name a route in the namespace of this object.", item.path)
			usable = false
		}
		rules = append(rules, rule)
	}
	return rules, usable
}
