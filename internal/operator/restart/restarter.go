package restart

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/metrics"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// DataPlane restarts workloads.
type DataPlane interface {
	// Restart makes a workload replace its pods.
	Restart(ctx context.Context, ref rollout.Ref, revision string, at time.Time) error
	// PatchSlot changes the image of a slot of a pod.
	PatchSlot(ctx context.Context, patch rollout.PodPatch) error
	// Reference refers to the object of a workload in Events. pod is a pod of it, if one is changed.
	Reference(ctx context.Context, ref rollout.Ref, pod string) *corev1.ObjectReference
	// VersionOf returns a text that changes with the spec and labels of a workload and with the metadata of its namespace.
	VersionOf(ctx context.Context, ref rollout.Ref) string
}

const (
	// firstBackoff is how long a denied workload is left alone after the first denial. Each further one doubles it. A corrected policy
	// sends no event to the operator, so maxBackoff is how long a user waits then.
	firstBackoff = 10 * time.Second
	maxBackoff   = time.Minute
)

// Restarter restarts the workloads of waves. Meshes may be restarted in parallel.
type Restarter struct {
	dataPlane DataPlane
	recorder  events.EventRecorder
	metrics   *metrics.Recorder
	now       func() time.Time
	limits    *eventLimits

	mu     sync.Mutex
	denied map[types.UID]map[rollout.Ref]denial
	// unconfirmed is since when patches of slots are due whose connections may still drain.
	unconfirmed map[types.UID]map[rollout.PodPatch]time.Time
}

// denial is that a restart was denied, or failed.
type denial struct {
	target  string
	message string
	backoff time.Duration
	until   time.Time
	// circumstances are those of the restart.
	circumstances circumstances
}

// circumstances are what a user can change to have a restart tried again at once.
type circumstances struct {
	generation                int64
	labels, annotations, load string
}

func (r *Restarter) circumstances(ctx context.Context, mesh *v1alpha1.Mesh, ref rollout.Ref) circumstances {
	return circumstances{
		generation: mesh.Generation, labels: labels.FormatLabels(mesh.Labels), annotations: labels.FormatLabels(mesh.Annotations),
		load: r.dataPlane.VersionOf(ctx, ref),
	}
}

// New makes a Restarter. metrics may be nil.
func New(plane DataPlane, recorder events.EventRecorder, m *metrics.Recorder, now func() time.Time) *Restarter {
	return &Restarter{
		dataPlane: plane, recorder: recorder, metrics: m, now: now, limits: newEventLimits(now),
		denied: map[types.UID]map[rollout.Ref]denial{}, unconfirmed: map[types.UID]map[rollout.PodPatch]time.Time{},
	}
}

// Denied returns why the last restart of a workload for a target was denied, and whether its backoff is over; empty when it was not
// denied. A change of the Mesh, the workload or its namespace ends the backoff. A workload stays denied until a restart succeeds, so that
// retries do not change the phase of an upgrade.
func (r *Restarter) Denied(ctx context.Context, mesh *v1alpha1.Mesh) func(ref rollout.Ref, target string) (message string, due bool) {
	return func(ref rollout.Ref, target string) (string, bool) {
		d, found := r.find(mesh, ref, target)
		if !found {
			return "", false
		}
		return d.message, !d.until.After(r.now()) || d.circumstances != r.circumstances(ctx, mesh, ref)
	}
}

// find returns the denial of a workload for a target.
func (r *Restarter) find(mesh *v1alpha1.Mesh, ref rollout.Ref, target string) (denial, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, found := r.denied[mesh.UID][ref]
	return d, found && d.target == target
}

// RetryAfter is how long to wait until the first denied workload of a wave is due; 0 when none is denied. Workloads that are due, but
// that the limits of the wave exclude, are observed again after the first backoff.
func (r *Restarter) RetryAfter(mesh *v1alpha1.Mesh, wave rollout.Wave) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := time.Duration(0)
	for _, note := range wave.Blocked {
		if d, found := r.denied[mesh.UID][note.Ref]; found && d.target == wave.Target {
			wait := d.until.Sub(r.now())
			if wait <= 0 {
				wait = firstBackoff
			}
			first = soonest(first, wait)
		}
	}
	return first
}

