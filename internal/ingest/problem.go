package ingest

import "fmt"

// Problem is something about an object that its author must know.
type Problem struct {
	// Reason is one of the Reason constants.
	Reason string
	// Message says what is wrong, what the mesh does about it and what to write instead, in full sentences.
	Message string
	// Warning is true when the object is acted on as it is written, though perhaps not as it was meant. Otherwise the
	// object, or the part of it that the message names, is not acted on.
	Warning bool
}

// Reasons of problems. They appear in conditions, Events and metrics, so they do not change.
const (
	// ReasonMalformed: a field has the wrong type.
	ReasonMalformed = "Malformed"
	// ReasonUnsupported: the object asks for something that the mesh does not do.
	ReasonUnsupported = "Unsupported"
	// ReasonForeignNamespace: the object reaches into a namespace that it may not speak for.
	ReasonForeignNamespace = "ForeignNamespace"
	// ReasonInvalidName: a name that no Kubernetes object can have.
	ReasonInvalidName = "InvalidName"
	// ReasonInvalidRegex: a regular expression that is not RE2, too long or too large.
	ReasonInvalidRegex = "InvalidRegex"
	// ReasonInvalidHeader: a header that cannot be matched.
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
	// ReasonUnknownProtocol: a port with a protocol that sidecars do not speak.
	ReasonUnknownProtocol = "UnknownProtocol"
	// ReasonNotCaptured: traffic that sidecars do not intercept.
	ReasonNotCaptured = "NotCaptured"
	// ReasonInvalidNumber: a number out of range.
	ReasonInvalidNumber = "InvalidNumber"
	// ReasonInvalidCondition: a condition of retries that sidecars do not know, or that does nothing by itself.
	ReasonInvalidCondition = "InvalidCondition"
	// ReasonInvalidAnnotation: an annotation whose value means nothing.
	ReasonInvalidAnnotation = "InvalidAnnotation"
	// ReasonNotUsed: an object, or a part of it, that nothing in this version looks at.
	ReasonNotUsed = "NotUsed"
	// ReasonRefusedAddress: an endpoint address that no pod can have.
	ReasonRefusedAddress = "RefusedAddress"
)

// problems collects problems.
type problems []Problem

// refuse notes that the object, or a part of it, is not acted on.
func (p *problems) refuse(reason, format string, args ...any) {
	*p = append(*p, Problem{Reason: reason, Message: fmt.Sprintf(format, args...)})
}

// warn notes something about an object that is acted on.
func (p *problems) warn(reason, format string, args ...any) {
	*p = append(*p, Problem{Reason: reason, Message: fmt.Sprintf(format, args...), Warning: true})
}

// malformed are the problems with fields of the wrong type. Where there are any, other problems may follow from them.
func (p problems) malformed() []Problem {
	var all []Problem
	for _, one := range p {
		if one.Reason == ReasonMalformed {
			all = append(all, one)
		}
	}
	return all
}
