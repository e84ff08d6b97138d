package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/endpoints"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Reconciler reconciles all Gateways of a mesh at once, because routes and listeners affect each other. All fields are required.
type Reconciler struct {
	// Client reads from the cache, and writes status.
	Client client.Client
	// Secrets reads Secrets and ConfigMaps from the API server.
	Secrets client.Reader
	// Leading reports whether this replica writes status.
	Leading func() bool
	// Sink receives certificates and authorities of clients.
	Sink feed.Sink
	// Rejected returns the rejections of a route by the ingress gateway. It returns false until they are known.
	Rejected func(kind, namespace, name string) ([]report.Rejection, bool)
	// RejectedRoutes returns a channel of the routes of a kind whose rejections changed, which the caller reads from then on. It may be nil.
	RejectedRoutes func(schema.GroupVersionKind) <-chan event.GenericEvent
	// Mesh is the name of the mesh, and Namespace that of its control plane.
	Mesh, Namespace string
	Now             func() time.Time

	// certificates and authorities are those that Sink has received.
	certificates, authorities secrets.Entries
	// awaited are the Secrets and ConfigMaps without a usable certificate, at most maxAwaited.
	awaited map[entity.Ref]bool
	// later has the laterKinds that the cluster defines.
	later sync.Map
}

// Reconcile reads the certificates and writes changed status. It must not run concurrently.
func (r *Reconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	state, err := r.read(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	if len(state.classes) == 0 {
		_, err := r.updateCertificates(ctx, catalog.New().View())
		return ctrl.Result{}, err
	}
	certificates, failed := r.updateCertificates(ctx, state.catalog.View())
	state.catalog.Apply(certificates)
	if _, known := r.Rejected(kinds.HTTPRoute.Kind, "", ""); r.Leading() && !known {
		return ctrl.Result{RequeueAfter: time.Second}, failed
	}
	if r.Leading() {
		failed = errors.Join(failed, r.writeStatus(ctx, state))
	}
	if failed != nil {
		return ctrl.Result{}, failed
	}
	return ctrl.Result{RequeueAfter: min(r.certificates.Due(), r.authorities.Due())}, nil
}

// state are the objects of one reconciliation.
type state struct {
	catalog  *catalog.Catalog
	classes  []unstructured.Unstructured
	gateways map[entity.Name]*unstructured.Unstructured
	// routes are those of all kinds.
	routes map[entity.Ref]*unstructured.Unstructured
	// unreadable are the Gateways and routes that cannot be read.
	unreadable []unreadable
	// shared are the pods that Gateways share, and dedicated those of Gateways that have their own.
	shared    pods
	dedicated map[entity.Name]pods
}

// pods are those of a gateway.
type pods struct {
	// service is their Service; nil without one.
	service *corev1.Service
	// ready is true if one of them accepts connections.
	ready bool
	// perGateway is true if they serve one Gateway. rejection is then what the API server answered about an object of theirs; empty if it accepts all.
	perGateway bool
	rejection  string
}

// read reads all Gateways and routes, and the objects that they refer to.
func (r *Reconciler) read(ctx context.Context) (*state, error) {
	s := &state{catalog: catalog.New(), gateways: map[entity.Name]*unstructured.Unstructured{}, routes: map[entity.Ref]*unstructured.Unstructured{}}
	s.catalog.Apply([]catalog.Change{catalog.Set(&catalog.Settings{Namespace: r.Namespace})})
	for _, source := range kinds.GatewayAPI(r.Mesh) {
		kind := source.Object.GetObjectKind().GroupVersionKind()
		if !slices.Contains(gatewayKinds(), kind) && !r.isDefined(kind) {
			continue
		}
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := r.Client.List(ctx, list); err != nil {
			return nil, err
		}
		for i := range list.Items {
			object := &list.Items[i]
			if isRoute(kind) && !concernsGateways(object) {
				continue
			}
			entry, problems := source.Ingest(object)
			switch {
			case entry != nil:
				s.catalog.Apply([]catalog.Change{catalog.Set(entry)})
				s.add(kind, object)
			case len(problems) > 0:
				s.unreadable = append(s.unreadable, unreadable{kind, object, problems[0].StatusMessage()})
			case isRoute(kind):
				// Its earlier parent may have been a Gateway of this mesh.
				s.add(kind, object)
			}
		}
		if len(s.classes) == 0 { // the first source has the classes
			return s, nil
		}
	}
	return s, errors.Join(r.readNamespaces(ctx, s), r.readServices(ctx, s), r.readPods(ctx, s))
}

func (s *state) add(kind schema.GroupVersionKind, object *unstructured.Unstructured) {
	name := entity.Name{Namespace: object.GetNamespace(), Name: object.GetName()}
	switch {
	case kind == kinds.GatewayClass:
		s.classes = append(s.classes, *object)
	case kind == kinds.Gateway:
		s.gateways[name] = object
	case isRoute(kind):
		s.routes[entity.Ref{Kind: kinds.EntryKind(kind), Name: name}] = object
	}
}

func (r *Reconciler) readNamespaces(ctx context.Context, s *state) error {
	var list corev1.NamespaceList
	if err := r.Client.List(ctx, &list); err != nil {
		return err
	}
	for i := range list.Items {
		entry, _ := ingest.Namespace(&list.Items[i], r.Mesh)
		s.catalog.Apply([]catalog.Change{catalog.Set(entry), catalog.Set(ingest.NamespaceLabels(&list.Items[i]))})
	}
	return nil
}

// readServices reads the Services that routes refer to. Each is read once, and those of routes that no listener admits are not read.
func (r *Reconciler) readServices(ctx context.Context, s *state) error {
	for _, name := range gateway.Resolve(s.catalog.View()).Services {
		var service corev1.Service
		if err := r.Client.Get(ctx, client.ObjectKey(name), &service); err != nil {
			if client.IgnoreNotFound(err) != nil {
				return err
			}
			continue
		}
		entry, _ := ingest.Service(&service)
		s.catalog.Apply([]catalog.Change{catalog.Set(entry)})
	}
	return nil
}

// readPods reads the Services of the gateways, and whether they have a ready pod.
func (r *Reconciler) readPods(ctx context.Context, s *state) error {
	var err error
	if s.shared, err = r.podsOf(ctx, names.IngressGateway); err != nil {
		return err
	}
	if s.shared.service != nil {
		entry, _ := ingest.Service(s.shared.service)
		s.catalog.Apply([]catalog.Change{catalog.Set(entry)})
	}
	s.dedicated = map[entity.Name]pods{}
	rejections := s.rejections()
	for _, d := range gateway.DedicatedGateways(s.catalog.View()) {
		name := names.DedicatedGateway(d.Gateway.Name.Namespace, d.Gateway.Name.Name)
		own, err := r.podsOf(ctx, name)
		if err != nil {
			return err
		}
		own.rejection = rejections[name]
		s.dedicated[d.Gateway.Name] = own
	}
	return nil
}

// rejections returns what the operator has published about objects that the API server rejects, by their names. It writes no status of Gateways itself.
func (s *state) rejections() map[string]string {
	all := map[string]string{}
	for i := range s.classes {
		// A text that is no such list is not of the operator.
		_ = json.Unmarshal([]byte(s.classes[i].GetAnnotations()[names.RejectedGatewaysAnnotation]), &all)
	}
	return all
}

// podsOf reads the pods behind a Service in the namespace of the mesh.
func (r *Reconciler) podsOf(ctx context.Context, name string) (pods, error) {
	var service corev1.Service
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: name}, &service); err != nil {
		return pods{}, client.IgnoreNotFound(err)
	}
	ready, err := endpoints.HasReady(ctx, r.Client, client.ObjectKeyFromObject(&service))
	return pods{service: &service, ready: ready}, err
}

