package components

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	meshstatus "github.com/openservicemesh/osm-operator/internal/operator/status"
)

// retryFailed is the requeue interval of a component that is not ready. Health has no events of its own.
const retryFailed = 10 * time.Second

// Reconciler reconciles the components of one Mesh per request. All fields are required.
type Reconciler struct {
	*observe.Cluster
	// Status writes the components, and their condition.
	Status meshstatus.Writer
	// Objects reads and deletes the objects of components.
	Objects client.Client
	// Applier applies the objects of components. It reads through Objects.
	Applier *apply.Applier
	// Components are the components of every mesh.
	Components []component.Component
	// Kinds reports which kinds the API server serves.
	Kinds Kinds
	// Gateways lists those that a component.GatewayReader is rendered from.
	Gateways Gateways
	// Images are the references that replace default images of components, by the variables of component.Image.
	Images map[string]string
	// MetricsAuthorities returns the certificate authorities of the operator's metrics server, in PEM; nil if the operator serves no metrics.
	MetricsAuthorities func(context.Context) (string, error)
}

// Kinds reports which kinds the API server serves.
type Kinds interface {
	// Ensure reports whether a kind is served, and starts its watch if it is.
	Ensure(ctx context.Context, kind component.Kind) (served bool, err error)
}

// Gateways lists Gateways of the Gateway API.
type Gateways interface {
	// OfClass returns the Gateways of a class, and watches them from then on. served is false if the API server does not serve the kind.
	OfClass(ctx context.Context, class string) (gateways []*unstructured.Unstructured, served bool, err error)
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *Reconciler) Reconcile(ctx context.Context, mesh *v1alpha1.Mesh) (reconcile.Result, error) {
	if mode := observe.ModeOf(mesh); mode == observe.Remove {
		return r.teardown(ctx, mesh)
	} else if mode == observe.Maintain {
		return reconcile.Result{}, nil
	}
	inputs, err := r.inputs(ctx, mesh)
	if err != nil || len(inputs.ControlPlanes) == 0 {
		return reconcile.Result{}, err
	}
	revisions, err := r.Revisions(ctx, mesh.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	chosen, err := r.ChosenName(ctx, mesh, revisions)
	if err != nil {
		return reconcile.Result{}, err
	}
	session, rollout := r.Applier.For(mesh), describeRollout(mesh, revisions, chosen, r.Desired(mesh).Version)
	statuses, retry := r.reconcileAll(ctx, session, mesh, inputs, rollout)
	if err := r.writeStatus(ctx, session, mesh, statuses); err != nil {
		return reconcile.Result{}, err
	}
	if retry {
		return reconcile.Result{RequeueAfter: retryFailed}, nil
	}
	return reconcile.Result{}, nil
}

// reconcileAll reconciles each enabled component and prunes the others. rollout is that of describeRollout. retry asks for a requeue.
func (r *Reconciler) reconcileAll(
	ctx context.Context, session *apply.Session, mesh *v1alpha1.Mesh, inputs component.Inputs, rollout string,
) (statuses []v1alpha1.ComponentStatus, retry bool) {
	rendered := make([]rendering, 0, len(r.Components))
	for _, c := range r.Components {
		if optional, ok := c.(component.Optional); ok && !optional.Enabled(mesh) {
			continue
		}
		one := r.render(ctx, c, inputs)
		one.rollout = rollout
		one.fail(r.awaitRollout(ctx, mesh, &one, rollout))
		rendered = append(rendered, one)
	}
	known := map[string]bool{}
	if err := r.recordInventory(ctx, mesh, rendered); err != nil {
		for i := range rendered {
			rendered[i].fail(err)
		}
	}
	for i := range rendered {
		status := r.reconcileComponent(ctx, session, mesh, &rendered[i])
		retry = retry || rendered[i].rejection != nil || !status.Ready && status.Reason != v1alpha1.ReasonKindNotServed
		known[status.Name] = true
		statuses = append(statuses, status)
	}
	for _, earlier := range mesh.Status.Components {
		if known[earlier.Name] {
			continue
		}
		remaining, err := r.prune(ctx, mesh, earlier.Objects, nil)
		if len(remaining) > 0 {
			earlier.Objects, earlier.Ready, earlier.Reason = remaining, false, v1alpha1.ReasonProgressing
			earlier.Message = r.describeRemoval(ctx, mesh, remaining, err)
			statuses, retry = append(statuses, earlier), true
		}
	}
	return statuses, retry
}

// rendering is a component with its rendered objects, or why there are none.
type rendering struct {
	component.Component
	objects []*unstructured.Unstructured
	// rollout is that of describeRollout.
	rollout string
	// awaited is the rollout that its new pods wait for. kept are its live objects that are not changed until then.
	awaited string
	kept    []*unstructured.Unstructured
	// missing lists the required kinds that are not served.
	missing []string
	// rejected are the objects that another namespace than the mesh's own rejects, or of users, and rejection says why.
	rejected  []v1alpha1.ObjectReference
	rejection error
	// ofUsers is true if one of them is an object of a user.
	ofUsers bool
	err     error
}

// all returns the objects that are applied, and those that are kept.
func (c *rendering) all() []*unstructured.Unstructured { return slices.Concat(c.objects, c.kept) }

// fail keeps the first error.
func (c *rendering) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// render renders a component if all its kinds are served.
func (r *Reconciler) render(ctx context.Context, c component.Component, inputs component.Inputs) rendering {
	result := rendering{Component: c}
	for _, kind := range c.Requires() {
		served, err := r.Kinds.Ensure(ctx, kind)
		if err != nil {
			result.fail(fmt.Errorf("kind %s: %w", kind.Kind, err))
		} else if !served {
			result.missing = append(result.missing, kind.Kind+" "+kind.GroupVersion().String())
		}
	}
	if reader, ok := c.(component.GatewayReader); ok && reader.ReadsGateways(inputs.Mesh) && len(result.missing) == 0 {
		gateways, served, err := r.Gateways.OfClass(ctx, inputs.Mesh.Name)
		result.fail(err)
		if err == nil && !served {
			result.missing = append(result.missing, component.Gateway().Kind+" "+component.Gateway().GroupVersion().String())
		}
		inputs.Gateways = gateways
	}
	if result.err != nil || len(result.missing) > 0 {
		return result
	}
	objects, err := c.Render(inputs)
	if err != nil {
		result.fail(err)
		return result
	}
	result.objects = objects
	return result
}

// reconcileComponent applies the objects of a component and prunes those of its inventory that are not rendered.
func (r *Reconciler) reconcileComponent(ctx context.Context, session *apply.Session, mesh *v1alpha1.Mesh, c *rendering) v1alpha1.ComponentStatus {
	status := v1alpha1.ComponentStatus{Name: c.Name(), Objects: inventoryOf(mesh, c.Name())}
	if len(c.missing) > 0 {
		status.Reason, status.Message = v1alpha1.ReasonKindNotServed, fmt.Sprintf("the API server does not serve %v%s", c.missing, remedyOf(c.missing))
		// Objects of a kind that is not served were deleted together with its definition. The others remain: a Service of the type LoadBalancer
		// would come back with another address.
		status.Objects = slices.DeleteFunc(status.Objects, func(o v1alpha1.ObjectReference) bool { return slices.Contains(c.missing, o.Kind+" "+o.APIVersion) })
		return status
	}
	if c.err != nil {
		status.Reason, status.Message = c.describeError()
		return status
	}
	c.divide(c.apply(ctx, session), component.Namespace(mesh))
	references := referencesOf(mesh, c.all())
	// A namespace that has left loses its objects even if another one rejects some.
	remaining, err := r.prune(ctx, mesh, status.Objects, c.all())
	status.Objects = union(references, remaining)
	if err := errors.Join(c.err, err); err != nil {
		status.Reason, status.Message = v1alpha1.ReasonApplyFailed, errors.Join(err, c.rejection).Error()
		return status
	}
	r.assess(ctx, c, &status)
	switch {
	case !status.Ready:
	case c.awaited != "":
		status.Reason, status.Message = v1alpha1.ReasonUpgradePending, "its upgrade waits for "+c.awaited+"; its pods serve unchanged"
	case c.rejection != nil:
		status.Reason, status.Message = c.describeRejection()
	}
	return status
}

// gatewayAPI is the command that installs the definitions of the Gateway API, in the release that this operator is tested with.
const gatewayAPI = "kubectl apply --server-side -f https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.0/standard-install.yaml"

// remedyOf says how to install kinds that are not served; empty for others than those of the Gateway API.
func remedyOf(missing []string) string {
	if !slices.ContainsFunc(missing, func(kind string) bool { return strings.Contains(kind, " "+gatewayGroup+"/") }) {
		return ""
	}
	return ": install the definitions of the Gateway API with `" + gatewayAPI + "`"
}

// gatewayGroup is the API group of the Gateway API.
const gatewayGroup = "gateway.networking.k8s.io"

// assess reads the live objects of a component and writes its health into status.
func (r *Reconciler) assess(ctx context.Context, c *rendering, status *v1alpha1.ComponentStatus) {
	objects := c.all()
	live := make([]*unstructured.Unstructured, 0, len(objects))
	for _, object := range objects {
		if slices.Contains(c.rejected, referenceOf(object)) {
			continue
		}
		read, err := r.get(ctx, referenceOf(object))
		if err != nil {
			// An object that was created just now is not in the cache yet.
			status.Reason, status.Message = v1alpha1.ReasonProgressing, fmt.Sprintf("%s %s: %v", object.GetKind(), object.GetName(), err)
			return
		}
		live = append(live, read)
	}
	if health := c.Health(live); !health.Ready {
		status.Reason, status.Message = v1alpha1.ReasonProgressing, health.Message
		return
	}
	status.Ready, status.Reason = true, v1alpha1.ReasonReady
}
