package peers

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/controlplane/peering"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	meshpeering "github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// cart returns Service shop/cart with a pod.
func cart() []catalog.Entry {
	pod := Pod("shop", "cart-1", "cart", "cart", "10.0.0.1")
	return []catalog.Entry{pod, Service("shop", "cart", "cart", "10.96.0.1", 80, inventory.ProtocolTCP), Slice(Name("shop", "cart"), pod), &catalog.TCPRoute{Name: Name("shop", "any")}}
}

// admitting returns a TrafficTarget that admits accounts of peers to shop/cart.
func admitting(accounts ...identity.PeerAccount) *catalog.TrafficTarget {
	target := Target("t", SA("shop", "cart"), []catalog.TargetRule{TCP("any")})
	target.PeerSources = accounts
	return target
}

func TestStatusOfExports(t *testing.T) {
	of := func(peer, name string) identity.PeerAccount {
		return identity.PeerAccount{Peer: peer, Namespace: "web", Name: name}
	}
	both := slices.Clip(append(cart(), Peer("east", "east.example"), Peer("north", "north.example")))
	for name, c := range map[string]struct {
		peer         string
		entries      []catalog.Entry
		beyond       bool
		valid, ready string
	}{
		"exported": {
			"Any", append(both, admitting(of("east", "a"), of("east", "b"), of("north", "a"))), false,
			"True Valid: ", "True Exported: east (port 80: 2), north (port 80: 1).",
		},
		"exported to one peer":       {"north", append(both, admitting(of("east", "a"), of("north", "a"))), false, "True Valid: ", "True Exported: by peer and port: north (port 80: 1)."},
		"no pod":                     {"east", append(both[1:], admitting(of("east", "a"))), false, "True Valid: ", "True Exported: east (port 80: 1). It has no pod, so their requests have status 503"},
		"no TrafficTarget":           {"east", append(both, admitting(of("north", "a"))), false, "True Valid: ", "False NoTrafficTarget: ServiceAccount shop/cart, with a source of the kind PeerServiceAccount, the name east/<service account>"},
		"no TrafficTarget for all":   {"Any", both, false, "True Valid: ", "False NoTrafficTarget: the name <peer>/<service account>"},
		"no Service":                 {"east", []catalog.Entry{Peer("east", "east.example")}, false, "False NoService: ", "False NoService: shop/cart does not exist"},
		"an unknown peer":            {"south", both, false, "False UnknownPeer: ", "False UnknownPeer: MeshPeer south does not exist, or is not accepted"},
		"no peer at all":             {"Any", cart(), false, "False UnknownPeer: ", "False UnknownPeer: has no MeshPeer"},
		"a peer named like the mesh": {"same", append(cart(), Peer("same", "west.example")), false, "False UnknownPeer: ", "False UnknownPeer: "},
		"a label that is no name":    {"A", both, false, "False InvalidLabel: ", "False InvalidLabel: write the name of a MeshPeer or Any"},
		"beyond the limits":          {"east", append(both, admitting(of("east", "a"))), true, "True Valid: ", "False ExportsLimited: at most 200 Services"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestMesh(t, consentObject(kinds.ServiceExport, "cart", c.peer))
			w.set(c.entries...)
			if entry, _ := kinds.Consents()[0].Ingest(consentObject(kinds.ServiceExport, "cart", c.peer)); entry != nil {
				w.set(entry)
			}
			if c.beyond {
				w.exchange.exported = peering.Exported{IsRead: true, Services: 200, Omitted: meshpeering.Omitted{Services: 1}}
			}
			r := &exportReconciler{w.Writers}
			reconcileOne(t, r, "shop", "cart")
			status := w.consentStatusOf(t, kinds.ServiceExport, "cart")
			checkCondition(t, status.Conditions, ConditionValid, c.valid)
			checkCondition(t, status.Conditions, ConditionReady, c.ready)
			if reconcileOne(t, r, "shop", "cart"); w.writes != 1 {
				t.Errorf("%d writes", w.writes)
			}
		})
	}
}

