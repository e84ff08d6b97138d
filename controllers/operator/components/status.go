package components

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	meshstatus "github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// teardownPollInterval is the time between two looks at objects that are being deleted.
const teardownPollInterval = 200 * time.Millisecond

// writeStatus writes status.components, and the condition ComponentsReady, if they changed. It updates mesh. Without the session of a whole
// reconciliation the condition stays as it is.
func (r *Reconciler) writeStatus(ctx context.Context, session *apply.Session, mesh *v1alpha1.Mesh, statuses []v1alpha1.ComponentStatus) error {
	desired := mesh.Status.DeepCopy()
	desired.Components = slices.Clone(statuses)
	for i := range desired.Components {
		desired.Components[i].Message = message.ForCondition(desired.Components[i].Message)
	}
	if session != nil {
		condition := readyCondition(desired.Components)
		if ignored := session.IgnoredObjects(); ignored != "" {
			condition.Message += "; " + ignored
		}
		condition.Message = message.ForCondition(condition.Message)
		condition.ObservedGeneration, condition.LastTransitionTime = mesh.Generation, metav1.NewTime(r.Now().Truncate(time.Second))
		meta.SetStatusCondition(&desired.Conditions, condition)
	}
	if mesh.DeletionTimestamp != nil {
		meta.RemoveStatusCondition(&desired.Conditions, v1alpha1.ConditionComponentsReady)
	}
	written, err := r.Status.Write(ctx, meshstatus.Components, mesh, desired)
	if err != nil || written == nil {
		return err
	}
	mesh.Status, mesh.ResourceVersion = written.Status, written.ResourceVersion
	return nil
}

// readyCondition summarises the components. A component that waits for kinds, although the Mesh requests it, is not ready.
func readyCondition(statuses []v1alpha1.ComponentStatus) metav1.Condition {
	var failed, missing, pending []string
	for _, s := range statuses {
		// A component with many failed objects must leave room for the others.
		s.Message = message.Limit(s.Message, message.MaxCondition/4)
		switch {
		case s.Ready && s.Message != "":
			pending = append(pending, s.Name+": "+s.Message)
		case s.Ready:
		case s.Reason == v1alpha1.ReasonKindNotServed:
			missing = append(missing, s.Name+": "+s.Message)
		default:
			failed = append(failed, s.Name+": "+s.Message)
		}
	}
	condition := metav1.Condition{Type: v1alpha1.ConditionComponentsReady, Status: metav1.ConditionTrue}
	switch {
	case len(failed) > 0:
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonComponentFailed
		condition.Message = strings.Join(append(failed, missing...), "; ")
	case len(missing) > 0:
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonKindNotServed,
			"all other components are ready; "+strings.Join(append(missing, pending...), "; ")
	case len(pending) > 0:
		condition.Reason, condition.Message = v1alpha1.ReasonComponentsReady, "all components are ready; "+strings.Join(pending, "; ")
	default:
		condition.Reason, condition.Message = v1alpha1.ReasonComponentsReady, "all components are ready"
	}
	return condition
}

// readTimeout limits the first read of a kind. The cache of a kind that the API server does not list waits without limit, and all components
// with it.
const readTimeout = 5 * time.Second

// unreadableError is that the cache has no objects of a kind, because the API server does not list them.
type unreadableError struct{ kind string }

// Error describes the causes.
func (e *unreadableError) Error() string {
	return fmt.Sprintf("it cannot be read within %s, because the API server does not list the kind %s: check that this version of the operator has "+
		"permissions for the kind, and that the conversion webhook of its definition answers, if it has one", readTimeout, e.kind)
}

// limitedReads is a client whose reads of a kind fail while its cache is not synced. Only the first read waits.
type limitedReads struct {
	client.Client
	informers cache.Informers

	// late holds the kinds (schema.GroupVersionKind) whose first read was not answered in time.
	late sync.Map
}

// limitReads limits the reads of a client from a cache with these informers.
func limitReads(c client.Client, informers cache.Informers) client.Client {
	return &limitedReads{Client: c, informers: informers}
}

// Get implements client.Reader.
func (l *limitedReads) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	return l.read(ctx, object, func(ctx context.Context) error { return l.Client.Get(ctx, key, object, options...) })
}

// List implements client.Reader.
func (l *limitedReads) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	kind := list.GetObjectKind().GroupVersionKind()
	kind.Kind = strings.TrimSuffix(kind.Kind, "List")
	return l.read(ctx, objectOf(kind), func(ctx context.Context) error { return l.Client.List(ctx, list, options...) })
}

// read reads objects of the kind of object, within readTimeout.
func (l *limitedReads) read(ctx context.Context, object client.Object, read func(context.Context) error) error {
	kind := object.GetObjectKind().GroupVersionKind()
	if _, late := l.late.Load(kind); late && !l.isSynced(ctx, object) {
		return &unreadableError{kind.Kind}
	}
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	err := read(reading)
	if err != nil && reading.Err() != nil && ctx.Err() == nil {
		l.late.Store(kind, true)
		return &unreadableError{kind.Kind}
	}
	l.late.Delete(kind)
	return err
}

// isSynced reports whether the cache has the objects of a kind.
func (l *limitedReads) isSynced(ctx context.Context, object client.Object) bool {
	informer, err := l.informers.GetInformer(ctx, object, cache.BlockUntilSynced(false))
	return err == nil && informer.HasSynced()
}
