package apply

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Session is one reconciliation of an owner. It records Events about the owner. Objects may be applied at the same time.
type Session struct {
	applier *Applier
	owner   client.Object
	// mu guards current.
	mu sync.Mutex
	// earlier is the last reconciliation of the owner that applied anything, current is this one.
	earlier, current *reconciliation
}

// reconciliation holds the objects that a reconciliation applied, and those of them that ignored drift. An applied object of the earlier one
// that does not exist was deleted by somebody else: the operator deletes only what it no longer applies. This decides about the text of
// Events only. A new process knows of no earlier reconciliation.
type reconciliation struct{ applied, ignored map[string]bool }

// history holds the last reconciliation of each owner. Different owners may be reconciled at the same time.
type history struct {
	mu   sync.Mutex
	last map[types.UID]*reconciliation
}

func (h *history) lastOf(owner types.UID) *reconciliation {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last := h.last[owner]; last != nil {
		return last
	}
	return &reconciliation{}
}

func (h *history) store(owner types.UID, r *reconciliation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[owner] = r
}

// For begins a reconciliation of an owner. Each reconciliation has its own Session.
func (a *Applier) For(owner client.Object) *Session {
	return &Session{
		applier: a, owner: owner, earlier: a.history.lastOf(owner.GetUID()), current: &reconciliation{applied: map[string]bool{}, ignored: map[string]bool{}},
	}
}

// ApplyAll applies every object in order. A failed object does not keep later objects from being applied. The returned error joins one
// *ObjectError for each failed object.
func (s *Session) ApplyAll(ctx context.Context, objects []*unstructured.Unstructured) error {
	var failed []error
	for _, object := range objects {
		if _, err := s.Apply(ctx, object); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// Apply applies an object and records Events. It forces conflicts: the operator owns what it renders.
func (s *Session) Apply(ctx context.Context, object *unstructured.Unstructured) (Outcome, error) {
	outcome, fields, err := s.applier.ApplyWithoutEvents(ctx, object)
	if err != nil {
		return outcome, err
	}
	s.mu.Lock()
	s.current.applied[describe(object)] = true
	s.mu.Unlock()
	s.RecordIgnored(object, outcome == DriftIgnored)
	s.recordChange(object, outcome, fields)
	return outcome, nil
}

// SetController makes owner the controller of objects and their only owner, so that they are garbage collected with it.
func SetController(owner client.Object, scheme *runtime.Scheme, objects ...*unstructured.Unstructured) error {
	if owner == nil || reflect.ValueOf(owner).IsNil() {
		return errors.New("the objects have no owner")
	}
	if owner.GetUID() == "" {
		return fmt.Errorf("the owner %s has not been read from the API server: it has no UID", owner.GetName())
	}
	kinds, _, err := scheme.ObjectKinds(owner)
	if err != nil {
		return fmt.Errorf("the kind of the owner %s is unknown: %w", owner.GetName(), err)
	}
	reference := metav1.OwnerReference{
		APIVersion: kinds[0].GroupVersion().String(), Kind: kinds[0].Kind, Name: owner.GetName(), UID: owner.GetUID(), Controller: ptr.To(true),
	}
	for _, object := range objects {
		object.SetOwnerReferences([]metav1.OwnerReference{reference})
	}
	return nil
}
