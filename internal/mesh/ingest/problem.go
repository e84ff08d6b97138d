package ingest

import "fmt"

// Problem is a problem with an object, for its author to fix or to consider.
type Problem struct {
	// Reason is one of the Reason constants.
	Reason string
	// Message describes what is wrong, its effect and what to write instead, in full sentences.
	Message string
	// Effect is a sentence about the value in use while the object is stored. It is empty if Message describes it. A rejection leaves it out.
	Effect string
	// Warning is true when the object applies as written, though possibly not as intended. Otherwise the object, or
	// the part that the message names, does not apply.
	Warning bool
	// Idle is true for an object without any effect. Admission only warns about it, because it can be completed later, but it is not in force.
	Idle bool
}

// InForce reports whether the object applies in spite of the problem.
func (p Problem) InForce() bool { return p.Warning && !p.Idle }

// Reasons of problems. They are part of conditions, Events and metrics and must not change.
const (
	// ReasonMalformed: a field has the wrong type.
	ReasonMalformed = "Malformed"
	// ReasonUnsupported: the object requests something that the mesh does not support.
	ReasonUnsupported = "Unsupported"
	// ReasonForeignNamespace: the object refers to a namespace that it must not affect.
	ReasonForeignNamespace = "ForeignNamespace"
	// ReasonInvalidName: a name that no Kubernetes object can have.
	ReasonInvalidName = "InvalidName"
	// ReasonInvalidRegex: a regular expression that is not RE2, too long or too large.
	ReasonInvalidRegex = "InvalidRegex"
	// ReasonInvalidHeader: a header that cannot be used as the policy asks.
	ReasonInvalidHeader = "InvalidHeader"
	// ReasonInvalidMethod: a method that HTTP does not allow.
	ReasonInvalidMethod = "InvalidMethod"
	// ReasonDuplicateMatch: two matches of a group have one name.
	ReasonDuplicateMatch = "DuplicateMatch"
	// ReasonInvalidPort: a port outside 1 to 65535.
	ReasonInvalidPort = "InvalidPort"
	// ReasonInvalidWeight: a negative, too large or missing weight.
	ReasonInvalidWeight = "InvalidWeight"
	// ReasonInvalidDuration: a duration that cannot be read or used.
	ReasonInvalidDuration = "InvalidDuration"
	// ReasonInvalidTLS: TLS versions that exclude each other.
	ReasonInvalidTLS = "InvalidTLS"
	// ReasonGrantsNothing: a policy without rules or sources.
	ReasonGrantsNothing = "GrantsNothing"
	// ReasonUnknownProtocol: a port with a protocol that sidecars do not support.
	ReasonUnknownProtocol = "UnknownProtocol"
	// ReasonNotCaptured: traffic that sidecars do not intercept.
	ReasonNotCaptured = "NotCaptured"
	// ReasonInvalidNumber: a number out of range.
	ReasonInvalidNumber = "InvalidNumber"
	// ReasonInvalidCondition: a retry condition that sidecars do not support, or that has no effect alone.
	ReasonInvalidCondition = "InvalidCondition"
	// ReasonInvalidAnnotation: an annotation with an invalid value.
	ReasonInvalidAnnotation = "InvalidAnnotation"
	// ReasonNotUsed: an object, or a part of it, that this version does not use.
	ReasonNotUsed = "NotUsed"
	// ReasonInvalidFormat: a format of log lines that sidecars do not support.
	ReasonInvalidFormat = "InvalidFormat"
	// ReasonInvalidExpression: a CEL expression that sidecars cannot evaluate.
	ReasonInvalidExpression = "InvalidExpression"
	// ReasonRejectedAddress: an endpoint address that no pod can have.
	ReasonRejectedAddress = "RejectedAddress"
)

// StatusMessage returns the message for the status of a stored object.
func (p Problem) StatusMessage() string {
	if p.Effect == "" {
		return p.Message
	}
	return p.Message + " " + p.Effect
}

// Problems collects problems.
type Problems []Problem

// Reject adds a problem: the object, or a part of it, does not apply.
func (p *Problems) Reject(reason, format string, args ...any) {
	*p = append(*p, Problem{Reason: reason, Message: fmt.Sprintf(format, args...)})
}

// Effect sets the effect of the last problem.
func (p Problems) Effect(format string, args ...any) {
	p[len(p)-1].Effect = fmt.Sprintf(format, args...)
}

// Warn adds a warning about an object that applies.
func (p *Problems) Warn(reason, format string, args ...any) {
	*p = append(*p, Problem{Reason: reason, Message: fmt.Sprintf(format, args...), Warning: true})
}

// Idle adds a problem with an object that has no effect: admission warns about it.
func (p *Problems) Idle(reason, format string, args ...any) {
	*p = append(*p, Problem{Reason: reason, Message: fmt.Sprintf(format, args...), Warning: true, Idle: true})
}

// Malformed adds a problem for a value of the wrong type.
func (p *Problems) Malformed(path string, value any, expected string) {
	p.Reject(ReasonMalformed, "%s is %s: expected %s, so this object is not acted on.", path, describe(value), expected)
}

// describe describes a value for an error message.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("the text %.40q", v)
	case bool:
		return fmt.Sprintf("the truth value %t", v)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("the number %v", value)
}
