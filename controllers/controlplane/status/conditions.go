package status

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
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
	ready := metav1.Condition{Type: kinds.ConditionReady, Status: metav1.ConditionTrue, Reason: kinds.ReasonReady, Message: "in force"}
	for _, c := range conditions {
		restricted := c.Reason != kinds.ReasonAccepted && c.Reason != kinds.ReasonResolvedRefs && c.Reason != kinds.ReasonServiceAnswers
		if ready.Status == metav1.ConditionTrue && (c.Status != metav1.ConditionTrue || ready.Reason == kinds.ReasonReady && restricted) {
			ready.Status, ready.Reason, ready.Message = c.Status, c.Reason, c.Message
		}
	}
	return ready
}
