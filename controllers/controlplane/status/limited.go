package status

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// limitEffect describes what the route limit does to an object in some sidecars.
func limitEffect(kind, sidecars string) string {
	switch kind {
	case kinds.TrafficTarget.Kind:
		return fmt.Sprintf("Some ports deny all requests of the mesh in %s, because the routes and clients of all ports of a pod exceed %d: "+
			"use fewer ports, matches or sources.", sidecars, authz.MaxRoutes)
	case kinds.IngressBackend.Kind:
		return fmt.Sprintf("Some ports deny all requests from outside in %s, because the matches and clients of all ports of a pod exceed %d: "+
			"use fewer ports, matches or sources.", sidecars, authz.MaxRoutes)
	case kinds.TrafficSplit.Kind:
		return fmt.Sprintf("Some requests that this object selects go to the destination of all others in %s, because the backends of all matches of "+
			"TrafficSplits of the namespace exceed %d: use fewer ports, matches or backends.", sidecars, authz.MaxRoutes)
	}
	return fmt.Sprintf("Some hosts, ranges or matches are left out in %s, because those of all Egresses of the namespace, and their sources in the "+
		"egress gateway, exceed %d: use fewer ports, hosts, ranges, matches or sources.", sidecars, authz.MaxRoutes)
}

// limitedPolicies returns for each policy with too many routes in which sidecars it is not complete.
func limitedPolicies(byReplica map[string]report.Rejections) map[policyKey]string {
	type accounts struct {
		names     []string
		all, more bool
	}
	merged := map[policyKey]accounts{}
	for _, replica := range byReplica {
		for _, one := range replica.Limited {
			p := policyKey{one.Kind, one.Namespace, one.Name}
			m := merged[p]
			merged[p] = accounts{append(m.names, one.ServiceAccounts...), m.all || len(one.ServiceAccounts) == 0, m.more || one.More > 0}
		}
	}
	result := map[policyKey]string{}
	for p, m := range merged {
		slices.Sort(m.names)
		names := slices.Compact(m.names)
		text := "the sidecars of service accounts " + strings.Join(names[:min(len(names), maxReported)], ", ")
		if m.more || len(names) > maxReported {
			text += " and others"
		}
		if m.all {
			text = "the sidecars of all clients"
		}
		result[p] = text
	}
	return result
}

// limitedCondition returns the Accepted condition of an object that is not complete in some sidecars.
func limitedCondition(kind, sidecars string, before metav1.Condition) metav1.Condition {
	text := limitEffect(kind, sidecars)
	if before.Status == metav1.ConditionFalse {
		text += " " + before.Message
	}
	return metav1.Condition{Type: kinds.ConditionAccepted, Status: metav1.ConditionFalse, Reason: kinds.ReasonTooManyRoutes, Message: text}
}
