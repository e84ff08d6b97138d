package analyze

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
)

// ownReasons lists the reasons of problems with single objects, in the order of their codes from OSM0101. Append new reasons at the end
// to keep the codes stable.
var ownReasons = []struct{ reason, title, meaning, remedy string }{
	{ingest.ReasonMalformed, "A field has the wrong type", "The object is ignored.", "Correct the field in the message."},
	{ingest.ReasonUnsupported, "Unsupported feature", "The object requests an unsupported feature. The message describes the effective behavior.", "Follow the message."},
	{ingest.ReasonForeignNamespace, "An object refers to another namespace", "An object may only refer to workloads in its own namespace.", "Move the object to that namespace."},
	{ingest.ReasonInvalidName, "Invalid name", "The part of the object with this name is ignored.", "Correct the name."},
	{ingest.ReasonInvalidRegex, "Invalid regular expression", "The expression is not valid RE2, too long or too large. The match is ignored.", "Use a shorter expression in RE2 syntax."},
	{ingest.ReasonInvalidHeader, "Invalid header", "The match is ignored.", "Follow the message."},
	{ingest.ReasonInvalidMethod, "Invalid HTTP method", "The match is ignored.", "Use a method such as GET, or * for any method."},
	{ingest.ReasonDuplicateMatch, "Duplicate match name", "Two matches of a group have the same name. The first one is used.", "Use a unique name for each match."},
	{ingest.ReasonInvalidPort, "Port out of range", "The port is ignored.", "Use a number from 1 to 65535."},
	{ingest.ReasonInvalidWeight, "Invalid weight", "A weight is missing, negative or too large, or all weights are 0.", "Follow the message."},
	{ingest.ReasonInvalidDuration, "Invalid duration", "The default is used instead.", "Use a number with a unit, such as 5s."},
	{ingest.ReasonInvalidTLS, "Contradictory TLS versions", "The minimum TLS version is higher than the maximum. The defaults are used instead.", "Follow the message."},
	{ingest.ReasonGrantsNothing, "A policy that grants nothing", "The policy has no rules, no sources or no matches, so it grants nothing.", "Complete it, or delete it."},
	{ingest.ReasonUnknownProtocol, "Unknown protocol of a port", "Sidecars do not support the protocol of the port. The message describes the effective protocol.", "Set appProtocol to a supported protocol, or to tcp."},
	{ingest.ReasonNotCaptured, "Traffic that sidecars do not intercept", "The traffic, such as UDP, bypasses the mesh.", "None, if this is intended."},
	{ingest.ReasonRejectedAddress, "Invalid endpoint address", "The address cannot belong to a pod, so it gets no traffic.", "Correct the EndpointSlice."},
	{ingest.ReasonInvalidNumber, "Number out of range", "The part of the object with this number is ignored.", "Follow the message."},
	{ingest.ReasonInvalidCondition, "Invalid retry condition", "Sidecars do not support the condition, or it has no effect by itself.", "Follow the message."},
	{ingest.ReasonInvalidAnnotation, "Invalid annotation value", "The annotation is ignored.", "Use a value from the message."},
	{ingest.ReasonNotUsed, "Unused object", "The object, or a part of it, has no effect in this version.", "Follow the message."},
	{ingest.ReasonInvalidFormat, "Invalid format of log lines", "Sidecars do not support a command operator of the format, or the mesh does not allow it. The log has the default format.", "Follow the message."},
	{ingest.ReasonInvalidExpression, "Invalid CEL expression", "Sidecars cannot evaluate the expression. Everything is logged.", "Follow the message."},
}

// ownCodes returns the codes of problems with single objects.
func ownCodes() []Code {
	all := []Code{{codeOther, Error, "Other problem of an object", "The message describes the problem and its effect.", "Follow the message."}}
	for i, r := range ownReasons {
		all = append(all, Code{ID: ownCode(i), Severity: Error, Title: r.title, Meaning: r.meaning, Remedy: r.remedy})
	}
	return all
}

// ownPrefix is the prefix of codes for problems with single objects.
const ownPrefix = "OSM01"

func ownCode(i int) string {
	const digits = "0123456789"
	n := i + 1
	return ownPrefix + string(digits[n/10]) + string(digits[n%10])
}

// CodeOf returns the code for the condition reason of a problem with a single object.
func CodeOf(reason string) string {
	i := slices.IndexFunc(ownReasons, func(r struct{ reason, title, meaning, remedy string }) bool { return r.reason == reason })
	if i < 0 {
		return codeOther
	}
	return ownCode(i)
}

// own reports problems with single objects.
func (a *analysis) own() {
	for _, object := range a.mesh.Objects {
		for _, problem := range validate.Object(object) {
			a.reportProblem(subjectOf(object), problem)
		}
	}
	for _, f := range a.mesh.Loaded.Findings {
		a.reportProblem(a.subject(f.Kind, f.Name), f.Problem)
	}
}

func (a *analysis) reportProblem(s subject, p ingest.Problem) {
	severity := Error
	if p.Warning {
		severity = Warning
	}
	message := p.StatusMessage()
	if a.mesh.Partial {
		message = p.Message // the object is in a file
	}
	a.report(CodeOf(p.Reason), severity, s, message)
}
