package pull

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

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
	first      map[string]time.Time
	rejections map[string]rejection
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

// read reads the attempts of the nodes of the request from their pods, and the earlier rejections. It returns the pods to delete, sorted by name.
func (r round) read(pods map[string]*corev1.Pod, o *observation) []*corev1.Pod {
	surplus, first, rejections := maps.Clone(pods), map[string]time.Time{}, map[string]rejection{}
	for _, node := range slices.Concat(r.Now, r.Later) {
		name := r.podName(node)
		pod, earlier := pods[name], o.first[node]
		switch last, isRejected := o.rejections[node]; {
		case pod != nil:
			if created := pod.CreationTimestamp.Time; earlier.IsZero() || created.Before(earlier) {
				earlier = created
			}
			r.attempts[node] = r.attemptOf(pod, earlier, r.now)
			if _, canPull := r.ready[node]; canPull && (!isOver(pod) || r.now.Sub(pod.CreationTimestamp.Time) < poll) {
				delete(surplus, name)
			}
		case isRejected:
			rejections[node] = last
			r.attempts[node] = last.attempt(earlier, r.now)
		}
		if a := r.attempts[node]; a.state != pulled && !earlier.IsZero() {
			first[node] = earlier
		}
	}
	o.first, o.rejections = first, rejections
	return slices.SortedFunc(maps.Values(surplus), func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
}