// Setup adds the controller to mgr once the cluster defines the Gateway API.
func (r *Reconciler) Setup(mgr manager.Manager, definitions *traffic.Definitions) error {
	return definitions.Start(mgr, func() error { return r.add(mgr, definitions) }, gatewayKinds()...)
}

// isRoute reports whether a kind is one of the routes that Gateways can have.
func isRoute(kind schema.GroupVersionKind) bool {
	return kind == kinds.HTTPRoute || slices.Contains(laterKinds(), kind)
}

// laterKinds are the kinds of routes that the first releases of the Gateway API do not have.
func laterKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{kinds.GRPCRoute, kinds.TLSRoute, kinds.GatewayTCPRoute}
}

// isDefined reports whether the cluster defines one of the laterKinds.
func (r *Reconciler) isDefined(kind schema.GroupVersionKind) bool {
	_, defined := r.later.Load(kind)
	return defined
}

// gatewayKinds are the kinds that all releases of the Gateway API have.
func gatewayKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{kinds.GatewayClass, kinds.Gateway, kinds.HTTPRoute, kinds.ReferenceGrant}
}

func (r *Reconciler) add(mgr manager.Manager, definitions *traffic.Definitions) error {
	all := traffic.EnqueueOne()
	ofGateway := predicate.NewPredicateFuncs(func(object client.Object) bool {
		service := object.GetLabels()[discoveryv1.LabelServiceName]
		return object.GetNamespace() == r.Namespace && (service == names.IngressGateway || names.IsDedicatedGateway(service))
	})
	changed := predicate.NewPredicateFuncs(func(object client.Object) bool {
		route, ok := object.(*unstructured.Unstructured)
		return !ok || !isRoute(route.GroupVersionKind()) || concernsGateways(route)
	})
	b := ctrl.NewControllerManagedBy(mgr).Named("gateways").WithOptions(backoff.Options(1)).
		Watches(&corev1.Namespace{}, all, builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Watches(&corev1.Service{}, all, builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		Watches(&discoveryv1.EndpointSlice{}, all, builder.WithPredicates(ofGateway))
	if r.RejectedRoutes != nil {
		for _, kind := range append(laterKinds(), kinds.HTTPRoute) {
			b = b.WatchesRawSource(source.Channel(r.RejectedRoutes(kind), all))
		}
	}
	for _, kind := range gatewayKinds() {
		b = b.Watches(kinds.Object(kind), all, builder.WithPredicates(changed))
	}
	controller, err := b.Build(r)
	if err != nil {
		return err
	}
	for _, kind := range laterKinds() {
		start := func() error {
			r.later.Store(kind, true)
			var object client.Object = kinds.Object(kind)
			return controller.Watch(source.Kind(mgr.GetCache(), object, all, changed))
		}
		if err := definitions.Start(mgr, start, kind); err != nil {
			return err
		}
	}
	return nil
}
