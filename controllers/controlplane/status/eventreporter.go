package status

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// EventReporter records Events about problems of Services and EndpointSlices, whose status belongs to Kubernetes. It records
// the same problems of an object once.
type EventReporter struct {
	recorder events.EventRecorder
	leading  func() bool
	inMesh   func(ctx context.Context, namespace string) (bool, error)
	log      logr.Logger
	wake     chan struct{}

	mu      sync.Mutex
	reports map[entity.Ref]problemReport
}

// report is the pending or recorded Event of an object.
type problemReport struct {
	object   corev1.ObjectReference
	reason   string
	text     string
	recorded bool
}

// kindsWithoutStatus maps the reported kinds to their API versions.
var kindsWithoutStatus = map[entity.Kind]string{entity.KindService: "v1", entity.KindEndpointSlice: "discovery.k8s.io/v1"}

// NewEventReporter returns an EventReporter for the namespaces of a mesh. It must be called before the Leader runs.
func NewEventReporter(reader client.Reader, recorder events.EventRecorder, leader *Leader, mesh string, log logr.Logger) *EventReporter {
	t := &EventReporter{
		recorder: recorder, leading: leader.Leading, inMesh: inMesh(reader, mesh), log: log,
		wake: make(chan struct{}, 1), reports: map[entity.Ref]problemReport{},
	}
	leader.Notify(func() { signal(t.wake, struct{}{}) })
	return t
}

// Record stores the problems of an object, or that it was deleted. It never blocks.
func (t *EventReporter) Record(kind entity.Kind, object client.Object, problems []ingest.Problem) {
	version, reported := kindsWithoutStatus[kind]
	switch {
	case reported:
		ref := entity.Ref{Kind: kind, Name: entity.Name{Namespace: object.GetNamespace(), Name: object.GetName()}}
		if !t.store(ref, object, version, problems) {
			return
		}
	case kind != entity.KindNamespace:
		// A namespace that joins the mesh can have unreported problems.
		return
	}
	signal(t.wake, struct{}{})
}

// store stores the problems of an object and reports whether they are new.
func (t *EventReporter) store(ref entity.Ref, object client.Object, version string, problems []ingest.Problem) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(problems) == 0 {
		delete(t.reports, ref)
		return false
	}
	text := message.ForEvent(messagesOf(problems))
	if before, ok := t.reports[ref]; ok && before.object.UID == object.GetUID() && before.text == text {
		return false
	}
	t.reports[ref] = problemReport{reason: problems[0].Reason, text: text, object: corev1.ObjectReference{
		APIVersion: version, Kind: string(ref.Kind), Namespace: ref.Name.Namespace, Name: ref.Name.Name, UID: object.GetUID(),
	}}
	return true
}

// Run records Events until ctx ends. A replica without the Lease keeps them for later.
func (t *EventReporter) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.wake:
		}
		if t.leading() {
			t.recordEvents(ctx)
		}
	}
}

func (t *EventReporter) recordEvents(ctx context.Context) {
	for _, ref := range t.unrecorded() {
		member, err := t.inMesh(ctx, ref.Name.Namespace)
		if err != nil {
			t.log.Error(err, "cannot determine whether a namespace is in the mesh", "namespace", ref.Name.Namespace)
		}
		if !member {
			continue
		}
		t.mu.Lock()
		n, ok := t.reports[ref]
		if ok {
			n.recorded = true
			t.reports[ref] = n
		}
		t.mu.Unlock()
		if ok {
			t.recorder.Eventf(&n.object, nil, corev1.EventTypeWarning, n.reason, "Ingest", "%s", n.text)
		}
	}
}

func (t *EventReporter) unrecorded() []entity.Ref {
	t.mu.Lock()
	defer t.mu.Unlock()
	refs := slices.Collect(maps.Keys(t.reports))
	refs = slices.DeleteFunc(refs, func(ref entity.Ref) bool { return t.reports[ref].recorded })
	slices.SortFunc(refs, entity.Ref.Compare)
	return refs
}
