package peers

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// maxListed is how many peers and ports a message has.
const maxListed = 8

// exportReconciler writes the status of ServiceExports.
type exportReconciler struct{ Writers }

// Reconcile writes the changed status of one ServiceExport.
func (r *exportReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	return r.reconcileConsent(ctx, request, kinds.ServiceExport, r.evaluate)
}

// evaluate returns the status of a ServiceExport.
func (r *exportReconciler) evaluate(v *catalog.View, name entity.Name, object *unstructured.Unstructured) consentStatus {
	peer := object.GetLabels()[names.PeerLabel]
	valid := r.valid(v, name, object)
	ready := valid
	if valid.Status == metav1.ConditionTrue {
		ready = r.exported(v, name, peer)
	}
	ready.Type = ConditionReady
	return consentStatus{Conditions: []metav1.Condition{valid, ready}}
}

// valid returns whether the Service and the peer exist.
func (r *exportReconciler) valid(v *catalog.View, name entity.Name, object *unstructured.Unstructured) metav1.Condition {
	peer := object.GetLabels()[names.PeerLabel]
	_, problems := ingest.ServiceExport(object)
	if reason, text := problemsOf(problems); reason != "" {
		return reject(ConditionValid, reason, "%s", text)
	}
	if v.Service(name) == nil {
		return reject(ConditionValid, ReasonNoService, "Service %s does not exist in the mesh: create it, or delete this object.", name)
	}
	if len(r.peersNamed(v, peer)) == 0 {
		return unknownPeer(ConditionValid, peer)
	}
	return newCondition(ConditionValid, metav1.ConditionTrue, ReasonValid, "The Service and its peers exist.")
}

// exported returns whether a peer may call the Service, and who of it.
func (r *exportReconciler) exported(v *catalog.View, name entity.Name, peer string) metav1.Condition {
	var offered, beyond []string
	var omitted peering.Omitted
	for _, named := range r.peersNamed(v, peer) {
		offer, ok := peering.OfferOf(v, name, named)
		if !ok {
			continue
		}
		omitted = omitted.Add(offer.Omitted)
		if r.isBeyondLimits(named, name) {
			beyond = append(beyond, named)
			continue
		}
		offered = append(offered, fmt.Sprintf("%s (%s)", named, accountsByPort(offer)))
	}
	limits := describeLimits(beyond, omitted)
	switch {
	case len(offered) > 0:
		text := "Accounts that may call the Service, by peer and port: " + strings.Join(message.First(offered, maxListed), ", ") + "."
		if len(v.ServiceIdentities(name)) == 0 {
			text += " It has no pod, so their requests have status 503, and those count that TrafficTargets admit to any service account of the namespace."
		}
		return newCondition(ConditionReady, metav1.ConditionTrue, ReasonExported, "%s", strings.TrimSpace(text+" "+limits))
	case len(beyond) > 0:
		return reject(ConditionReady, ReasonExportsLimited, "%s", limits)
	}
	return reject(ConditionReady, ReasonNoTrafficTarget, "%s", noTarget(v, name, peer))
}

// isBeyondLimits reports whether limits omit the Service from what a peer is offered.
func (r *exportReconciler) isBeyondLimits(peer string, service entity.Name) bool {
	exchange := r.Exchange()
	return exchange != nil && exchange.Exported(peer).Omitted.Services > 0 && !exchange.Offers(peer, service)
}

// accountsByPort describes how many accounts each port admits.
func accountsByPort(offer peering.Offer) string {
	texts := lists.Map(offer.Service.Ports, func(p peering.Port) string { return fmt.Sprintf("port %d: %d", p.Number, len(p.Clients)) })
	return strings.Join(message.First(texts, maxListed), ", ")
}

// describeLimits describes what limits omit; empty if that is nothing.
func describeLimits(beyond []string, omitted peering.Omitted) string {
	var texts []string
	if len(beyond) > 0 {
		texts = append(texts, fmt.Sprintf("Limits omit the Service from what these peers are offered: %s. A peer is offered at most %d Services, in the order of their names.",
			strings.Join(message.First(beyond, maxListed), ", "), peering.MaxServices))
	}
	if omitted != (peering.Omitted{}) {
		texts = append(texts, fmt.Sprintf("Limits omit %d ports and %d accounts: a peer is offered at most %d ports of a Service, and %d accounts of each.",
			omitted.Ports, omitted.Accounts, peering.MaxPorts, peering.MaxAccounts))
	}
	return strings.Join(texts, " ")
}

// noTarget says what to write so that a peer may call a Service.
func noTarget(v *catalog.View, name entity.Name, peer string) string {
	source := peer
	if peer == names.AnyPeer {
		source = "<peer>"
	}
	destination := "the service account of its pods"
	if servers := v.ServiceIdentities(name); len(servers) > 0 {
		destination = "ServiceAccount " + servers[0].String()
	}
	return fmt.Sprintf("No TrafficTarget admits an account of a peer to the Service, so no peer sees it. Write one whose spec.destination is %s, with a source of the kind "+
		"PeerServiceAccount, the name %s/<service account> and its namespace in the cluster of the peer.", destination, source)
}
