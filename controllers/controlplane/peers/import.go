package peers

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// importReconciler writes the status of ServiceImports.
type importReconciler struct{ Writers }

// Reconcile writes the changed status of one ServiceImport.
func (r *importReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var failed error
	evaluate := func(v *catalog.View, name entity.Name, object *unstructured.Unstructured) consentStatus {
		status, peer := r.evaluate(v, name, object), object.GetLabels()[names.PeerLabel]
		var isAway bool
		if isAway, failed = r.isAway(ctx, peer); isAway && len(r.peersNamed(v, peer)) > 0 {
			status.Conditions = append(status.Conditions, newCondition(ConditionStale, metav1.ConditionTrue, ReasonNotConnected,
				"The peer %s is not connected: see the condition %s of its MeshPeer. What it last said about the Service remains in force.", peer, operatorv1alpha1.PeerConnected))
		}
		return status
	}
	result, err := r.reconcileConsent(ctx, request, kinds.ServiceImport, evaluate, ConditionStale, ConditionAddressesDiffer)
	if err == nil {
		err = failed
	}
	return result, err
}

// isAway reports whether the status of a MeshPeer says that it is not connected.
func (r *importReconciler) isAway(ctx context.Context, name string) (bool, error) {
	peer := &operatorv1alpha1.MeshPeer{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: name}, peer); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return meta.IsStatusConditionFalse(peer.Status.Conditions, operatorv1alpha1.PeerConnected), nil
}

// evaluate returns the status of a ServiceImport, except whether its peer is connected.
func (r *importReconciler) evaluate(v *catalog.View, name entity.Name, object *unstructured.Unstructured) consentStatus {
	peer := object.GetLabels()[names.PeerLabel]
	consent, problems := ingest.ServiceImport(object)
	if reason, text := problemsOf(problems); reason != "" {
		return consentStatus{Conditions: []metav1.Condition{reject(ConditionReady, reason, "%s", text)}}
	}
	status := consentStatus{Conditions: []metav1.Condition{r.ready(v, consent)}}
	if service := v.Service(name); service != nil && len(r.peersNamed(v, peer)) > 0 {
		if imported, _ := v.ServiceOfPeer(service); imported != nil && imported.Peer == peer {
			status.Clusters = []importedCluster{{Cluster: peer}}
		}
		if others := otherAddresses(object, service); len(others) > 0 {
			status.Conditions = append(status.Conditions, newCondition(ConditionAddressesDiffer, metav1.ConditionTrue, ReasonNotOfService,
				"spec.ips has the addresses %s, which are not those of Service %s. Where the DNS of the cluster answers with them for %s, requests to that name do not go to the peer: write %s.",
				strings.Join(message.First(others, maxListed), ", "), name, names.ClusterSetHost(name.Name, name.Namespace), addressesOf(service)))
		}
	}
	return status
}

// otherAddresses returns the addresses of a ServiceImport that are not those of its Service. Sidecars do not redirect connections to them: they can belong to
// anybody.
func otherAddresses(object *unstructured.Unstructured, service *inventory.Service) []string {
	declared, _, _ := unstructured.NestedStringSlice(object.Object, "spec", "ips") // the API server validates the type
	return lists.Filter(declared, func(text string) bool {
		address, err := netip.ParseAddr(text)
		return err != nil || !slices.Contains(service.ClusterIPs, address.Unmap())
	})
}

// addressesOf describes the addresses of a Service.
func addressesOf(service *inventory.Service) string {
	if len(service.ClusterIPs) == 0 {
		return "no address, because the Service has none"
	}
	return strings.Join(lists.Map(service.ClusterIPs, netip.Addr.String), ", ")
}

// ready returns whether workloads can call the Service of the peer.
func (r *importReconciler) ready(v *catalog.View, consent *catalog.ServiceImport) metav1.Condition {
	name, peer := consent.Name, consent.Peer
	service := v.Service(name)
	switch {
	case len(r.peersNamed(v, peer)) == 0:
		return unknownPeer(ConditionReady, peer)
	case service == nil:
		return reject(ConditionReady, ReasonServiceMissing,
			"Service %s does not exist in the mesh. Workloads call the Service of the peer by it: apply the output of `osm peer import %s --from %s --port PORT`.", name, name, peer)
	case service.HasSelector() && !consent.Joined:
		return reject(ConditionReady, ReasonServiceHasSelector,
			"Service %s has a selector, so its requests go to pods of this mesh: remove spec.selector, import into another namespace, or add the annotation %s with the value %s or %s.",
			name, names.PeerJoinAnnotation, names.PeerFailover, names.PeerSpread)
	case service.HasSelector() && service.Headless():
		return reject(ConditionReady, ReasonServiceHeadless,
			"Service %s is headless, so its clients choose a pod of this mesh, and the peer answers none of their requests: remove the annotation %s, or give the Service a cluster IP.",
			name, names.PeerJoinAnnotation)
	}
	imported, _ := v.ServiceOfPeer(service)
	if imported == nil {
		return reject(ConditionReady, ReasonNotExported, "The peer %s has not offered Service %s to this mesh. It needs a ServiceExport there with the label %s, "+
			"and a TrafficTarget that admits accounts of this mesh.", peer, name, names.PeerLabel)
	}
	if !service.HasSelector() {
		return importedPorts(service, imported, "")
	}
	return importedPorts(service, imported, describeJoin(consent))
}

// describeJoin describes which requests a peer answers of a Service with pods of this mesh.
func describeJoin(consent *catalog.ServiceImport) string {
	if consent.Share > 0 {
		return fmt.Sprintf(" %d%% of the requests and TCP connections, and all of them while no pod of this mesh can,", consent.Share)
	}
	return " while no pod of this mesh can,"
}

// importedPorts compares the ports of a Service with those of the peer. The part is which requests the peer answers; empty for all.
func importedPorts(service *inventory.Service, imported *catalog.PeerService, part string) metav1.Condition {
	own := lists.Unique(lists.Map(service.Ports, func(p inventory.Port) uint16 { return p.Number }))
	theirs := lists.Map(imported.Ports, func(p catalog.PeerPort) uint16 { return p.Number })
	shared := lists.Filter(own, func(n uint16) bool { return slices.Contains(theirs, n) })
	unknown := lists.Filter(own, func(n uint16) bool { return !slices.Contains(theirs, n) })
	if len(shared) == 0 {
		return reject(ConditionReady, ReasonPortMismatch, "Service %s has the ports %s, and the peer %s offers %s: use its ports.",
			service.Name, ports(own), imported.Peer, ports(theirs))
	}
	isReady := func(p catalog.PeerPort) bool { return p.Ready && slices.Contains(shared, p.Number) }
	if !slices.ContainsFunc(imported.Ports, isReady) {
		return reject(ConditionReady, ReasonNoReadyPod, "No pod behind the Service of the peer %s accepts connections.", imported.Peer)
	}
	text := fmt.Sprintf("The peer %s answers%s on the ports %s.", imported.Peer, part, ports(shared))
	if len(unknown) > 0 {
		return newCondition(ConditionReady, metav1.ConditionTrue, ReasonPortMismatch, "%s It does not offer the ports %s, so %s",
			text, ports(unknown), effectOfMissing(part != ""))
	}
	return newCondition(ConditionReady, metav1.ConditionTrue, ReasonReady, "%s", text)
}

// effectOfMissing describes what becomes of requests to ports that a peer does not offer.
func effectOfMissing(hasPods bool) string {
	if hasPods {
		return "pods of this mesh answer all their requests."
	}
	return "their requests fail: remove them from the Service."
}