func TestStatusOfImports(t *testing.T) {
	handwritten := func(ports ...uint16) *inventory.Service {
		s := &inventory.Service{Name: Name("shop", "cart")}
		for _, port := range ports {
			s.Ports = append(s.Ports, inventory.Port{Number: port, TargetPort: port, Protocol: inventory.ProtocolHTTP})
		}
		return s
	}
	imported := append(ImportOf("east", Name("shop", "cart"), 80, SA("shop", "cart")), Peer("east", "east.example"))
	idle := append(ImportOf("east", Name("shop", "cart"), 80, SA("shop", "cart")), Peer("east", "east.example"))
	idle[1].(*catalog.PeerService).Ports[0].Ready = false
	consented := []catalog.Entry{imported[0], Peer("east", "east.example")}
	for name, c := range map[string]struct {
		peer    string
		entries []catalog.Entry
		service *inventory.Service
		want    string
		// clusters is how many there are.
		clusters int
	}{
		"imported":                  {"east", imported, handwritten(80), "True Ready: answers on the ports 80", 1},
		"an unknown peer":           {"south", imported, handwritten(80), "False UnknownPeer: MeshPeer south", 0},
		"any peer":                  {"Any", imported, handwritten(80), "False InvalidLabel: ", 0},
		"no Service":                {"east", imported, nil, "False ServiceMissing: `osm peer import shop/cart --from east --port PORT`", 0},
		"a Service with a selector": {"east", imported, Service("shop", "cart", "cart", "", 80, inventory.ProtocolHTTP), "False ServiceHasSelector: remove spec.selector", 0},
		"not exported":              {"east", consented, handwritten(80), "False NotExported: The peer east", 0},
		"another port":              {"east", imported, handwritten(81), "False PortMismatch: has the ports 81, and the peer east offers 80", 1},
		"one port more":             {"east", imported, handwritten(80, 81), "True PortMismatch: does not offer the ports 81", 1},
		"no ready pod":              {"east", idle, handwritten(80), "False NoReadyPod: ", 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestMesh(t, consentObject(kinds.ServiceImport, "cart", c.peer))
			w.set(c.entries...)
			if c.service != nil {
				w.set(c.service)
			}
			r := &importReconciler{w.Writers}
			reconcileOne(t, r, "shop", "cart")
			status := w.consentStatusOf(t, kinds.ServiceImport, "cart")
			checkCondition(t, status.Conditions, ConditionReady, c.want)
			checkCondition(t, status.Conditions, ConditionStale, "")
			if len(status.Clusters) != c.clusters || c.clusters > 0 && status.Clusters[0].Cluster != "east" {
				t.Errorf("the clusters are %v", status.Clusters)
			}
			if reconcileOne(t, r, "shop", "cart"); w.writes != 1 {
				t.Errorf("%d writes", w.writes)
			}
		})
	}
}

// TestStatusOfJoinedImports checks the ServiceImports of a Service with pods.
func TestStatusOfJoinedImports(t *testing.T) {
	own := Service("shop", "cart", "cart", "10.96.0.1", 80, inventory.ProtocolHTTP)
	twoPorts, headless := *own, *own
	twoPorts.Ports = append(slices.Clip(own.Ports), inventory.Port{Number: 81, TargetPort: 81, Protocol: inventory.ProtocolHTTP})
	headless.ClusterIPs = nil
	for name, c := range map[string]struct {
		join, share string
		service     *inventory.Service
		want        string
		clusters    int
	}{
		"failover":          {"Failover", "", own, "True Ready: The peer east answers while no pod of this mesh can, on the ports 80.", 1},
		"a share":           {"Spread", "20", own, "True Ready: The peer east answers 20% of the requests and TCP connections, and all of them while no pod of this mesh can, on the ports 80.", 1},
		"a share of a port": {"Spread", "20", &twoPorts, "True PortMismatch: does not offer the ports 81, so pods of this mesh answer all their requests", 1},
		"no share":          {"Spread", "", own, `False InvalidAnnotation: openservicemesh.io/peer-share is "", so the object is not used`, 0},
		"too large a share": {"Spread", "100", own, "False InvalidAnnotation: from 1 to 99", 0},
		"another word":      {"Replace", "", own, "False InvalidAnnotation: write Failover or Spread, or remove it", 0},
		"a share alone":     {"", "20", own, "False ServiceHasSelector: ", 0},
		"a headless one":    {"Spread", "20", &headless, "False ServiceHeadless: ", 1},
	} {
		t.Run(name, func(t *testing.T) {
			object := consentObject(kinds.ServiceImport, "cart", "east")
			annotations := map[string]string{}
			if c.join != "" {
				annotations[names.PeerJoinAnnotation] = c.join
			}
			if c.share != "" {
				annotations[names.PeerShareAnnotation] = c.share
			}
			object.SetAnnotations(annotations)
			w := newTestMesh(t, object)
			w.set(c.service, Peer("east", "east.example"), ImportOf("east", Name("shop", "cart"), 80, SA("shop", "cart"))[1])
			if entry, _ := kinds.Consents()[1].Ingest(object); entry != nil {
				w.set(entry)
			}
			r := &importReconciler{w.Writers}
			reconcileOne(t, r, "shop", "cart")
			status := w.consentStatusOf(t, kinds.ServiceImport, "cart")
			checkCondition(t, status.Conditions, ConditionReady, c.want)
			if len(status.Clusters) != c.clusters {
				t.Errorf("the clusters are %v", status.Clusters)
			}
		})
	}
}

