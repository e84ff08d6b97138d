package peers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/controlplane/peering"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Mirror is the mesh as views. mirror.Mirror implements it.
type Mirror interface {
	Read(object entity.Ref, read func(*catalog.View))
	Forget(object entity.Ref)
	Watch(kind entity.Kind, notify func(context.Context, entity.Name))
}

// Exchange is the exchange of records with peers. peering.Peering implements it.
type Exchange interface {
	States() []peering.State
	Exported(peer string) peering.Exported
	Offers(peer string, service entity.Name) bool
}

// Writers configures the controllers that write status. All fields are required.
type Writers struct {
	// Client reads from the cache, and writes status.
	Client client.Client
	// Leading reports whether this replica writes status, and OnLead calls a function each time it begins to.
	Leading func() bool
	OnLead  func(call func())
	Mirror  Mirror
	// Ready reports whether the Mirror has all objects of the mesh, and the exchange its peers.
	Ready func() bool
	// Exchange returns the exchange with peers; nil before the first of them.
	Exchange func() Exchange
	// Domains returns the trust domains of this mesh.
	Domains func() identity.TrustDomains
	// Mesh is the name of the mesh, and Version that of this control plane.
	Mesh, Version string
	Now           func() time.Time
}

// Setup adds the controllers to mgr, each once the cluster defines its kinds. It must be called before this replica can acquire the Lease.
func (w Writers) Setup(mgr manager.Manager, definitions *traffic.Definitions) error {
	for _, add := range []struct {
		kind schema.GroupVersionKind
		r    reconcile.Reconciler
	}{
		{kinds.MeshPeer, &peerReconciler{Writers: w, written: map[string]time.Time{}}},
		{kinds.ServiceExport, &exportReconciler{w}},
		{kinds.ServiceImport, &importReconciler{w}},
	} {
		acquired := w.acquisitions()
		start := func() error { return w.add(mgr, add.kind, add.r, acquired) }
		if err := definitions.Start(mgr, start, kinds.MeshPeer, add.kind); err != nil {
			return err
		}
	}
	return nil
}

// add adds the controller of a kind. It reconciles all objects when this replica acquires the Lease, and when a MeshPeer changes.
func (w Writers) add(mgr manager.Manager, kind schema.GroupVersionKind, r reconcile.Reconciler, acquired <-chan event.GenericEvent) error {
	all := w.enqueueAll(kind)
	b := ctrl.NewControllerManagedBy(mgr).Named("peers-"+string(kinds.EntryKind(kind))).WithOptions(backoff.Options(1)).
		Watches(&operatorv1alpha1.MeshPeer{}, all).
		WatchesRawSource(source.Channel(acquired, all)).
		WatchesRawSource(source.Channel(traffic.WatchMirror(w.Mirror, kind), &handler.EnqueueRequestForObject{}))
	if kind != kinds.MeshPeer {
		b = b.Watches(kinds.Object(kind), &handler.EnqueueRequestForObject{})
	}
	return b.Complete(r)
}

// acquisitions returns a channel of events, one each time this replica acquires the Lease.
func (w Writers) acquisitions() <-chan event.GenericEvent {
	acquired := make(chan event.GenericEvent, 1)
	w.OnLead(func() {
		select {
		case acquired <- event.GenericEvent{Object: &unstructured.Unstructured{}}:
		default:
		}
	})
	return acquired
}

// enqueueAll enqueues objects of a kind: after a change of a MeshPeer the consents that name it, and all MeshPeers, because another one may count now.
func (w Writers) enqueueAll(kind schema.GroupVersionKind) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, changed client.Object) []ctrl.Request {
		objects, err := w.list(ctx, kind)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot list", "kind", kind.Kind)
		}
		var requests []ctrl.Request
		for _, object := range objects {
			if kind == kinds.MeshPeer || changed.GetName() == "" || concerns(object, changed.GetName()) {
				requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)})
			}
		}
		return requests
	})
}

// list returns all objects of a kind, which must not be changed. MeshPeers have their type, because the cache has no others.
func (w Writers) list(ctx context.Context, kind schema.GroupVersionKind) (objects []client.Object, err error) {
	if kind == kinds.MeshPeer {
		peers := &operatorv1alpha1.MeshPeerList{}
		err = w.Client.List(ctx, peers, client.UnsafeDisableDeepCopy)
		for i := range peers.Items {
			objects = append(objects, &peers.Items[i])
		}
		return objects, err
	}
	consents := &unstructured.UnstructuredList{}
	consents.SetGroupVersionKind(kind)
	err = w.Client.List(ctx, consents, client.UnsafeDisableDeepCopy)
	for i := range consents.Items {
		objects = append(objects, &consents.Items[i])
	}
	return objects, err
}

// concerns reports whether a consent names a peer.
func concerns(object client.Object, peer string) bool {
	named := object.GetLabels()[names.PeerLabel]
	return named == peer || named == names.AnyPeer
}
