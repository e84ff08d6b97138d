package dataplane

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// callsIdle is how long TrafficTargets are watched after their last use.
const callsIdle = 10 * time.Minute

// Calls returns the calls that the TrafficTargets of all namespaces allow. The first use starts to watch them. Their kind may not be served, and the
// operator may lack the permission to list them, which is an error.
func (p *Plane) Calls(ctx context.Context) ([]rollout.Call, error) {
	p.callsUsed.Store(p.now().UnixNano())
	if err := p.thirdParty.ensure(ctx, kinds.TrafficTarget, discoveryPeriod); err != nil {
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kinds.TrafficTarget)
	if err := p.cache.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("the TrafficTargets cannot be listed: %w", err)
	}
	var calls []rollout.Call
	for i := range list.Items {
		target, _ := ingest.TrafficTarget(&list.Items[i])
		if target == nil {
			continue
		}
		for _, source := range target.Sources {
			calls = append(calls, rollout.Call{Source: source, Destination: target.Destination})
		}
	}
	return calls, nil
}

// forgetCalls ends the watch of TrafficTargets if no takeover has used it lately.
func (p *Plane) forgetCalls(ctx context.Context) error {
	used := p.callsUsed.Load()
	if used == 0 || p.now().Sub(time.Unix(0, used)) < callsIdle || !p.callsUsed.CompareAndSwap(used, 0) {
		return nil
	}
	return p.thirdParty.release(ctx, kinds.TrafficTarget)
}

// accountOf is the service account of a pod.
func accountOf(pod *corev1.Pod) identity.ServiceAccount {
	return identity.ServiceAccount{Namespace: pod.Namespace, Name: pod.Spec.ServiceAccountName}
}