// TestAddressesOfImports compares spec.ips with the addresses of the Service.
func TestAddressesOfImports(t *testing.T) {
	service := &inventory.Service{Name: Name("shop", "cart"), Ports: []inventory.Port{{Number: 80}}, ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("fd00::1")}}
	headless := &inventory.Service{Name: service.Name, Ports: service.Ports}
	for name, c := range map[string]struct {
		service *inventory.Service
		ips     []any
		want    string
	}{
		"none":                {service, nil, ""},
		"one":                 {service, []any{"10.96.0.1"}, ""},
		"both":                {service, []any{"fd00:0::1", "10.96.0.1"}, ""},
		"of another Service":  {service, []any{"10.96.0.1", "10.96.0.2"}, "True NotOfService: the addresses 10.96.0.2, which are not those of Service shop/cart. Where the DNS of the cluster answers with them for cart.shop.svc.clusterset.local"},
		"no address":          {service, []any{"x"}, "True NotOfService: write 10.96.0.1, fd00::1."},
		"of a headless one":   {headless, []any{"10.96.0.1"}, "True NotOfService: write no address, because the Service has none."},
		"no Service":          {nil, []any{"10.96.0.1"}, ""},
		"a value of any type": {service, []any{int64(1)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			object := consentObject(kinds.ServiceImport, "cart", "east")
			object.Object["spec"] = map[string]any{"ips": c.ips}
			w := newTestMesh(t, object)
			w.set(append(ImportOf("east", Name("shop", "cart"), 80, SA("shop", "cart")), Peer("east", "east.example"))...)
			if c.service != nil {
				w.set(c.service)
			}
			reconcileOne(t, &importReconciler{w.Writers}, "shop", "cart")
			checkCondition(t, w.consentStatusOf(t, kinds.ServiceImport, "cart").Conditions, ConditionAddressesDiffer, c.want)
		})
	}
}

// TestImportsAreStaleWithoutTheirPeer loses the connection to the peer, and has it again.
func TestImportsAreStaleWithoutTheirPeer(t *testing.T) {
	peer := meshPeer("east", "east.example", "x")
	w := newTestMesh(t, peer, consentObject(kinds.ServiceImport, "cart", "east"))
	w.set(append(ImportOf("east", Name("shop", "cart"), 80, SA("shop", "cart")), Peer("east", "east.example"))...)
	w.set(&inventory.Service{Name: Name("shop", "cart"), Ports: []inventory.Port{{Number: 80}}})
	for _, isConnected := range []metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionTrue} {
		peer.Status.Conditions = []metav1.Condition{{Type: operatorv1alpha1.PeerConnected, Status: isConnected, Reason: "X", LastTransitionTime: metav1.NewTime(w.now)}}
		if err := w.Client.Status().Update(t.Context(), peer); err != nil {
			t.Fatal(err)
		}
		reconcileOne(t, &importReconciler{w.Writers}, "shop", "cart")
		want := ""
		if isConnected == metav1.ConditionFalse {
			want = "True NotConnected: The peer east is not connected"
		}
		status := w.consentStatusOf(t, kinds.ServiceImport, "cart")
		checkCondition(t, status.Conditions, ConditionStale, want)
		checkCondition(t, status.Conditions, ConditionReady, "True Ready: ")
	}
}

