package ingest

import (
	"fmt"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// maxRules is the maximum number of rules of a TrafficTarget. Sidecars of its sources depend on each of them.
const maxRules = 1024

// TrafficTarget reads an SMI TrafficTarget (access.smi-spec.io/v1alpha3). A target that grants nothing, or that is not
// usable as a whole, has no entry.
func TrafficTarget(u *unstructured.Unstructured) (*catalog.TrafficTarget, []Problem) {
	spec, found, ok := DecodeObject[accessv1alpha3.TrafficTargetSpec](u)
	if !ok {
		return nil, found
	}
	destination, usable := targetDestination(spec, u.GetNamespace(), &found)
	sources, peers := targetSources(spec, &found)
	rules, rulesUsable := targetRules(spec, &found)
	if len(spec.Sources) == 0 {
		found.Idle(ReasonGrantsNothing, "spec.sources is empty, so this TrafficTarget grants nothing: list the service accounts that may call.")
	}
	if len(spec.Rules) == 0 {
		found.Idle(ReasonGrantsNothing, "spec.rules is empty, so this TrafficTarget grants nothing: list an HTTPRouteGroup or a TCPRoute with what may be called.")
	}
	if !usable || !rulesUsable || len(rules) == 0 || len(sources)+len(peers) == 0 {
		return nil, found
	}
	return &catalog.TrafficTarget{Name: NameOf(u), Destination: destination, Sources: sources, PeerSources: peers, Rules: rules}, found
}

// targetDestination reads the destination. It must be in the namespace of the TrafficTarget: a namespace grants access to its
// own workloads only.
func targetDestination(spec accessv1alpha3.TrafficTargetSpec, namespace string, found *Problems) (identity.ServiceAccount, bool) {
	destination, ok := ServiceAccountOf("spec.destination", spec.Destination, namespace, found)
	if ok && destination.Namespace != namespace {
		found.Reject(ReasonForeignNamespace, "spec.destination.namespace is %s, but this TrafficTarget is in %s: create it in the namespace of its destination.", destination.Namespace, namespace)
		return destination, false
	}
	return destination, ok
}

// targetSources reads the sources, sorted, and skips those that are not usable. Accounts of peers have a list of their own.
func targetSources(spec accessv1alpha3.TrafficTargetSpec, found *Problems) ([]identity.ServiceAccount, []identity.PeerAccount) {
	var sources []identity.ServiceAccount
	var peers []identity.PeerAccount
	for i, subject := range spec.Sources {
		path := fmt.Sprintf("spec.sources[%d]", i)
		if subject.Kind == PeerServiceAccount {
			if account, ok := peerAccountOf(path, subject, found); ok {
				peers = append(peers, account)
			}
			continue
		}
		if sa, ok := ServiceAccountOf(path, subject, "", found); ok {
			sources = append(sources, sa)
		}
	}
	return lists.UniqueFunc(sources, identity.ServiceAccount.Compare), lists.UniqueFunc(peers, identity.PeerAccount.Compare)
}

// targetRules reads the rules and skips UDPRoutes. As in OSM, one rule of an unknown kind makes the whole target unusable: what
// it was meant to restrict is not known.
func targetRules(spec accessv1alpha3.TrafficTargetSpec, found *Problems) ([]catalog.TargetRule, bool) {
	if len(spec.Rules) > maxRules {
		found.Reject(ReasonUnsupported, "spec.rules has %d elements, so this TrafficTarget grants nothing: write at most %d, or several TrafficTargets.", len(spec.Rules), maxRules)
		return nil, false
	}
	usable := true
	var rules []catalog.TargetRule
	for i, r := range spec.Rules {
		path := fmt.Sprintf("spec.rules[%d]", i)
		if r.Kind == "UDPRoute" {
			found.Warn(ReasonNotCaptured, "%s refers to UDPRoute %.80q and is not enforced, because sidecars do not intercept UDP; the other rules of this TrafficTarget count.", path, r.Name)
			continue
		}
		rule := catalog.TargetRule{Kind: entity.Kind(r.Kind), Name: r.Name, Matches: r.Matches}
		if rule.Kind != entity.KindHTTPRouteGroup && rule.Kind != entity.KindTCPRoute {
			found.Reject(ReasonUnsupported, "%s has the kind %.40q, which is not acted on, so this TrafficTarget grants nothing: use HTTPRouteGroup or TCPRoute.", path, rule.Kind)
			usable = false
		}
		if rule.Name == "" {
			found.Reject(ReasonInvalidName, "%s has no name, so this TrafficTarget grants nothing: name a route in the namespace of this object.", path)
			usable = false
		}
		rules = append(rules, rule)
	}
	return mergeRules(rules), usable
}

// mergeRules merges the rules for each route object. Without this, a target could contain the matches of one object thousands of times. Rules
// without matches stay apart from those with matches.
func mergeRules(rules []catalog.TargetRule) []catalog.TargetRule {
	type key struct {
		kind  entity.Kind
		name  string
		named bool
	}
	positions := map[key]int{}
	var merged []catalog.TargetRule
	for _, rule := range rules {
		at := key{rule.Kind, rule.Name, len(rule.Matches) > 0}
		i, known := positions[at]
		if !known {
			i = len(merged)
			positions[at] = i
			merged = append(merged, catalog.TargetRule{Kind: rule.Kind, Name: rule.Name})
		}
		merged[i].Matches = append(merged[i].Matches, rule.Matches...)
	}
	for i := range merged {
		merged[i].Matches = lists.Unique(merged[i].Matches)
	}
	return merged
}
