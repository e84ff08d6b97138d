package status

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// The conditions of policy objects.
const (
	// Accepted is True when the whole object is in force. When it is False, the message says which part is not, and why.
	Accepted = "Accepted"
	// ResolvedRefs is True when every object that the policy refers to exists.
	ResolvedRefs = "ResolvedRefs"
)

// The reasons of conditions, beside those of ingest's problems.
const (
	// ReasonAccepted: the object is in force.
	ReasonAccepted = "Accepted"
	// ReasonResolvedRefs: every reference leads somewhere.
	ReasonResolvedRefs = "ResolvedRefs"
	// ReasonRefNotFound: a referred object does not exist; the rule that refers to it grants nothing.
	ReasonRefNotFound = "RefNotFound"
	// ReasonDisabled: the MeshConfig switches objects of this kind off.
	ReasonDisabled = "Disabled"
	// ReasonNotFollowed: another object speaks about the same thing, and does not count here.
	ReasonNotFollowed = "NotFollowed"
	// ReasonConflicted: an older object speaks about the same thing, and counts.
	ReasonConflicted = "Conflicted"
)

// condition makes a condition of problems. Without any it is True; warnings leave it True and are told.
func condition(kind, good string, problems []ingest.Problem) metav1.Condition {
	if len(problems) == 0 {
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: good, Message: "in force"}
	}
	result := metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: problems[0].Reason}
	messages := make([]string, len(problems))
	for i, problem := range problems {
		messages[i] = problem.Message
		if !problem.Warning && result.Status == metav1.ConditionTrue {
			result.Status, result.Reason = metav1.ConditionFalse, problem.Reason
		}
	}
	result.Message = strings.Join(messages, " ")
	return result
}
