package condition

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// State is how a thing is doing.
type State int

// The states.
const (
	// Working means that the operator is on its way to what is declared.
	Working State = iota
	// Ready means that everything is as declared.
	Ready
	// Failing means that something failed, and the operator tries again.
	Failing
	// Stalled means that trying again cannot help: somebody must change something.
	Stalled
)

// Verdict is a state with its reason.
type Verdict struct {
	// State is how it is doing.
	State State
	// Reason is one of the documented words.
	Reason string
	// Message is a sentence for people: what is, and what to do about it.
	Message string
}

// Conditions edits the conditions of one status.
type Conditions struct {
	list       *[]metav1.Condition
	generation int64
	now        metav1.Time
}

// Of edits list, which speaks about generation. now is the time of transitions.
func Of(list *[]metav1.Condition, generation int64, now time.Time) *Conditions {
	return &Conditions{list: list, generation: generation, now: metav1.NewTime(now.Truncate(time.Second))}
}

// Summarise writes Ready, Reconciling and Stalled.
func (c *Conditions) Summarise(v Verdict) {
	c.write(v1alpha1.ConditionReady, statusOf(v.State), v.Reason, v.Message)
	c.onlyIf(v.State == Working || v.State == Failing, v1alpha1.ConditionReconciling, v)
	c.onlyIf(v.State == Stalled, v1alpha1.ConditionStalled, v)
}

// Part writes the condition of one part of the whole: True when it is ready, Unknown while it is worked on, else False.
func (c *Conditions) Part(kind string, v Verdict) {
	c.write(kind, statusOf(v.State), v.Reason, v.Message)
}

// Only writes a condition that is True while it exists, or removes it.
func (c *Conditions) Only(is bool, kind, reason, message string) {
	c.onlyIf(is, kind, Verdict{Reason: reason, Message: message})
}

// onlyIf writes a condition that exists only while it is True.
func (c *Conditions) onlyIf(is bool, kind string, v Verdict) {
	if !is {
		meta.RemoveStatusCondition(c.list, kind)
		return
	}
	c.write(kind, metav1.ConditionTrue, v.Reason, v.Message)
}

// maxMessage is the limit of the API server.
const maxMessage = 32768

// write sets one condition; its transition time changes only with its status.
func (c *Conditions) write(kind string, status metav1.ConditionStatus, reason, message string) {
	if len(message) > maxMessage {
		message = message[:maxMessage]
	}
	meta.SetStatusCondition(c.list, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: c.generation, LastTransitionTime: c.now,
	})
}

// statusOf translates a state into the status of a condition.
func statusOf(state State) metav1.ConditionStatus {
	switch state {
	case Ready:
		return metav1.ConditionTrue
	case Working:
		return metav1.ConditionUnknown
	}
	return metav1.ConditionFalse
}
