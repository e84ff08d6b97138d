package creation

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
)

// Failure is a workload whose pods cannot be created.
type Failure struct {
	manifests.Workload
	// Missing is the number of pods that it lacks.
	Missing int
	// Sentence is that of the API server or of an admission step.
	Sentence string
	// Labels are those of its pods.
	Labels labels.Set

	// since is when the object was created that creates the pods: of several ReplicaSets, the newest one counts.
	since time.Time
}

// reason is that of the conditions and Events about pods that cannot be created.
const reason = "FailedCreate"

// retried is the time after which an Event is about an earlier attempt: controllers try again after at most 17 minutes.
const retried = 20 * time.Minute

// Find returns the workloads of a namespace whose pods cannot be created, sorted. An empty namespace means all.
func Find(ctx context.Context, c client.Reader, namespace string, now time.Time) ([]Failure, error) {
	lacking, err := lackingPods(ctx, c, namespace)
	if err != nil || len(lacking) == 0 {
		return nil, err
	}
	if slices.ContainsFunc(lacking, func(l lackingWorkload) bool { return l.Sentence == "" }) {
		if err := addEvents(ctx, c, namespace, lacking, now); err != nil {
			return nil, err
		}
	}
	failures := map[manifests.Workload]Failure{}
	for _, l := range lacking {
		if earlier, found := failures[l.Workload]; l.Sentence != "" && (!found || l.since.After(earlier.since)) {
			failures[l.Workload] = l.Failure
		}
	}
	return slices.SortedFunc(maps.Values(failures), func(a, b Failure) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	}), nil
}

// addEvents adds the newest sentence of Events to workloads without one.
func addEvents(ctx context.Context, c client.Reader, namespace string, lacking []lackingWorkload, now time.Time) error {
	var events corev1.EventList
	if err := c.List(ctx, &events, client.InNamespace(namespace), client.MatchingFields{"reason": reason}); err != nil {
		return fmt.Errorf("list the Events of workloads: %w", err)
	}
	slices.SortStableFunc(events.Items, func(a, b corev1.Event) int { return timeOf(&b).Compare(timeOf(&a)) })
	for i := range lacking {
		l := &lacking[i]
		isAbout := func(e corev1.Event) bool {
			return e.InvolvedObject.UID == l.uid && e.InvolvedObject.Kind == l.kind && now.Sub(timeOf(&e)) < retried
		}
		if at := slices.IndexFunc(events.Items, isAbout); l.Sentence == "" && at >= 0 {
			l.Sentence = sentenceOf(events.Items[at].Message)
		}
	}
	return nil
}

// timeOf is when an Event happened the last time.
func timeOf(e *corev1.Event) time.Time {
	last := e.LastTimestamp.Time
	if last.IsZero() {
		last = e.EventTime.Time
	}
	if e.Series != nil && e.Series.LastObservedTime.After(last) {
		last = e.Series.LastObservedTime.Time
	}
	return last
}

// sentenceOf returns a message without the words of the controller that reports it.
func sentenceOf(message string) string {
	message = strings.TrimPrefix(message, "Error creating: ")
	if _, cause, found := strings.Cut(message, " failed error: "); found {
		message = cause
	}
	return strings.TrimSuffix(strings.TrimSpace(message), ".")
}

// Selects reports whether a selector of the same namespace matches the pods.
func (f Failure) Selects(selector map[string]string) bool {
	return labels.SelectorFromSet(selector).Matches(f.Labels)
}

// Message says which pods are missing and why.
func (f Failure) Message() string {
	return fmt.Sprintf("%s cannot be created: %s", output.Count(f.Missing, "pod"), f.Sentence)
}

// Finding returns the failure as a finding about its workload.
func (f Failure) Finding() diagnosis.Finding {
	found := diagnosis.Fail(f.Remedy(), "%s", f.Message())
	found.Kind, found.Namespace, found.Name = f.Kind, f.Namespace, f.Name
	return found
}

// limitRange is what to do about all that a LimitRange rejects, of containers and of whole pods.
const limitRange = "change the LimitRange of the namespace, or spec.sidecar.resources of the Mesh"

// remedies are what to do about sentences that contain a text, the first that applies. docs/help/pod-does-not-start.md has the same texts. A lasting
// failure does not end without a change: others end when the cluster has room, or when a server responds again.
var remedies = []struct {
	contains string
	do       string
	lasts    bool
}{
	{"failed calling webhook", "look at the pods of the injector: kubectl get pods -A -l app=osm-injector", false},
	{"violates PodSecurity", "run kubectl label namespace %s pod-security.kubernetes.io/enforce=privileged --overwrite, see docs/security/pods.md", true},
	{"exceeded quota", "raise the quota, or lower the requests and limits in spec.sidecar.resources of the Mesh", false},
	{"must specify", "add a LimitRange with defaults to the namespace, or set limits in spec.sidecar.resources of the Mesh", true},
	{"usage per ", limitRange, true},
	{"limit to request ratio", limitRange, true},
	{"error looking up service account", "create the ServiceAccount, or correct serviceAccountName in the pod template", false},
	{"denied the request", "correct the pod template or the namespace as the message says", true},
}

// elsewhere is what to do about all other sentences.
const elsewhere = "see docs/help/pod-does-not-start.md"

// Remedy says what to do.
func (f Failure) Remedy() string {
	for _, r := range remedies {
		if !strings.Contains(f.Sentence, r.contains) {
			continue
		}
		if strings.Contains(r.do, "%s") {
			return fmt.Sprintf(r.do, f.Namespace)
		}
		return r.do
	}
	return elsewhere
}

// IsLasting reports whether the failure does not end without a change.
func (f Failure) IsLasting() bool {
	for _, r := range remedies {
		if strings.Contains(f.Sentence, r.contains) {
			return r.lasts
		}
	}
	return false
}
