package pull

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// rejection is the last reason why the pod of a node cannot be created.
type rejection struct {
	reason   string
	isDenied bool
	at       time.Time
}

func (r rejection) attempt(first, now time.Time) attempt {
	return attempt{state: rejected, reason: r.reason, isDenied: r.isDenied, tried: r.at, isLate: now.Sub(first) > Timeout}
}

// ask creates the pods of the next nodes. A pod that is rejected holds up its node only.
func (p *Puller) ask(ctx context.Context, mesh *v1alpha1.Mesh, r round, o *observation) error {
	next := r.next()
	if len(next) == 0 {
		return nil
	}
	owners, err := p.owners(ctx, r.Namespace)
	if err != nil {
		return err
	}
	var first error
	failures := 0
	for _, node := range next {
		if o.first[node].IsZero() {
			o.first[node] = r.now
		}
		pod := r.pod(mesh, node, owners)
		err := p.client.Create(ctx, pod)
		if err == nil {
			delete(o.rejections, node)
			r.attempts[node] = r.attemptOf(pod, o.first[node], r.now)
			continue
		}
		if ctx.Err() != nil {
			return err
		}
		err = fmt.Errorf("the pod %s/%s, which pulls the image %s on the node %s, cannot be created: %w: permit pods with the label %s in this namespace and in its quota, or set spec.upgrade.dataPlane.pull.mode of the Mesh to %q",
			pod.Namespace, pod.Name, r.Reference, node, err, names.PullLabel, v1alpha1.PullOff)
		first, failures = cmp.Or(first, err), failures+1
		o.rejections[node] = rejection{reason: err.Error(), isDenied: isDenied(err), at: r.now}
		r.attempts[node] = o.rejections[node].attempt(o.first[node], r.now)
	}
	if failures > 1 {
		return fmt.Errorf("%w (and so for %d other nodes)", first, failures-1)
	}
	return first
}

// owners makes the MeshConfig the controller of a pod. Tools that drain nodes do not evict pods without one. The Mesh is the owner of nothing, because its
// foreground deletion would begin with what it owns.
func (p *Puller) owners(ctx context.Context, namespace string) ([]metav1.OwnerReference, error) {
	config := &configv1alpha2.MeshConfig{}
	if err := p.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.MeshConfig}, config); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return []metav1.OwnerReference{{
		APIVersion: configv1alpha2.GroupVersion.String(), Kind: "MeshConfig", Name: config.Name, UID: config.UID, Controller: ptr.To(true),
	}}, nil
}

// isDenied reports whether an error lasts until somebody acts. Others may be those of an API server that is busy.
func isDenied(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}