// TestConsentsOfOthersAreLeftAlone has objects without the label, outside the mesh, in a replica without the Lease, and with a condition of another controller.
func TestConsentsOfOthersAreLeftAlone(t *testing.T) {
	outside := consentObject(kinds.ServiceExport, "cart", "east")
	outside.SetNamespace("outside")
	shared := consentObject(kinds.ServiceExport, "shared", "east")
	condition, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&metav1.Condition{Type: "Conflict", Status: metav1.ConditionFalse, Reason: "NoConflicts"})
	if err != nil {
		t.Fatal(err)
	}
	shared.Object["status"] = map[string]any{"conditions": []any{condition}}
	w := newTestMesh(t, consentObject(kinds.ServiceExport, "cart", ""), consentObject(kinds.ServiceImport, "cart", ""), outside, shared)
	exports, imports := &exportReconciler{w.Writers}, &importReconciler{w.Writers}
	reconcileOne(t, exports, "shop", "cart")
	reconcileOne(t, imports, "shop", "cart")
	reconcileOne(t, exports, "outside", "cart")
	w.leading = false
	if reconcileOne(t, exports, "shop", "shared"); w.writes > 0 {
		t.Errorf("%d writes", w.writes)
	}
	w.leading = true
	reconcileOne(t, exports, "shop", "shared")
	status := w.consentStatusOf(t, kinds.ServiceExport, "shared")
	checkCondition(t, status.Conditions, "Conflict", "False NoConflicts")
	checkCondition(t, status.Conditions, ConditionValid, "False NoService: ")
}

// TestChangedPeersConcernConsents checks which objects a change of a MeshPeer concerns.
func TestChangedPeersConcernConsents(t *testing.T) {
	for peer, want := range map[string]bool{"east": true, "Any": true, "north": false, "": false} {
		if got := concerns(consentObject(kinds.ServiceExport, "cart", peer), "east"); got != want {
			t.Errorf("%q: %t", peer, got)
		}
	}
	w := newTestMesh(t, meshPeer("east", "east.example", "x"), consentObject(kinds.ServiceExport, "cart", "north"))
	for kind, want := range map[schema.GroupVersionKind]int{kinds.MeshPeer: 1, kinds.ServiceExport: 1, kinds.ServiceImport: 0} {
		objects, err := w.list(t.Context(), kind)
		if err != nil || len(objects) != want {
			t.Errorf("%s: %d objects, error %v", kind.Kind, len(objects), err)
		}
	}
}

// TestConditionsOfTheMeshAreReleased removes the label of an object. A condition that another controller has replaced meanwhile stays, as do its others.
func TestConditionsOfTheMeshAreReleased(t *testing.T) {
	written := func(manager, subresource string, types ...string) metav1.ManagedFieldsEntry {
		fields := map[string]any{}
		for _, kind := range types {
			fields[`k:{"type":"`+kind+`"}`] = map[string]any{".": map[string]any{}, "f:message": map[string]any{}}
		}
		content, err := json.Marshal(map[string]any{"f:status": map[string]any{
			"f:conditions": fields, "f:clusters": map[string]any{`k:{"cluster":"east"}`: map[string]any{"f:cluster": map[string]any{}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return metav1.ManagedFieldsEntry{
			Manager: manager, Subresource: subresource, Operation: metav1.ManagedFieldsOperationUpdate, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(content)),
		}
	}
	object := consentObject(kinds.ServiceImport, "cart", "")
	var conditions []any
	for _, kind := range []string{"Ready", "Valid", "Conflict"} {
		conditions = append(conditions, map[string]any{"type": kind, "status": "True", "reason": "Any", "message": "text"})
	}
	object.Object["status"] = map[string]any{"conditions": conditions, "clusters": []any{map[string]any{"cluster": "east"}, map[string]any{"cluster": "other"}}}
	w := newTestMesh(t, object.DeepCopy())
	stored := object.DeepCopy()
	if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(object), stored); err != nil {
		t.Fatal(err)
	}
	stored.SetManagedFields([]metav1.ManagedFieldsEntry{written(names.Controller, "status", "Ready"), written("other", "status", "Valid"), written(names.Controller, "", "Valid")})
	if err := w.releaseConsent(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	status := w.consentStatusOf(t, kinds.ServiceImport, "cart")
	kept := lists.Map(status.Conditions, func(c metav1.Condition) string { return c.Type })
	if !slices.Equal(kept, []string{"Valid", "Conflict"}) || !slices.Equal(status.Clusters, []importedCluster{{"other"}}) {
		t.Errorf("the status is %+v", status)
	}
	stored.SetManagedFields([]metav1.ManagedFieldsEntry{written("other", "status", "Ready")})
	if err := w.releaseConsent(t.Context(), stored); err != nil || w.writes != 1 {
		t.Errorf("%d writes, error %v: nothing more is to be released", w.writes, err)
	}
}
