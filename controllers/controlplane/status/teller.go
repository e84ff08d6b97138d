package status

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// maxNote is how long the text of an Event may be.
const maxNote = 1024

// Teller writes Events about Services and EndpointSlices, parts of which have no place in the mesh: they are Kubernetes' own kinds
// and have no status of ours. It tells the same thing about an object once.
type Teller struct {
	recorder events.EventRecorder
	leading  func() bool
	inMesh   func(ctx context.Context, namespace string) (bool, error)
	log      logr.Logger
	wake     chan struct{}

	mu    sync.Mutex
	notes map[catalog.Ref]note
}

// note is what there is to tell about an object.
type note struct {
	object corev1.ObjectReference
	reason string
	text   string
	told   bool
}

// kindsWithoutStatus are the kinds that are told about, and their API versions.
var kindsWithoutStatus = map[catalog.Kind]string{catalog.KindService: "v1", catalog.KindEndpointSlice: "discovery.k8s.io/v1"}

// NewTeller makes a Teller for the namespaces of a mesh. Call it before the Leader runs.
func NewTeller(reader client.Reader, recorder events.EventRecorder, leader *Leader, mesh string, log logr.Logger) *Teller {
	t := &Teller{
		recorder: recorder, leading: leader.Leading, inMesh: inMesh(reader, mesh), log: log,
		wake: make(chan struct{}, 1), notes: map[catalog.Ref]note{},
	}
	leader.Notify(t.wake)
	return t
}

// Hear takes what ingest found in an object, or that the object is gone, and never blocks.
func (t *Teller) Hear(kind catalog.Kind, object client.Object, problems []ingest.Problem) {
	version, concerned := kindsWithoutStatus[kind]
	switch {
	case concerned:
		ref := catalog.Ref{Kind: kind, Name: catalog.Name{Namespace: object.GetNamespace(), Name: object.GetName()}}
		if !t.note(ref, object, version, problems) {
			return
		}
	case kind != catalog.KindNamespace:
		// Of a namespace that joins the mesh there may be more to tell.
		return
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// note remembers what there is to tell, and says whether it is new.
func (t *Teller) note(ref catalog.Ref, object client.Object, version string, problems []ingest.Problem) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(problems) == 0 {
		delete(t.notes, ref)
		return false
	}
	messages := make([]string, len(problems))
	for i, problem := range problems {
		messages[i] = problem.Message
	}
	text := strings.Join(messages, " ")
	if len(text) > maxNote {
		text = strings.ToValidUTF8(text[:maxNote-3], "") + "..."
	}
	if before, ok := t.notes[ref]; ok && before.object.UID == object.GetUID() && before.text == text {
		return false
	}
	t.notes[ref] = note{reason: problems[0].Reason, text: text, object: corev1.ObjectReference{
		APIVersion: version, Kind: string(ref.Kind), Namespace: ref.Name.Namespace, Name: ref.Name.Name, UID: object.GetUID(),
	}}
	return true
}

// Run tells what there is to tell until ctx ends. A replica that does not lead keeps it for later.
func (t *Teller) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.wake:
		}
		if t.leading() {
			t.tell(ctx)
		}
	}
}

func (t *Teller) tell(ctx context.Context) {
	for _, ref := range t.untold() {
		ours, err := t.inMesh(ctx, ref.Name.Namespace)
		if err != nil {
			t.log.Error(err, "cannot tell whether a namespace is in the mesh", "namespace", ref.Name.Namespace)
		}
		if !ours {
			continue
		}
		t.mu.Lock()
		n, ok := t.notes[ref]
		if ok {
			n.told = true
			t.notes[ref] = n
		}
		t.mu.Unlock()
		if ok {
			t.recorder.Eventf(&n.object, nil, corev1.EventTypeWarning, n.reason, "Ingest", "%s", n.text)
		}
	}
}

func (t *Teller) untold() []catalog.Ref {
	t.mu.Lock()
	defer t.mu.Unlock()
	refs := slices.Collect(maps.Keys(t.notes))
	refs = slices.DeleteFunc(refs, func(ref catalog.Ref) bool { return t.notes[ref].told })
	slices.SortFunc(refs, func(a, b catalog.Ref) int {
		if byKind := strings.Compare(string(a.Kind), string(b.Kind)); byKind != 0 {
			return byKind
		}
		return a.Name.Compare(b.Name)
	})
	return refs
}
