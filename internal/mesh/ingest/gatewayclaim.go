package ingest

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// ConditionHostClaimed is the type of the condition of a listener that records its claim. Its message is the claim, and its lastTransitionTime since when
// the listener has it. Only who may write the status of Gateways can change it.
const ConditionHostClaimed = "openservicemesh.io/HostClaimed"

// claimedSince returns since when a listener has its claim; zero if its status has none, or another one. A version without claims accepted
// listeners too: one that was not edited since keeps what it serves.
func claimedSince(g *gatewayv1.Gateway, l catalog.GatewayListener) time.Time {
	for i := range g.Status.Listeners {
		status := &g.Status.Listeners[i]
		if string(status.Name) != l.Name {
			continue
		}
		if claim := meta.FindStatusCondition(status.Conditions, ConditionHostClaimed); claim != nil {
			if claim.Status == metav1.ConditionTrue && claim.Message == l.Claim() {
				return claim.LastTransitionTime.UTC()
			}
			return time.Time{}
		}
		accepted := meta.FindStatusCondition(status.Conditions, string(gatewayv1.ListenerConditionAccepted))
		if accepted != nil && accepted.Status == metav1.ConditionTrue && accepted.ObservedGeneration == g.Generation {
			return accepted.LastTransitionTime.UTC()
		}
	}
	return time.Time{}
}
