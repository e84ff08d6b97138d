package kinds

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Condition types of policy objects.
const (
	// ConditionAccepted is True if the whole object is in force. If it is False, the message names the part that is not, and why.
	ConditionAccepted = "Accepted"
	// ConditionResolvedRefs is True if every object that the policy refers to exists.
	ConditionResolvedRefs = "ResolvedRefs"
	// ConditionServiceAnswers is True unless sidecars report that a server of the policy does not answer.
	ConditionServiceAnswers = "ServiceAnswers"
	// ConditionReady is True if all other conditions are. Otherwise it repeats the first one that is False.
	ConditionReady = "Ready"
)

// Condition reasons, in addition to those of ingest's problems.
const (
	// ReasonAccepted means that the object is in force.
	ReasonAccepted = "Accepted"
	// ReasonResolvedRefs means that all references are resolved.
	ReasonResolvedRefs = "ResolvedRefs"
	// ReasonReady means that all conditions are True.
	ReasonReady = "Ready"
	// ReasonHostNotResolved means that a host outside the mesh has no address, or that the query failed.
	ReasonHostNotResolved = "HostNotResolved"
	// ReasonServiceAnswers means that no sidecar reports a server without answers.
	ReasonServiceAnswers = "ServiceAnswers"
	// ReasonServiceNotAnswering means that sidecars get no answer from a server.
	ReasonServiceNotAnswering = "ServiceNotAnswering"
	// ReasonRejectedByProxy means that a sidecar rejected configuration derived from the object. The object is quarantined until it changes.
	ReasonRejectedByProxy = "RejectedByProxy"
	// ReasonTooManyRoutes means that a policy is not complete in the configuration of some sidecars. The policies of its namespace have more
	// routes than a sidecar or the egress gateway can have.
	ReasonTooManyRoutes = "TooManyRoutes"
)

// ConditionsOf returns the conditions in the status of a policy.
func ConditionsOf(object *unstructured.Unstructured) ([]metav1.Condition, error) {
	status, _, err := unstructured.NestedMap(object.Object, "status")
	if err != nil {
		return nil, fmt.Errorf("status of %s is not an object: %w", object.GetName(), err)
	}
	var typed struct {
		Conditions []metav1.Condition `json:"conditions"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(status, &typed); err != nil {
		return nil, fmt.Errorf("conditions of %s cannot be read: %w", object.GetName(), err)
	}
	return typed.Conditions, nil
}

// IsPlain reports whether conditions say no more than that an object is in force.
func IsPlain(conditions []metav1.Condition) bool {
	for _, c := range conditions {
		if c.Status != metav1.ConditionTrue {
			return false
		}
		switch c.Reason {
		case ReasonAccepted, ReasonResolvedRefs, ReasonServiceAnswers, ReasonReady:
		default:
			return false
		}
	}
	return true
}
