package status

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// Condition types of policy objects.
const (
	// Accepted is True if the whole object is in force. If it is False, the message names the part that is not, and why.
	Accepted = "Accepted"
	// ResolvedRefs is True if every object that the policy refers to exists.
	ResolvedRefs = "ResolvedRefs"
	// ServiceAnswers is True unless sidecars report that a server of the policy does not answer.
	ServiceAnswers = "ServiceAnswers"
	// Ready is True if all other conditions are. Otherwise it repeats the first one that is False.
	Ready = "Ready"
)

// Condition reasons, in addition to those of ingest's problems.
const (
	// ReasonAccepted means that the object is in force.
	ReasonAccepted = "Accepted"
	// ReasonResolvedRefs means that all references are resolved.
	ReasonResolvedRefs = "ResolvedRefs"
	// ReasonReady means that all conditions are True.
	ReasonReady = "Ready"
	// ReasonRefNotFound means that a referenced object does not exist; the rule that refers to it grants nothing.
	ReasonRefNotFound = "RefNotFound"
	// ReasonDisabled means that the MeshConfig disables objects of this kind.
	ReasonDisabled = "Disabled"
	// ReasonNotFollowed means that another object about the same Service does not apply here.
	ReasonNotFollowed = "NotFollowed"
	// ReasonTooManyServices means that some Services are beyond the bound of what a client in another namespace receives.
	ReasonTooManyServices = "TooManyServices"
	// ReasonNoUsableBackend means that requests of a TrafficSplit have no destination.
	ReasonNoUsableBackend = "NoUsableBackend"
	// ReasonHostNotResolved means that a host outside the mesh has no address, or that the query failed.
	ReasonHostNotResolved = "HostNotResolved"
	// ReasonServiceAnswers means that no sidecar reports a server without answers.
	ReasonServiceAnswers = "ServiceAnswers"
	// ReasonServiceNotAnswering means that sidecars get no answer from a server.
	ReasonServiceNotAnswering = "ServiceNotAnswering"
	// ReasonConflicted means that an older object has precedence.
	ReasonConflicted = "Conflicted"
)

// condition returns a condition for problems. It is True without problems, or with warnings only, which are in its message.
func condition(conditionType, okReason string, problems []ingest.Problem) metav1.Condition {
	if len(problems) == 0 {
		return metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue, Reason: okReason, Message: "in force"}
	}
	result := metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue, Reason: problems[0].Reason}
	messages := make([]string, len(problems))
	for i, problem := range problems {
		messages[i] = problem.StatusMessage()
		if !problem.Warning && result.Status == metav1.ConditionTrue {
			result.Status, result.Reason = metav1.ConditionFalse, problem.Reason
		}
	}
	result.Message = strings.Join(messages, " ")
	return result
}

// summarize returns the condition Ready for the other conditions of an object.
func summarize(conditions []metav1.Condition) metav1.Condition {
	ready := metav1.Condition{Type: Ready, Status: metav1.ConditionTrue, Reason: ReasonReady, Message: "in force"}
	for _, c := range conditions {
		restricted := c.Reason != ReasonAccepted && c.Reason != ReasonResolvedRefs && c.Reason != ReasonServiceAnswers
		if ready.Status == metav1.ConditionTrue && (c.Status != metav1.ConditionTrue || ready.Reason == ReasonReady && restricted) {
			ready.Status, ready.Reason, ready.Message = c.Status, c.Reason, c.Message
		}
	}
	return ready
}
