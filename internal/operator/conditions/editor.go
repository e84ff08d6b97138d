package conditions

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// State is the state of an object or of a part of it.
type State int

// The states.
const (
	// Progressing means that the operator is working towards the desired state.
	Progressing State = iota
	// Ready means that the observed state is the desired one.
	Ready
	// Failing means that something failed and is retried.
	Failing
	// Stalled means that a retry cannot help: a user has to change something.
	Stalled
)

// Assessment is a state with its reason.
type Assessment struct {
	State State
	// Reason is a CamelCase word of the API.
	Reason string
	// Message is a sentence for users, with what to do about it.
	Message string
}

// Editor edits the conditions of one status.
type Editor struct {
	list       *[]metav1.Condition
	generation int64
	now        metav1.Time
}

// NewEditor returns an Editor of list. generation is the observed one, now the time of transitions.
func NewEditor(list *[]metav1.Condition, generation int64, now time.Time) *Editor {
	return &Editor{list: list, generation: generation, now: metav1.NewTime(now.Truncate(time.Second))}
}

// SetSummary sets Ready, and sets or removes Reconciling and Stalled.
func (e *Editor) SetSummary(a Assessment) {
	e.Set(v1alpha1.ConditionReady, a)
	e.SetOrRemove(a.State == Progressing || a.State == Failing, v1alpha1.ConditionReconciling, a.Reason, a.Message)
	e.SetOrRemove(a.State == Stalled, v1alpha1.ConditionStalled, a.Reason, a.Message)
}

// Set sets a condition: True for Ready, Unknown for Progressing, otherwise False.
func (e *Editor) Set(kind string, a Assessment) {
	e.SetStatus(kind, statusOf(a.State), a.Reason, a.Message)
}

// SetOrRemove sets a condition to True, or removes it.
func (e *Editor) SetOrRemove(set bool, kind, reason, message string) {
	if !set {
		meta.RemoveStatusCondition(e.list, kind)
		return
	}
	e.SetStatus(kind, metav1.ConditionTrue, reason, message)
}

// SetStatus sets a condition. Its transition time changes only with its status.
func (e *Editor) SetStatus(kind string, status metav1.ConditionStatus, reason, text string) {
	meta.SetStatusCondition(e.list, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message.ForCondition(text), ObservedGeneration: e.generation, LastTransitionTime: e.now,
	})
}

func statusOf(state State) metav1.ConditionStatus {
	switch state {
	case Ready:
		return metav1.ConditionTrue
	case Progressing:
		return metav1.ConditionUnknown
	}
	return metav1.ConditionFalse
}
