package pull

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// maxDeleted is how many pods an observation deletes, which are no longer needed. The others are next.
const maxDeleted = 50

// observation is what is known about the nodes of a mesh. Pods replace all of it after a restart of the operator.
type observation struct {
	image Image
	rollout.Pulled
	at time.Time
	// pods is how many were listed. isMoving is true while nodes are waited for. isClean is true if no earlier operator has left anything.
	pods              int
	isMoving, isClean bool
	// hasRun is true if the Envoy of the image has run on a node.
	hasRun bool
	// first is when a node was asked first. A pod that is created again does not make it wait longer.
	first    map[string]time.Time
	refusals map[string]refusal
}

// refusal is the last reason why the pod of a node cannot be created.
type refusal struct {
	reason   string
	isDenied bool
	at       time.Time
}

func (r refusal) attempt(first, now time.Time) attempt {
	return attempt{state: refused, reason: r.reason, isDenied: r.isDenied, tried: r.at, isLate: now.Sub(first) > Timeout}
}

// due is when the nodes are observed again: soon while some are waited for, and rarely if there is much to read.
func (o observation) due(r Request) time.Time {
	if o.at.IsZero() {
		return time.Time{}
	}
	isNew := func(node string) bool { return !o.Nodes[node] && o.Late[node] == "" && o.first[node].IsZero() }
	if o.isMoving || slices.ContainsFunc(r.Now, isNew) {
		return o.at.Add(pollLeast + time.Duration(o.pods)*pollPod)
	}
	return o.at.Add(poll)
}

// observe reads what the pods of an image have pulled, deletes those that are not needed, and creates the next ones.
func (p *Puller) observe(ctx context.Context, mesh *v1alpha1.Mesh, r Request, o *observation) error {
	if !o.isClean {
		if err := p.deleteDaemonSets(ctx, mesh, r.Namespace); err != nil {
			return err
		}
		o.isClean = true
	}
	ready, err := p.nodes.ReadyNodes(ctx)
	if err != nil {
		return err
	}
	pods, err := p.list(ctx, mesh, r.Namespace)
	if err != nil {
		return err
	}
	now := round{Request: r, ready: ready, attempts: map[string]attempt{}, now: p.now()}
	now.HasRun = now.HasRun || o.hasRun || r.hasRun(pods)
	surplus := now.read(pods, o)
	o.pods = len(pods)
	err = errors.Join(p.delete(ctx, surplus[:min(len(surplus), maxDeleted)]), p.ask(ctx, mesh, now, o))
	o.Pulled, o.isMoving = now.result(), now.isMoving() || len(surplus) > maxDeleted
	o.hasRun = now.HasRun
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trials[r.Reference] = trial{reason: now.unusable(), at: p.now()}
	return err
}

// hasRun reports whether the Envoy of the image has run in a pod, also on a node that is no longer needed.
func (i Image) hasRun(pods map[string]*corev1.Pod) bool {
	for _, pod := range pods {
		if end := endOf(pod); end != nil && end.ExitCode == 0 && pod.Labels[names.AppLabel] == i.app() {
			return true
		}
	}
	return false
}

// read reads the attempts of the wanted nodes from their pods, and the earlier refusals. It returns the pods to delete, sorted by name.
func (r round) read(pods map[string]*corev1.Pod, o *observation) []*corev1.Pod {
	surplus, first, refusals := maps.Clone(pods), map[string]time.Time{}, map[string]refusal{}
	for _, node := range slices.Concat(r.Now, r.Later) {
		name := r.podName(node)
		pod, earlier := pods[name], o.first[node]
		switch last, isRefused := o.refusals[node]; {
		case pod != nil:
			if created := pod.CreationTimestamp.Time; earlier.IsZero() || created.Before(earlier) {
				earlier = created
			}
			r.attempts[node] = r.attemptOf(pod, earlier, r.now)
			if _, canPull := r.ready[node]; canPull && (!isOver(pod) || r.now.Sub(pod.CreationTimestamp.Time) < poll) {
				delete(surplus, name)
			}
		case isRefused:
			refusals[node] = last
			r.attempts[node] = last.attempt(earlier, r.now)
		}
		if a := r.attempts[node]; a.state != pulled && !earlier.IsZero() {
			first[node] = earlier
		}
	}
	o.first, o.refusals = first, refusals
	return slices.SortedFunc(maps.Values(surplus), func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
}

// ask creates the pods of the next nodes. A pod that is rejected holds up its node only.
func (p *Puller) ask(ctx context.Context, mesh *v1alpha1.Mesh, r round, o *observation) error {
	var reasons []error
	for _, node := range r.next() {
		if o.first[node].IsZero() {
			o.first[node] = r.now
		}
		pod := r.pod(mesh, node)
		err := p.client.Create(ctx, pod)
		if err == nil {
			delete(o.refusals, node)
			r.attempts[node] = r.attemptOf(pod, o.first[node], r.now)
			continue
		}
		if ctx.Err() != nil {
			return err
		}
		err = fmt.Errorf("the pod %s/%s, which pulls the image %s on the node %s, cannot be created: %w: permit pods with the label %s in this namespace and in its quota, or set spec.upgrade.dataPlane.pull.mode of the Mesh to %q",
			pod.Namespace, pod.Name, r.Reference, node, err, names.PullLabel, v1alpha1.PullOff)
		reasons = append(reasons, err)
		o.refusals[node] = refusal{reason: err.Error(), isDenied: isDenied(err), at: r.now}
		r.attempts[node] = o.refusals[node].attempt(o.first[node], r.now)
	}
	return errors.Join(reasons...)
}

// isDenied reports whether an error lasts until somebody acts. Others may be those of an API server that is busy.
func isDenied(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}