// Run restarts the workloads of a wave. described is the text of the Event about a workload. It returns how long to wait before the
// mesh is observed again; 0 means that nothing asks for it.
func (r *Restarter) Run(ctx context.Context, mesh *v1alpha1.Mesh, wave rollout.Wave, action string, described func(rollout.Ref) string) (time.Duration, error) {
	return r.apply(ctx, mesh, wave, "restart", lists.Map(slices.Concat(wave.Restart, wave.Retry), func(ref rollout.Ref) change {
		return change{
			workload: ref,
			apply:    func(ctx context.Context) error { return r.dataPlane.Restart(ctx, ref, wave.Target, r.now()) },
			done: func() {
				r.metrics.RecordRestart(mesh.Name)
				r.report(mesh, wave, report{
					eventKey: eventKey{workload: ref, reason: eventRestarted}, regarding: r.dataPlane.Reference(ctx, ref, ""),
					eventType: corev1.EventTypeNormal, action: action, note: described(ref),
				})
			},
		}
	}))
}

// fail records that a change of a workload failed, and returns how soon the mesh is observed again.
func (r *Restarter) fail(ctx context.Context, mesh *v1alpha1.Mesh, wave rollout.Wave, failed change, what string, err error) time.Duration {
	again := r.deny(ctx, mesh, failed.workload, wave.Target, what, err)
	reason := eventDenied
	if isUnavailable(err) {
		reason = eventFailed
	}
	r.report(mesh, wave, report{
		eventKey: eventKey{workload: failed.workload, reason: reason}, regarding: r.dataPlane.Reference(ctx, failed.workload, failed.pod),
		eventType: corev1.EventTypeWarning, action: "Deny", note: err.Error(),
	})
	return again
}

// retryChanged is how soon a workload that has changed meanwhile is observed again.
const retryChanged = 2 * time.Second

// deny records that a restart was denied, and returns how long the workload is left alone. What the API server failed to answer does not
// make the next wait longer.
func (r *Restarter) deny(ctx context.Context, mesh *v1alpha1.Mesh, ref rollout.Ref, target, what string, err error) time.Duration {
	current := denial{target: target, backoff: firstBackoff, circumstances: r.circumstances(ctx, mesh, ref)}
	how := "failed because the API server did not answer"
	if !isUnavailable(err) {
		how = "was denied"
		if before, again := r.find(mesh, ref, target); again && before.circumstances == current.circumstances {
			current.backoff = min(2*before.backoff, maxBackoff)
		}
	}
	current.message = fmt.Sprintf("its %s %s, and is tried again after %s: %v", what, how, current.backoff, err)
	current.until = r.now().Add(current.backoff)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.denied[mesh.UID] == nil {
		r.denied[mesh.UID] = map[rollout.Ref]denial{}
	}
	r.denied[mesh.UID][ref] = current
	return current.backoff
}

func (r *Restarter) forget(mesh *v1alpha1.Mesh, ref rollout.Ref) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.denied[mesh.UID], ref)
}

// Forget removes what is known of a mesh that is gone.
func (r *Restarter) Forget(mesh types.UID) {
	r.limits.forget(mesh)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.denied, mesh)
	delete(r.unconfirmed, mesh)
}

// soonest is the shorter of two waiting times, of which 0 is none.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// isUnavailable reports whether the API server, or the way to it, failed. An admission webhook that does not answer denies: the API server
// reports it as an internal error, but it remains until a user repairs the webhook.
func isUnavailable(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		var transport *url.Error
		return errors.As(err, &transport) || errors.Is(err, context.DeadlineExceeded)
	}
	code := status.Status().Code
	return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError && !strings.Contains(status.Status().Message, "failed calling webhook")
}

// Describe describes what a wave does, and about which workloads nothing can be done; at most some workloads of each sort.
func Describe(w rollout.Wave) string {
	restarting := lists.Map(slices.Concat(w.Restart, w.InProgress), func(ref rollout.Ref) rollout.Note { return rollout.Note{Ref: ref} })
	var sentences []string
	for _, part := range []struct {
		what  string
		notes []rollout.Note
	}{
		{"restarting", restarting},
		{"upgrading in place", w.Upgrading},
		{"waiting", w.Waiting},
		{"cannot be upgraded now", w.Blocked},
		{"skipped", w.Manual},
	} {
		if len(part.notes) > 0 {
			sentences = append(sentences, part.what+": "+list(part.notes))
		}
	}
	if w.Unordered != "" && len(sentences) > 0 {
		sentences = append(sentences, w.Unordered)
	}
	return strings.Join(sentences, "; ")
}

// list names the first workloads, with the reason when there is one.
func list(notes []rollout.Note) string {
	const most = 5
	var texts []string
	for _, note := range notes {
		text := note.Ref.String()
		if note.Reason != "" {
			text += " (" + note.Reason + ")"
		}
		texts = append(texts, text)
	}
	return strings.Join(message.First(texts, most), ", ")
}
